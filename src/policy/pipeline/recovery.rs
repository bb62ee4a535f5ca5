//! What follows an attempt that failed: a look at what has become of it, the other path, another try, or the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::backend::ContainerBackend;
use crate::config::Mode;
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::Reason;
use crate::policy::call::{Doubt, Seen};
use crate::policy::table::{Nature, Verdict, verdict};

impl Run<'_> {
    /// What follows a first attempt that failed.
    pub(super) async fn go_on<T, F, G>(
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
}

/// Whether the next look may see more.
fn may_pass(error: &Error) -> bool {
    error.is_path_failure()
        || matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Saturated)
        || matches!(error.status(), Some(429 | 500..=599))
}

pub(super) fn not_taken(refusal: &Error) -> String {
    format!("the fallback wasn't taken: {refusal}")
}

pub(super) fn unclear(error: Error, why: &'static str) -> Error {
    let error = error.with_effect(Effect::Unknown);
    if why.is_empty() {
        error
    } else {
        error.and(why)
    }
}
