//! Files as data: a tree that is shared until somebody writes to it.
//!
//! Directories are copied on the way to what changes; what didn't change stays one with the image's. So a container costs
//! nothing until it writes, and what it changed is found by comparing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::errno::{Errno, Result};

/// How deep directories may lie in each other: who walks them does so by recursion.
pub(crate) const MAX_DEPTH: usize = 256;

/// A path as names, from the root.
pub(crate) type Parts = Vec<String>;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: SystemTime,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Directory(BTreeMap<String, Arc<Node>>),
    File(Arc<Body>),
    Link(String),
    Device(Device),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Random,
    Full,
    Terminal,
}

/// How much a space in memory takes.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    pub(crate) limit: Option<u64>,
    used: AtomicU64,
}

impl Quota {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result<()> {
        let limit = self.limit.unwrap_or(u64::MAX);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= limit)
            });
        taken.map(drop).map_err(|_| Errno::NoSpace)
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A file's contents, as long as a name or an open file leads to them.
#[derive(Debug)]
pub(crate) struct Body {
    data: Mutex<Vec<u8>>,
    /// An image's: copied before it is written.
    sealed: bool,
    quota: Option<Arc<Quota>>,
}

impl Body {
    pub(crate) fn sealed(data: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            data: Mutex::new(data),
            sealed: true,
            quota: None,
        })
    }

    pub(crate) fn new(quota: Option<Arc<Quota>>) -> Self {
        Self {
            data: Mutex::default(),
            sealed: false,
            quota,
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    fn data(&self) -> MutexGuard<'_, Vec<u8>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> u64 {
        self.data().len() as u64
    }

    pub(crate) fn contents(&self) -> Vec<u8> {
        self.data().clone()
    }

    pub(crate) fn read(&self, at: u64, most: usize) -> Vec<u8> {
        let data = self.data();
        let rest = usize::try_from(at).ok().and_then(|at| data.get(at..));
        let rest = rest.unwrap_or_default();
        rest.get(..most).unwrap_or(rest).to_vec()
    }

    /// Writes at a place, or at the end; gives the place after.
    pub(crate) fn write(&self, at: Option<u64>, bytes: &[u8]) -> Result<u64> {
        let mut data = self.data();
        let at = match at {
            Some(at) => usize::try_from(at).map_err(|_| Errno::NoSpace)?,
            None => data.len(),
        };
        let end = at.checked_add(bytes.len()).ok_or(Errno::NoSpace)?;
        if end > data.len() {
            if let Some(quota) = &self.quota {
                quota.take((end - data.len()) as u64)?;
            }
            data.resize(end, 0);
        }
        if let Some(place) = data.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        Ok(end as u64)
    }

    pub(crate) fn truncate(&self) {
        let mut data = self.data();
        if let Some(quota) = &self.quota {
            quota.give(data.len() as u64);
        }
        *data = Vec::new();
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(quota) = &self.quota {
            let data = self.data.get_mut().unwrap_or_else(PoisonError::into_inner);
            quota.give(data.len() as u64);
        }
    }
}

impl Node {
    pub(crate) fn new(kind: Kind, mode: u32, (uid, gid): (u32, u32)) -> Self {
        Self {
            mode,
            uid,
            gid,
            modified: SystemTime::now(),
            kind,
        }
    }

    pub(crate) fn directory(mode: u32) -> Self {
        Self::new(Kind::Directory(BTreeMap::new()), mode, (0, 0))
    }

