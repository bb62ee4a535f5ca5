//! One attempt: leave of the breaker, the road, the host's own gates, the engine, and what each is told of how it ended.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::Span;
use tracing::field::Empty;

use super::recovery::{not_taken, unclear};
use super::telling::told;
use super::within::within;
use super::{Path, Run};
use crate::backend::{CallContext, ContainerBackend};
use crate::config::Mode;
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::Reason;
use crate::policy::breaker::{Pass, Rest};
use crate::policy::gate::{Attempt, Passed};
use crate::policy::table::Nature;
use crate::policy::waited;
use crate::telemetry::metrics::At;

impl Run<'_> {
    /// Sees that the blocking path leads to the daemon of the async one.
    pub(super) async fn one_daemon(&self) -> Result<()> {
        match &self.pipeline.road {
            Some(road) => Box::pin(road.check(self.deadline, self.pipeline.cleans_up)).await,
            None => Ok(()),
        }
    }

    /// One attempt, by the next path, or by the other where that one's breaker is open.
    pub(super) async fn attempt<T, F>(
        &mut self,
        ask: impl FnOnce(Arc<dyn ContainerBackend>) -> F,
    ) -> Result<T>
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
