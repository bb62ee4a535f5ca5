//! Why a session couldn't be opened.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::key::SessionKey;
use crate::error::{Error, ErrorKind};
use crate::quote::quote;

/// What an open consists of.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A place is found, within the limits.
    Admission,
    /// The image is there, or is pulled.
    Image,
    /// The container is made, with its volumes and its network.
    Create,
    /// It is started, and its limits are looked at.
    Start,
    /// It becomes ready.
    Ready,
    /// It is made its owner's.
    Setup,
    /// It gets its session's name, by which it is acknowledged.
    Confirm,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Image => "image",
            Self::Create => "create",
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Setup => "setup",
            Self::Confirm => "confirm",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a session couldn't be opened: the phase, and what is known of the container. It is in the [`Error`] that
/// [`open`](super::SessionManager::open) gives.
///
/// ```no_run
/// use catamaran::session::{OpenFailure, SessionKey, SessionManager, SessionSpec};
///
/// # async fn example(manager: &SessionManager, key: &SessionKey, spec: &SessionSpec) {
/// if let Err(error) = manager.open(key, spec).await {
///     match OpenFailure::of(&error) {
///         Some(failure) => eprintln!("{}: {:?}\n{}", failure.phase(), failure.exit_code(), failure.log()),
///         None => eprintln!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct OpenFailure(Arc<Inner>);

struct Inner {
    phase: Phase,
    cause: Error,
    exit_code: Option<i64>,
    oom_killed: bool,
    log: String,
}

impl OpenFailure {
    pub(super) fn new(phase: Phase, cause: Error) -> Self {
        Self::with_end(phase, cause, None, false, String::new())
    }

    /// With what is known of a container that has ended.
    pub(super) fn with_end(
        phase: Phase,
        cause: Error,
        exit_code: Option<i64>,
        oom_killed: bool,
        log: String,
    ) -> Self {
        Self(Arc::new(Inner {
            phase,
            cause,
            exit_code,
            oom_killed,
            log,
        }))
    }

    /// The failure in the error of an open; nothing where it is another's.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// In which phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// What failed.
    #[must_use]
    pub fn cause(&self) -> &Error {
        &self.0.cause
    }

    /// The exit code, where its program had ended.
    #[must_use]
    pub fn exit_code(&self) -> Option<i64> {
        self.0.exit_code
    }

    /// Whether it was killed for want of memory.
    #[must_use]
    pub fn oom_killed(&self) -> bool {
        self.0.oom_killed
    }

    /// The last twenty lines that it has written, as the engine kept them; the last 4 KiB of each stream. They are the program's
    /// own: they may hold anything, secrets too, and aren't a part of any error's text.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.0.log
    }

    /// The error of an open that failed so.
    pub(super) fn into_error(self, key: &SessionKey) -> Error {
        let cause = &self.0.cause;
        let message = format!(
            "session {} couldn't be opened: {} failed: {cause}",
            quote(&key.to_string()),
            self.0.phase
        );
        Error::new(cause.kind(), message)
            .with_effect(cause.effect())
            .with_exit_code(self.0.exit_code)
            .with_retry_after(cause.retry_after())
            .with_subject(key.to_string())
            .with_source(self)
    }
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0.phase)
    }
}

impl fmt::Debug for OpenFailure {
    // What a program writes may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFailure")
            .field("phase", &self.0.phase)
            .field("cause", &self.0.cause)
            .field("exit_code", &self.0.exit_code)
            .field("oom_killed", &self.0.oom_killed)
            .field("log", &format_args!("{} bytes", self.0.log.len()))
            .finish()
    }
}

impl std::error::Error for OpenFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.cause)
    }
}

pub(super) fn container_failed(reason: String) -> Error {
    Error::new(ErrorKind::Container, reason)
}
