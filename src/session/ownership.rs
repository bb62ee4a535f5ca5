//! Makes the volumes of a session's own its user's: a new one is root's, and the user couldn't write to it.
//!
//! An engine unpacks an archive into a container that doesn't run, as root, and gives what is in it its owner; but not to the
//! directory itself that it is unpacked into, and not into one of a read-only root. So a container that can be written to and
//! never runs gets the volumes as well, and an archive is unpacked beside them.

use std::io;
use std::time::Duration;

use super::manager::Shared;
use super::spec::SessionSpec;
use super::written::Written;
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Fate;
use crate::model::{ContainerPath, ContainerSpec, Mount, PutArchiveOptions, VolumeName};

/// Whom they shall belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    uid: u64,
    gid: u64,
}

impl Owner {
    /// That of a container: none where it is root, or where its number is the image's to say.
    fn of(container: &ContainerSpec) -> Option<Self> {
        let user = container.security.user.as_deref()?;
        let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
        let (uid, gid) = (uid.parse::<u32>().ok()?, gid.parse::<u32>().ok()?);
        (uid != 0).then_some(Self {
            uid: uid.into(),
            gid: gid.into(),
        })
    }
}

/// Gives the volumes to the session's user. Its container is there, so that the engine has filled them from the image, and
/// hasn't been started.
///
/// # Cancel safety
/// Safe: dropped, the container for it goes.
pub(super) async fn hand_over(
    shared: &Shared,
    backend: &dyn ContainerBackend,
    spec: &SessionSpec,
    volumes: &[VolumeName],
) -> Result<()> {
    let Some(owner) = Owner::of(&spec.container).filter(|_| !volumes.is_empty()) else {
        return Ok(());
    };
    let helper = backend.scoped(&helper(shared, spec, volumes)?).await?;
    for target in &spec.volumes {
        let Some((parent, name)) = ContainerPath::new(target)?.split() else {
            continue;
        };
        let archive = archive(&name, owner).map_err(|error| {
            let message = "an owner can't be written into an archive";
            Error::new(ErrorKind::Host, message).with_source(error)
        })?;
        let options = PutArchiveOptions::default();
        let put = backend.put_archive(helper.id(), &parent, &options, archive.into());
        put.await?;
    }
    helper.remove().await
}

/// A container that never runs. To whoever finds it it is one that is nobody's yet, and has nothing for itself.
fn helper(shared: &Shared, spec: &SessionSpec, volumes: &[VolumeName]) -> Result<ContainerSpec> {
    let mut bare = spec.clone();
    (bare.volumes, bare.own_network) = (Vec::new(), None);
    let written = Written::new(&bare, Duration::ZERO)?;
    let mut helper = ContainerSpec::untrusted(spec.container.image.clone()).with_command(["true"]);
    helper.platform.clone_from(&spec.container.platform);
    helper
        .security
        .user
        .clone_from(&spec.container.security.user);
    helper.security.read_only_root = false;
    helper.security.tmpfs.clear();
    let mounts = volumes.iter().zip(&spec.volumes);
    let mounts = mounts.map(|(name, target)| Mount::volume(name.clone(), target));
    helper.mounts = mounts.collect();
    helper.name = Some(written.pending_name()?);
    written.put(&mut helper.labels)?;
    shared.host.label(&helper, Fate::Adopt)
}

/// A directory of that owner.
fn archive(name: &str, owner: Owner) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_uid(owner.uid);
    header.set_gid(owner.gid);
    header.set_size(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, format!("{name}/"), io::empty())?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageRef;

    #[test]
    fn the_owner_is_a_number_above_root() {
        let mut container = ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"));
        let owner = |uid, gid| Some(Owner { uid, gid });
        for (user, found) in [
            (Some("65534:65534"), owner(65_534, 65_534)),
            (Some("1000:100"), owner(1_000, 100)),
            (Some("1000"), owner(1_000, 0)),
            (Some("0"), None),
            (Some("0:1"), None),
            (Some("nobody"), None),
            (Some("1:users"), None),
            (Some(""), None),
            (None, None),
        ] {
            container.security.user = user.map(str::to_owned);
            assert_eq!(Owner::of(&container), found, "{user:?}");
        }
    }

    #[test]
    fn the_archive_holds_the_directory_alone() {
        let name = "w".repeat(200);
        let owner = Owner { uid: 7, gid: 8 };
        let bytes = archive(&name, owner).expect("an archive");
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entries = archive.entries().expect("entries");
        let entry = entries.next().expect("one").expect("an entry");
        assert_eq!(
            entry.path_bytes().trim_ascii_end(),
            format!("{name}/").as_bytes()
        );
        let header = entry.header();
        assert_eq!(
            (header.uid().ok(), header.gid().ok(), header.mode().ok()),
            (Some(7), Some(8), Some(0o755))
        );
        assert!(header.entry_type().is_dir());
        drop(entry);
        assert!(entries.next().is_none());
    }
}
