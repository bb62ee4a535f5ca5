//! What is told of sessions.

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use futures::stream::BoxStream;
use serde::Serialize;

use super::{Origin, SessionKey};
use crate::fanout::Fanout;
use crate::model::{ContainerRef, boxed_stream};

/// Something that happened to a session. Serialised, the time is as RFC 3339 has it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionEvent {
    /// Which session.
    pub key: SessionKey,
    /// The container that it was then.
    pub container: ContainerRef,
    /// When it was noticed, by this machine's clock.
    #[serde(with = "humantime_serde")]
    pub at: SystemTime,
    /// What happened.
    pub change: Change,
}

impl SessionEvent {
    pub(crate) fn now(key: SessionKey, container: ContainerRef, change: Change) -> Self {
        Self {
            key,
            container,
            at: SystemTime::now(),
            change,
        }
    }
}

/// What happened to a session. As JSON it is an object whose `kind` is the variant's name.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// It was opened, and its caller has it.
    Opened {
        /// Where its container came from.
        origin: Origin,
    },
    /// Its container's health check fails.
    Unhealthy,
    /// Its container's health check succeeds again.
    Healthy,
    /// The kernel has killed a process of it for want of memory; it may live on.
    OutOfMemory,
    /// Its container ended by itself.
    Died {
        /// The exit code of its first process, where the engine tells it.
        exit_code: Option<i64>,
        /// Whether it was killed for want of memory.
        oom_killed: bool,
    },
    /// Its container is about to be started again.
    Restarting {
        /// Which time it is, from 1.
        attempt: u32,
    },
    /// Its container was started again, and is ready.
    Restarted,
    /// Its container isn't started again any more.
    GaveUp {
        /// How often it was.
        attempts: u32,
    },
    /// Its container is frozen.
    Paused,
    /// Its container goes on.
    Unpaused,
    /// It had stopped, and was started again since it was opened.
    Resumed,
    /// Nobody has used it for its idle time: it is stopped, and can be resumed.
    Idle,
    /// It has reached its greatest age: it is stopped for good.
    Expired,
    /// Its container was removed.
    Removed {
        /// Whether by somebody else than its manager.
        by_others: bool,
    },
    /// It was closed.
    Closed,
    /// It was found again: an earlier instance of the host has opened it.
    Adopted,
    /// This process was silent for too long: another instance of the host has it.
    Lost,
    /// The engine doesn't give it all the protection that was asked for.
    Weakened {
        /// The fields that are weaker, as in `resources.pids`.
        fields: Vec<String>,
    },
    /// It uses most of its memory.
    MemoryHigh {
        /// Of the limit.
        percent: f64,
        /// In bytes.
        usage: u64,
        /// In bytes.
        limit: u64,
    },
    /// Its limit of CPU holds it back.
    CpuThrottled {
        /// Of the scheduler's periods, in how many.
        percent: f64,
    },
    /// It has most of its processes and threads.
    PidsHigh {
        /// How many there are.
        current: u64,
        /// How many there may be.
        limit: u64,
    },
}

impl Change {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Unhealthy => "unhealthy",
            Self::Healthy => "healthy",
            Self::OutOfMemory => "out_of_memory",
            Self::Died { .. } => "died",
            Self::Restarting { .. } => "restarting",
            Self::Restarted => "restarted",
            Self::GaveUp { .. } => "gave_up",
            Self::Paused => "paused",
            Self::Unpaused => "unpaused",
            Self::Resumed => "resumed",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Removed { .. } => "removed",
            Self::Closed => "closed",
            Self::Adopted => "adopted",
            Self::Lost => "lost",
            Self::Weakened { .. } => "weakened",
            Self::MemoryHigh { .. } => "memory_high",
            Self::CpuThrottled { .. } => "cpu_throttled",
            Self::PidsHigh { .. } => "pids_high",
        }
    }
}

/// What a subscriber is told. As JSON it is an object whose `notice` is the variant's name.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum SessionNotice {
    /// Something happened to a session.
    Change(SessionEvent),
    /// This subscriber was too slow: so many notices were lost to it at this place.
    Gap {
        /// How many.
        missed: u64,
    },
    /// Events of the engine may have been missed. The sessions are looked at again, and what has changed is told after this.
    EngineGap,
}

/// The way to all who have subscribed, until its end.
#[derive(Debug)]
pub(crate) struct Notices(Fanout<SessionNotice>);

impl Notices {
    /// So many are kept for who is slow, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Fanout::new(capacity))
    }

    pub(crate) fn tell(&self, event: SessionEvent) {
        self.0.tell(SessionNotice::Change(event));
    }

    pub(crate) fn engine_gap(&self) {
        self.0.tell(SessionNotice::EngineGap);
    }

    /// What is told from here on.
    pub(crate) fn subscribe(&self) -> SessionEvents {
        SessionEvents(self.0.subscribe(|missed| SessionNotice::Gap { missed }))
    }

    /// Nothing is told any more.
    pub(crate) fn end(&self) {
        self.0.end();
    }
}

/// What happens to the sessions of a manager, from the subscription on; it ends when the manager is gone.
///
/// Whoever doesn't keep up isn't waited for: the oldest notices are lost to it, and a [`Gap`](SessionNotice::Gap) stands in
/// their place.
///
/// ```no_run
/// use catamaran::session::{SessionEvents, SessionNotice};
/// use futures::StreamExt;
///
/// # async fn example(mut events: SessionEvents) {
/// while let Some(notice) = events.next().await {
///     match notice {
///         SessionNotice::Change(event) => println!("{}: {:?}", event.key, event.change),
///         SessionNotice::Gap { missed } => println!("{missed} were missed: look at all sessions"),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// # Cancel safety
/// Waiting for the next may be dropped: nothing is lost.
pub struct SessionEvents(BoxStream<'static, SessionNotice>);

boxed_stream!(SessionEvents of SessionNotice);
