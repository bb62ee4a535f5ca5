//! What a manager is made with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::limits::SessionLimits;
use super::looks::Looks;
use super::manager::{SessionManager, Shared};
use super::notice::Notices;
use super::pool::{PoolOptions, Pools};
use super::pulse::Pulse;
use super::ready::Reach;
use super::resources::ResourceWatch;
use super::roster::Roster;
use super::spec::SessionSpec;
use super::verified::Verified;
use super::{adopt, key, looks, resources, upkeep, watcher};
use crate::backend::ContainerBackend;
use crate::endpoint::{Endpoint, Environment};
use crate::error::{Error, Result};
use crate::host::{Host, HostOptions};
use crate::telemetry::alerts::Alerts;

/// Told from those of other managers of this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Notices that a subscriber may be behind.
const NOTICES: usize = 4_096;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) lease: Duration,
    pub(super) reconcile: Duration,
    pub(super) upkeep: Duration,
    pub(super) resources: Option<ResourceWatch>,
}

/// What a [`SessionManager`] is made with; made by [`SessionManager::builder`].
#[derive(Debug)]
#[must_use = "nothing happens before it is started"]
pub struct SessionManagerBuilder {
    pub(super) host: HostOptions,
    pub(super) limits: SessionLimits,
    settings: Settings,
    pools: Vec<(SessionSpec, PoolOptions)>,
    engine_host: Option<String>,
    alerts: Option<Alerts>,
}

impl SessionManagerBuilder {
    pub(super) fn new(name: impl Into<String>) -> Result<Self> {
        let host = HostOptions::new(name)?;
        key::check_host(&host.name)?;
        Ok(Self {
            settings: Settings {
                lease: host.lease,
                reconcile: Duration::from_secs(30),
                upkeep: Duration::from_secs(1),
                resources: Some(ResourceWatch::default()),
            },
            host,
            limits: SessionLimits::default(),
            pools: Vec::new(),
            engine_host: None,
            alerts: None,
        })
    }

    /// As the process's environment says:
    ///
    /// | Variable | Meaning | Default |
    /// |---|---|---|
    /// | `CATAMARAN_HOST` | the service's name, which must be set | |
    /// | `CATAMARAN_LEASE` | after how long a silence a process counts as dead | `6s` |
    /// | `CATAMARAN_SESSIONS` | how many sessions there may be | `256` |
    /// | `CATAMARAN_OWNER_SESSIONS` | how many of one owner; `0` is as many as there may be | `16` |
    /// | `CATAMARAN_OPENS` | how many are opened at once | `16` |
    /// | `CATAMARAN_OPEN_QUEUE` | how many more wait for that | `256` |
    /// | `CATAMARAN_OPEN_QUEUE_TIME` | and for how long | `30s` |
    ///
    /// # Errors
    /// `Config` for a value that can't be right, naming the variable.
    pub fn from_env() -> Result<Self> {
        Self::from_environment(&Environment::from_process())
    }

