//! The two engines as one backend: which serves a call, and what happens when its path fails.

mod making;
mod operations;
mod report;
mod rollout;
mod shadow;
mod switch;
mod watched;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::janitor;
use crate::backend::{BackendId, CallContext, ContainerBackend};
use crate::config::{Config, Mode};
use crate::engine::{AsyncEngine, BlockingEngine};
use crate::engine_kind::EngineKind;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Fate, Host};
use crate::policy::{
    Breaker, BreakerOptions, BreakerState, Budget, Call, Doubt, Gate, Path, Pipeline, RetryOptions,
    Road, Route, Seen, Side,
};
use crate::telemetry::{Probes, Telemetry};
use shadow::Shadow;
use switch::Switch;

pub use report::{CallReport, LastCall, Observer, Reason};
pub use shadow::ShadowReport;

/// Both engines as one backend: the [`Mode`] says which serves a call, and in [`Mode::Auto`] the
/// blocking engine helps where the path of the async one fails.
///
/// # One effect
/// A caller asks once, and what was asked happens once or not at all. A failed attempt is followed by what
/// `docs/policies.md` has a table of, written by the code:
///
/// - Whatever the engine answered (404, 409 …) is the caller's.
/// - Where nothing was sent, or a second time changes nothing more, it is tried again: in [`Mode::Auto`] by the blocking
///   engine at once, where the *path* failed ([`ErrorKind::is_path_failure`](crate::ErrorKind::is_path_failure)), and then
///   after pauses, as [`RetryOptions`] say.
/// - Where it may have happened and the engine can tell (creations, `start`, `stop`, `remove` …), looks at the engine
///   decide: it is done, and the caller gets its answer; or it isn't, and is tried again; or nobody can say, and the
///   error is the caller's, with [`Effect::Unknown`](crate::Effect::Unknown).
/// - What can be neither repeated nor observed (signals, `import_image`, prunes, an `exec` that has begun …) is sent once.
///
/// One deadline covers all of it. So that there is time left, an attempt has two thirds of the time that is left, from when
/// it is its turn, and the time of its own nature on top (a stop's timeout). What is sent once has all of it, and so have
/// `wait`, a pull and the archives, which take as long as they take, and `logs` and `events`. Once a stream or a session
/// has begun, its failure is the caller's. Where several attempts fail the error is the last one's, and keeps the first
/// ([`Error::first_failure`](crate::Error::first_failure)).
///
/// # Creations
/// A container that is created bears two labels more: `catamaran.operation`, by which it is known again, and
/// `catamaran.spec`, a hash of what was asked for. Without a name it gets one that begins with `catamaran-`: an engine
/// gives a name to one container alone, so that a creation can be repeated. A creation whose caller goes away, or that ends
/// in doubt, is looked for and removed in the background: eagerly for half a minute, and a few times in the eight minutes after it.
///
/// # Breakers
/// A path that fails several times in a row is left alone for a while ([`BreakerOptions`]): calls go to the other one at
/// once, or fail as [`Unavailable`](crate::ErrorKind::Unavailable) where there is none, and come back by themselves.
///
/// Both engines talk to the same daemon: the fallback cures a client's path, not a daemon that is down.
///
/// # Another road
/// Unless it is given one ([`Config::fallback_endpoint`], `DOCKER_FALLBACK_HOST`), the blocking engine takes the same road to
/// the daemon as the async one, and shares what is wrong with it. Its own it takes in every mode, in [`Mode::Blocking`] for
/// all calls, and looks and removals in the background go by it too. What is done by one road must be there by the other,
/// so that it is asked only while `info` by both roads gives the same engine ID and host name:
///
/// - Those of the endpoint are learnt in the background when a call is served there: after the first one, after each
///   failure of its path, and every half a minute. When it fails, what was learnt last is what counts.
/// - Those of the other road are asked for before it is used, within the call's time and once for all calls, and believed
///   for ten seconds, unless its path fails before.
/// - Where they differ, or one isn't known (the endpoint has never answered, `info` is refused there), the fallback isn't
///   taken: the caller gets the async path's failure, which says why. In [`Mode::Blocking`] the call fails before it is sent,
///   as [`Unavailable`](crate::ErrorKind::Unavailable), or as its own path failed.
///
/// Podman gives another ID each time it is asked, so that its service can't be told by it: there, no other road is taken.
///
/// # The switch and the rollout
/// [`set_mode`](Self::set_mode) and [`set_rollout`](Self::set_rollout) hold for all handles and clones, and for the calls that
/// begin after it; calls under way end as they began. To move a service from the blocking engine to the async one, raise the
/// rollout while [`health`](Self::health) and the [alerts](Self::with_alerts) stay quiet, from a hundredth to all; back is one call.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::{ContainerBackend, HybridBackend, LastCall, Mode};
///
/// # async fn example() -> catamaran::Result<()> {
/// let backend = HybridBackend::from_env()?;
/// let last = Arc::new(LastCall::default());
/// let seen = backend.with_observer(last.clone());
/// seen.ping().await?; // by the async engine
/// backend.set_mode(Mode::Blocking);
/// seen.ping().await?; // by the blocking engine
/// println!("{:?}", last.get());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HybridBackend {
    id: BackendId,
    switch: Arc<Switch>,
    pipeline: Pipeline,
    shadow: Arc<Shadow>,
    probes: Arc<Probes>,
    /// Whose containers it creates, and what shall become of them.
    host: Option<(Host, Fate)>,
}

