//! How much may be under way at once, and in which order the rest waits.

mod options;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;
pub use options::LimitOptions;
use queue::State;

/// What is bounded apart, so that neither a long pull nor a thousand followed logs are in the way of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// A question or a command, answered at once.
    Call,
    /// What stays open: a log, events, samples, an exec, an attachment, a wait, an archive on its way, a stop.
    Stream,
    Pull,
}

/// Whose calls they are.
pub(crate) type Key = Arc<str>;

/// The permits of all kinds.
#[derive(Debug)]
pub(crate) struct Limits {
    calls: Arc<Limit>,
    streams: Arc<Limit>,
    pulls: Arc<Limit>,
}

impl Limits {
    pub(crate) fn new(options: &LimitOptions) -> Self {
        let limit = |traffic, size, longest| {
            Arc::new(Limit {
                traffic,
                size,
                queue: options.queue,
                longest,
                state: Mutex::new(State::new(size)),
            })
        };
        Self {
            calls: limit(Traffic::Call, options.calls, options.queue_time),
            streams: limit(Traffic::Stream, options.streams, options.queue_time),
            pulls: limit(Traffic::Pull, options.pulls, options.pull_queue_time),
        }
    }

    /// Waits for a permit, until the deadline at most.
    pub(crate) async fn turn(
        &self,
        traffic: Traffic,
        key: Option<&Key>,
        deadline: Deadline,
    ) -> Result<Permit> {
        let limit = match traffic {
            Traffic::Call => &self.calls,
            Traffic::Stream => &self.streams,
            Traffic::Pull => &self.pulls,
        };
        limit.turn(key, deadline).await
    }
}

/// The permits of one kind, and who waits for them.
///
/// Whoever waits is served in the order of coming, key by key in turn. A key gets a permit as long as it holds fewer than
/// are free, so that room is left for others: alone it holds half of them, two greedy ones a third each. (A dynamic
/// threshold with factor 1, see Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
/// 1998.) Calls without a key are served in turn as one key is, and may hold all.
#[derive(Debug)]
struct Limit {
    traffic: Traffic,
    size: usize,
    queue: usize,
    longest: Duration,
    state: Mutex<State>,
}

/// Leave to be under way. It comes back when dropped.
#[derive(Debug)]
pub struct Permit(Option<Held>);

#[derive(Debug)]
struct Held {
    limit: Arc<Limit>,
    key: Option<Key>,
    since: Instant,
}

impl Permit {
    /// For what no limit may hold up.
    pub(crate) fn unbounded() -> Self {
        Self(None)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            let mut state = lock(&held.limit.state);
            state.give_back(held.key.as_ref(), held.since.elapsed());
            held.limit.serve(state);
        }
    }
}

/// A place in the queue, left when dropped.
struct Waiting<'a> {
    limit: &'a Arc<Limit>,
    key: Option<&'a Key>,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.limit.state).leave(self.key, self.number);
    }
}

impl Limit {
    async fn turn(self: &Arc<Self>, key: Option<&Key>, deadline: Deadline) -> Result<Permit> {
        let (number, turn) = {
            let mut state = lock(&self.state);
            if state.take(key) {
                drop(state);
                return Ok(self.permit(key.cloned()));
            }
            if !state.has_room(key, self.queue) {
                return Err(self.saturated(&state, "too many wait already", Duration::ZERO));
            }
            state.join(key)
        };
        let _waiting = Waiting {
            limit: self,
            key,
            number,
        };
        let since = Instant::now();
        let why = match deadline.within(Some(self.longest)).bound(turn).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(_)) => "others who ask for less took its place in the queue",
            Err(_) => "its turn didn't come in time",
        };
        Err(self.saturated(&lock(&self.state), why, since.elapsed()))
    }

    fn permit(self: &Arc<Self>, key: Option<Key>) -> Permit {
        Permit(Some(Held {
            limit: Arc::clone(self),
            key,
            since: Instant::now(),
        }))
    }

    /// Gives permits to those whose turn it is.
    fn serve(self: &Arc<Self>, mut state: std::sync::MutexGuard<'_, State>) {
        // Who has gone away sends its permit back, which takes the lock.
        let mut refused = Vec::new();
        while let Some((key, waiter)) = state.next() {
            refused.extend(waiter.send(self.permit(key)).err());
        }
        drop(state);
        drop(refused);
    }

    fn saturated(&self, state: &State, why: &str, waited: Duration) -> Error {
        let (what, setting) = match self.traffic {
            Traffic::Call => ("calls are under way", "ASYNC_POOL_SIZE"),
            Traffic::Stream => ("streams are open", "ASYNC_STREAM_POOL_SIZE"),
            Traffic::Pull => ("pulls are under way", "ASYNC_PULL_POOL_SIZE"),
        };
        let (used, waiting) = (state.used(), state.waiting());
        let message = format!(
            "{why}: {used} of at most {} {what}, {waiting} wait",
            self.size
        );
        Error::new(ErrorKind::Saturated, message)
            .with_effect(Effect::NotSent)
            .with_retry_after(Some(state.estimate().max(waited).min(self.longest)))
            .with_advice(format!("ask for less at once, or raise {setting}"))
    }
}

/// Who is waiting.
type Waiter = oneshot::Sender<Permit>;
