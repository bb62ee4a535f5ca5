//! Containers that nobody holds any more, and how they are found and removed.

use std::fmt;

use uuid::Uuid;

use super::ContainerBackend;
use crate::error::{ErrorKind, Result};
use crate::model::{ContainerRef, ContainerSpec, LabelKey, ListOptions, RemoveOptions};

/// The label that tells one creation from every other.
const OPERATION_LABEL: &str = "catamaran.operation";

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