impl fmt::Debug for HybridBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HybridBackend")
            .field("mode", &self.mode())
            .field("rollout", &self.rollout())
            .field("operation_timeout", &self.pipeline.operation_timeout)
            .field("context", &self.pipeline.context)
            .finish_non_exhaustive()
    }
}

impl HybridBackend {
    /// Both engines as configured, the blocking one by the other road where there is one. They share all permits
    /// ([`Config::limits`]). Nothing is sent before the first call.
    ///
    /// # Errors
    /// As [`AsyncEngine::new`].
    pub fn new(config: &Config) -> Result<Self> {
        let async_engine = AsyncEngine::new(config)?;
        let own = config.by_fallback();
        let blocking_config = own.as_ref().unwrap_or(config);
        let blocking_engine = BlockingEngine::sharing(blocking_config, &async_engine)?;
        let limits = async_engine.limits();
        let mut hybrid = Self::over(Arc::new(async_engine), Arc::new(blocking_engine))
            .with_operation_timeout(config.operation_timeout());
        hybrid.switch = Arc::new(Switch::new(config.mode(), config.rollout()));
        hybrid.pipeline.telemetry.rolled_out(config.rollout());
        hybrid = hybrid.with_shadow(config.shadow())?;
        if let Some(limits) = limits {
            hybrid.pipeline.telemetry.know(limits);
        }
        Ok(match own {
            Some(own) => hybrid.checking(config.endpoint().to_string(), own.endpoint().to_string()),
            None => hybrid,
        })
    }

    /// Both engines as the process's environment says.
    ///
    /// # Errors
    /// As [`Config::from_env`] and [`new`](Self::new).
    pub fn from_env() -> Result<Self> {
        Self::new(&Config::from_env()?)
    }

    /// Any two backends in the places of the two engines: test doubles, engines that take different
    /// roads to one daemon. The mode is [`Mode::Auto`], and a call may take 30 s.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use catamaran::{AsyncEngine, BlockingEngine, Endpoint, HybridBackend};
    ///
    /// let tunnel = AsyncEngine::connect(Endpoint::tcp("127.0.0.1", 2375))?;
    /// let socket = BlockingEngine::connect(Endpoint::unix("/var/run/docker.sock"))?;
    /// let backend = HybridBackend::over(Arc::new(tunnel), Arc::new(socket));
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn over(
        async_engine: Arc<dyn ContainerBackend>,
        blocking_engine: Arc<dyn ContainerBackend>,
    ) -> Self {
        let path = |kind, engine| Path {
            engine,
            breaker: Breaker::new(kind, BreakerOptions::default()),
        };
        let retry = RetryOptions::default();
        Self {
            id: BackendId::new(),
            switch: Arc::new(Switch::new(Mode::default(), Config::ROLLOUT)),
            shadow: Arc::default(),
            probes: Arc::default(),
            pipeline: Pipeline {
                async_path: path(EngineKind::Async, async_engine),
                blocking_path: path(EngineKind::Blocking, blocking_engine),
                road: None,
                operation_timeout: Config::OPERATION_TIMEOUT,
                budget: Arc::new(Budget::new(&retry)),
                retry,
                context: CallContext::new(),
                observers: Vec::new(),
                gates: Default::default(),
                telemetry: Telemetry::new(),
                looks: false,
                cleans_up: false,
            },
            host: None,
        }
    }