    /// As that environment says, see [`from_env`](Self::from_env).
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        super::environment::read(environment)
    }

    /// After how long a silence a process counts as dead, 1 s to 1 h; 6 s unless set. See [`HostOptions::lease`].
    ///
    /// # Errors
    /// `InvalidInput` for any other time.
    pub fn with_lease(mut self, lease: Duration) -> Result<Self> {
        self.host = self.host.with_lease(lease)?;
        self.settings.lease = lease;
        Ok(self)
    }

    /// How many sessions there may be, and how many are opened at once.
    ///
    /// # Errors
    /// `InvalidInput` for limits that nothing fits into.
    pub fn with_limits(mut self, limits: SessionLimits) -> Result<Self> {
        limits.validate()?;
        self.limits = limits;
        Ok(self)
    }

    /// Keeps containers of that spec that are ready before anybody asks.
    ///
    /// # Errors
    /// `InvalidInput` for a spec or options that can't be right.
    pub fn with_pool(mut self, spec: SessionSpec, options: PoolOptions) -> Result<Self> {
        options.validate(&spec)?;
        self.pools.push((spec, options));
        Ok(self)
    }

    /// How often what there is at the engine is compared with what is known, beside the engine's events; 30 s unless set.
    ///
    /// # Errors
    /// `InvalidInput` for less than 100 ms or more than an hour.
    pub fn with_reconcile_interval(mut self, interval: Duration) -> Result<Self> {
        let fits = Duration::from_millis(100)..=Duration::from_secs(3_600);
        if !fits.contains(&interval) {
            return Err(Error::invalid("reconcile_interval", "isn't 100 ms to 1 h"));
        }
        self.settings.reconcile = interval;
        Ok(self)
    }

    /// How what sessions use is watched; `None` is not at all.
    pub fn with_resource_watch(mut self, watch: impl Into<Option<ResourceWatch>>) -> Self {
        self.settings.resources = watch.into();
        self
    }

    /// Where published ports of the engine's machine are reached, for [`Ready::Tcp`](super::Ready::Tcp) and
    /// [`Ready::Http`](super::Ready::Http): a host name or an address; `127.0.0.1` unless set.
    pub fn with_engine_host(mut self, host: impl Into<String>) -> Self {
        self.engine_host = Some(host.into());
        self
    }

    /// Has alerts raised where it goes wrong: sessions whose limits don't hold, and what was left behind by nobody knows whom. The
    /// backend has its [own](crate::HybridBackend::with_alerts) way to the same alerts.
    pub fn with_alerts(mut self, alerts: &Alerts) -> Self {
        self.alerts = Some(alerts.clone());
        self
    }

    /// The machine of that endpoint, unless one is set.
    pub(super) fn reaching(mut self, endpoint: &Endpoint) -> Self {
        if self.engine_host.is_none() {
            self.engine_host = endpoint.host().map(str::to_owned);
        }
        self
    }

    /// Starts it, over any backend: takes a lease, begins to look for what earlier hosts left, fills the warm pools. It needs a
    /// tokio runtime, on which it works until it is shut down or its last handle is dropped.
    ///
    /// # Errors
    /// As [`Host::start`].
    ///
    /// # Cancel safety
    /// As [`Host::start`].
    pub async fn start(self, backend: Arc<dyn ContainerBackend>) -> Result<SessionManager> {
        let host = Host::start(Arc::clone(&backend), self.host.clone()).await?;
        let engine_host = self.engine_host.unwrap_or_else(|| "127.0.0.1".to_owned());
        let shared = Arc::new(Shared {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            backend,
            host,
            name: self.host.name,
            settings: self.settings,
            reach: Reach { engine_host },
            admission: Admission::new(&self.limits),
            roster: Roster::default(),
            notices: Notices::new(NOTICES),
            pools: Pools::default(),
            recovered: watch::Sender::new(false),
            closed: AtomicBool::new(false),
            opens: AtomicUsize::new(0),
            looks: Looks::default(),
            verified: Verified::default(),
            compare: Notify::new(),
            pulse: Pulse::new(self.alerts),
            runtime: Handle::current(),
            ends: CancellationToken::new(),
        });
        let manager = SessionManager::new(Arc::clone(&shared));
        spawn(&shared, watcher::watch(Arc::clone(&shared)));
        spawn(&shared, watcher::reconcile(Arc::clone(&shared)));
        spawn(&shared, looks::look(Arc::clone(&shared)));
        spawn(&shared, adopt::adopt(Arc::clone(&shared)));
        spawn(&shared, upkeep::go_on(Arc::clone(&shared)));
        spawn(&shared, resources::watch(Arc::clone(&shared)));
        shared.pools.set(&shared, self.pools)?;
        Ok(manager)
    }
}

/// Until the manager ends.
fn spawn(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    let ends = shared.ends.clone();
    tokio::spawn(async move { ends.run_until_cancelled(task).await });
}
