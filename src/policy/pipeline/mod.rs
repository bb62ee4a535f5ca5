//! The one place that stacks the parts around an attempt.

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
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::{Observer, Reason};
use crate::policy::breaker::{Breaker, BreakerState, Pass, Rest};
use crate::policy::call::{Call, Doubt, Route, Seen};
use crate::policy::gate::{Attempt, Gates, Passed};
use crate::policy::retry::{Budget, RetryOptions};
use crate::policy::road::Road;
use crate::policy::table::{Nature, Verdict, verdict};
use crate::policy::waited;
use crate::telemetry::Telemetry;
use crate::telemetry::audit::AuditLog;
use crate::telemetry::metrics::At;
use telling::told;
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
        pipeline.budget.earn();
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

    /// What follows a first attempt that failed.
    async fn go_on<T, F, G>(
        &mut self,
        mut error: Error,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F,
        look: impl Fn(Doubt) -> G,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        let mut pauses = None;
        let mut tries = 1;
        loop {
            // A call under way waits for its path, if not for ever; one that begins is told at once.
            let waits = self.attempts > 0 && self.deadline.moment().is_some();
            let rests = waits && self.left_alone;
            let verdict = match rests {
                true => Verdict::Again,
                false => verdict(&self.call, &error, self.in_doubt),
            };
            let earlier = self.in_doubt;
            let unclear = error.effect() == Effect::Unknown || error.is_gateways();
            self.in_doubt |= unclear && !self.is_harmless();
            let failure = match verdict {
                Verdict::Settled => return Err(self.last(error)),
                Verdict::Again => error,
                Verdict::Look => match self.look(&look, error, earlier).await {
                    Ok(Ok(done)) => return Ok(done),
                    Ok(Err(error)) => error,
                    Err(error) => return Err(error),
                },
            };
            let (fell_back, failure) = match self.falls_back(&failure).await {
                Ok(fell_back) => (fell_back, failure),
                Err(refusal) => (false, failure.and(&not_taken(&refusal))),
            };
            // Waiting for a path that is left alone sends nothing.
            let end = match () {
                () if self.deadline.has_passed() => Some("no time is left to try again"),
                () if fell_back || rests => None,
                () if tries >= self.most_tries() => Some("it has been tried often enough"),
                () if !self.pipeline.budget.spend() => Some("the budget of further tries is spent"),
                () => None,
            };
            if let Some(why) = end {
                // Who asked for one try alone knows.
                let failure = match self.pipeline.retry.tries {
                    0 | 1 => failure,
                    _ => failure.and(why),
                };
                return Err(self.last(failure));
            }
            if fell_back {
                self.next = EngineKind::Blocking;
                self.pause = Duration::ZERO;
            } else {
                tries += u32::from(!rests);
                let retry = &self.pipeline.retry;
                let pauses = pauses.get_or_insert_with(|| retry.pauses());
                let pause = pauses.next().unwrap_or(retry.longest_pause);
                self.pause = pause.max(failure.retry_after().unwrap_or_default());
                if !self.pause(self.pause).await {
                    return Err(self.last(failure));
                }
                // Each try begins with the path that is meant to serve.
                if self.mode == Mode::Auto {
                    self.next = EngineKind::Async;
                }
                if !rests {
                    self.pipeline.telemetry.retried(self.next);
                }
            }
            self.first.get_or_insert(failure);
            error = match self.attempt(&ask).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
        }
    }

    /// What may have happened, and can be looked at, is tried until it is known: time and the budget bound that.
    fn most_tries(&self) -> u32 {
        match self.pipeline.retry.tries {
            tries if tries > 1 && self.in_doubt && self.call.nature == Nature::Observable => {
                u32::MAX
            }
            tries => tries,
        }
    }

    /// Whether the next attempt is the blocking engine's, at once: the async path has failed, and this isn't it; or why
    /// it mustn't be.
    async fn falls_back(&mut self, error: &Error) -> Result<bool> {
        let may =
            self.mode == Mode::Auto && self.next == EngineKind::Async && error.is_path_failure();
        if may {
            self.one_daemon().await?;
        }
        if may && !matches!(self.reason, Reason::Fallback { .. }) {
            tracing::warn!(
                operation = %self.call.operation,
                error = format_args!("{error:#}"),
                "the async path failed: asking the blocking engine"
            );
        }
        if may {
            self.reason = Reason::fallback(error);
        }
        Ok(may)
    }

    /// Sees that the blocking path leads to the daemon of the async one.
    async fn one_daemon(&self) -> Result<()> {
        match &self.pipeline.road {
            Some(road) => Box::pin(road.check(self.deadline, self.pipeline.cleans_up)).await,
            None => Ok(()),
        }
    }

    /// One attempt, by the next path, or by the other where that one's breaker is open.
    async fn attempt<T, F>(&mut self, ask: impl FnOnce(Arc<dyn ContainerBackend>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let pipeline = self.pipeline;
        let operation = self.call.operation;
        let named = |error: Error| {
            let error = error.with_operation(operation);
            error.with_engine(EngineKind::Blocking)
        };
        let mut began = Instant::now();
        let pass = match pipeline.cleans_up {
            true => None,
            false => Some(self.leave(began).await?),
        };
        if self.next == EngineKind::Blocking
            && let Err(refusal) = self.one_daemon().await.map_err(named)
        {
            let refused = Err(refusal);
            self.passed(pass, &refused);
            return refused;
        }
        if let Some(change) = pass.as_ref().and_then(Pass::probe) {
            pipeline.telemetry.breaker(self.next, change, None);
        }
        let number = self.attempts + 1;
        let span = tracing::debug_span!(
            "attempt",
            number,
            engine = self.next.as_str(),
            backoff_ms = self.pause.as_millis() as u64,
            queue_ms = Empty,
            outcome = Empty,
            effect = Empty,
        );
        // Whoever is refused by the host's own part has made no attempt.
        let passed = match self.pipeline.gates.is_empty() {
            true => Vec::new(),
            false => Box::pin(self.gates(number, &span)).await?,
        };
        self.attempts = number;
        self.takes_over();
        if self.next == EngineKind::Blocking || !passed.is_empty() {
            // The road, or the host's own part, may have taken its time.
            began = Instant::now();
        }
        let under_way = pipeline.telemetry.begins(self.next, began);
        let asked = ask(self.engine(pipeline.path(self.next), began));
        let span = self.under_way.insert(span);
        let (result, waited) = waited::counting(within(span, asked)).await;
        let ended = Instant::now();
        under_way.end(At::the(ended));
        let span = self.under_way.take().unwrap_or_else(Span::none);
        let failure = result.as_ref().err();
        for passed in passed {
            span.in_scope(|| passed.ended(failure));
        }
        span.record("queue_ms", waited.as_millis() as u64);
        told(&span, &result);
        // How long it waited for others says nothing of the engine.
        let took = (ended - began).saturating_sub(waited);
        let usual = self.call.is_usual();
        (pipeline.telemetry).attempted(self.next, ended, took, usual, failure);
        self.passed(pass, &result);
        if let (Some(road), false) = (&pipeline.road, pipeline.cleans_up) {
            road.ended(self.next, began, &result);
        }
        self.answered = result.is_ok().then_some(ended);
        result.map_err(|error| match self.call.nature {
            // Something between us and the engine has answered, which doesn't know what the engine does.
            Nature::Observable | Nature::Once if error.is_gateways() => unclear(error, ""),
            _ => error,
        })
    }

    /// Leave of the next path's breaker, or of the other's.
    async fn leave(&mut self, now: Instant) -> Result<Pass> {
        self.left_alone = false;
        match self.pipeline.path(self.next).breaker.admit(now) {
            Ok(pass) => Ok(pass),
            Err(rest) if self.mode == Mode::Auto && self.next == EngineKind::Async => {
                self.leave_of_the_other(rest).await
            }
            Err(rest) => Err(self.unavailable(rest)),
        }
    }

    async fn leave_of_the_other(&mut self, rest: Rest) -> Result<Pass> {
        if let Err(refusal) = self.one_daemon().await {
            return Err(self.unavailable(rest).and(&not_taken(&refusal)));
        }
        self.next = EngineKind::Blocking;
        self.reason = Reason::Breaker;
        let pass = self.pipeline.blocking_path.breaker.admit(Instant::now());
        pass.map_err(|other| self.unavailable(if other.left < rest.left { other } else { rest }))
    }

    /// Tells the breaker what came of it.
    fn passed<T>(&self, pass: Option<Pass>, result: &Result<T>) {
        if let Some(state) = pass.and_then(|pass| pass.ended(result)) {
            let (telemetry, failure) = (&self.pipeline.telemetry, result.as_ref().err());
            telemetry.breaker(self.next, state, failure);
        }
    }

    fn engine(&self, path: &Path, now: Instant) -> Arc<dyn ContainerBackend> {
        let context = CallContext::new()
            .with_deadline(self.deadline.moment())
            .with_attempt_timeout(self.call.attempt(self.deadline, now));
        path.engine.with_context(context)
    }

    async fn gates(&self, number: u32, span: &Span) -> Result<Vec<Box<dyn Passed>>> {
        let mut passed = Vec::new();
        let attempt = Attempt {
            operation: self.call.operation,
            engine: self.next,
            number,
        };
        for gate in self.pipeline.gates.iter() {
            let waited = self.deadline.bound(gate.pass(attempt));
            let waited = within(span, waited).await;
            let waited = waited.and_then(|waited| waited);
            let named = |error: Error| {
                let error = error.with_effect(Effect::NotSent);
                error.with_operation(self.call.operation)
            };
            passed.push(waited.map_err(named)?);
        }
        Ok(passed)
    }

    /// Finds out what has happened: done, or the failure after which it may be tried again, or the end.
    async fn look<T, G>(
        &mut self,
        look: &impl Fn(Doubt) -> G,
        error: Error,
        earlier: bool,
    ) -> Result<Result<T>>
    where
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        let doubt = Doubt {
            error: error.clone(),
            since: Instant::now(),
            deadline: self.deadline,
            earlier,
        };
        let answered = doubt.is_answered();
        let seen = self.deadline.bound(self.looked(look, &doubt)).await;
        let seen = seen.and_then(|seen| seen);
        self.pipeline.telemetry.looked(match &seen {
            Ok(Seen::Done(_)) => "done",
            Ok(Seen::NotDone) => "not_done",
            Ok(Seen::Refused) => "refused",
            Ok(Seen::Unclear(_)) => "unclear",
            Err(_) => "failed",
        });
        match seen {
            Ok(Seen::Done(done)) => {
                tracing::info!(operation = %self.call.operation, %error, "a look shows that it was done");
                Ok(Ok(done))
            }
            Ok(Seen::NotDone | Seen::Refused) if !answered => Ok(Err(error)),
            Ok(seen @ (Seen::NotDone | Seen::Refused)) => {
                self.in_doubt = earlier && matches!(seen, Seen::NotDone);
                match error.status() {
                    Some(429) => Ok(Err(error)),
                    // It says nothing of the attempt before.
                    Some(500..=599) if self.in_doubt => Ok(Err(error)),
                    _ => Err(self.last(error)),
                }
            }
            Ok(Seen::Unclear(why)) => Err(self.last(unclear(error, why))),
            Err(blind) => {
                let error = unclear(error, "the look failed, too").with_source(blind);
                let refusal = match (&self.pipeline.road, self.mode) {
                    (Some(road), Mode::Auto) => road.verdict().and_then(Result::err),
                    _ => None,
                };
                let error = match refusal {
                    Some(refusal) => error.and(&not_taken(&refusal)),
                    None => error,
                };
                Err(self.last(error))
            }
        }
    }

    /// Looks as long as the path fails.
    async fn looked<T, G>(&self, look: &impl Fn(Doubt) -> G, doubt: &Doubt) -> Result<Seen<T>>
    where
        G: Future<Output = Result<Seen<T>>> + Send,
    {
        let mut pauses = self.pipeline.retry.pauses();
        loop {
            let error = match look(doubt.clone()).await {
                Err(error) if may_pass(&error) => error,
                seen => return seen,
            };
            let pause = pauses.next().unwrap_or(self.pipeline.retry.longest_pause);
            tokio::time::sleep(pause.max(error.retry_after().unwrap_or_default())).await;
        }
    }

    /// The failure that the caller gets, after those before it.
    fn last(&mut self, error: Error) -> Error {
        let doubted = self.in_doubt && error.effect() != Effect::Unknown;
        let error = match self.first.take() {
            Some(first) => error.after(first),
            None => error,
        };
        match doubted {
            true => error.with_effect(Effect::Unknown),
            false => error,
        }
    }

    fn is_harmless(&self) -> bool {
        self.call.operation.is_read_only()
    }

    /// Waits, unless there is no time for another attempt after that.
    async fn pause(&self, pause: Duration) -> bool {
        // Who set no time of their own don't wait for a day since an engine says so.
        let left = self.deadline.left();
        if left.unwrap_or(self.pipeline.operation_timeout) <= pause {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    fn unavailable(&mut self, rest: Rest) -> Error {
        self.left_alone = true;
        let message = match &rest.last {
            Some(last) => format!("the path has failed and is left alone; at last: {last}"),
            None => "the path has failed and is left alone".to_owned(),
        };
        Error::new(ErrorKind::Unavailable, message)
            .with_operation(self.call.operation)
            .with_engine(self.next)
            .with_retry_after(Some(rest.left))
            .with_advice("see that the engine is well; calls come through by themselves once it is")
    }
}

/// Whether the next look may see more.
fn may_pass(error: &Error) -> bool {
    error.is_path_failure()
        || matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Saturated)
        || matches!(error.status(), Some(429 | 500..=599))
}

fn not_taken(refusal: &Error) -> String {
    format!("the fallback wasn't taken: {refusal}")
}

fn unclear(error: Error, why: &'static str) -> Error {
    let error = error.with_effect(Effect::Unknown);
    if why.is_empty() {
        error
    } else {
        error.and(why)
    }
}