    /// A handle to the same backend whose containers are this host's: what it creates bears the host's labels, and after the
    /// death of the process that becomes of it.
    #[must_use]
    pub fn hosted(&self, host: &Host, fate: Fate) -> Self {
        Self {
            host: Some((host.clone(), fate)),
            ..self.clone()
        }
    }

    /// Has the second backend asked only while `info` gives the same engine ID there as at the first, as for
    /// `DOCKER_FALLBACK_HOST` (*Another road* above), for this handle and those made of it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use catamaran::{AsyncEngine, BlockingEngine, Endpoint, HybridBackend};
    ///
    /// let tunnel = AsyncEngine::connect(Endpoint::tcp("127.0.0.1", 2375))?;
    /// let socket = BlockingEngine::connect(Endpoint::unix("/var/run/docker.sock"))?;
    /// let backend = HybridBackend::over(Arc::new(tunnel), Arc::new(socket)).with_same_engine_check();
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn with_same_engine_check(self) -> Self {
        let place = |kind: EngineKind| format!("the {kind} engine's endpoint");
        self.checking(place(EngineKind::Async), place(EngineKind::Blocking))
    }

    fn checking(mut self, async_place: String, blocking_place: String) -> Self {
        let pipeline = &mut self.pipeline;
        pipeline.road = Some(Road::new(
            Side::new(Arc::clone(&pipeline.async_path.engine), async_place),
            Side::new(Arc::clone(&pipeline.blocking_path.engine), blocking_place),
        ));
        self
    }

