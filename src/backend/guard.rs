//! A container that goes when its scope ends, however it ends.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::leftover::Leftover;
use super::{ContainerBackend, janitor};
use crate::error::{ErrorKind, Result};
use crate::model::{ContainerRef, Created, RemoveOptions};

/// How long somebody else's removal is waited for.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// A container that is removed, with its anonymous volumes, when this goes out of scope; made by
/// [`scoped`](super::ContainerBackendExt::scoped). It derefs to the container's id.
///
/// [`remove`](Self::remove) is the way to end it: it waits and says whether it worked. A guard that is
/// dropped instead (by an error, a panic, a cancelled task) hands the removal to a thread of the crate's
/// own, over connections of its own, which tries for half a minute, then a few times in eight, and logs an error if that
/// fails.
///
/// Within a tokio runtime the drop doesn't block; one thread of the runtime's blocking pool waits for the
/// removals under way, and so does its shutdown: up to ten seconds, two where nobody knows whether the
/// container was made, and no longer while the engine doesn't answer. Outside of a runtime the drop waits.
///
/// Nothing is left to remove it where the process is killed or aborts.
#[must_use = "the container is removed when this is dropped"]
pub struct ContainerGuard {
    cleanup: Cleanup,
    created: Created,
}

impl ContainerGuard {
    pub(super) fn new(mut cleanup: Cleanup, created: Created) -> Self {
        cleanup.leftover = Some(Leftover::Container(created.id.clone()));
        Self { cleanup, created }
    }

    /// The container's id.
    #[must_use]
    pub fn id(&self) -> &ContainerRef {
        &self.created.id
    }

    /// What the engine warned of when it made the container.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.created.warnings
    }

    /// Lets the container live on, and gives back its id.
    pub fn keep(self) -> ContainerRef {
        self.cleanup.disarm();
        self.created.id
    }

    /// Removes the container, running or not. One that is gone already is no error.
    ///
    /// # Errors
    /// As [`ContainerBackend::remove`]; the removal is then tried again in the background.
    ///
    /// # Cancel safety
    /// Safe: dropped before the answer, the removal goes on in the background.
    pub async fn remove(self) -> Result<()> {
        let (begun, force) = (Instant::now(), RemoveOptions::force());
        loop {
            match self.cleanup.backend.remove(self.id(), &force).await {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                // Somebody else is removing it: it is gone when they are done.
                Err(error)
                    if error.kind() == ErrorKind::Conflict && begun.elapsed() < ELSEWHERE =>
                {
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.cleanup.disarm();
        Ok(())
    }
}

impl Deref for ContainerGuard {
    type Target = ContainerRef;

    fn deref(&self) -> &ContainerRef {
        &self.created.id
    }
}

impl fmt::Debug for ContainerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContainerGuard").field(self.id()).finish()
    }
}

/// Removes a leftover when it is dropped, unless disarmed.
pub(crate) struct Cleanup {
    backend: Arc<dyn ContainerBackend>,
    leftover: Option<Leftover>,
}

impl Cleanup {
    pub(crate) fn new(backend: Arc<dyn ContainerBackend>, leftover: Leftover) -> Self {
        Self {
            backend,
            leftover: Some(leftover),
        }
    }

    pub(crate) fn disarm(mut self) {
        self.leftover = None;
    }

    /// Removes all but this one, which the caller has.
    pub(crate) fn sweep(mut self, container: &ContainerRef) {
        self.leftover = self.leftover.take().map(|leftover| leftover.but(container));
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(leftover) = self.leftover.take() {
            janitor::remove(self.backend.detached(), leftover);
        }
    }
}
