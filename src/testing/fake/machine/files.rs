//! The files of one container: its layers, and what is mounted over them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::errno::{Errno, Result};
use super::io::Open;
use super::node::{Body, Device, Kind, MAX_DEPTH, Node, Parts, Quota};
use super::tree::parts_of;
use super::world::World;

/// How many links are followed on one way.
const MAX_LINKS: usize = 40;
/// How much is written to layers or to a volume: the test's host isn't to run out of memory.
const DISK: u64 = 1 << 30;

/// Files that are one: a container's layers, a volume, memory.
#[derive(Debug)]
pub(super) struct Space {
    root: Mutex<Arc<Node>>,
    pub(super) quota: Option<Arc<Quota>>,
}

impl Space {
    pub(super) fn new(root: Arc<Node>, quota: Option<Quota>) -> Arc<Self> {
        Arc::new(Self {
            root: Mutex::new(root),
            quota: quota.map(Arc::new),
        })
    }

    /// What outlives a run.
    pub(super) fn disk(root: Arc<Node>) -> Arc<Self> {
        Self::new(root, Some(Quota::new(Some(DISK))))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Node>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn root(&self) -> Arc<Node> {
        Arc::clone(&self.lock())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Arc<Node>) -> Result<T>) -> Result<T> {
        change(&mut self.lock())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountKind {
    /// The container's own layers.
    Layers,
    Volume,
    /// What no archive of an engine sees.
    Memory,
    /// Made up as it is read: `/proc`.
    Processes,
    /// A file of `/etc` that an engine writes, made up as well.
    Told(Told),
}

/// What an engine tells a container in files of `/etc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Hostname,
    Hosts,
    Resolver,
}

/// Whether an engine's archives see it.
fn lasts(kind: MountKind) -> bool {
    matches!(kind, MountKind::Layers | MountKind::Volume)
}

#[derive(Debug, Clone)]
pub(super) struct Mount {
    pub(super) path: Parts,
    pub(super) space: Arc<Space>,
    pub(super) kind: MountKind,
    pub(super) read_only: bool,
    /// Whether programs may be run from there.
    pub(super) runs: bool,
}

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) pid: u32,
    pub(super) user: (u32, u32),
    /// As an engine's archives see it: what is mounted in memory isn't there.
    pub(super) archives: bool,
}

