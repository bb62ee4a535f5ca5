//! What a fake engine was asked and did.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Method;
use tokio::sync::watch;

use crate::testing::unversioned;

/// How many requests are kept; older ones are counted alone.
const KEPT: usize = 4096;
/// How much of a body is kept.
const BODY: usize = 16 << 10;

/// A request that a fake engine was sent.
#[non_exhaustive]
#[derive(Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path as sent, its version with it.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The beginning of the body, 16 KiB at most. `Debug` shows its size alone.
    pub body: Bytes,
    /// What was answered; `None` while it is being answered, or where the client went away before.
    pub status: Option<u16>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            path,
            query,
            body,
            status,
        } = self;
        write!(f, "{method} {path}")?;
        if !query.is_empty() {
            write!(f, "?{query}")?;
        }
        write!(f, " ({} bytes)", body.len())?;
        match status {
            Some(status) => write!(f, " → {status}"),
            None => write!(f, " → no answer"),
        }
    }
}

#[derive(Debug, Default)]
struct Pages {
    asked: Vec<Asked>,
    dropped: usize,
}

/// What a [`FakeEngine`](super::FakeEngine) was asked, in order.
///
/// ```
/// use catamaran::testing::FakeEngine;
/// use catamaran::{AsyncEngine, ContainerBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = FakeEngine::start().await?;
/// AsyncEngine::new(&engine.config()?)?.version().await?;
/// assert_eq!(engine.journal().count("GET", "/version"), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Journal {
    pages: Arc<Mutex<Pages>>,
    changed: watch::Sender<u64>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            pages: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Journal {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn asked(&self, mut asked: Asked) -> usize {
        asked.body.truncate(BODY);
        // What stays is the journal's own, not the connection's buffer.
        asked.body = Bytes::copy_from_slice(&asked.body);
        let mut pages = self.pages();
        if pages.asked.len() >= KEPT {
            pages.asked.drain(..KEPT / 2);
            pages.dropped += KEPT / 2;
        }
        pages.asked.push(asked);
        let number = pages.dropped + pages.asked.len() - 1;
        drop(pages);
        self.changed.send_modify(|version| *version += 1);
        number
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        let mut pages = self.pages();
        let at = number.checked_sub(pages.dropped);
        if let Some(asked) = at.and_then(|at| pages.asked.get_mut(at)) {
            asked.status = Some(status);
        }
        drop(pages);
        self.changed.send_modify(|version| *version += 1);
    }

    /// The last requests, 4,096 at most.
    #[must_use]
    pub fn requests(&self) -> Vec<Asked> {
        self.pages().asked.clone()
    }

    /// How many requests of a method there were whose path, without its version, begins so. Without those that are no
    /// longer kept.
    #[must_use]
    pub fn count(&self, method: &str, path: &str) -> usize {
        let pages = self.pages();
        let fits = pages.asked.iter().filter(|asked| fits(asked, method, path));
        fits.count()
    }

    /// Waits until there were so many.
    ///
    /// # Cancel safety
    /// It only looks.
    pub async fn until(&self, method: &str, path: &str, count: usize) {
        let mut changed = self.changed.subscribe();
        while self.count(method, path) < count {
            // The sender lives as long as the journal does.
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Forgets all there were.
    pub fn clear(&self) {
        let mut pages = self.pages();
        pages.dropped += pages.asked.len();
        pages.asked.clear();
    }
}

fn fits(asked: &Asked, method: &str, path: &str) -> bool {
    asked.method.as_str() == method && unversioned(&asked.path).starts_with(path)
}
