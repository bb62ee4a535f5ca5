//! An archive out of a container, onto the host: nothing that it says can lead out of the directory.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, Timespec, Timestamps};
use rustix::io::Errno;

use super::bridge::carried;
use super::host::{self, failed};
use super::meter::Meter;
use super::sieve::{Item, Kind, Rules, Sink, sift};
use crate::error::{Error, Result};
use crate::model::{CopyReport, OutwardLinks};

/// Unpacks an archive, of a directory or of one file of that name, into a directory.
///
/// One that isn't there appears whole or not at all. Into one that is there, what came before a failure stays.
pub(super) fn extract(
    archive: impl Read,
    into: &Path,
    name: &OsStr,
    rules: &Rules,
    links: OutwardLinks,
) -> Result<CopyReport> {
    match host::open(into) {
        Ok(root) => fill(archive, root, false, name, rules, links),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let partial = Partial::new(into)?;
            let root = host::open(&partial.path).map_err(|error| failed(into, error))?;
            let report = fill(archive, root, true, name, rules, links)?;
            partial.keep(into)?;
            Ok(report)
        }
        Err(error) => Err(failed(into, error)),
    }
}

/// A directory beside the one that it becomes; dropped before, it goes.
struct Partial {
    path: PathBuf,
    kept: bool,
}

impl Partial {
    fn new(becomes: &Path) -> Result<Self> {
        let Some(Component::Normal(name)) = becomes.components().next_back() else {
            return Err(failed(becomes, Errno::NOENT));
        };
        let mut own = OsString::from(".");
        own.push(name);
        own.push(format!(".{}", uuid::Uuid::new_v4().simple()));
        let path = becomes.with_file_name(own);
        fs::mkdir(&path, Mode::RWXU).map_err(|error| failed(becomes, error))?;
        Ok(Self { path, kept: false })
    }

    fn keep(mut self, becomes: &Path) -> Result<()> {
        std::fs::rename(&self.path, becomes).map_err(|error| failed(becomes, error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // It follows no link; what can't be removed is in nobody's way.
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

fn fill(
    archive: impl Read,
    root: OwnedFd,
    new: bool,
    name: &OsStr,
    rules: &Rules,
    links: OutwardLinks,
) -> Result<CopyReport> {
    let mut target = Target {
        root,
        new,
        name: name.to_owned(),
        rules: rules.clone(),
        links,
    };
    sift(archive, rules, &mut target)
}

struct Target {
    root: OwnedFd,
    /// Whether it was made for this.
    new: bool,
    /// The name of the one file that the archive may be of.
    name: OsString,
    rules: Rules,
    links: OutwardLinks,
}

impl Target {
    /// The directory that an entry is in, made where it isn't there.
    fn parent(&self, path: &Path, meter: &mut Meter) -> Result<OwnedFd> {
        let mut directory = self.root.try_clone().map_err(|e| failed(path, e))?;
        for name in path.parent().into_iter().flat_map(Path::iter) {
            directory = match host::enter(directory.as_fd(), name) {
                Ok(entered) => entered,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    meter.entry(path)?;
                    self.make(&directory, name, 0o755, path)?.0
                }
                Err(error) => return Err(self.no_directory(path, error)),
            };
        }
        Ok(directory)
    }

    fn no_directory(&self, path: &Path, error: std::io::Error) -> Error {
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NOTDIR) => self
                .rules
                .refuse(path, "goes through a link, or through what is no directory"),
            _ => failed(path, error),
        }
    }

    /// A directory, and whether it is new.
    fn make(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        mode: u32,
        path: &Path,
    ) -> Result<(OwnedFd, bool)> {
        let new = match fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(failed(path, error)),
        };
        let made = host::enter(parent.as_fd(), name);
        let made = made.map_err(|error| self.no_directory(path, error))?;
        if new {
            // Whoever reads the copy must be able to, and to remove it.
            host::set_mode(&made, mode | 0o700).map_err(|error| failed(path, error))?;
        }
        Ok((made, new))
    }

