//! The two engines as one backend: which serves a call, and what happens when its path fails.

mod operations;
mod report;
mod switch;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{BackendId, CallContext, ContainerBackend};
use crate::config::{Config, Mode};
use crate::deadline::Deadline;
use crate::engine::{AsyncEngine, BlockingEngine};
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, Result};
use crate::operation::Operation;
use switch::Switch;

pub use report::{CallReport, LastCall, Observer, Reason};

/// Both engines as one backend: the [`Mode`] says which serves a call, and in [`Mode::Auto`] the
/// blocking engine helps where the path of the async one fails.
///
/// # When it falls back
/// In [`Mode::Auto`] only, and only where all of these hold:
///
/// 1. The *path* failed ([`ErrorKind::is_path_failure`](crate::ErrorKind::is_path_failure)): no
///    connection, a broken one, no answer in time, an answer that can't be read. Whatever the engine
///    answered (404, 409, 500 …) is the caller's.
/// 2. Nothing was sent ([`Effect::NotSent`]), or the operation may be repeated
///    ([`Operation::is_idempotent`]; a `wait` for the next exit or the removal may not, a `create_volume` with a name may). A `create`,
///    `start`, `stop`, `exec`, `kill` … that may have happened is not done twice: the caller gets the
///    error, with [`Effect::Unknown`].
/// 3. The input can be sent again; an archive that came as a stream can't.
/// 4. There is time left: one deadline covers both attempts.
///
/// So that there is time left, the first attempt of an operation that may be repeated has two thirds of
/// the call's time, from when it is its turn. Of any other it has all of it, and so have `wait`, a pull and the
/// archives, which take as long as they take, and `logs` and `events`. Once a stream or a session has begun, its failure
/// is the caller's. Where both attempts fail the error is the second one's, and keeps the first
/// ([`Error::first_failure`]).
///
/// Both engines talk to the same daemon: this cures a client's path, not a daemon that is down.
///
/// # The switch
/// [`set_mode`](Self::set_mode) holds for all handles and clones, and for the calls that begin after it;
/// calls under way end as they began.
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
    async_engine: Arc<dyn ContainerBackend>,
    blocking_engine: Arc<dyn ContainerBackend>,
    switch: Arc<Switch>,
    operation_timeout: Duration,
    context: CallContext,
    observers: Vec<Arc<dyn Observer>>,
}

impl fmt::Debug for HybridBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HybridBackend")
            .field("mode", &self.mode())
            .field("operation_timeout", &self.operation_timeout)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl HybridBackend {
    /// Both engines as configured. They share the permits of `pool_size`. Nothing is sent before the
    /// first call.
    ///
    /// # Errors
    /// As [`AsyncEngine::new`].
    pub fn new(config: &Config) -> Result<Self> {
        let async_engine = AsyncEngine::new(config)?;
        let blocking_engine = BlockingEngine::sharing(config, &async_engine)?;
        Ok(
            Self::over(Arc::new(async_engine), Arc::new(blocking_engine))
                .with_mode(config.mode())
                .with_operation_timeout(config.operation_timeout()),
        )
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
        Self {
            id: BackendId::new(),
            async_engine,
            blocking_engine,
            switch: Arc::new(Switch::new(Mode::default())),
            operation_timeout: Config::OPERATION_TIMEOUT,
            context: CallContext::new(),
            observers: Vec::new(),
        }
    }

    /// Sets the mode to begin with, for this handle alone and those made of it.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.switch = Arc::new(Switch::new(mode));
        self
    }

    /// Sets how long a call may take, both attempts together; an engine whose own time is shorter keeps it.
    #[must_use]
    pub fn with_operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// A handle to the same backend whose calls this observer hears of, beside those that this handle
    /// has.
    #[must_use]
    pub fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        let mut observed = self.clone();
        observed.observers.push(observer);
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
        call: Call,
        ask: impl FnOnce(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let began = Instant::now();
        let (kind, engine) = match self.mode() {
            Mode::Blocking => (EngineKind::Blocking, &self.blocking_engine),
            Mode::Async | Mode::Auto => (EngineKind::Async, &self.async_engine),
        };
        let whole = CallContext::new().with_deadline(self.deadline(call).moment());
        let result = ask(engine.with_context(whole)).await;
        self.report(call, kind, Reason::Mode, began, &result);
        result
    }

    /// Runs a call by the mode, with the fallback.
    async fn run<T, F>(
        &self,
        call: impl Into<Call>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let call = call.into();
        if self.mode() != Mode::Auto {
            return self.run_once(call, ask).await;
        }
        let began = Instant::now();
        let deadline = self.deadline(call);
        let whole = CallContext::new().with_deadline(deadline.moment());
        let attempt = deadline.left().filter(|_| call.leaves_time());
        let first = whole
            .clone()
            .with_attempt_timeout(attempt.map(|left| left * 2 / 3));
        let failed = match ask(self.async_engine.with_context(first)).await {
            Err(error) if call.falls_back(&error) && !deadline.has_passed() => error,
            answered => {
                self.report(call, EngineKind::Async, Reason::Mode, began, &answered);
                return answered;
            }
        };
        tracing::warn!(
            operation = %call.operation,
            error = format_args!("{failed:#}"),
            "the async path failed: asking the blocking engine"
        );
        let reason = Reason::fallback(&failed);
        let second = ask(self.blocking_engine.with_context(whole))
            .await
            .map_err(|error| error.after(failed, call.operation));
        self.report(call, EngineKind::Blocking, reason, began, &second);
        second
    }

    fn deadline(&self, call: Call) -> Deadline {
        let usual = self.operation_timeout.saturating_add(call.patience);
        let usual = (!call.operation.is_open_ended()).then_some(usual);
        Deadline::new(self.context.timeout.or(usual), self.context.deadline)
    }

    fn report<T>(
        &self,
        call: Call,
        engine: EngineKind,
        reason: Reason,
        began: Instant,
        result: &Result<T>,
    ) {
        if self.observers.is_empty() {
            return;
        }
        let report = CallReport {
            operation: call.operation,
            engine,
            reason,
            elapsed: began.elapsed(),
            failure: result.as_ref().err().map(Error::kind),
        };
        for observer in &self.observers {
            observer.on_call(&report);
        }
    }
}

/// What the pipeline knows of a call.
#[derive(Debug, Clone, Copy)]
struct Call {
    operation: Operation,
    /// The time that it takes by its own nature, beyond the usual.
    patience: Duration,
    repeatable: bool,
}

impl From<Operation> for Call {
    fn from(operation: Operation) -> Self {
        Self {
            operation,
            patience: Duration::ZERO,
            repeatable: operation.is_idempotent(),
        }
    }
}

impl Call {
    /// Whether a second attempt may follow a timeout of the first, which must leave time for it then.
    fn leaves_time(self) -> bool {
        self.repeatable && !self.operation.is_open_ended() && !self.operation.has_all_the_time()
    }

    fn falls_back(self, error: &Error) -> bool {
        error.is_path_failure() && (error.effect() == Effect::NotSent || self.repeatable)
    }
}
