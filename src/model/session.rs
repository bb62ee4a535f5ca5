//! Sessions: programs that are written to while they are read.

use std::fmt;
use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::AsyncWrite;

use super::{ExecId, ExecOptions, LogStream};
use crate::error::{Error, Result};

/// The size of a terminal, in characters.
///
/// ```
/// use catamaran::model::TerminalSize;
///
/// let size = TerminalSize::new(120, 40)?;
/// assert_eq!((size.columns(), size.rows()), (120, 40));
/// assert!(TerminalSize::new(0, 40).is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalSize {
    columns: NonZeroU16,
    rows: NonZeroU16,
}

impl TerminalSize {
    /// So many columns and rows.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where there is no column or no row.
    pub fn new(columns: u16, rows: u16) -> Result<Self> {
        match (NonZeroU16::new(columns), NonZeroU16::new(rows)) {
            (Some(columns), Some(rows)) => Ok(Self { columns, rows }),
            _ => Err(Error::invalid(
                "terminal_size",
                "a terminal has at least one column and one row",
            )),
        }
    }

    /// How many characters a row holds.
    #[must_use]
    pub fn columns(self) -> u16 {
        self.columns.get()
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows.get()
    }
}

/// A program's standard input: what is written to it ([`AsyncWrite`]) goes to the program.
///
/// * **The end of input.** A shutdown ([`shutdown`](tokio::io::AsyncWriteExt::shutdown)) ends it: the
///   program reads to its end, and its output still comes. Dropping it does the same where that takes no
///   waiting, which over TLS isn't sure: prefer the shutdown. A program on a terminal isn't told: there,
///   write `^D` (byte 4) on a line of its own. Nor is that of a container made without
///   [`stdin_once`](super::ContainerSpec::stdin_once).
/// * **Read the output meanwhile.** A program whose output nobody reads stops reading its input at some
///   point, and so does a write.
/// * **A program that has ended** takes no more: a write fails with
///   [`BrokenPipe`](io::ErrorKind::BrokenPipe) or [`ConnectionReset`](io::ErrorKind::ConnectionReset). What
///   was written may not have been read.
///
/// ```no_run
/// use catamaran::ContainerBackend;
/// use catamaran::model::{ContainerRef, ExecOptions};
/// use tokio::io::AsyncWriteExt;
///
/// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> Result<(), Box<dyn std::error::Error>> {
/// let mut session = backend.start_exec(id, &ExecOptions::new(["sort"])).await?;
/// session.input.write_all(b"b\na\n").await?;
/// session.input.shutdown().await?;
/// let sorted = session.output.output(1 << 20).await?;
/// assert_eq!(&sorted.stdout[..], b"a\nb\n");
/// # Ok(())
/// # }
/// ```
pub struct Input(Option<Pin<Box<dyn AsyncWrite + Send>>>);

impl Input {
    /// Wraps what leads to the program; for implementors of a backend.
    #[must_use]
    pub fn new(writer: impl AsyncWrite + Send + 'static) -> Self {
        Self(Some(Box::pin(writer)))
    }

    /// The input of what reads none: each write fails.
    #[must_use]
    pub fn closed() -> Self {
        Self(None)
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(writer) => writer.as_mut().poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Some(writer) => writer.as_mut().poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.0 else {
            return Poll::Ready(Ok(()));
        };
        let ended = match writer.as_mut().poll_shutdown(cx) {
            Poll::Pending => return Poll::Pending,
            // The program has ended before its input.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            Poll::Ready(ended) => ended,
        };
        self.0 = None;
        Poll::Ready(ended)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = Pin::new(self).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

/// What the processes of an exec are known by in their container, so that they can be
/// [ended](crate::ContainerBackendExt::end_exec): an environment variable that they alone bear.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExecTag {
    mark: String,
    pub(crate) user: Option<String>,
}

impl ExecTag {
    /// The variable's name.
    pub const VARIABLE: &str = "CATAMARAN_EXEC";

    /// A tag that no other exec has, for one of these options; for implementors of a backend, which give
    /// the exec its [`variable`](Self::variable).
    #[must_use]
    pub fn new(options: &ExecOptions) -> Self {
        Self {
            mark: uuid::Uuid::new_v4().simple().to_string(),
            user: options.user.clone(),
        }
    }

