//! Programs that are written to and read, by threads.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::{Driver, Logs};
use crate::model::{self, ExecId, ExecTag};

/// A command that runs, with its input and output: see [`ExecSession`](model::ExecSession).
#[non_exhaustive]
#[derive(Debug)]
pub struct Session {
    /// By which it is inspected and resized.
    pub id: ExecId,
    /// By which its processes are ended.
    pub tag: ExecTag,
    /// What it reads.
    pub input: Input,
    /// What it writes; ends when it has ended.
    pub output: Logs,
}

/// A container's own program, with its input and output: see [`Attached`](model::Attached).
#[non_exhaustive]
#[derive(Debug)]
pub struct Attached {
    /// What the program reads.
    pub input: Input,
    /// What it writes from now on; ends with the container.
    pub output: Logs,
}

/// A program's standard input, whose writes block: see [`Input`](model::Input). Dropping it ends it.
pub struct Input {
    inner: model::Input,
    driver: Arc<Driver>,
}

impl Input {
    pub(super) fn new(inner: model::Input, driver: &Arc<Driver>) -> Self {
        Self {
            inner,
            driver: Arc::clone(driver),
        }
    }

    /// Ends it, and says whether that worked: the program reads to its end, and its output still comes.
    ///
    /// # Errors
    /// Where the connection is broken, and within an async runtime.
    pub fn close(mut self) -> io::Result<()> {
        self.driver
            .block_on(self.inner.shutdown())
            .map_err(io::Error::other)?
    }
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.driver
            .block_on(self.inner.write(bytes))
            .map_err(io::Error::other)?
    }

    fn flush(&mut self) -> io::Result<()> {
        self.driver
            .block_on(self.inner.flush())
            .map_err(io::Error::other)?
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}