impl View<'_> {
    fn mount(&self, path: &[String]) -> Result<Mount> {
        let mounts = self.world.mounts();
        let seen = mounts
            .iter()
            .filter(|mount| path.starts_with(&mount.path) && (!self.archives || lasts(mount.kind)));
        let deepest = seen.max_by_key(|mount| mount.path.len());
        deepest.cloned().ok_or(Errno::NoEntry)
    }

    /// What is at a path of plain names.
    pub(super) fn look(&self, path: &[String]) -> Result<Arc<Node>> {
        let mount = self.mount(path)?;
        let within = path.get(mount.path.len()..).unwrap_or_default();
        if mount.kind == MountKind::Processes {
            return super::procfs::look(self.world, self.pid, within);
        }
        if let MountKind::Told(told) = mount.kind {
            return Ok(Arc::new(Node::file(0o644, self.world.told(told))));
        }
        mount.space.root().at(within)
    }

    /// Where a path leads. What is at its end need not be there; all above must.
    pub(super) fn resolve(&self, cwd: &str, path: &str, follow: bool) -> Result<Parts> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        let mut here = match path.starts_with('/') {
            true => Parts::new(),
            false => parts_of(cwd),
        };
        let ends_in_directory = path.ends_with('/') || path.ends_with("/.");
        let mut todo: Vec<String> = split(path);
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == ".." {
                here.pop();
                continue;
            }
            let above = self.look(&here)?;
            if !above.is_directory() {
                return Err(Errno::NotDirectory);
            }
            if !above.allows(self.user, 1) {
                return Err(Errno::Access);
            }
            here.push(name);
            let found = match self.look(&here) {
                Ok(found) => found,
                Err(Errno::NoEntry) if todo.is_empty() => return Ok(here),
                Err(error) => return Err(error),
            };
            if let Kind::Link(target) = &found.kind {
                if follow || !todo.is_empty() || ends_in_directory {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::Loop);
                    }
                    here.pop();
                    if target.starts_with('/') {
                        here.clear();
                    }
                    todo.extend(split(target));
                }
            } else if !found.is_directory() && (!todo.is_empty() || ends_in_directory) {
                return Err(Errno::NotDirectory);
            }
        }
        Ok(here)
    }

    /// What a path leads to.
    pub(super) fn find(&self, cwd: &str, path: &str) -> Result<Arc<Node>> {
        self.look(&self.resolve(cwd, path, true)?)
    }

    /// Changes what is there.
    pub(super) fn change<T>(
        &self,
        path: &[String],
        change: impl FnOnce(&mut Node, Option<&Arc<Quota>>) -> Result<T>,
    ) -> Result<T> {
        let mount = self.mount(path)?;
        match mount.kind {
            MountKind::Processes | MountKind::Told(_) => return Err(Errno::Access),
            _ if mount.read_only => return Err(Errno::ReadOnly),
            _ => {}
        }
        let within = path.get(mount.path.len()..).unwrap_or_default();
        let quota = mount.space.quota.as_ref();
        mount
            .space
            .change(|root| change(root.at_mut(within)?, quota))
    }

    fn may_change_entries(&self, directory: &[String]) -> Result<()> {
        let node = self.look(directory)?;
        if !node.is_directory() {
            return Err(Errno::NotDirectory);
        }
        match node.allows(self.user, 2) {
            true => Ok(()),
            // A read-only file system is told first.
            false => Err(self
                .change(directory, |_, _| Ok(()))
                .err()
                .unwrap_or(Errno::Access)),
        }
    }

    /// Puts a node there; a file that is there goes.
    pub(super) fn insert(&self, path: &[String], node: Node) -> Result<()> {
        let (name, above) = path.split_last().ok_or(Errno::Exists)?;
        self.may_change_entries(above)?;
        if self.is_mount(path) {
            return Err(Errno::Busy);
        }
        if path.len() + node.depth() > MAX_DEPTH {
            return Err(Errno::NameTooLong);
        }
        self.change(above, |directory, _| {
            directory.modified = node.modified;
            directory
                .entries_mut()?
                .insert(name.clone(), Arc::new(node));
            Ok(())
        })
    }

    pub(super) fn remove(&self, path: &[String]) -> Result<()> {
        let (name, above) = path.split_last().ok_or(Errno::Busy)?;
        self.look(path)?;
        self.may_change_entries(above)?;
        if self.is_mount(path) {
            return Err(Errno::Busy);
        }
        self.change(above, |directory, _| {
            directory.modified = std::time::SystemTime::now();
            let gone = directory.entries_mut()?.remove(name);
            gone.map(drop).ok_or(Errno::NoEntry)
        })
    }

    fn is_mount(&self, path: &[String]) -> bool {
        self.mount(path).is_ok_and(|mount| mount.path == path)
    }

    /// A file's contents to be written. It is made where it isn't there.
    pub(super) fn writable(&self, cwd: &str, path: &str, mode: u32) -> Result<Opened> {
        let path = self.resolve(cwd, path, true)?;
        match self.look(&path) {
            Ok(node) => match &node.kind {
                Kind::Directory(_) => Err(Errno::IsDirectory),
                Kind::Device(device) => Ok(Opened::Device(*device)),
                Kind::Link(_) => Err(Errno::Loop),
                Kind::File(_) => {
                    if !node.allows(self.user, 2) {
                        self.change(&path, |_, _| Ok(()))?;
                        return Err(Errno::Access);
                    }
                    self.change(&path, |node, quota| {
                        node.modified = std::time::SystemTime::now();
                        let Kind::File(body) = &mut node.kind else {
                            return Err(Errno::IsDirectory);
                        };
                        if body.is_sealed() {
                            let own = Body::new(quota.cloned());
                            own.write(None, &body.contents())?;
                            *body = Arc::new(own);
                        }
                        Ok(Opened::File(Arc::clone(body)))
                    })
                }
            },
            Err(Errno::NoEntry) => {
                let quota = self.mount(&path)?.space.quota.clone();
                let body = Arc::new(Body::new(quota));
                let kind = Kind::File(Arc::clone(&body));
                self.insert(&path, Node::new(kind, mode, self.user))?;
                Ok(Opened::File(body))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn readable(&self, cwd: &str, path: &str) -> Result<Opened> {
        let node = self.find(cwd, path)?;
        if !node.allows(self.user, 4) {
            return Err(Errno::Access);
        }
        match &node.kind {
            Kind::File(body) => Ok(Opened::File(Arc::clone(body))),
            Kind::Device(device) => Ok(Opened::Device(*device)),
            Kind::Directory(_) => Ok(Opened::Directory),
            Kind::Link(_) => Err(Errno::Loop),
        }
    }

    /// Opens a file to be read.
    pub(super) fn open(&self, cwd: &str, path: &str) -> Result<Arc<Open>> {
        Ok(match self.readable(cwd, path)? {
            Opened::File(body) => Open::file(body, false),
            Opened::Device(device) => Open::device(device),
            Opened::Directory => Open::directory(),
        })
    }

    /// Opens a file to be written.
    pub(super) fn create(
        &self,
        cwd: &str,
        path: &str,
        mode: u32,
        writing: Writing,
    ) -> Result<Arc<Open>> {
        Ok(match self.writable(cwd, path, mode)? {
            Opened::File(body) => {
                if writing == Writing::Truncate {
                    body.truncate();
                }
                Open::file(body, writing == Writing::Append)
            }
            Opened::Device(device) => Open::device(device),
            Opened::Directory => return Err(Errno::IsDirectory),
        })
    }

    /// A whole file.
    pub(super) fn contents(&self, cwd: &str, path: &str) -> Result<Vec<u8>> {
        match self.readable(cwd, path)? {
            Opened::File(body) => Ok(body.contents()),
            Opened::Device(_) => Ok(Vec::new()),
            Opened::Directory => Err(Errno::IsDirectory),
        }
    }

    /// Whether programs may be run from there.
    pub(super) fn runs(&self, path: &[String]) -> bool {
        self.mount(path).is_ok_and(|mount| mount.runs)
    }

    /// The mount's room: limit and what is used of it.
    pub(super) fn room(&self, path: &[String]) -> Result<(u64, u64)> {
        let mount = self.mount(path)?;
        Ok(match &mount.space.quota {
            Some(quota) => (quota.limit.unwrap_or(1 << 40), quota.used()),
            None => (1 << 40, mount.space.root().total()),
        })
    }

    pub(super) fn copy(&self, from: &Arc<Node>, to: &[String]) -> Result<()> {
        let (_, above) = to.split_last().ok_or(Errno::Exists)?;
        let quota = self.mount(above)?.space.quota.clone();
        let mut node = from.unshared(quota.as_ref())?;
        (node.uid, node.gid) = self.user;
        node.modified = std::time::SystemTime::now();
        self.insert(to, node)
    }
}

/// What becomes of what is there when it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Truncate,
    Over,
    Append,
}

pub(super) enum Opened {
    File(Arc<Body>),
    Device(Device),
    Directory,
}

/// The names of a path, the last one first; `..` stays.
fn split(path: &str) -> Vec<String> {
    let parts = path.split('/').rev();
    let parts = parts.filter(|part| !part.is_empty() && *part != ".");
    parts.map(str::to_owned).collect()
}

pub(super) fn path_of(parts: &[String]) -> String {
    match parts {
        [] => "/".to_owned(),
        parts => parts
            .iter()
            .fold(String::new(), |path, part| path + "/" + part),
    }
}
