//! What nobody holds any more, and how it is found and removed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::ContainerBackend;
use crate::error::{ErrorKind, Result};
use crate::model::{
    ContainerRef, ContainerSpec, LabelKey, ListNetworksOptions, ListOptions, ListVolumesOptions,
    NetworkRef, RemoveOptions, RemoveVolumeOptions, VolumeName,
};

/// The label that tells one creation from every other.
pub(crate) const OPERATION_LABEL: &str = "catamaran.operation";

/// The label that says what was asked for, as a hash.
pub(crate) const SPEC_LABEL: &str = "catamaran.spec";

/// Whether the crate itself puts a label of this key on what it makes.
pub(crate) fn is_own(key: &str) -> bool {
    key == OPERATION_LABEL
        || key == SPEC_LABEL
        || crate::host::OWN_LABELS.contains(&key)
        || crate::session::OWN_LABELS.contains(&key)
}

/// Gives what is to be made an id of its own, as a label.
pub(crate) fn mark(labels: &mut BTreeMap<LabelKey, String>) -> Result<(LabelKey, String)> {
    let (key, operation) = (LabelKey::new(OPERATION_LABEL)?, Uuid::new_v4().to_string());
    labels.insert(key.clone(), operation.clone());
    Ok((key, operation))
}

/// What would stay behind.
#[derive(Debug, Clone)]
pub(crate) enum Leftover {
    /// A container that is there.
    Container(ContainerRef),
    /// A volume whose container goes, too.
    Volume {
        /// Its name.
        name: VolumeName,
        /// Whether its container's creation is in doubt: an engine makes the volumes that a container lacks, so that it may
        /// come again.
        again: bool,
    },
    /// A network whose containers go, too.
    Network(NetworkRef),
    /// What may be there, or may still come to be.
    Creation(Creation),
}

/// What a creation may leave behind, found by its label: never by its name, which may be somebody else's.
#[derive(Debug, Clone)]
pub(crate) struct Creation {
    kind: Kind,
    key: LabelKey,
    operation: String,
    /// The one that the caller has: any other is one too many.
    keep: Option<ContainerRef>,
    /// Whether an attempt was given up that may yet come to something: what is found may not be all.
    doubted: Arc<AtomicBool>,
}

/// What is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Container,
    Network,
    Volume,
}

impl Leftover {
    /// What the creation of that id may leave behind.
    pub(crate) fn creation(kind: Kind, operation: &str) -> Result<Self> {
        Ok(Self::Creation(Creation {
            kind,
            key: LabelKey::new(OPERATION_LABEL)?,
            operation: operation.to_owned(),
            keep: None,
            doubted: Arc::default(),
        }))
    }

    /// The spec with a label of its own, and what is left of it where nobody knows whether the creation happened.
    pub(super) fn by_label(spec: &ContainerSpec) -> Result<(Self, ContainerSpec)> {
        let mut labelled = spec.clone();
        let (_, operation) = mark(&mut labelled.labels)?;
        Ok((Self::creation(Kind::Container, &operation)?, labelled))
    }

    /// All but this one, which the caller has.
    pub(crate) fn but(self, container: &ContainerRef) -> Self {
        match self {
            Self::Creation(creation) => Self::Creation(Creation {
                keep: Some(container.clone()),
                ..creation
            }),
            there => there,
        }
    }

    /// The same, where this will say whether an attempt was given up.
    pub(crate) fn doubted(self, doubted: &Arc<AtomicBool>) -> Self {
        match self {
            Self::Creation(creation) => Self::Creation(Creation {
                doubted: Arc::clone(doubted),
                ..creation
            }),
            there => there,
        }
    }

    /// Whether more may come after one was removed.
    pub(super) fn may_come_again(&self) -> bool {
        match self {
            Self::Creation(creation) => creation.doubted.load(Ordering::Relaxed),
            Self::Volume { again, .. } => *again,
            Self::Container(_) | Self::Network(_) => false,
        }
    }

    /// Whether it isn't known to have been made.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Creation(_) | Self::Volume { again: true, .. })
    }

    /// Whether the creation has given its caller a container: what is left is one too many, which most likely isn't there.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(self, Self::Creation(creation) if creation.keep.is_some())
    }

    /// Removes it; false where it isn't there, or not yet.
    pub(super) async fn remove(&self, backend: &dyn ContainerBackend) -> Result<bool> {
        match self {
            Self::Container(id) => removed(backend.remove(id, &RemoveOptions::force()).await),
            Self::Volume { name, .. } => removed(
                backend
                    .remove_volume(name, &RemoveVolumeOptions::default())
                    .await,
            ),
            Self::Network(name) => removed(backend.remove_network(name).await),
            Self::Creation(creation) => creation.remove(backend).await,
        }
    }
}

impl Creation {
    async fn remove(&self, backend: &dyn ContainerBackend) -> Result<bool> {
        let (key, value) = (self.key.clone(), self.operation.clone());
        match self.kind {
            Kind::Container => {
                let bearing = ListOptions::all().with_label(key, value);
                let listed = backend.list(&bearing).await?;
                // Docker lists a container a moment before it can be removed by its id: until then the removal finds
                // nobody, and nothing is removed.
                let mut others = listed
                    .iter()
                    .filter(|one| Some(&one.id) != self.keep.as_ref());
                match others.next() {
                    Some(found) => {
                        removed(backend.remove(&found.id, &RemoveOptions::force()).await)
                    }
                    None => Ok(false),
                }
            }
            Kind::Network => {
                let bearing = ListNetworksOptions::default().with_label(key, value);
                match backend.list_networks(&bearing).await?.first() {
                    Some(found) => removed(backend.remove_network(&found.id).await),
                    None => Ok(false),
                }
            }
            Kind::Volume => {
                let bearing = ListVolumesOptions::default().with_label(key, value);
                match backend.list_volumes(&bearing).await?.volumes.first() {
                    Some(found) => {
                        let options = RemoveVolumeOptions::default();
                        removed(backend.remove_volume(&found.reference()?, &options).await)
                    }
                    None => Ok(false),
                }
            }
        }
    }
}

/// Whether there was something to remove: what is gone already is no failure.
pub(crate) fn removed(answer: Result<()>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(id) => id.fmt(f),
            Self::Volume { name, .. } => write!(f, "volume {name}"),
            Self::Network(name) => write!(f, "network {name}"),
            Self::Creation(creation) => write!(f, "{}={}", creation.key, creation.operation),
        }
    }
}
