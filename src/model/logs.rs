//! A container's output: where it goes, and how it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use serde::{Deserialize, Serialize};

use super::security::word;
use super::spec::bounded;
use crate::error::{Error, Result};
use crate::quote::Withheld;

/// The driver that keeps a container's output.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// The driver: `json-file`, `local`, `none` …
    pub driver: String,
    /// Its options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl LogConfig {
    /// A driver without options.
    #[must_use]
    pub fn new(driver: impl Into<String>) -> Self {
        Self {
            driver: driver.into(),
            options: BTreeMap::new(),
        }
    }

    /// The json-file driver, rotated at so many bytes, with so many files kept.
    #[must_use]
    pub fn rotated(max_bytes: u64, files: u32) -> Self {
        Self::new("json-file")
            .with_option("max-size", max_bytes.to_string())
            .with_option("max-file", files.to_string())
    }

    /// Sets an option of the driver.
    #[must_use]
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(key.into(), value.into());
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        word("log", &self.driver, |b| b.is_ascii_graphic())?;
        for (key, value) in &self.options {
            if key.is_empty() {
                return Err(Error::invalid("log", "an option has no name"));
            }
            bounded("log", key, 255)?;
            bounded("log", value, 4096)?;
        }
        Ok(())
    }
}

/// Which part of a container's output is read.
///
/// ```
/// use catamaran::model::LogsOptions;
///
/// let last = LogsOptions::default().with_tail(100u64);
/// let live = LogsOptions::default().with_follow(true);
/// assert_ne!(last, live);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsOptions {
    /// Whether standard output is read; true by default.
    pub stdout: bool,
    /// Whether standard error is read; true by default.
    pub stderr: bool,
    /// Whether the stream goes on as the container writes, until it ends.
    pub follow: bool,
    /// Only the last so many lines.
    pub tail: Option<u64>,
    /// Only from this time on.
    pub since: Option<SystemTime>,
    /// Only until this time.
    pub until: Option<SystemTime>,
    /// Whether the engine puts its RFC 3339 timestamp before each line.
    pub timestamps: bool,
}

impl Default for LogsOptions {
    fn default() -> Self {
        Self {
            stdout: true,
            stderr: true,
            follow: false,
            tail: None,
            since: None,
            until: None,
            timestamps: false,
        }
    }
}

impl LogsOptions {
    setters! {
        /// Sets whether standard output is read.
        with_stdout(stdout: bool);
        /// Sets whether standard error is read.
        with_stderr(stderr: bool);
        /// Sets whether the stream goes on as the container writes.
        with_follow(follow: bool);
        /// Reads only the last so many lines.
        with_tail(tail: Option<u64>);
        /// Reads only from this time on.
        with_since(since: Option<SystemTime>);
        /// Reads only until this time.
        with_until(until: Option<SystemTime>);
        /// Sets whether each line begins with the engine's timestamp.
        with_timestamps(timestamps: bool);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if !self.stdout && !self.stderr {
            return Err(Error::invalid(
                "logs",
                "neither stdout nor stderr is asked for",
            ));
        }
        Ok(())
    }
}

/// Where a piece of output was written.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The terminal, where both are one.
    Console,
}

/// A piece of output as the engine sent it: not always a whole line, sometimes several.
#[derive(Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written.
    pub source: LogSource,
    /// What was written, line ends included.
    pub bytes: Bytes,
}

impl fmt::Debug for LogChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogChunk")
            .field("source", &self.source)
            .field("bytes", &Withheld(&self.bytes))
            .finish()
    }
}

/// A container's output as a stream; dropping it ends the reading.
pub struct LogStream(BoxStream<'static, Result<LogChunk>>);

stream!(LogStream of LogChunk);

impl LogStream {
    /// Reads to the end, keeping so many bytes, both streams together.
    ///
    /// # Errors
    /// As the stream's.
    ///
    /// # Cancel safety
    /// Safe: what was read is lost.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{ContainerRef, LogsOptions};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let log = backend.logs(id, &LogsOptions::default()).await?.output(1 << 20).await?;
    /// println!("{}", String::from_utf8_lossy(&log.stdout));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn output(mut self, max_bytes: usize) -> Result<LogOutput> {
        let (mut stdout, mut stderr, mut truncated) = (BytesMut::new(), BytesMut::new(), false);
        while let Some(chunk) = self.next().await.transpose()? {
            let room = max_bytes.saturating_sub(stdout.len() + stderr.len());
            truncated |= chunk.bytes.len() > room;
            let kept = &chunk.bytes[..chunk.bytes.len().min(room)];
            match chunk.source {
                LogSource::Stderr => stderr.extend_from_slice(kept),
                LogSource::Stdout | LogSource::Console => stdout.extend_from_slice(kept),
            }
        }
        Ok(LogOutput {
            stdout: stdout.freeze(),
            stderr: stderr.freeze(),
            truncated,
        })
    }
}

/// A container's output, read to its end.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LogOutput {
    /// What was written to standard output, or to the terminal.
    pub stdout: Bytes,
    /// What was written to standard error.
    pub stderr: Bytes,
    /// Whether something was dropped for want of room.
    pub truncated: bool,
}

impl fmt::Debug for LogOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOutput")
            .field("stdout", &Withheld(&self.stdout))
            .field("stderr", &Withheld(&self.stderr))
            .field("truncated", &self.truncated)
            .finish()
    }
}
