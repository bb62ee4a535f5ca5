//! The volumes and the network of a session's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::manager::Shared;
use super::ownership;
use super::spec::{OwnNetwork, SessionSpec};
use super::written::{self, Written};
use crate::backend::leftover::{Leftover, removed};
use crate::backend::{ContainerBackend, janitor};
use crate::error::Result;
use crate::host::{Fate, HOST_LABEL, INSTANCE_LABEL};
use crate::model::{
    ContainerSpec, LabelKey, ListNetworksOptions, ListVolumesOptions, Mount, NetworkMode,
    NetworkRef, NetworkSpec, RemoveVolumeOptions, VolumeName, VolumeSpec,
};

/// What a session has for itself: dropped, it is removed in the background, once its container is gone.
pub(super) struct Belongings {
    backend: Arc<dyn ContainerBackend>,
    volumes: Vec<VolumeName>,
    network: Option<NetworkRef>,
    /// Whether a container may still come to be that has them: the engine makes the volumes that it lacks.
    doubted: bool,
}

impl Belongings {
    /// What the session of that writing has.
    pub(super) fn of(backend: &Arc<dyn ContainerBackend>, written: &Written) -> Result<Self> {
        Ok(Self {
            backend: Arc::clone(backend),
            volumes: written.volumes()?,
            network: written.network()?,
            doubted: false,
        })
    }

    /// Makes it, and puts it into the container's spec.
    pub(super) async fn make(
        &self,
        shared: &Shared,
        written: &Written,
        spec: &SessionSpec,
        container: &mut ContainerSpec,
    ) -> Result<()> {
        let labels = || -> Result<_> {
            let mut labels = shared.host.labels(Fate::Adopt)?;
            labels.insert(LabelKey::new(written::ID)?, written.id.to_string());
            Ok(labels)
        };
        for (name, target) in self.volumes.iter().zip(&spec.volumes) {
            let mut volume = VolumeSpec::named(name.clone());
            volume.labels = labels()?;
            self.backend.create_volume(&volume).await?;
            container.mounts.push(Mount::volume(name.clone(), target));
        }
        if let (Some(name), Some(kind)) = (&self.network, spec.own_network) {
            let mut network =
                NetworkSpec::new(name.clone()).with_internal(matches!(kind, OwnNetwork::Internal));
            network.labels = labels()?;
            self.backend.create_network(&network).await?;
            container.security.network = Some(NetworkMode::Network(name.clone()));
        }
        Ok(())
    }

    /// Makes what there is its user's; its container is there, and hasn't been started.
    pub(super) async fn hand_over(&self, shared: &Shared, spec: &SessionSpec) -> Result<()> {
        ownership::hand_over(shared, &*self.backend, spec, &self.volumes).await
    }

    /// Whether its container may come to be without anybody's knowing.
    pub(super) fn doubt(&mut self, doubted: bool) {
        self.doubted = doubted;
    }

    pub(super) fn keep(mut self) {
        self.volumes.clear();
        self.network = None;
    }

    /// Removes it, its container being gone; what fails is tried again in the background.
    pub(super) async fn remove(mut self) {
        while let Some(volume) = self.volumes.last() {
            let options = RemoveVolumeOptions::default();
            if removed(self.backend.remove_volume(volume, &options).await).is_err() {
                return;
            }
            self.volumes.pop();
        }
        if let Some(network) = &self.network
            && removed(self.backend.remove_network(network).await).is_ok()
        {
            self.network = None;
        }
    }
}

impl Drop for Belongings {
    fn drop(&mut self) {
        let again = self.doubted;
        let volumes = self.volumes.drain(..);
        let volumes = volumes.map(|name| Leftover::Volume { name, again });
        for leftover in volumes.chain(self.network.take().map(Leftover::Network)) {
            janitor::remove(self.backend.detached(), leftover);
        }
    }
}

/// What there is of a host's sessions: to which it belongs, who made it, and what it is.
pub(super) async fn all(
    backend: &dyn ContainerBackend,
    host: &str,
) -> Result<Vec<(Uuid, Option<String>, Leftover)>> {
    let (key, of) = (LabelKey::new(HOST_LABEL)?, host.to_owned());
    let volumes = ListVolumesOptions::default().with_label(key.clone(), of.clone());
    let networks = ListNetworksOptions::default().with_label(key, of);
    let by = |labels: &BTreeMap<String, String>| labels.get(INSTANCE_LABEL).cloned();
    let mut all = Vec::new();
    for volume in backend.list_volumes(&volumes).await?.volumes {
        if let (Some(id), Ok(name)) = (written::read_id(&volume.labels), volume.reference()) {
            all.push((
                id,
                by(&volume.labels),
                Leftover::Volume { name, again: false },
            ));
        }
    }
    for network in backend.list_networks(&networks).await? {
        if let Some(id) = written::read_id(&network.labels) {
            all.push((id, by(&network.labels), Leftover::Network(network.id)));
        }
    }
    Ok(all)
}
