//! A container's log, followed from connection to connection.

#[cfg(fuzzing)]
pub(super) mod fuzz;
mod position;
mod records;
mod second;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Buf;
use futures::StreamExt;

use super::ContainerBackend;
use super::reconnect::Reconnect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    ContainerRef, ContainerState, LogChunk, LogStream, LogsOptions, ReconnectOptions,
};
use crate::operation::Operation;
use position::Position;
use records::{Piece, Records};

/// How many lines are looked at to know what is there. One isn't enough: a line of one stream that is written after those
/// of the other may bear an earlier time.
const LOOK_BACK: u64 = 64;

struct Follower {
    backend: Arc<dyn ContainerBackend>,
    /// By id: a name may be another container's after an outage.
    container: ContainerRef,
    /// The tail of what is there comes first, and is read by itself, after which there is none: what is written from
    /// then on has no such bound, over however many connections it comes.
    options: LogsOptions,
    position: Position,
    reading: Option<Reading>,
    ready: VecDeque<LogChunk>,
    /// The beginning of a tail, as long as all of it bears the time of one whole second.
    held: Vec<LogChunk>,
    /// Whether the container had ended before this reading began.
    ended: bool,
    /// Whether the log is at its end.
    over: bool,
    reconnect: Reconnect,
}

struct Reading {
    log: LogStream,
    records: Records,
}

/// Follows a log to its container's end.
pub(super) async fn follow(
    backend: Arc<dyn ContainerBackend>,
    container: &ContainerRef,
    options: &LogsOptions,
    reconnect: &ReconnectOptions,
) -> Result<LogStream> {
    options
        .validate()
        .map_err(|error| about(container, error))?;
    let reconnect = Reconnect::new(Operation::Logs, reconnect, &backend.context());
    let mut follower = Follower {
        container: backend.inspect(container).await?.id,
        backend,
        options: options.clone(),
        position: Position::new(options.since),
        reading: None,
        ready: VecDeque::new(),
        held: Vec::new(),
        ended: false,
        over: false,
        reconnect,
    };
    if follower.options.tail == Some(0) {
        follower.skip_what_is_there().await?;
    }
    follower.open().await?;
    // The tail is that of now, and not of when it is read.
    while follower.options.tail.is_some() && follower.ready.is_empty() {
        follower.step().await?;
    }
    let chunks = futures::stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Ok(None) => None,
            Ok(Some(chunk)) => Some((Ok(chunk), Some(follower))),
            Err(error) => Some((Err(about(&follower.container, error)), None)),
        }
    });
    Ok(LogStream::new(chunks))
}

/// Docker answers 409 for the log of a container that is being removed.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict)
}

fn about(container: &ContainerRef, error: Error) -> Error {
    error
        .with_operation(Operation::Logs)
        .with_subject(container.to_string())
}

