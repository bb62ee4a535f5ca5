//! What all handlers share.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use catamaran::doctor::{DoctorOptions, Finding};
use catamaran::session::{
    PoolOptions, Session, SessionKey, SessionLimits, SessionManager, SessionSpec,
};
use catamaran::telemetry::alerts::{Alert, AlertOptions, AlertSeverity, AlertState, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::{Config, HybridBackend, Result, doctor};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;

use crate::auth::Owner;
use crate::config::Settings;
use crate::problem::{Problem, sorts};
use crate::routes::health::LastLook;
use crate::shutdown::Stopping;

/// The service: what it stands on, and what it was told.
pub struct Service {
    pub settings: Settings,
    pub backend: HybridBackend,
    pub manager: SessionManager,
    /// What every session is.
    pub spec: SessionSpec,
    pub stopping: Stopping,
    pub last_look: LastLook,
    /// What the doctor has found, once it has looked.
    pub findings: OnceLock<Vec<Finding>>,
    pub audit: Option<AuditLog>,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the backend and the manager have it")
    )]
    pub alerts: Alerts,
    pub metrics: PrometheusHandle,
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
    pub async fn start(
        settings: Settings,
        backend: HybridBackend,
        metrics: PrometheusHandle,
    ) -> Result<Self> {
        let alerts = Alerts::new(AlertOptions::default());
        alerts.on_alert(Arc::new(page));
        let mut backend = backend.with_alerts(&alerts);
        let audit = settings.audit.as_ref().map(AuditLog::open).transpose()?;
        if let Some(audit) = &audit {
            backend = backend.with_audit(audit);
        }
        let spec = spec(&settings);
        // What can't be right is known at the start, and not by the first caller.
        spec.validate()?;
        let limits = SessionLimits::default()
            .with_sessions(settings.sessions)
            .with_owner_sessions(settings.owner_sessions);
        let mut manager = SessionManager::builder(&settings.name)?
            .with_lease(settings.lease)?
            .with_limits(limits)?
            .with_alerts(&alerts);
        if settings.warm > 0 {
            let pool = PoolOptions::new(settings.warm, settings.warm);
            manager = manager.with_pool(spec.clone(), pool)?;
        }
        Ok(Self(Arc::new(Service {
            manager: manager.start(Arc::new(backend.clone())).await?,
            backend,
            spec,
            settings,
            stopping: Stopping::default(),
            last_look: LastLook::default(),
            findings: OnceLock::new(),
            audit,
            alerts,
            metrics,
        })))
    }

    /// Has the doctor look at the engine once, beside all else: it may take half a minute.
    pub fn consult(&self, config: Config) {
        let app = self.clone();
        tokio::spawn(async move {
            let report = doctor(Ok(config), &DoctorOptions::default()).await;
            // It is asked but once.
            let _ = app.findings.set(report.findings().to_vec());
        });
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

/// Every alert is in the log already, with its advice. Here somebody is called: put your pager in this place.
fn page(alert: &Alert) {
    if alert.severity == AlertSeverity::Critical && alert.state == AlertState::Raised {
        tracing::error!("somebody is to be called: {alert}");
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
