//! Containers that run once, from their creation to their removal.

use std::fmt;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::model::{ContainerSpec, RestartPolicy};
use crate::quote::Withheld;

/// How a container is run once.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// How many bytes of output are kept, both streams together; 16 MiB by default. What goes beyond is
    /// read and dropped, and [`RunOutput::truncated`] says so.
    pub max_output: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            max_output: 16 << 20,
        }
    }
}

impl RunOptions {
    setters! {
        /// Sets how many bytes of output are kept.
        with_max_output(max_output: usize);
    }

    /// What would keep a run from ending, or its output from being read.
    pub(crate) fn validate(spec: &ContainerSpec) -> Result<()> {
        if spec.restart_policy != RestartPolicy::No {
            return Err(Error::invalid(
                "restart_policy",
                "a container that is run once isn't started again",
            ));
        }
        if spec.log.as_ref().is_some_and(|log| log.driver == "none") {
            return Err(Error::invalid(
                "log",
                "the output is read from the container's log, which the driver none doesn't keep",
            ));
        }
        Ok(())
    }
}

/// What a container that ran once did.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct RunOutput {
    /// The exit code, as the engine knows it: never invented.
    pub exit_code: i64,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// What it wrote to standard output, or to its terminal.
    pub stdout: Bytes,
    /// What it wrote to standard error.
    pub stderr: Bytes,
    /// Whether output beyond [`RunOptions::max_output`] was dropped.
    pub truncated: bool,
    /// What the engine warned of at the creation, and why the removal failed if it did.
    pub warnings: Vec<String>,
}

impl fmt::Debug for RunOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOutput")
            .field("exit_code", &self.exit_code)
            .field("oom_killed", &self.oom_killed)
            .field("stdout", &Withheld(&self.stdout))
            .field("stderr", &Withheld(&self.stderr))
            .field("truncated", &self.truncated)
            .field("warnings", &self.warnings)
            .finish()
    }
}

impl RunOutput {
    /// Whether the exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit_code == 0
    }
}
