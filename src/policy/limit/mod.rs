//! How much may be under way at once, and in which order the rest waits.

mod options;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;
use crate::telemetry::metrics::{self, At};
pub use options::LimitOptions;
pub(crate) use queue::Counts;
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

impl Traffic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "calls",
            Self::Stream => "streams",
            Self::Pull => "pulls",
        }
    }
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
        let limit = |(what, setting), size, longest| {
            Limit::new(Bounds {
                what,
                setting,
                size,
                queue: options.queue,
                longest,
                share: Share::LeavingRoom,
            })
        };
        let (time, pull_time) = (options.queue_time, options.pull_queue_time);
        let calls = ("calls are under way", "ASYNC_POOL_SIZE");
        let streams = ("streams are open", "ASYNC_STREAM_POOL_SIZE");
        let pulls = ("pulls are under way", "ASYNC_PULL_POOL_SIZE");
        Self {
            calls: limit(calls, options.calls, time),
            streams: limit(streams, options.streams, time),
            pulls: limit(pulls, options.pulls, pull_time),
        }
    }

    /// Waits for a permit, from now until the deadline at most; when it was there.
    pub(crate) async fn turn(
        &self,
        traffic: Traffic,
        key: Option<&Key>,
        deadline: Deadline,
        now: Instant,
    ) -> Result<(Permit, Instant)> {
        let limit = self.of(traffic);
        let (permit, then) = match limit.at_once(key, now) {
            Some(permit) => (Ok(permit), now),
            None => (limit.turn(key, deadline).await, Instant::now()),
        };
        let (by, waited) = (("kind", traffic.as_str()), then - now);
        At::the(then).time(metrics::QUEUE_SECONDS, &[by], waited);
        super::waited::add(waited);
        permit.map(|permit| (permit, then))
    }

    fn of(&self, traffic: Traffic) -> &Arc<Limit> {
        match traffic {
            Traffic::Call => &self.calls,
            Traffic::Stream => &self.streams,
            Traffic::Pull => &self.pulls,
        }
    }

    /// How much of each kind there is now.
    pub(crate) fn loads(&self) -> Vec<Load> {
        let kinds = [Traffic::Call, Traffic::Stream, Traffic::Pull];
        let load = |kind: Traffic| {
            let limit = self.of(kind);
            let (in_use, waiting) = limit.load();
            Load {
                kind: kind.as_str(),
                in_use,
                size: limit.bounds.size,
                waiting,
                queue: limit.bounds.queue,
            }
        };
        kinds.map(load).into()
    }
}

/// How much of one kind is under way and waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) kind: &'static str,
    pub(crate) in_use: usize,
    pub(crate) size: usize,
    pub(crate) waiting: usize,
    pub(crate) queue: usize,
}

/// How many of the permits a key may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// One more as long as it holds fewer than are free, so that room is left for others: alone it holds half of them, two
    /// greedy ones a third each. (A dynamic threshold with factor 1, see Choudhury and Hahne, "Dynamic queue length
    /// thresholds for shared-memory packet switches", 1998.) Who has no key may hold all.
    LeavingRoom,
    /// All of them, where nobody else asks.
    All,
}

/// How much, and how it is called where it is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// As in `calls are under way`.
    pub(crate) what: &'static str,
    /// What is raised where it is too little.
    pub(crate) setting: &'static str,
    pub(crate) size: usize,
    /// So many wait.
    pub(crate) queue: usize,
    /// For so long.
    pub(crate) longest: Duration,
    pub(crate) share: Share,
}

/// The permits of one kind, and who waits for them: served in the order of coming, key by key in turn. Calls without a key
/// are served in turn as one key is.
#[derive(Debug)]
pub(crate) struct Limit {
    bounds: Bounds,
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
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        let state = Mutex::new(State::new(bounds.size, bounds.share));
        Arc::new(Self { bounds, state })
    }

    /// A permit, where nobody need be waited for.
    fn at_once(self: &Arc<Self>, key: Option<&Key>, now: Instant) -> Option<Permit> {
        let taken = lock(&self.state).take(key);
        taken.then(|| self.permit(key.cloned(), now))
    }

    /// Waits for a permit, until the deadline at most.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        key: Option<&Key>,
        deadline: Deadline,
    ) -> Result<Permit> {
        let (number, turn) = {
            let mut state = lock(&self.state);
            if state.take(key) {
                drop(state);
                return Ok(self.permit(key.cloned(), Instant::now()));
            }
            if !state.has_room(key, self.bounds.queue) {
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
        let why = match deadline.within(Some(self.bounds.longest)).bound(turn).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(_)) => "others who ask for less took its place in the queue",
            Err(_) => "its turn didn't come in time",
        };
        Err(self.saturated(&lock(&self.state), why, since.elapsed()))
    }

    /// A permit for what is under way anyway, though there may be none left.
    pub(crate) fn take_over(self: &Arc<Self>, key: &Key) -> Permit {
        lock(&self.state).count(Some(key));
        self.permit(Some(key.clone()), Instant::now())
    }

    /// How many hold a permit, and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.used(), state.waiting())
    }

    /// How many of each key hold a permit, and how many wait.
    pub(crate) fn counts(&self) -> HashMap<Key, Counts> {
        lock(&self.state).counts()
    }

    fn permit(self: &Arc<Self>, key: Option<Key>, since: Instant) -> Permit {
        Permit(Some(Held {
            limit: Arc::clone(self),
            key,
            since,
        }))
    }

    /// Gives permits to those whose turn it is.
    fn serve(self: &Arc<Self>, mut state: std::sync::MutexGuard<'_, State>) {
        // Who has gone away sends its permit back, which takes the lock.
        let mut refused = Vec::new();
        while let Some((key, waiter)) = state.next() {
            refused.extend(waiter.send(self.permit(key, Instant::now())).err());
        }
        drop(state);
        drop(refused);
    }

    fn saturated(&self, state: &State, why: &str, waited: Duration) -> Error {
        let bounds = &self.bounds;
        let (used, waiting) = (state.used(), state.waiting());
        let message = format!(
            "{why}: {used} of at most {} {}, {waiting} wait",
            bounds.size, bounds.what
        );
        // However short the queue's time is: who asks again at once only finds the same.
        let retry_after = (state.estimate().max(waited).min(bounds.longest)).max(queue::LEAST);
        Error::new(ErrorKind::Saturated, message)
            .with_effect(Effect::NotSent)
            .with_retry_after(Some(retry_after))
            .with_advice(format!("ask for less at once, or raise {}", bounds.setting))
    }
}

/// Who is waiting.
type Waiter = oneshot::Sender<Permit>;
