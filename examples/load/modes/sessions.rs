//! A session manager over this crate's backend, as a service embeds it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catamaran::model::ImageRef;
use catamaran::session::{
    OpenFailure, Origin, PoolOptions, SessionKey, SessionLimits, SessionManager, SessionSpec,
    Shutdown, Timings,
};
use catamaran::{Config, Endpoint, HybridBackend, LimitOptions};
use tokio::time::Instant;

use super::{How, Opened, Opener};
use crate::args::{Mode, Options};
use crate::body::{COMMAND, LABEL, STOP_SECONDS};
use crate::{IMAGE, Outcome, PATIENCE};

/// How long the pool may take to be filled, an open may wait for its turn, and the end may take.
const LONG: Duration = Duration::from_secs(300);
/// From one look at the pool to the next.
const LOOK: Duration = Duration::from_millis(20);
/// How many of the pool are made at once.
const AT_ONCE: usize = 8;

pub struct Sessions {
    manager: SessionManager,
    backend: HybridBackend,
    spec: SessionSpec,
}

impl Sessions {
    /// Starts it, and waits until the pool is full.
    pub async fn start(options: &Options, way: &Endpoint, run: &str) -> Outcome<Self> {
        let mode = match options.mode {
            Mode::Blocking => catamaran::Mode::Blocking,
            Mode::Async => catamaran::Mode::Async,
            _ => catamaran::Mode::Auto,
        };
        // A third of a call's time is kept for another try.
        let mut config = Config::builder()
            .endpoint(way.clone())
            .mode(mode)
            .operation_timeout(PATIENCE * 3 / 2);
        let [users, warm] = [options.users, options.warm].map(usize::try_from);
        let (users, warm) = (users?, warm?);
        // Nobody is turned away: that would be a test of something else.
        let mut limits = SessionLimits::default()
            .with_sessions((users + warm).max(SessionLimits::default().sessions))
            .with_queue(users.max(SessionLimits::default().queue))
            .with_queue_time(LONG);
        if let Some(in_flight) = options.in_flight {
            let in_flight = usize::try_from(in_flight)?;
            config = config.limits(LimitOptions::default().with_calls(in_flight));
            limits = limits.with_opens(in_flight);
        }
        let backend = HybridBackend::new(&config.build()?)?;
        let mut spec = SessionSpec::new(ImageRef::new(IMAGE)?)
            .with_command(COMMAND)
            .with_stop_timeout(Duration::from_secs(u64::try_from(STOP_SECONDS)?));
        spec.container = spec.container.with_label(LABEL, run)?;
        let mut builder = SessionManager::builder(run)?.with_limits(limits)?;
        if warm > 0 {
            let pool = PoolOptions::new(warm, warm).with_at_once(AT_ONCE.min(warm));
            builder = builder.with_pool(spec.clone(), pool)?;
        }
        let manager = builder.start(Arc::new(backend.clone())).await?;
        let sessions = Self {
            manager,
            backend,
            spec,
        };
        if let Err(error) = sessions.filled(warm).await {
            sessions.end().await?;
            return Err(error);
        }
        Ok(sessions)
    }

    async fn filled(&self, warm: usize) -> Outcome<()> {
        let until = Instant::now() + LONG;
        loop {
            let pools = self.manager.pools();
            let ready: usize = pools.iter().map(|pool| pool.ready).sum();
            if ready >= warm {
                return Ok(());
            }
            if Instant::now() > until {
                let why = pools.into_iter().find_map(|pool| pool.last_error);
                let why = why.unwrap_or_else(|| "no error was told".to_owned());
                return Err(format!("{ready} of {warm} stand by after {LONG:?}: {why}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn phases(timings: &Timings) -> Vec<(&'static str, Duration)> {
    vec![
        ("admission", timings.admission),
        ("image", timings.image),
        ("create", timings.create),
        ("start", timings.start),
        ("ready", timings.ready),
        ("confirm", timings.confirm),
    ]
}

#[async_trait]
impl Opener for Sessions {
    async fn open(&self, user: u64, number: u64) -> Outcome<Opened> {
        let key = SessionKey::new(format!("user-{user}"), format!("session-{number}"))?;
        let session = self.manager.open(&key, &self.spec).await.map_err(|error| {
            match OpenFailure::of(&error) {
                Some(failure) => format!("{}: {error:#}", failure.phase()),
                None => format!("{error:#}"),
            }
        })?;
        let opening = session.opening();
        Ok(Opened {
            handle: key.to_string(),
            how: Some(How {
                warm: opening.origin == Origin::Warm,
                phases: phases(&opening.timings),
            }),
        })
    }

    async fn close(&self, opened: Opened) -> Outcome<()> {
        let key: SessionKey = opened.handle.parse()?;
        match self.manager.close(&key).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it was closed already".into()),
            Err(error) => Err(format!("close: {error:#}").into()),
        }
    }

    async fn end(&self) -> Outcome<()> {
        self.manager.shutdown(Shutdown::CloseAll, LONG).await?;
        Ok(self.backend.shutdown(LONG).await?)
    }
}