    pub(crate) fn file(mode: u32, contents: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::File(Body::sealed(contents.into())), mode, (0, 0))
    }

    pub(crate) fn link(target: impl Into<String>) -> Self {
        Self::new(Kind::Link(target.into()), 0o777, (0, 0))
    }

    pub(crate) fn device(device: Device) -> Self {
        Self::new(Kind::Device(device), 0o666, (0, 0))
    }

    /// With entries, where it is a directory.
    pub(crate) fn with(mut self, entries: impl IntoIterator<Item = (String, Node)>) -> Self {
        if let Kind::Directory(all) = &mut self.kind {
            let entries = entries.into_iter();
            all.extend(entries.map(|(name, node)| (name, Arc::new(node))));
        }
        self
    }

    pub(crate) fn entries(&self) -> Result<&BTreeMap<String, Arc<Node>>> {
        match &self.kind {
            Kind::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(crate) fn entries_mut(&mut self) -> Result<&mut BTreeMap<String, Arc<Node>>> {
        match &mut self.kind {
            Kind::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory(_))
    }

    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            Kind::Directory(_) => 4096,
            Kind::File(body) => body.len(),
            Kind::Link(target) => target.len() as u64,
            Kind::Device(_) => 0,
        }
    }

    /// POSIX type and permissions.
    pub(crate) fn full_mode(&self) -> u32 {
        let kind = match self.kind {
            Kind::Directory(_) => 0o040_000,
            Kind::File(_) => 0o100_000,
            Kind::Link(_) => 0o120_000,
            Kind::Device(_) => 0o020_000,
        };
        kind | self.mode
    }

    /// Whether a user may do this: 4 read, 2 write, 1 enter or run.
    pub(crate) fn allows(&self, (uid, gid): (u32, u32), want: u32) -> bool {
        if uid == 0 {
            return want & 1 == 0 || self.is_directory() || self.mode & 0o111 != 0;
        }
        let shift = match () {
            () if uid == self.uid => 6,
            () if gid == self.gid => 3,
            () => 0,
        };
        (self.mode >> shift) & want == want
    }

    /// What lies at a path beneath it; no link is followed.
    pub(crate) fn at(self: &Arc<Self>, path: &[String]) -> Result<Arc<Self>> {
        let mut here = self;
        for name in path {
            here = here.entries()?.get(name).ok_or(Errno::NoEntry)?;
        }
        Ok(Arc::clone(here))
    }

    /// The same to be changed: all on the way becomes its own.
    pub(crate) fn at_mut<'a>(self: &'a mut Arc<Self>, path: &[String]) -> Result<&'a mut Self> {
        let mut here = Arc::make_mut(self);
        for name in path {
            let next = here.entries_mut()?.get_mut(name).ok_or(Errno::NoEntry)?;
            here = Arc::make_mut(next);
        }
        Ok(here)
    }

    /// How deep what is beneath it lies.
    pub(crate) fn depth(&self) -> usize {
        let entries = self.entries().into_iter().flatten();
        let below = entries.map(|(_, node)| node.depth() + 1).max();
        below.unwrap_or(0)
    }

    /// Bytes of all files.
    pub(crate) fn total(&self) -> u64 {
        match &self.kind {
            Kind::Directory(entries) => entries.values().map(|node| node.total()).sum(),
            Kind::File(body) => body.len(),
            _ => 0,
        }
    }

    /// As an image holds it: what is in it can't be written any more.
    pub(crate) fn seal(&self) -> Self {
        let mut sealed = self.clone();
        match &mut sealed.kind {
            Kind::Directory(entries) => {
                for entry in entries.values_mut() {
                    *entry = Arc::new(entry.seal());
                }
            }
            Kind::File(body) if !body.is_sealed() => *body = Body::sealed(body.contents()),
            _ => {}
        }
        sealed
    }

    /// As it lies in another place that is written to: nothing in it is shared.
    pub(crate) fn unshared(&self, quota: Option<&Arc<Quota>>) -> Result<Self> {
        let mut own = self.clone();
        match &mut own.kind {
            Kind::Directory(entries) => {
                for entry in entries.values_mut() {
                    *entry = Arc::new(entry.unshared(quota)?);
                }
            }
            Kind::File(body) => {
                let copy = Body::new(quota.cloned());
                copy.write(None, &body.contents())?;
                *body = Arc::new(copy);
            }
            _ => {}
        }
        Ok(own)
    }
}
