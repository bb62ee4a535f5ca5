//! When a session counts as ready.

mod board;
mod death;
mod http;
mod inside;
mod lines;
mod pauses;
mod probe;
mod routes;
mod tcp;
#[cfg(test)]
mod tests;
mod validate;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::backend::ContainerBackend;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::model::ContainerRef;
use board::Board;

/// When a session's container, once it runs, counts as ready.
///
/// A container that ends while it is waited for fails the wait at once, whatever is waited for.
///
/// ```
/// use catamaran::session::{HttpReady, Ready};
///
/// let notebook = Ready::Http(HttpReady::new(8888, "/api"));
/// let either = Ready::Any(vec![Ready::LogLine("listening".into()), Ready::Tcp(8888)]);
/// assert_ne!(notebook, either);
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// Its process runs.
    #[default]
    Running,
    /// Its health check says so: the one of its spec, or of its image. One that says that it is unhealthy fails the wait.
    Healthy,
    /// It listens at this TCP port: where it has an address, not on its own loopback alone.
    ///
    /// This is looked up in its `/proc` by a `cat` of its image, which the engine's own listening at published ports
    /// doesn't deceive. Without a `cat`, by a connection to its address, where the engine is on this host, or to the
    /// published port, where one that is closed at once doesn't count.
    Tcp(u16),
    /// It answers a request for a page, at its published port, or at its address where the engine is on this host.
    Http(HttpReady),
    /// It has written this, within a line of its output or errors, since it was last started.
    LogLine(String),
    /// This command in it succeeds. It is tried again and again, 10 s at most each time.
    Exec(Vec<String>),
    /// All of these.
    All(Vec<Ready>),
    /// The first of these.
    Any(Vec<Ready>),
}

impl fmt::Debug for Ready {
    // A line and arguments may hold secrets: say how much there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("Running"),
            Self::Healthy => f.write_str("Healthy"),
            Self::Tcp(port) => f.debug_tuple("Tcp").field(port).finish(),
            Self::Http(http) => f.debug_tuple("Http").field(http).finish(),
            Self::LogLine(line) => write!(f, "LogLine([{} bytes])", line.len()),
            Self::Exec(command) => write!(f, "Exec([{} arguments])", command.len()),
            Self::All(all) => f.debug_tuple("All").field(all).finish(),
            Self::Any(any) => f.debug_tuple("Any").field(any).finish(),
        }
    }
}

/// A page that a container answers with once it is ready.
///
/// ```
/// use catamaran::session::HttpReady;
///
/// let page = HttpReady::new(8080, "/health").with_status(200..=204).with_host("app.internal".to_owned());
/// assert_eq!(page.status, 200..=204);
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReady {
    /// The port in the container.
    pub port: u16,
    /// The path, from its slash on, with its query.
    pub path: String,
    /// The statuses that count; 200 to 399 unless set.
    #[serde(default = "any_success")]
    pub status: RangeInclusive<u16>,
    /// The `Host` that is asked for; `None` is where it is asked.
    #[serde(default)]
    pub host: Option<String>,
}

fn any_success() -> RangeInclusive<u16> {
    200..=399
}

impl HttpReady {
    /// This page, with any status of success or redirection.
    #[must_use]
    pub fn new(port: u16, path: impl Into<String>) -> Self {
        Self {
            port,
            path: path.into(),
            status: any_success(),
            host: None,
        }
    }

    /// Sets the statuses that count.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<RangeInclusive<u16>>) -> Self {
        self.status = status.into();
        self
    }

    /// Sets the `Host` that is asked for.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<Option<String>>) -> Self {
        self.host = host.into();
        self
    }

    /// The path without its query, where people put tokens.
    fn shown_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }
}

impl fmt::Debug for HttpReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReady")
            .field("port", &self.port)
            .field("path", &self.shown_path())
            .field("status", &self.status)
            .field("host", &self.host)
            .finish()
    }
}

/// How this process reaches what an engine's host publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The host's name or address.
    pub(crate) engine_host: String,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            engine_host: "127.0.0.1".to_owned(),
        }
    }
}

impl Reach {
    /// Whether the engine's host is this one.
    fn is_here(&self) -> bool {
        let address = self.engine_host.parse::<IpAddr>();
        address.is_ok_and(|address| address.is_loopback()) || self.engine_host == "localhost"
    }
}

/// Why a container isn't ready.
#[derive(Debug, Clone)]
pub(crate) struct NotReady {
    /// In a few words: at the deadline, what was found last.
    pub(crate) reason: String,
    /// How it ended, where it did and that is known.
    pub(crate) exit_code: Option<i64>,
    /// Whether the kernel ended it for want of memory.
    pub(crate) oom_killed: bool,
    /// Whether it ended, or was removed.
    pub(crate) died: bool,
    /// Whether it wasn't ready in time.
    pub(crate) timed_out: bool,
    /// What the engine refused, where that is why.
    pub(crate) error: Option<Error>,
}

impl NotReady {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            exit_code: None,
            oom_killed: false,
            died: false,
            timed_out: false,
            error: None,
        }
    }

    fn refused(error: Error) -> Self {
        let mut why = Self::new(error.to_string());
        why.error = Some(error);
        why
    }

    /// Not in time, by what was found last.
    fn late(board: &Board) -> Self {
        let mut why = Self::new("not ready in time");
        if let Some(found) = board.found() {
            why.reason = format!("{}: {found}", why.reason);
        }
        why.timed_out = true;
        why
    }
}

/// Waits until a container that was started is ready, or can't be any more.
///
/// # Errors
/// At once where it ends, or was found unhealthy, or where the engine refuses what is asked for that; and at the deadline.
///
/// # Cancel safety
/// Safe: only the waiting ends. A command that is under way in the container goes on to its end.
pub(crate) async fn wait(
    backend: &Arc<dyn ContainerBackend>,
    container: &ContainerRef,
    ready: &Ready,
    reach: &Reach,
    deadline: Deadline,
) -> Result<(), NotReady> {
    // Calls that are under way at the deadline are dropped: failing there, they would hide what was found before.
    let board = Board::default();
    let waited = async {
        let details = death::alive(backend, container, &board).await?;
        if *ready == Ready::Running {
            // A cold start costs one look, and no stream.
            return Ok(());
        }
        let context = probe::Context {
            backend,
            container,
            details: &details,
            reach,
            board: &board,
        };
        tokio::select! {
            biased;
            why = death::of(backend, container) => Err(why),
            found = probe::probe(&context, ready) => found,
        }
    };
    match deadline.bound(waited).await {
        Ok(waited) => waited,
        Err(_) => Err(NotReady::late(&board)),
    }
}
