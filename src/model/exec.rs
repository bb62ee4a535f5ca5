//! Commands run in a container that already runs.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::mount::absolute;
use super::security::word;
use super::spec::arguments;
use super::{EnvVars, TerminalSize};
use crate::error::{Error, Result};
use crate::quote::Withheld;

/// A command to be run in a running container.
///
/// ```
/// use catamaran::model::ExecOptions;
///
/// let exec = ExecOptions::new(["sh", "-c", "echo $MODE"]).with_env("MODE", "batch").with_user("0");
/// # let _ = exec;
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct ExecOptions {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Environment variables, added to the container's.
    pub env: EnvVars,
    /// The user; `None` is the container's.
    pub user: Option<String>,
    /// The working directory; `None` is the container's.
    pub working_dir: Option<String>,
    /// Whether it has a terminal: its output is one stream then, in which lines end with `\r\n`.
    pub tty: bool,
    /// The terminal's size. Engines before API 1.42 set it only once the command runs.
    pub terminal_size: Option<TerminalSize>,
    /// All that it reads, after which its input ends; `None` is nothing to read. A command that ends
    /// without reading it is no error. On a terminal nothing tells the end but a `^D` (byte 4).
    ///
    /// For [`exec`](crate::ContainerBackend::exec) alone: a
    /// [session](crate::ContainerBackend::start_exec) is written to as it goes.
    pub stdin: Option<Bytes>,
    /// How long it may run, beyond which its processes are killed. The call's usual time comes on top.
    ///
    /// For [`exec`](crate::ContainerBackend::exec) alone, which says how: a session is ended by
    /// [`end_exec`](crate::ContainerBackendExt::end_exec).
    pub timeout: Option<Duration>,
    /// How many bytes of output are kept, both streams together; 16 MiB by default. What goes beyond is
    /// read and dropped, and [`ExecOutput::truncated`] says so. A session's output is not bounded.
    pub max_output: usize,
}

impl ExecOptions {
    /// A program and its arguments.
    #[must_use]
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            env: EnvVars::default(),
            user: None,
            working_dir: None,
            tty: false,
            terminal_size: None,
            stdin: None,
            timeout: None,
            max_output: 16 << 20,
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key, value);
        self
    }

    /// Sets the user, as `uid:gid` or by name.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the working directory, an absolute path.
    #[must_use]
    pub fn with_working_dir(mut self, path: impl Into<String>) -> Self {
        self.working_dir = Some(path.into());
        self
    }

    /// Sets all that it reads.
    #[must_use]
    pub fn with_stdin(mut self, stdin: impl Into<Bytes>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    setters! {
        /// Sets whether it has a terminal.
        with_tty(tty: bool);
        /// Sets the terminal's size.
        with_terminal_size(terminal_size: Option<TerminalSize>);
        /// Sets how long it may run.
        with_timeout(timeout: Option<Duration>);
        /// Sets how many bytes of output are kept.
        with_max_output(max_output: usize);
    }

    /// How long the command may take beyond the usual time of a call.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or_default()
    }

    /// What a session must not have, beside what [`validate`](Self::validate) says.
    pub(crate) fn validate_session(&self) -> Result<()> {
        if self.stdin.is_some() {
            return Err(Error::invalid(
                "exec.stdin",
                "a session is written to by its own input",
            ));
        }
        if self.timeout.is_some() {
            return Err(Error::invalid(
                "exec.timeout",
                "a session has no time of its own: end it by its tag",
            ));
        }
        Ok(())
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err(Error::invalid("exec.command", "there is no program to run"));
        }
        arguments("exec.command", &self.command)?;
        if let Some(user) = &self.user {
            word("exec.user", user, |b| b.is_ascii_graphic())?;
        }
        if let Some(path) = &self.working_dir {
            absolute("exec.working_dir", path)?;
        }
        if self.terminal_size.is_some() && !self.tty {
            return Err(Error::invalid(
                "exec.terminal_size",
                "there is no terminal without tty",
            ));
        }
        if self.timeout == Some(Duration::ZERO) {
            return Err(Error::invalid("exec.timeout", "is no time at all"));
        }
        self.env.validate()
    }
}

impl fmt::Debug for ExecOptions {
    // Arguments may hold secrets as well as variables do: say how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecOptions")
            .field(
                "command",
                &format_args!("[{} arguments]", self.command.len()),
            )
            .field("env", &self.env)
            .field("user", &self.user)
            .field("working_dir", &self.working_dir)
            .field("tty", &self.tty)
            .field("terminal_size", &self.terminal_size)
            .field("stdin", &self.stdin.as_ref().map(Bytes::len))
            .field("timeout", &self.timeout)
            .field("max_output", &self.max_output)
            .finish()
    }
}

/// What a command did.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// The exit code, as the engine knows it: never invented.
    pub exit_code: i64,
    /// What it wrote to standard output.
    pub stdout: Bytes,
    /// What it wrote to standard error.
    pub stderr: Bytes,
    /// Whether output beyond [`ExecOptions::max_output`] was dropped.
    pub truncated: bool,
    /// Whether it ran longer than [`ExecOptions::timeout`] and was killed for it. The exit code is that of
    /// the killed program then, 137 on most engines.
    pub timed_out: bool,
}

impl fmt::Debug for ExecOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecOutput")
            .field("exit_code", &self.exit_code)
            .field("stdout", &Withheld(&self.stdout))
            .field("stderr", &Withheld(&self.stderr))
            .field("truncated", &self.truncated)
            .field("timed_out", &self.timed_out)
            .finish()
    }
}

impl ExecOutput {
    /// An outcome; for implementors of a backend.
    #[must_use]
    pub fn new(exit_code: i64, stdout: Bytes, stderr: Bytes) -> Self {
        Self {
            exit_code,
            stdout,
            stderr,
            truncated: false,
            timed_out: false,
        }
    }

    /// Whether it ended by itself, with exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0 && !self.timed_out
    }
}