    fn file(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        item: &Item,
        contents: &mut dyn Read,
    ) -> Result<()> {
        let here = |error| failed(&item.path, error);
        // What was there is left alone, whoever else has it.
        self.clear(parent, name, &item.path)?;
        let mut file = host::create(parent.as_fd(), name).map_err(here)?;
        std::io::copy(contents, &mut file).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.rules.refuse(&item.path, "ends too early"),
            _ => carried(error, here),
        })?;
        host::set_mode(&file, item.mode).map_err(here)?;
        let moment = Timespec {
            tv_sec: i64::try_from(item.modified).unwrap_or(0),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: moment,
            last_modification: moment,
        };
        // A moment that the file system can't keep is no reason to fail.
        let _ = fs::futimens(&file, &times);
        Ok(())
    }

    fn clear(&self, parent: &OwnedFd, name: &OsStr, path: &Path) -> Result<()> {
        host::clear(parent.as_fd(), name).map_err(|error| failed(path, error))
    }

    /// A hard link, to a plain file of the copy: a link to a link could lead elsewhere from here.
    fn link(&self, parent: &OwnedFd, name: &OsStr, item: &Item, to: &Path) -> Result<()> {
        let refuse = |why| self.rules.refuse(&item.path, why);
        let absent = "links to what isn't a file of the copy";
        let mut from = self.root.try_clone().map_err(|e| failed(&item.path, e))?;
        for part in to.parent().into_iter().flat_map(Path::iter) {
            from = host::enter(from.as_fd(), part).map_err(|_| refuse(absent))?;
        }
        let Some(old) = to.file_name() else {
            return Err(refuse(absent));
        };
        let stat = host::look(from.as_fd(), old).map_err(|_| refuse(absent))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refuse(absent));
        }
        if to == item.path {
            return Ok(());
        }
        self.clear(parent, name, &item.path)?;
        fs::linkat(&from, old, parent, name, AtFlags::empty())
            .map_err(|error| failed(&item.path, error))
    }
}

/// Whether a link stays within the copy wherever it is followed. Upward steps count only at its beginning, where they
/// lead through directories of the copy; after a name, which may be a link itself, they could lead anywhere.
fn stays_within(path: &Path, target: &Path) -> bool {
    let mut depth = path.iter().count() - 1;
    let mut descended = false;
    for component in target.components() {
        match component {
            Component::ParentDir if descended || depth == 0 => return false,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => descended = true,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

impl Sink for Target {
    fn take(&mut self, mut item: Item, contents: &mut dyn Read, meter: &mut Meter) -> Result<()> {
        if item.path.as_os_str().is_empty() {
            if item.kind == Kind::Directory {
                meter.forget();
                return if self.new {
                    let set = host::set_mode(&self.root, item.mode | 0o700);
                    set.map_err(|error| failed(&item.path, error))
                } else {
                    Ok(())
                };
            }
            item.path = PathBuf::from(&self.name);
        }
        let Some(name) = item.path.file_name().map(OsStr::to_owned) else {
            return Err(self.rules.refuse(&item.path, "has no name"));
        };
        let parent = self.parent(&item.path, meter)?;
        match &item.kind {
            Kind::Directory => self.make(&parent, &name, item.mode, &item.path).map(drop),
            Kind::File { .. } => self.file(&parent, &name, &item, contents),
            Kind::Link(to) => self.link(&parent, &name, &item, to),
            Kind::Symlink(to) => {
                if !stays_within(&item.path, to) {
                    match self.links {
                        OutwardLinks::Keep => {}
                        OutwardLinks::Skip => {
                            meter.skip();
                            return Ok(());
                        }
                        OutwardLinks::Refuse => {
                            return Err(self
                                .rules
                                .refuse(&item.path, "is a link that may lead out of the copy")
                                .with_advice(
                                    "take OutwardLinks::Skip, or Keep where nobody follows it",
                                ));
                        }
                    }
                }
                self.clear(&parent, &name, &item.path)?;
                fs::symlinkat(to, &parent, &name).map_err(|error| failed(&item.path, error))
            }
        }
    }
}

#[cfg(test)]
mod tests;