impl Follower {
    async fn next(&mut self) -> Result<Option<LogChunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            if self.over {
                return Ok(None);
            }
            self.step().await?;
        }
    }

    /// Goes on by one chunk of a connection, its end, or the next connection.
    async fn step(&mut self) -> Result<()> {
        let Some(reading) = &mut self.reading else {
            match self.open().await {
                Ok(()) => {}
                // It had ended, and so had its log, in order.
                Err(error) if self.ended && is_gone(&error) => self.over = true,
                Err(error) => self.failed(error).await?,
            }
            return Ok(());
        };
        match reading.log.next().await {
            Some(Ok(chunk)) => {
                for piece in reading.records.take(chunk)? {
                    self.give(&piece)?;
                }
            }
            Some(Err(error)) => self.failed(error).await?,
            None => {
                if let Some(reading) = self.reading.take()
                    && let Some(piece) = reading.records.finish()?
                {
                    self.give(&piece)?;
                }
                // What the end of the log held has still to be given.
                self.over = self.is_over().await?;
            }
        }
        Ok(())
    }

    /// The engine's log from where it hasn't been given, or its tail.
    async fn ask(&mut self) -> Result<LogStream> {
        let lines = |lines| if lines == 0 { LOOK_BACK } else { lines };
        let tail = self.options.tail.map(lines);
        self.ask_for(tail, tail.is_none()).await
    }

    async fn ask_for(&mut self, tail: Option<u64>, follow: bool) -> Result<LogStream> {
        let options = self.options.clone().with_timestamps(true);
        let options = options.with_since(self.position.resume());
        let options = options.with_follow(follow).with_tail(tail);
        self.backend.logs(&self.container, &options).await
    }

    /// Looks at the last lines, which tell by the engine's clock what is there.
    async fn skip_what_is_there(&mut self) -> Result<()> {
        let mut log = self.ask().await?;
        let mut records = Records::default();
        while let Some(chunk) = log.next().await.transpose()? {
            for piece in records.take(chunk)? {
                self.position.take(&piece)?;
            }
        }
        self.options.tail = None;
        match self.position.last_second() {
            Some(second) => self.begin_in(second, 0).await,
            None => {
                self.position.skip_to_now();
                Ok(())
            }
        }
    }

    async fn open(&mut self) -> Result<()> {
        let log = self.ask().await?;
        self.reconnect.connected();
        self.reading = Some(Reading {
            log,
            records: Records::default(),
        });
        Ok(())
    }

    fn give(&mut self, piece: &Piece) -> Result<()> {
        let given = self.unread(piece)?;
        if self.options.tail.is_some() && self.position.whole_second().is_some() {
            self.held.extend(given);
        } else {
            self.ready.extend(self.held.drain(..).chain(given));
        }
        Ok(())
    }

    /// What of a piece wasn't given before.
    fn unread(&mut self, piece: &Piece) -> Result<Option<LogChunk>> {
        let Some(part) = self.position.take(piece)? else {
            return Ok(None);
        };
        self.reconnect.progressed();
        let mut bytes = piece.bytes.clone();
        if !(part.stamp && self.options.timestamps) {
            bytes.advance(piece.stamp);
            bytes.advance(part.skip);
        }
        let source = piece.source;
        Ok((!bytes.is_empty()).then_some(LogChunk { source, bytes }))
    }

    /// After a broken connection, or none: waits for the next attempt, if there is to be one.
    async fn failed(&mut self, error: Error) -> Result<()> {
        self.reading = None;
        self.ended = false;
        if self.options.tail.is_some() && self.position.whole_second().is_some() {
            // Nothing of the tail was given yet: it is asked for anew.
            self.held.clear();
            self.position = Position::new(self.options.since);
        } else if self.options.tail.is_some() && !self.position.is_new() {
            // What came of it came; the rest is what is written since.
            self.position.floor_at_first();
            self.options.tail = None;
        }
        self.reconnect.failed(error).await
    }

    /// After an end in order: whether it is the log's.
    async fn is_over(&mut self) -> Result<bool> {
        if let Some(lines) = self.options.tail {
            match self.position.whole_second() {
                Some(second) => match self.begin_in(second, lines).await {
                    Ok(()) => {}
                    Err(error) => {
                        self.position = Position::new(self.options.since);
                        return self.failed(error).await.map(|()| false);
                    }
                },
                None => self.position.tail_ended(),
            }
            self.options.tail = None;
            return Ok(false);
        }
        let now = SystemTime::now();
        if self.options.until.is_some_and(|until| until <= now) {
            return self.position.confirm().map(|()| true);
        }
        let Some(runs) = self.runs().await? else {
            return Ok(true);
        };
        if runs {
            // It is about to be run again, or the engine is about to end.
            self.ended = false;
            self.position.run_ended();
            self.reconnect.pause().await;
            return Ok(false);
        }
        if std::mem::replace(&mut self.ended, true) {
            return self.position.confirm().map(|()| true);
        }
        // It may have ended after the connection: what it wrote in between is read once more.
        self.position.run_ended();
        Ok(false)
    }

    /// Whether there is more to come of the container; `None` where it is gone.
    async fn runs(&mut self) -> Result<Option<bool>> {
        loop {
            match self.backend.inspect(&self.container).await {
                Ok(details) => {
                    return Ok(Some(matches!(
                        details.state.status,
                        ContainerState::Running
                            | ContainerState::Paused
                            | ContainerState::Restarting
                    )));
                }
                Err(error) if is_gone(&error) => return Ok(None),
                Err(error) => self.reconnect.failed(error).await?,
            }
        }
    }
}
