//! A container that goes when its scope ends, however it ends.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{ContainerBackend, janitor};
use crate::error::{ErrorKind, Result};
use crate::model::{ContainerRef, ContainerSpec, Created, LabelKey, ListOptions, RemoveOptions};

/// The label that tells one creation from every other.
const OPERATION_LABEL: &str = "catamaran.operation";

/// How long somebody else's removal is waited for.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// A container that is removed, with its anonymous volumes, when this goes out of scope; made by
/// [`scoped`](super::ContainerBackendExt::scoped). It derefs to the container's id.
///
/// [`remove`](Self::remove) is the way to end it: it waits and says whether it worked. A guard that is
/// dropped instead (by an error, a panic, a cancelled task) hands the removal to a thread of the crate's
/// own, over connections of its own, which tries for half a minute, and logs an error if that fails.
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
                    if error.kind() == ErrorKind::Conflict && begun.elapsed() < UNDER_WAY =>
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

/// What would stay behind.
#[derive(Debug, Clone)]
pub(super) enum Leftover {
    /// A container that is there.
    Container(ContainerRef),
    /// A container that may be there, or may still come to be, with this label.
    Creation(LabelKey, String),
}

impl Leftover {
    /// The spec with a label of its own, and what is left of it where nobody knows whether the creation
    /// happened. Never found by its name: that may be somebody else's.
    pub(super) fn by_label(spec: &ContainerSpec) -> Result<(Self, ContainerSpec)> {
        let (key, value) = (LabelKey::new(OPERATION_LABEL)?, Uuid::new_v4().to_string());
        let mut labelled = spec.clone();
        labelled.labels.insert(key.clone(), value.clone());
        Ok((Self::Creation(key, value), labelled))
    }

    /// Removes it; false where it isn't there, or not yet.
    pub(super) async fn remove(&self, backend: &dyn ContainerBackend) -> Result<bool> {
        let force = RemoveOptions::force();
        let removed = |answer: Result<()>| match answer {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        match self {
            Self::Container(id) => removed(backend.remove(id, &force).await),
            Self::Creation(key, value) => {
                let bearing = ListOptions::all().with_label(key.clone(), value.clone());
                // Docker lists a container a moment before it can be removed by its id: until then the
                // removal finds nobody, and nothing is removed.
                match backend.list(&bearing).await?.first() {
                    Some(found) => removed(backend.remove(&found.id, &force).await),
                    None => Ok(false),
                }
            }
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(id) => id.fmt(f),
            Self::Creation(key, value) => write!(f, "{key}={value}"),
        }
    }
}

/// Removes a leftover when it is dropped, unless disarmed.
pub(super) struct Cleanup {
    backend: Arc<dyn ContainerBackend>,
    leftover: Option<Leftover>,
}

impl Cleanup {
    pub(super) fn new(backend: Arc<dyn ContainerBackend>, leftover: Leftover) -> Self {
        Self {
            backend,
            leftover: Some(leftover),
        }
    }

    pub(super) fn disarm(mut self) {
        self.leftover = None;
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(leftover) = self.leftover.take() {
            janitor::remove(self.backend.detached(), leftover);
        }
    }
}
