//! What an engine does with a container's files: archives in and out, and what changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::Machine;
use super::errno::Errno;
use super::files::path_of;
use super::node::{Kind, Node, Parts};
use super::tree::{Packed, entries, pack};

#[derive(Debug, Clone)]
pub(crate) struct FileStat {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// POSIX type and permissions.
    pub(crate) mode: u32,
    pub(crate) modified: SystemTime,
    /// Where a link leads.
    pub(crate) link: Option<String>,
}

/// Why a file can't be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileError {
    Absent,
    NoDirectory,
    ReadOnly,
    Full,
    Invalid(String),
}

impl From<Errno> for FileError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NoEntry => Self::Absent,
            Errno::NotDirectory => Self::NoDirectory,
            Errno::ReadOnly => Self::ReadOnly,
            Errno::NoSpace => Self::Full,
            other => Self::Invalid(other.to_string()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

impl Machine {
    /// Of a file itself; a link isn't followed.
    pub(crate) fn stat(&self, path: &str) -> Result<FileStat, FileError> {
        let view = self.world.archives();
        let place = view.resolve("/", path, false)?;
        let node = view.look(&place)?;
        let link = match &node.kind {
            Kind::Link(target) => Some(target.clone()),
            _ => None,
        };
        Ok(FileStat {
            name: place.last().cloned().unwrap_or_else(|| "/".to_owned()),
            size: node.size(),
            mode: node.full_mode(),
            modified: node.modified,
            link,
        })
    }

    /// What is at a path, packed under its last name. A path that ends in `/.` packs what is in a directory.
    pub(crate) fn get_archive(&self, path: &str) -> Result<Bytes, FileError> {
        let view = self.world.archives();
        let place = view.resolve("/", path, false)?;
        let node = view.look(&place)?;
        let node = self.with_mounts(&place, &node);
        let name = match place.last() {
            _ if path.ends_with("/.") => ".".to_owned(),
            Some(name) => name.clone(),
            None => String::new(),
        };
        let packed = pack(&name, &node).map_err(|error| FileError::Invalid(error.to_string()))?;
        Ok(packed.into())
    }

    /// A directory with what is mounted beneath it, as far as archives see that.
    fn with_mounts(&self, place: &[String], node: &Arc<Node>) -> Arc<Node> {
        let mut whole = Arc::clone(node);
        for mount in self.world.mounts().iter() {
            if mount.kind != super::files::MountKind::Volume || mount.path.len() <= place.len() {
                continue;
            }
            if let Some(within) = mount.path.strip_prefix(place)
                && let Ok(at) = whole.at_mut(within)
            {
                *at = Node::clone(&mount.space.root());
            }
        }
        whole
    }

    /// A file's contents, beneath what is mounted in memory.
    pub(crate) fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        self.world.archives().contents("/", path).ok()
    }

    /// Unpacks into a directory. Where `keeps_kinds`, no directory becomes a file, nor the other way round.
    pub(crate) fn put_archive(
        &self,
        directory: &str,
        archive: &[u8],
        keeps_kinds: bool,
    ) -> Result<(), FileError> {
        let view = self.world.archives();
        let place = view.resolve("/", directory, true)?;
        if !view.look(&place)?.is_directory() {
            return Err(FileError::NoDirectory);
        }
        // Whether anything may be written there at all.
        view.change(&place, |_, _| Ok(()))?;
        let mut failed = None;
        let read = entries(archive, |path, packed| {
            let put = self.put(&place, &path, packed, keeps_kinds);
            put.map_err(|error| {
                let told = std::io::Error::other("an entry");
                failed = Some(error);
                told
            })
        });
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(FileError::Invalid(error.to_string())),
            (None, Ok(())) => Ok(()),
        }
    }

    fn put(
        &self,
        place: &[String],
        path: &[String],
        packed: Packed,
        keeps_kinds: bool,
    ) -> Result<(), FileError> {
        let view = self.world.archives();
        let Some((name, above)) = path.split_last() else {
            // The directory itself.
            return Ok(());
        };
        let mut here: Parts = place.to_vec();
        for part in above {
            let next = path_of(&here) + "/" + part;
            here = view.resolve("/", &next, true)?;
            if let Err(Errno::NoEntry) = view.look(&here) {
                view.insert(&here, Node::directory(0o755))?;
            }
        }
        here.push(name.clone());
        let node = match packed {
            Packed::Node(node) => node,
            Packed::HardLink(target) => {
                let whole = [place, &target].concat();
                Node::clone(&*view.look(&whole)?)
            }
        };
        match view.look(&here) {
            Ok(old) if old.is_directory() && node.is_directory() => {
                view.change(&here, |old, _| {
                    (old.mode, old.uid, old.gid) = (node.mode, node.uid, node.gid);
                    old.modified = node.modified;
                    Ok(())
                })?;
                return Ok(());
            }
            Ok(old) if keeps_kinds && old.is_directory() != node.is_directory() => {
                let (from, to) = match old.is_directory() {
                    true => ("directory", "non-directory"),
                    false => ("non-directory", "directory"),
                };
                let message = format!(
                    "cannot overwrite {from} \"{}\" with {to} \"{}\"",
                    path_of(&here),
                    path_of(place)
                );
                return Err(FileError::Invalid(message));
            }
            _ => {}
        }
        view.insert(&here, node)?;
        Ok(())
    }

    /// What is other than in the image.
    pub(crate) fn changes(&self) -> Vec<(ChangeKind, String)> {
        let mut changes = Vec::new();
        compare(
            "",
            self.world.image(),
            &self.world.layers().root(),
            &mut changes,
        );
        changes
    }

    /// Bytes written over the image.
    pub(crate) fn size_rw(&self) -> u64 {
        written(Some(self.world.image()), &self.world.layers().root())
    }
}

fn compare(path: &str, old: &Arc<Node>, new: &Arc<Node>, changes: &mut Vec<(ChangeKind, String)>) {
    let none = BTreeMap::new();
    if Arc::ptr_eq(old, new) {
        return;
    }
    if !path.is_empty() {
        changes.push((ChangeKind::Modified, path.to_owned()));
    }
    let before = old.entries().unwrap_or(&none);
    let after = new.entries().unwrap_or(&none);
    for (name, node) in after {
        let path = format!("{path}/{name}");
        match before.get(name) {
            Some(old) => compare(&path, old, node, changes),
            None => added(path, node, changes),
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changes.push((ChangeKind::Deleted, format!("{path}/{name}")));
    }
}

fn added(path: String, node: &Node, changes: &mut Vec<(ChangeKind, String)>) {
    if let Ok(entries) = node.entries() {
        for (name, node) in entries {
            added(format!("{path}/{name}"), node, changes);
        }
    }
    changes.push((ChangeKind::Added, path));
}

fn written(old: Option<&Arc<Node>>, new: &Arc<Node>) -> u64 {
    if old.is_some_and(|old| Arc::ptr_eq(old, new)) {
        return 0;
    }
    match &new.kind {
        Kind::Directory(entries) => {
            let before = |name: &String| old.and_then(|old| old.entries().ok()?.get(name));
            let each = entries.iter();
            each.map(|(name, node)| written(before(name), node)).sum()
        }
        Kind::File(body) => body.len(),
        _ => 0,
    }
}