    /// The variable, as `NAME=value`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{}={}", Self::VARIABLE, self.mark)
    }
}

/// A command that runs, with its input and output.
///
/// Its parts are used each by itself: the input may be written by one task while another reads the output.
/// Dropping all of it ends the input and the reading; the command goes on.
#[non_exhaustive]
#[derive(Debug)]
pub struct ExecSession {
    /// By which it is [inspected](crate::ContainerBackend::inspect_exec) and
    /// [resized](crate::ContainerBackend::resize_exec).
    pub id: ExecId,
    /// By which its processes are [ended](crate::ContainerBackendExt::end_exec).
    pub tag: ExecTag,
    /// What it reads.
    pub input: Input,
    /// What it writes; ends when it has ended. Of a command with a terminal it is one stream.
    pub output: LogStream,
}

impl ExecSession {
    /// A session; for implementors of a backend.
    #[must_use]
    pub fn new(id: ExecId, tag: ExecTag, input: Input, output: LogStream) -> Self {
        Self {
            id,
            tag,
            input,
            output,
        }
    }
}

/// What the engine knows of an exec.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecDetails {
    /// Whether it runs.
    pub running: bool,
    /// How it ended; `None` while it runs, and where it hasn't been started.
    pub exit_code: Option<i64>,
    /// Its process, as the engine's host counts.
    pub pid: Option<u64>,
}

/// A container's own program, with its input and output.
///
/// Dropping it detaches; the container goes on, unless it was made
/// [`with_stdin_once`](super::ContainerSpec::with_stdin_once) and ends with its input.
#[non_exhaustive]
#[derive(Debug)]
pub struct Attached {
    /// What the program reads, where [`AttachOptions::stdin`] is set and the container has an open input.
    pub input: Input,
    /// What it writes from now on; ends with the container. Of one with a terminal it is one stream.
    pub output: LogStream,
}

impl Attached {
    /// For implementors of a backend.
    #[must_use]
    pub fn new(input: Input, output: LogStream) -> Self {
        Self { input, output }
    }
}

/// Which streams of a container are attached to.
///
/// ```
/// use catamaran::model::AttachOptions;
///
/// let watch = AttachOptions::default().with_stdin(false).with_logs(true);
/// assert_ne!(watch, AttachOptions::default());
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachOptions {
    /// Whether its input is written to; true by default.
    pub stdin: bool,
    /// Whether standard output is read; true by default.
    pub stdout: bool,
    /// Whether standard error is read; true by default.
    pub stderr: bool,
    /// Whether what was written before, as far as the engine's log has kept it, comes first.
    pub logs: bool,
}

impl Default for AttachOptions {
    fn default() -> Self {
        Self {
            stdin: true,
            stdout: true,
            stderr: true,
            logs: false,
        }
    }
}

impl AttachOptions {
    setters! {
        /// Sets whether its input is written to.
        with_stdin(stdin: bool);
        /// Sets whether standard output is read.
        with_stdout(stdout: bool);
        /// Sets whether standard error is read.
        with_stderr(stderr: bool);
        /// Sets whether what was written before comes first.
        with_logs(logs: bool);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if !self.stdin && !self.stdout && !self.stderr {
            return Err(Error::invalid("attach", "no stream is asked for"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_dropped_input_is_ended() {
        let (near, mut far) = tokio::net::UnixStream::pair().expect("a pair");
        let (mut output, input) = tokio::io::split(near);
        let mut input = Input::new(input);
        input.write_all(b"abc").await.expect("a write");
        drop(input);
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.expect("an end");
        assert_eq!(read, b"abc");
        far.write_all(b"still here").await.expect("a write");
        drop(far);
        output.read_to_end(&mut read).await.expect("an end");
        assert_eq!(read, b"abcstill here");
    }

    #[tokio::test]
    async fn an_ended_input_takes_nothing() {
        let (near, _far) = tokio::net::UnixStream::pair().expect("a pair");
        for mut input in [Input::new(near), Input::closed()] {
            input.shutdown().await.expect("an end");
            input.shutdown().await.expect("an end again");
            let error = input.write_all(b"x").await.expect_err("it has ended");
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
