//! What is told of sessions.

#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::stream::{BoxStream, Stream, StreamExt, unfold};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Sender};

use super::{Origin, SessionKey};
use crate::lock::lock;
use crate::model::ContainerRef;

/// Something that happened to a session.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionEvent {
    /// Which session.
    pub key: SessionKey,
    /// The container that it was then.
    pub container: ContainerRef,
    /// When it was noticed, by this machine's clock.
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
pub(crate) struct Notices(Mutex<Option<Sender<SessionNotice>>>);

impl Notices {
    /// So many are kept for who is slow, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        // More than this the channel refuses, and no memory would hold.
        Self(Mutex::new(Some(Sender::new(capacity.clamp(1, 1 << 24)))))
    }

    pub(crate) fn tell(&self, event: SessionEvent) {
        self.send(SessionNotice::Change(event));
    }

    pub(crate) fn engine_gap(&self) {
        self.send(SessionNotice::EngineGap);
    }

    /// What is told from here on.
    pub(crate) fn subscribe(&self) -> SessionEvents {
        match &*lock(&self.0) {
            Some(sender) => SessionEvents::new(sender.subscribe()),
            None => SessionEvents(futures::stream::empty().boxed()),
        }
    }

    /// Nothing is told any more.
    pub(crate) fn end(&self) {
        *lock(&self.0) = None;
    }

    fn send(&self, notice: SessionNotice) {
        if let Some(sender) = &*lock(&self.0) {
            // It fails where nobody listens.
            let _ = sender.send(notice);
        }
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

impl SessionEvents {
    fn new(receiver: broadcast::Receiver<SessionNotice>) -> Self {
        let notices = unfold(receiver, |mut receiver| async {
            let notice = match receiver.recv().await {
                Ok(notice) => notice,
                Err(RecvError::Lagged(missed)) => SessionNotice::Gap { missed },
                Err(RecvError::Closed) => return None,
            };
            Some((notice, receiver))
        });
        // It may be asked again after its end.
        Self(notices.fuse().boxed())
    }
}

impl Stream for SessionEvents {
    type Item = SessionNotice;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEvents")
    }
}
