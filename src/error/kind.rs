//! The kinds of errors.

use std::fmt;

/// What went wrong, in terms that a program can act on.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// An argument can't be right; nothing was sent.
    InvalidInput,
    /// The configuration or the environment can't be right; nothing was sent.
    Config,
    /// The engine or the crate can't do or express what was asked; nothing was sent.
    Unsupported,
    /// No connection to the engine could be made; nothing was sent.
    Connect,
    /// The connection failed during the call.
    Transport,
    /// The call's deadline passed.
    Timeout,
    /// Too many calls are under way in this process: its turn didn't come in time; nothing was sent.
    Saturated,
    /// The path to the engine has failed and is left alone for a while, see [`BreakerOptions`](crate::BreakerOptions), or isn't
    /// known to lead to the same engine; or the host's lease wasn't renewed in time. Nothing was sent.
    Unavailable,
    /// A command in a container was run, but what it wrote was lost with the connection;
    /// [`exit_code`](crate::Error::exit_code) tells how it ended, where that could be found out.
    OutputLost,
    /// The answer isn't what the API promises (malformed, truncated, of another type).
    Decode,
    /// The answer exceeds a bound of this crate (body, line or frame size), or an archive or file one of the
    /// caller's.
    TooLarge,
    /// The engine answered: there is no such object (404). Or this crate knows: the session is closed, say.
    NotFound,
    /// The engine answered: the object's state or name is in the way (409; a name on Podman also 500). Or this crate knows: the
    /// container is another instance's, say.
    Conflict,
    /// The engine answered: access refused (401, 403).
    Denied,
    /// The engine answered: the request can't be fulfilled (other 4xx).
    Refused,
    /// The engine answered: it failed itself (5xx).
    Engine,
    /// What the engine made isn't what was asked for, as a [strict](crate::model::ContainerSpec::strict)
    /// creation finds.
    Weakened,
    /// The container ended or failed while the call needed it.
    Container,
    /// What came out of a container may not be written here: it leads out of its place, is no plain file, or
    /// hides its size.
    Unsafe,
    /// The host's own files can't be read or written.
    Host,
    /// The caller or the host is shutting down.
    Cancelled,
}

impl ErrorKind {
    /// Whether the fault lies with the *path* to the engine, so that another path may help.
    ///
    /// An answer from the engine, whatever its status, is no path failure: another client would get
    /// the same one.
    ///
    /// ```
    /// use catamaran::ErrorKind;
    /// assert!(ErrorKind::Connect.is_path_failure());
    /// assert!(!ErrorKind::NotFound.is_path_failure());
    /// ```
    #[must_use]
    pub fn is_path_failure(self) -> bool {
        matches!(
            self,
            Self::Connect | Self::Transport | Self::Timeout | Self::Decode
        )
    }

    /// The name as serde has it, for labels.
    ///
    /// ```
    /// assert_eq!(catamaran::ErrorKind::NotFound.as_str(), "not_found");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Config => "config",
            Self::Unsupported => "unsupported",
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::Timeout => "timeout",
            Self::Saturated => "saturated",
            Self::Unavailable => "unavailable",
            Self::OutputLost => "output_lost",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Engine => "engine",
            Self::Weakened => "weakened",
            Self::Container => "container",
            Self::Unsafe => "unsafe",
            Self::Host => "host",
            Self::Cancelled => "cancelled",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid input",
            Self::Config => "invalid configuration",
            Self::Unsupported => "unsupported",
            Self::Connect => "cannot connect",
            Self::Transport => "connection failed",
            Self::Timeout => "timed out",
            Self::Saturated => "saturated",
            Self::Unavailable => "unavailable",
            Self::OutputLost => "output lost",
            Self::Decode => "malformed answer",
            Self::TooLarge => "too large",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Denied => "access denied",
            Self::Refused => "refused",
            Self::Engine => "engine error",
            Self::Weakened => "weakened",
            Self::Container => "container failed",
            Self::Unsafe => "unsafe archive",
            Self::Host => "host's files",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}
