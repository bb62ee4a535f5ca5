//! Commands run in a container that already runs.

use std::fmt;

use bytes::Bytes;

use super::EnvVars;
use super::mount::absolute;
use super::security::word;
use super::spec::arguments;
use crate::error::{Error, Result};

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
    /// How many bytes of output are kept, both streams together; 16 MiB by default. What goes beyond is
    /// read and dropped, and [`ExecOutput::truncated`] says so.
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

    setters! {
        /// Sets how many bytes of output are kept.
        with_max_output(max_output: usize);
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
            .field("max_output", &self.max_output)
            .finish()
    }
}

/// What a command did.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// The exit code, as the engine knows it: never invented.
    pub exit_code: i64,
    /// What it wrote to standard output.
    pub stdout: Bytes,
    /// What it wrote to standard error.
    pub stderr: Bytes,
    /// Whether output beyond [`ExecOptions::max_output`] was dropped.
    pub truncated: bool,
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
        }
    }

    /// Whether the exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0
    }
}
