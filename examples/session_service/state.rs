//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use catamaran::session::{
    PoolOptions, Session, SessionKey, SessionLimits, SessionManager, SessionSpec,
};
use catamaran::{ContainerBackend, Result};
use serde::Deserialize;

use crate::auth::Owner;
use crate::config::Settings;
use crate::problem::{Problem, sorts};
use crate::routes::health::LastLook;
use crate::shutdown::Stopping;

/// The service: what it stands on, and what it was told.
pub struct Service {
    pub settings: Settings,
    pub backend: Arc<dyn ContainerBackend>,
    pub manager: SessionManager,
    /// What every session is.
    pub spec: SessionSpec,
    pub stopping: Stopping,
    pub last_look: LastLook,
}

/// A handle to the service, for handlers.
#[derive(Clone)]
pub struct App(Arc<Service>);

impl Deref for App {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl App {
    /// Starts the sessions' manager on this engine, and takes up what an earlier instance has left.
    pub async fn start(settings: Settings, backend: Arc<dyn ContainerBackend>) -> Result<Self> {
        let spec = spec(&settings);
        // What can't be right is known at the start, and not by the first caller.
        spec.validate()?;
        let limits = SessionLimits::default()
            .with_sessions(settings.sessions)
            .with_owner_sessions(settings.owner_sessions);
        let mut manager = SessionManager::builder(&settings.name)?
            .with_lease(settings.lease)?
            .with_limits(limits)?;
        if settings.warm > 0 {
            let pool = PoolOptions::new(settings.warm, settings.warm);
            manager = manager.with_pool(spec.clone(), pool)?;
        }
        Ok(Self(Arc::new(Service {
            manager: manager.start(Arc::clone(&backend)).await?,
            backend,
            spec,
            settings,
            stopping: Stopping::default(),
            last_look: LastLook::default(),
        })))
    }

    /// Whether it is known what an earlier instance has left.
    pub fn is_recovered(&self) -> bool {
        self.manager.is_recovered()
    }

    /// The session of this key.
    pub fn session(&self, key: &SessionKey) -> std::result::Result<Session, Problem> {
        self.manager.get(key).ok_or_else(|| self.no_session())
    }

    /// That there is no such session, once that can be known.
    pub fn no_session(&self) -> Problem {
        match self.is_recovered() {
            true => Problem::new(&sorts::NO_SESSION),
            false => Problem::new(&sorts::RECOVERING),
        }
    }
}

/// What every session is: hardened, with what the settings say.
fn spec(settings: &Settings) -> SessionSpec {
    let mut spec = SessionSpec::new(settings.image.clone())
        .with_idle_timeout(settings.idle)
        .with_max_age(settings.max_age);
    if !settings.command.is_empty() {
        spec = spec.with_command(settings.command.clone());
    }
    let resources = spec.container.resources.clone();
    spec.container.resources = resources
        .with_memory_and_no_swap(settings.memory)
        .with_cpus(settings.cpus);
    spec
}

/// The session that a path names, of the owner who asks: nobody can name another's.
pub struct Named(pub SessionKey);

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> std::result::Result<Self, Problem> {
        let Owner(owner) = Owner::from_request_parts(parts, state).await?;
        let Path(Name { name }) = Path::from_request_parts(parts, state).await?;
        Ok(Self(SessionKey::new(owner, name)?))
    }
}
