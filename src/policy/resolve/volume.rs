//! Volumes: made and removed.

use std::time::SystemTime;

use tokio::sync::OnceCell;

use super::{SETTLES, before, found, until};
use crate::backend::ContainerBackend;
use crate::backend::leftover::mark;
use crate::error::Result;
use crate::model::{ListVolumesOptions, VolumeDetails, VolumeName, VolumeSpec};
use crate::operation::Operation;
use crate::policy::{Doubt, Seen};

/// One creation of a volume without a name, known by its label.
pub(crate) struct VolumeCreation {
    pub(crate) spec: VolumeSpec,
    operation: String,
    bearing: ListVolumesOptions,
}

impl VolumeCreation {
    pub(crate) fn new(spec: &VolumeSpec) -> Result<Self> {
        let mut spec = spec.clone();
        let (key, operation) = mark(&mut spec.labels)?;
        Ok(Self {
            spec,
            bearing: ListVolumesOptions::default().with_label(key, operation.clone()),
            operation,
        })
    }

    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) async fn made(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
    ) -> Result<Seen<VolumeDetails>> {
        until(|| async {
            let listed = by.list_volumes(&self.bearing).await?.volumes;
            Ok(match listed.into_iter().next() {
                Some(made) => Some(Seen::Done(made)),
                None => doubt.not_done(SETTLES),
            })
        })
        .await
    }
}

/// A volume that is removed: one that was made later under its name is another.
pub(crate) struct Volume<'a> {
    name: &'a VolumeName,
    created: OnceCell<Option<Option<SystemTime>>>,
}

impl<'a> Volume<'a> {
    pub(crate) fn new(name: &'a VolumeName) -> Self {
        Self {
            name,
            created: OnceCell::new(),
        }
    }

    pub(crate) async fn seen(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<()> {
        let look = || async {
            let details = before(engine.inspect_volume(self.name).await, operation)?;
            Ok(details.map(|details| details.created))
        };
        self.created.get_or_try_init(look).await.map(drop)
    }

    pub(crate) async fn removed(
        &self,
        by: &dyn ContainerBackend,
        _doubt: Doubt,
    ) -> Result<Seen<()>> {
        let Some(now) = found(by.inspect_volume(self.name).await)? else {
            return Ok(Seen::Done(()));
        };
        Ok(match self.created.get().copied().flatten() {
            Some(before) if before == now.created => Seen::NotDone,
            Some(_) => Seen::Done(()),
            None => Seen::Unclear("nobody has seen the volume before"),
        })
    }
}
