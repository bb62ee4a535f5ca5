//! Events beyond one connection.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::stream::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::AbortOnDropHandle;

use super::Event;
use crate::error::{Error, Result};

/// What a watch tells.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Watched {
    /// Something happened.
    Event(Event),
    /// Something may have happened that nobody will tell.
    Gap(Gap),
    /// The connection is lost: nothing is seen until it is [back](Self::Reconnected).
    Disconnected(Error),
    /// The connection is back; what happened meanwhile follows, after a [`Gap`](Self::Gap) where the engine doesn't
    /// remember all of it.
    Reconnected,
}

/// A span of time in which events may be missing: who keeps a picture of the engine draws it anew.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The time of the last event before it, by the engine's clock; `None` where there was none.
    pub from: Option<SystemTime>,
    /// The time of the last event that is missing, where that is known; `None` is until this is told.
    pub to: Option<SystemTime>,
    /// Why.
    pub reason: GapReason,
}

impl Gap {
    /// A gap between nobody knows when; for implementors of a watch.
    ///
    /// ```
    /// use catamaran::model::{Gap, GapReason};
    ///
    /// assert_eq!(Gap::new(GapReason::Forgotten).from, None);
    /// ```
    #[must_use]
    pub fn new(reason: GapReason) -> Self {
        Self {
            from: None,
            to: None,
            reason,
        }
    }

    setters! {
        /// Sets the time of the last event before it.
        with_from(from: Option<SystemTime>);
        /// Sets the time of the last event that is missing.
        with_to(to: Option<SystemTime>);
    }
}

/// Why events may be missing.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// After a reconnect, the engine no longer remembered what had been told last: it was restarted, or more has
    /// happened since than it keeps.
    Forgotten,
    /// The watch wasn't read for so long that its queue was full.
    SlowReader,
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forgotten => "the engine no longer remembers",
            Self::SlowReader => "the watch was read too slowly",
        })
    }
}

/// An item and the room that it takes in the queue.
pub(crate) type Queued = (Result<Watched>, Option<OwnedSemaphorePermit>);

/// What happens at the engine, connection after connection; dropping it ends the watch.
///
/// Made by [`watch_events`](crate::ContainerBackendExt::watch_events).
pub struct EventWatch {
    items: UnboundedReceiver<Queued>,
    _reader: AbortOnDropHandle<()>,
}

impl EventWatch {
    pub(crate) fn new(items: UnboundedReceiver<Queued>, reader: AbortOnDropHandle<()>) -> Self {
        Self {
            items,
            _reader: reader,
        }
    }
}

impl Stream for EventWatch {
    type Item = Result<Watched>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.items.poll_recv(context);
        next.map(|next| next.map(|(item, _room)| item))
    }
}

impl fmt::Debug for EventWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventWatch")
    }
}
