//! Leases: empty volumes, whose names an engine gives away once.
//!
//! The leases of an instance are numbered. To renew one is to make the next and to remove it; to take over from a dead
//! instance is to make *its* next one, with another holder. An engine that is asked for a volume that exists shows that one,
//! with the labels of whoever was first: so of all who would have a number one alone gets it, and the others are told.

use std::fmt;

use uuid::Uuid;

use crate::backend::ContainerBackend;
use crate::error::{ErrorKind, Result};
use crate::model::{
    LabelKey, ListVolumesOptions, RemoveVolumeOptions, VolumeDetails, VolumeName, VolumeSpec,
};

const HOST: &str = "catamaran.lease.host";
const HOLDER: &str = "catamaran.lease.holder";
const PREFIX: &str = "catamaran-lease-";

/// One life of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Instance(Uuid);

impl Instance {
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// Who holds the lease of one that has ended in order: whoever comes takes over at once.
    pub(super) const fn nobody() -> Self {
        Self(Uuid::nil())
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        // One way of writing it alone.
        (uuid.to_string() == text).then_some(Self(uuid))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) host: String,
    /// Of whom.
    pub(super) instance: Instance,
    pub(super) number: u64,
    /// By whom: the instance itself while it lives, then who stands in for it.
    pub(super) holder: Instance,
}

impl Lease {
    pub(super) fn first(host: &str, instance: &Instance) -> Result<Self> {
        let lease = Self {
            host: host.to_owned(),
            instance: instance.clone(),
            number: 1,
            holder: instance.clone(),
        };
        lease.name().map(|_| lease)
    }

    /// The one after it, for that holder. Numbers have no end that renewals could come to.
    pub(super) fn next(&self, holder: &Instance) -> Self {
        Self {
            number: self.number.saturating_add(1),
            holder: holder.clone(),
            ..self.clone()
        }
    }

    fn name(&self) -> Result<VolumeName> {
        VolumeName::new(format!("{PREFIX}{}-{}", self.instance, self.number))
    }

    /// What a volume says of a lease; nothing where that can't be read.
    fn read(volume: &VolumeDetails) -> Option<Self> {
        let (instance, number) = volume.name.strip_prefix(PREFIX)?.rsplit_once('-')?;
        Some(Self {
            host: volume.labels.get(HOST)?.clone(),
            instance: Instance::read(instance)?,
            // None that was counted up to.
            number: number
                .parse()
                .ok()
                .filter(|number| *number < u64::MAX / 2)?,
            holder: Instance::read(volume.labels.get(HOLDER)?)?,
        })
    }

    /// Makes it; false where somebody else has.
    pub(super) async fn make(&self, backend: &dyn ContainerBackend) -> Result<bool> {
        let spec = VolumeSpec::named(self.name()?)
            .with_label(HOST, &*self.host)?
            .with_label(HOLDER, self.holder.to_string())?;
        let made = backend.create_volume(&spec).await?;
        Ok(Self::read(&made).as_ref() == Some(self))
    }

    /// Takes it over from a dead instance; false where somebody else has it, or a later one.
    pub(super) async fn take(&self, backend: &dyn ContainerBackend) -> Result<bool> {
        if !self.make(backend).await? {
            return Ok(false);
        }
        // A number that was free since it had been given back long ago is no lease.
        if (all(backend, &self.host).await?.iter()).any(|other| self.is_before(other)) {
            self.give_back(backend).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether the other one is the same instance's, and later.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        other.instance == self.instance && other.number > self.number
    }

    pub(super) async fn give_back(&self, backend: &dyn ContainerBackend) -> Result<()> {
        let options = RemoveVolumeOptions::default();
        match backend.remove_volume(&self.name()?, &options).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// All leases of a host's instances.
pub(super) async fn all(backend: &dyn ContainerBackend, host: &str) -> Result<Vec<Lease>> {
    let bearing = ListVolumesOptions::default().with_label(LabelKey::new(HOST)?, host.to_owned());
    let listed = backend.list_volumes(&bearing).await?;
    let leases = listed.volumes.iter().filter_map(Lease::read);
    Ok(leases.filter(|lease| lease.host == host).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, labels: &[(&str, &str)]) -> VolumeDetails {
        let labels = labels
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        VolumeDetails {
            name: name.to_owned(),
            driver: "local".to_owned(),
            mountpoint: String::new(),
            created: None,
            scope: "local".to_owned(),
            labels: labels.collect(),
            options: Default::default(),
        }
    }

    #[test]
    fn only_what_was_written_so_is_read() {
        let lease = Lease::first("notebooks", &Instance::new()).expect("a lease");
        let lease = lease.next(&Instance::new());
        let (name, holder) = (lease.name().expect("a name"), lease.holder.to_string());
        let (name, labels) = (name.as_str(), [(HOST, "notebooks"), (HOLDER, &*holder)]);
        assert_eq!(Lease::read(&volume(name, &labels)), Some(lease.clone()));
        for odd in [
            "catamaran-lease-1".to_owned(),
            name.replace("lease-", "lease-A"),
            format!("{name}-x"),
            format!("{name}x"),
            format!("x{name}"),
        ] {
            assert_eq!(Lease::read(&volume(&odd, &labels)), None, "{odd}");
        }
        for odd in [
            &labels[..1],
            &labels[1..],
            &[(HOST, "notebooks"), (HOLDER, "me")],
        ] {
            assert_eq!(Lease::read(&volume(name, odd)), None, "{odd:?}");
        }
    }
}
