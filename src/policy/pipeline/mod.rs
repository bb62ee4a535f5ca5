//! The one place that stacks the parts around an attempt.

mod attempt;
mod recovery;
mod telling;
mod within;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;
use tracing::field::Empty;

use crate::backend::{CallContext, ContainerBackend};
use crate::config::Mode;
use crate::deadline::Deadline;
use crate::engine_kind::EngineKind;
use crate::error::{Error, Result};
use crate::hybrid::{Observer, Reason};
use crate::policy::breaker::{Breaker, BreakerState};
use crate::policy::call::{Call, Doubt, Route, Seen};
use crate::policy::gate::Gates;
use crate::policy::retry::{Budget, RetryOptions};
use crate::policy::road::Road;
use crate::policy::table::Nature;
use crate::telemetry::Telemetry;
use crate::telemetry::audit::AuditLog;
use within::within;

/// A way to the engine.
#[derive(Clone)]
pub(crate) struct Path {
    pub(crate) engine: Arc<dyn ContainerBackend>,
    pub(crate) breaker: Arc<Breaker>,
}

/// The parts, and what they need to know of whose call it is.
#[derive(Clone)]
pub(crate) struct Pipeline {
    pub(crate) async_path: Path,
    pub(crate) blocking_path: Path,
    /// Where the blocking path might lead to another daemon: it is asked first whether it does.
    pub(crate) road: Option<Arc<Road>>,
    pub(crate) operation_timeout: Duration,
    pub(crate) retry: RetryOptions,
    pub(crate) budget: Arc<Budget>,
    pub(crate) context: CallContext,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) gates: Gates,
    pub(crate) telemetry: Telemetry,
    /// A look at what has become of another call is none of its own.
    pub(crate) looks: bool,
    /// Cleaning up goes on whatever the breakers say, and passes no gates.
    pub(crate) cleans_up: bool,
}

/// What happens between the attempts of one call.
struct Run<'a> {
    pipeline: &'a Pipeline,
    call: Call<'a>,
    span: &'a Span,
    mode: Mode,
    deadline: Deadline,
    began: Instant,
    /// The path of the next attempt.
    next: EngineKind,
    attempts: u32,
    /// When the last attempt was answered by what the caller gets.
    answered: Option<Instant>,
    /// Before the next attempt.
    pause: Duration,
    /// The first failure, and whether the async path's is the reason for having left it.
    first: Option<Error>,
    reason: Reason,
    in_doubt: bool,
    /// Whether the last attempt wasn't made, since the breakers are open.
    left_alone: bool,
    /// Whether the blocking engine has taken over.
    taken_over: bool,
    /// Where it is put on record, once it may begin.
    audit: Option<&'a AuditLog>,
    /// The attempt that is under way.
    under_way: Option<Span>,
    ended: bool,
}

impl Pipeline {
    /// Runs a call of which no look tells whether it has happened.
    pub(crate) async fn run<T, F>(
        &self,
        route: Route,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.run_by(route, call, ask).await.0
    }

    /// The same, and by which engine it was served last.
    pub(crate) async fn run_by<T, F>(
        &self,
        route: Route,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
    ) -> (Result<T>, EngineKind)
    where
        F: Future<Output = Result<T>> + Send,
    {
        let look = |_: Doubt| async { Ok(Seen::Unclear("")) };
        self.observed(route, call, ask, look).await
    }

    /// Runs a call; where it may have happened, a look decides.
    pub(crate) async fn run_observed<T, F, G>(
        &self,
        route: Route,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
        look: impl Fn(Doubt) -> G,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        self.observed(route, call, ask, look).await.0
    }

    async fn observed<T, F, G>(
        &self,
        route: Route,
        call: Call<'_>,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
        look: impl Fn(Doubt) -> G,
    ) -> (Result<T>, EngineKind)
    where
        F: Future<Output = Result<T>> + Send,
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        let span = self.span(&call);
        let mut run = Run::new(self, route, call, &span);
        within(&span, async {
            let result = match run.admit().await {
                Ok(()) => run.go(ask, look).await,
                Err(refused) => Err(refused),
            };
            run.end(&result).await;
            (result, run.next)
        })
        .await
    }

    /// Runs a call whose input can be read once: one attempt, by the path that the mode and the breakers give.
    pub(crate) async fn run_once<T, F>(
        &self,
        route: Route,
        call: Call<'_>,
        ask: impl FnOnce(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let call = call.of_nature(Nature::Once);
        let span = self.span(&call);
        let mut run = Run::new(self, route, call, &span);
        within(&span, async {
            let result = match run.admit().await {
                Ok(()) => run.attempt(ask).await,
                Err(refused) => Err(refused),
            };
            run.end(&result).await;
            result
        })
        .await
    }

    fn span(&self, call: &Call<'_>) -> Span {
        tracing::debug_span!(
            "call",
            operation = call.operation.as_str(),
            subject = call.subject,
            session = self.context.session.as_deref(),
            engine = Empty,
            reason = Empty,
            attempts = Empty,
            outcome = Empty,
            effect = Empty,
        )
    }

    fn deadline(&self, call: &Call<'_>, now: Instant) -> Deadline {
        let usual = self.operation_timeout.saturating_add(call.patience);
        let usual = (!call.operation.is_open_ended()).then_some(usual);
        Deadline::from(now, self.context.timeout.or(usual), self.context.deadline)
    }

    /// A path that has had its rest has just answered a probe beside the calls: where no call goes by it any more, nothing else
    /// would find out that it is well.
    pub(crate) fn answers(&self, engine: EngineKind) {
        let breaker = &self.path(engine).breaker;
        if breaker.state() != BreakerState::Probing {
            return;
        }
        if let Ok(pass) = breaker.admit(Instant::now())
            && let Some(state) = pass.ended(&Ok(()))
        {
            self.telemetry.breaker(engine, state, None);
        }
    }

    pub(crate) fn path(&self, kind: EngineKind) -> &Path {
        match kind {
            EngineKind::Blocking => &self.blocking_path,
            _ => &self.async_path,
        }
    }
}

impl<'a> Run<'a> {
    fn new(pipeline: &'a Pipeline, route: Route, call: Call<'a>, span: &'a Span) -> Self {
        if !pipeline.looks && !pipeline.cleans_up {
            pipeline.budget.earn();
        }
        let (mode, now) = (route.mode, Instant::now());
        Self {
            span,
            deadline: pipeline.deadline(&call, now),
            pipeline,
            call,
            mode,
            began: now,
            answered: None,
            next: match mode {
                Mode::Blocking => EngineKind::Blocking,
                Mode::Async | Mode::Auto => EngineKind::Async,
            },
            attempts: 0,
            pause: Duration::ZERO,
            first: None,
            reason: match route.left_out {
                true => Reason::Rollout,
                false => Reason::Mode,
            },
            in_doubt: false,
            left_alone: false,
            taken_over: false,
            audit: None,
            under_way: None,
            ended: false,
        }
    }

    async fn go<T, F, G>(
        &mut self,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
        look: impl Fn(Doubt) -> G,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        match self.attempt(&ask).await {
            Ok(done) => Ok(done),
            // Apart: a call that goes well has no room for it.
            Err(error) => Box::pin(self.go_on(error, ask, look)).await,
        }
    }
}
