//! Events, watched from connection to connection.

mod queue;
mod seen;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::ContainerBackend;
use super::reconnect::Reconnect;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    EventStream, EventWatch, EventsOptions, Gap, GapReason, ReconnectOptions, Watched,
};
use crate::operation::Operation;
use queue::Queue;
use seen::Seen;

/// How long an engine may take to say what it remembers.
const LOOK: Duration = Duration::from_secs(30);

struct Watcher {
    backend: Arc<dyn ContainerBackend>,
    options: EventsOptions,
    seen: Seen,
    queue: Queue,
    reconnect: Reconnect,
}

/// Begins a watch, whose connections are read by a task of its own: engines don't wait for readers.
pub(super) async fn watch(
    backend: Arc<dyn ContainerBackend>,
    options: &EventsOptions,
    reconnect: &ReconnectOptions,
) -> Result<EventWatch> {
    let events = backend.events(options).await?;
    let (queue, items) = Queue::new();
    let watcher = Watcher {
        reconnect: Reconnect::new(Operation::Events, reconnect, &backend.context()),
        backend,
        options: options.clone(),
        seen: Seen::default(),
        queue,
    };
    let reader = AbortOnDropHandle::new(tokio::spawn(watcher.run(events)));
    Ok(EventWatch::new(items, reader))
}

impl Watcher {
    async fn run(mut self, mut events: EventStream) {
        loop {
            let lost = self.read(events).await;
            if self.is_over() {
                return self.queue.end(None);
            }
            if Reconnect::may_pass(&lost) {
                self.queue.status(Watched::Disconnected(lost.clone()));
            }
            events = match self.connect(lost).await {
                Ok(Some(events)) => events,
                Ok(None) => return self.queue.end(None),
                Err(error) => {
                    let error = error.with_operation(Operation::Events);
                    return self.queue.end(Some(error));
                }
            };
        }
    }

    /// Reads a connection to its end, and says what that was.
    async fn read(&mut self, mut events: EventStream) -> Error {
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = self.queue.room(), if self.queue.is_missing() => {
                    self.queue.tell_missed();
                    continue;
                }
            };
            match next {
                Some(Ok(event)) => {
                    if !self.seen.knows(&event) {
                        self.seen.note(&event);
                        self.queue.event(event);
                        self.reconnect.progressed();
                    }
                }
                Some(Err(error)) => return error,
                None => {
                    let message = "the engine ended the stream";
                    return Error::new(ErrorKind::Transport, message)
                        .with_operation(Operation::Events);
                }
            }
        }
    }

    /// Connects anew, however often it takes; `None` where there is nothing more to be told.
    async fn connect(&mut self, mut lost: Error) -> Result<Option<EventStream>> {
        loop {
            self.reconnect.failed(lost).await?;
            if self.is_over() {
                return Ok(None);
            }
            lost = match self.resume().await {
                Ok((events, gap)) => {
                    self.reconnect.connected();
                    self.queue.status(Watched::Reconnected);
                    gap.into_iter().for_each(|gap| self.queue.gap(gap));
                    return Ok(Some(events));
                }
                Err(error) => error,
            };
        }
    }

    /// A connection that goes on where the last one ended, and what may be missing in between.
    async fn resume(&self) -> Result<(EventStream, Option<Gap>)> {
        let since = self.seen.since();
        let asked = since.max(self.options.since);
        // Before the look, so that nothing happens in between.
        let options = self.options.clone().with_since(asked);
        let events = self.backend.events(&options).await?;
        let whole = match (since, self.seen.last()) {
            (Some(since), Some(last)) => self.remembers(since, last).await?,
            // Nothing was told yet that the engine could remember.
            _ => false,
        };
        let gap = Gap {
            from: self.seen.last(),
            to: None,
            reason: GapReason::Forgotten,
        };
        Ok((events, (!whole).then_some(gap)))
    }

    /// Whether the engine remembers anything that was told: then it does so of all that came after.
    async fn remembers(&self, since: SystemTime, last: SystemTime) -> Result<bool> {
        // A little later, since engines may round a time.
        let until = last.checked_add(Duration::from_millis(1)).unwrap_or(last);
        let options = self.options.clone().with_since(since).with_until(until);
        let look = async {
            let mut past = self.backend.events(&options).await?;
            while let Some(event) = past.next().await.transpose()? {
                if self.seen.knows(&event) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let message = "the engine doesn't say what it remembers";
        let looked = Deadline::new(Some(LOOK), None).bound(look).await;
        looked.map_err(|late| late.with_message(message))?
    }

    /// Whether the time has come that the caller set.
    fn is_over(&self) -> bool {
        let now = SystemTime::now();
        self.options.until.is_some_and(|until| until <= now)
    }
}