    /// Sets the mode to begin with, for this handle alone and those made of it.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.switch = Arc::new(Switch::new(mode, self.rollout()));
        self
    }

    /// Which share of the calls or sessions the async engine serves now, in percent.
    #[must_use]
    pub fn rollout(&self) -> u8 {
        self.switch.rollout.get()
    }

    /// Sets which share the async engine serves in [`Mode::Auto`], in percent, for all handles and from the next call on, and gives
    /// back the one before; the blocking engine serves the rest, as [`Reason::Rollout`] says.
    ///
    /// It is decided by the [session](CallContext::with_session) of a call, or else by its [key](CallContext::with_key), and always
    /// alike, in every process: a session's calls go by one way, unless that fails, and a greater share holds all that a smaller
    /// one did. Of calls that have neither, so many of a hundred are taken.
    ///
    /// # Errors
    /// `InvalidInput` for more than 100.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint, HybridBackend};
    /// # let config = Config::builder().endpoint(Endpoint::unix("/run/docker.sock")).build()?;
    /// let backend = HybridBackend::new(&config)?;
    /// backend.set_rollout(10)?;
    /// assert_eq!(backend.rollout(), 10);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn set_rollout(&self, percent: u8) -> Result<u8> {
        let before = self.switch.rollout.set(percent)?;
        self.pipeline.telemetry.rolled_out(percent);
        if before != percent {
            tracing::info!(%before, %percent, "rollout of the async engine changed");
        }
        Ok(before)
    }

    /// Sets how long a call may take, both attempts together; an engine whose own time is shorter keeps it.
    #[must_use]
    pub fn with_operation_timeout(mut self, timeout: Duration) -> Self {
        self.pipeline.operation_timeout = timeout;
        self
    }

    /// Sets how often a call is tried, for this handle and those made of it, which share the budget.
    #[must_use]
    pub fn with_retry(mut self, options: RetryOptions) -> Self {
        self.pipeline.budget = Arc::new(Budget::new(&options));
        self.pipeline.retry = options;
        self
    }

    /// Sets when a path counts as failing, for this handle and those made of it; both begin as well.
    #[must_use]
    pub fn with_breaker(mut self, options: BreakerOptions) -> Self {
        self.pipeline.async_path.breaker = Breaker::new(EngineKind::Async, options);
        self.pipeline.blocking_path.breaker = Breaker::new(EngineKind::Blocking, options);
        self
    }

    /// A handle to the same backend whose attempts pass this part of the host's own, after those that this handle has.
    #[must_use]
    pub fn with_gate(&self, gate: Arc<dyn Gate>) -> Self {
        let mut gated = self.clone();
        gated.pipeline.gates.push(gate);
        gated
    }

    /// Waits until what calls have left behind is removed: creations whose callers went away or that ended in doubt, guards
    /// that were dropped, of every backend in this process. For the end of a host; calls are served as ever.
    ///
    /// Creations in doubt are waited for for half a minute; what is only looked for now and then after that isn't.
    ///
    /// # Errors
    /// `Timeout` where that takes longer; it goes on in the background.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    ///
    /// ```no_run
    /// # async fn example(backend: catamaran::HybridBackend) {
    /// if let Err(error) = backend.shutdown(std::time::Duration::from_secs(40)).await {
    ///     eprintln!("{error}");
    /// }
    /// # }
    /// ```
    pub async fn shutdown(&self, within: Duration) -> Result<()> {
        let idle = tokio::time::timeout(within, janitor::idle()).await;
        idle.map_err(|_| {
            let left = janitor::under_way();
            let message =
                format!("{left} removals in the background were under way after {within:?}");
            Error::new(ErrorKind::Timeout, message)
        })
    }

    /// What an engine's path lets through now.
    #[must_use]
    pub fn breaker(&self, engine: EngineKind) -> BreakerState {
        self.pipeline.path(engine).breaker.state()
    }

    /// A handle to the same backend whose calls this observer hears of, beside those that this handle
    /// has.
    #[must_use]
    pub fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        let mut observed = self.clone();
        observed.pipeline.observers.push(observer);
        observed
    }

    /// Which engine serves the calls that begin now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.switch.get()
    }

    /// Switches all handles to that mode, from the next call on, and gives back the mode before.
    pub fn set_mode(&self, mode: Mode) -> Mode {
        let before = self.switch.set(mode);
        if before != mode {
            tracing::info!(%before, %mode, "container backend switched");
        }
        before
    }

    /// Runs a call that can't be sent twice.
    async fn run_once<T, F>(
        &self,
        call: Call<'_>,
        ask: impl FnOnce(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.pipeline.run_once(self.route(), call, ask).await
    }

    async fn run<T, F>(
        &self,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.pipeline.run(self.route(), call, ask).await
    }

    async fn run_observed<T, F, G>(
        &self,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
        look: impl Fn(Doubt) -> G,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        let route = self.route();
        self.pipeline.run_observed(route, call, ask, look).await
    }

    /// By which way the next call goes.
    fn route(&self) -> Route {
        self.switch.route(&self.pipeline.context)
    }

    fn under(&self, context: CallContext) -> Self {
        let mut under = self.clone();
        let pipeline = &mut under.pipeline;
        for path in [&mut pipeline.async_path, &mut pipeline.blocking_path] {
            path.engine = path.engine.with_context(context.clone());
        }
        pipeline.context = context.over(&pipeline.context);
        under
    }

    /// A handle for looks at what has become of a call: within its time, and of no interest to those who observe calls.
    fn looking(&self, doubt: &Doubt) -> Self {
        let mut looking = self.under(CallContext::new().with_deadline(doubt.deadline.moment()));
        // Whoever looks looks again.
        looking.pipeline.retry = RetryOptions::never();
        looking.pipeline.observers.clear();
        looking.pipeline.gates.clear();
        looking.pipeline.looks = true;
        looking
    }

    /// A handle for work that outlives the caller and its runtime.
    fn cleaning(&self) -> Self {
        let mut cleaning = self.clone();
        let pipeline = &mut cleaning.pipeline;
        for path in [&mut pipeline.async_path, &mut pipeline.blocking_path] {
            path.engine = path.engine.detached();
        }
        // It is still of the same session, by that one's way, for the same reason.
        pipeline.context = pipeline.context.of_whom();
        // They were promised to be called on the caller's task.
        pipeline.observers.clear();
        pipeline.gates.clear();
        pipeline.cleans_up = true;
        // Whoever cleans up tries again by itself, and holds its place only while it does something.
        pipeline.retry = RetryOptions::never();
        // What is only remembered mustn't hold a lease.
        cleaning.host = None;
        cleaning
    }
}
