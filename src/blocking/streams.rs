//! What goes on after its call: streams as iterators whose `next` blocks, and the meter.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};

use super::Driver;
use crate::backend::UsageMeter;
use crate::error::Result;
use crate::model::{
    ArchiveStream, ContainerStats, Event, EventStream, EventWatch, LogChunk, LogOutput, LogStream,
    PathStat, PullEvent, PullStream, StatsStream, Usage, Watched,
};

/// A stream and what drives it.
pub(super) struct Items<S> {
    stream: Option<S>,
    driver: Arc<Driver>,
}

impl<S> Items<S> {
    pub(super) fn new(stream: S, driver: &Arc<Driver>) -> Self {
        Self {
            stream: Some(stream),
            driver: Arc::clone(driver),
        }
    }
}

impl<T, S: Stream<Item = Result<T>> + Unpin> Items<S> {
    fn next(&mut self) -> Option<Result<T>> {
        let stream = self.stream.as_mut()?;
        let item = match self.driver.block_on(stream.next()) {
            Ok(item) => item,
            Err(refused) => Some(Err(refused)),
        };
        if !matches!(item, Some(Ok(_))) {
            self.stream = None; // nothing follows an end or an error
        }
        item
    }
}

/// A stream's iterator.
macro_rules! iterator {
    ($name:ident of $item:ty) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl Iterator for $name {
            type Item = Result<$item>;

            fn next(&mut self) -> Option<Self::Item> {
                self.0.next()
            }
        }
    };
}

iterator!(Logs of LogChunk);
iterator!(Stats of ContainerStats);
iterator!(Pull of PullEvent);
iterator!(Events of Event);
iterator!(Watch of Watched);

/// What happens at the engine, event by event; dropping it ends the reading.
pub struct Events(pub(super) Items<EventStream>);

/// What happens at the engine, connection after connection; dropping it ends the watch.
pub struct Watch(pub(super) Items<EventWatch>);

/// A container's output, piece by piece; dropping it ends the reading.
pub struct Logs(pub(super) Items<LogStream>);

impl Logs {
    /// Reads to the end, keeping so many bytes, both streams together.
    ///
    /// # Errors
    /// As [`LogStream::output`], and within an async runtime.
    pub fn output(self, max_bytes: usize) -> Result<LogOutput> {
        match self.0.stream {
            Some(stream) => self.0.driver.block_on(stream.output(max_bytes))?,
            None => Ok(LogOutput::default()),
        }
    }
}

/// A tar archive on its way from the engine, piece by piece, or as a reader; dropping it ends the reading. Only its
/// end without an error says that it is whole.
pub struct Archive {
    pieces: Items<ArchiveStream>,
    stat: Option<PathStat>,
    current: Bytes,
}

impl Archive {
    pub(super) fn new(stream: ArchiveStream, driver: &Arc<Driver>) -> Self {
        Self {
            stat: stream.stat().cloned(),
            pieces: Items::new(stream, driver),
            current: Bytes::new(),
        }
    }

    /// As [`ArchiveStream::stat`].
    #[must_use]
    pub fn stat(&self) -> Option<&PathStat> {
        self.stat.as_ref()
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("stat", &self.stat)
            .finish_non_exhaustive()
    }
}

impl Iterator for Archive {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.current.is_empty() {
            return self.pieces.next();
        }
        Some(Ok(std::mem::take(&mut self.current)))
    }
}

impl Read for Archive {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.next().transpose().map_err(io::Error::other)? {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.current.len());
        into[..length].copy_from_slice(&self.current[..length]);
        self.current.advance(length);
        Ok(length)
    }
}

/// A pull's progress, event by event. Only its end without an error says that the image is there;
/// dropped, the engine may give the pull up.
pub struct Pull(pub(super) Items<PullStream>);

impl Pull {
    /// Reads to the end, whatever the progress.
    ///
    /// # Errors
    /// As [`PullStream::finish`], and within an async runtime.
    pub fn finish(mut self) -> Result<()> {
        self.try_for_each(|event| event.map(drop))
    }
}

/// What a container uses, sample by sample; dropping it ends the taking.
pub struct Stats(pub(super) Items<StatsStream>);

/// A [`UsageMeter`] whose samples block.
pub struct Meter {
    pub(super) meter: UsageMeter,
    pub(super) driver: Arc<Driver>,
}

impl Meter {
    /// Takes a sample.
    ///
    /// # Errors
    /// As [`UsageMeter::sample`], and within an async runtime.
    pub fn sample(&mut self) -> Result<Usage> {
        self.driver.block_on(self.meter.sample())?
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meter.fmt(f)
    }
}
