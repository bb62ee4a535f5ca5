//! Programs of the host's test.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::super::errno::Errno;
use super::super::files::Opened;
use super::Context;

pub(crate) type HostProgram = Arc<dyn Fn(Process) -> BoxFuture<'static, i64> + Send + Sync>;

/// Programs by name.
#[derive(Clone, Default)]
pub(crate) struct Programs(Arc<HashMap<String, HostProgram>>);

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Programs {
    pub(crate) fn add(&mut self, name: String, program: HostProgram) {
        Arc::make_mut(&mut self.0).insert(name, program);
    }

    pub(super) fn get(&self, name: &str) -> Option<HostProgram> {
        self.0.get(name).cloned()
    }
}

/// A process of a fake container, as a program of the host's test sees it: its arguments, environment, streams and
/// files.
///
/// The program is an async function; what it gives is its exit code. It is dropped where it is killed. Output that
/// nobody reads yet makes it wait, as a pipe would.
///
/// ```
/// use catamaran::testing::Process;
///
/// async fn greet(process: Process) -> i64 {
///     let who = process.args().get(1).map_or("you", String::as_str);
///     match process.write_stdout(format!("hello, {who}\n")).await {
///         Ok(()) => 0,
///         Err(_) => 1,
///     }
/// }
/// # let _ = greet;
/// ```
#[derive(Debug)]
pub struct Process {
    context: Context,
}

fn error(errno: Errno) -> io::Error {
    let kind = match errno {
        Errno::NoEntry => io::ErrorKind::NotFound,
        Errno::Access => io::ErrorKind::PermissionDenied,
        Errno::Exists => io::ErrorKind::AlreadyExists,
        Errno::Pipe => io::ErrorKind::BrokenPipe,
        Errno::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
        Errno::NoSpace => io::ErrorKind::StorageFull,
        Errno::IsDirectory => io::ErrorKind::IsADirectory,
        Errno::NotDirectory => io::ErrorKind::NotADirectory,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, errno.to_string())
}

impl Process {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    /// The command as it was called: its name first.
    #[must_use]
    pub fn args(&self) -> &[String] {
        &self.context.argv
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        self.context.env(name)
    }

    /// Its working directory.
    #[must_use]
    pub fn cwd(&self) -> &str {
        &self.context.cwd
    }

    /// Its user and group, by number.
    #[must_use]
    pub fn user(&self) -> (u32, u32) {
        self.context.process.user
    }

    /// The next piece of its input, up to 64 KiB; none at its end.
    ///
    /// # Errors
    /// Where it has no input.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn read(&self) -> io::Result<Bytes> {
        self.context.input().await.map_err(error)
    }

    /// The next line of its input, with its line break; less at the end, and nothing after it.
    ///
    /// # Errors
    /// Where it has no input.
    ///
    /// # Cancel safety
    /// What was read of a line is lost.
    pub async fn read_line(&self) -> io::Result<String> {
        let input = self.context.files.get(0).map_err(error)?;
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let byte = input.read(1).await.map_err(error)?;
            if byte.is_empty() {
                break;
            }
            line.extend_from_slice(&byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Writes to its standard output.
    ///
    /// # Errors
    /// Where nobody reads it any more.
    ///
    /// # Cancel safety
    /// A part may have been written.
    pub async fn write_stdout(&self, bytes: impl AsRef<[u8]> + Send) -> io::Result<()> {
        self.context.out(bytes.as_ref()).await.map_err(error)
    }

    /// Writes to its standard error.
    ///
    /// # Errors
    /// Where nobody reads it any more.
    ///
    /// # Cancel safety
    /// A part may have been written.
    pub async fn write_stderr(&self, bytes: impl AsRef<[u8]> + Send) -> io::Result<()> {
        let errors = self.context.files.get(2).map_err(error)?;
        errors.write(bytes.as_ref()).await.map_err(error)
    }

    /// A file of its container.
    ///
    /// # Errors
    /// As a program would be told: not there, not to be read by this user.
    pub fn read_file(&self, path: &str) -> io::Result<Vec<u8>> {
        let contents = self.context.view().contents(&self.context.cwd, path);
        contents.map_err(error)
    }

    /// Writes a file of its container anew.
    ///
    /// # Errors
    /// As a program would be told: a read-only file system, no room, no such directory.
    pub fn write_file(&self, path: &str, contents: impl AsRef<[u8]>) -> io::Result<()> {
        let opened = self.context.view().writable(&self.context.cwd, path, 0o644);
        match opened.map_err(error)? {
            Opened::File(body) => {
                body.truncate();
                body.write(None, contents.as_ref()).map(drop).map_err(error)
            }
            Opened::Device(_) => Ok(()),
            Opened::Directory => Err(error(Errno::IsDirectory)),
        }
    }

    /// Waits for `SIGTERM`, which no longer ends the program once this was asked.
    ///
    /// # Cancel safety
    /// A signal that came is told by the next call.
    pub async fn terminated(&self) {
        const TERM: i32 = 15;
        let process = &self.context.process;
        process.trap(TERM, true, false);
        loop {
            while let Some(signal) = process.next_caught() {
                if signal == TERM {
                    return;
                }
            }
            process.caught.notified().await;
        }
    }
}
