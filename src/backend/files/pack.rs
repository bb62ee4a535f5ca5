//! A directory or file of the host, into an archive: links are packed as links, never followed.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Stat, fstat, readlinkat};

use super::host::{self, failed};
use super::meter::{Meter, shown};
use super::repack::Packer;
use super::sieve::{Item, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CopyOptions, CopyReport, Owner, SpecialFiles};

struct Walk<'a, W: Write> {
    packer: Packer<W>,
    meter: Meter,
    options: &'a CopyOptions,
}

/// Packs what is in a directory, or one file under its name.
pub(super) fn pack<W: Write>(
    from: &Path,
    to: W,
    owner: Owner,
    options: &CopyOptions,
) -> Result<(W, CopyReport)> {
    let mut walk = Walk {
        packer: Packer::new(to, owner),
        meter: Meter::new(options.limits),
        options,
    };
    let here = |error| failed(from, error);
    if std::fs::metadata(from).map_err(here)?.is_dir() {
        let root = host::open(from).map_err(here)?;
        walk.directory(&root, Path::new(""))?;
    } else {
        // The caller named the file: where its path leads is the caller's own.
        let whole = std::fs::canonicalize(from).map_err(here)?;
        let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Err(here(std::io::ErrorKind::NotFound.into()));
        };
        let path = PathBuf::from(from.file_name().unwrap_or(name));
        let parent = host::open(parent).map_err(here)?;
        walk.entry(&parent, name, &path)?;
    }
    let report = walk.meter.report();
    Ok((walk.packer.finish()?, report))
}

impl<W: Write> Walk<'_, W> {
    fn directory(&mut self, directory: &OwnedFd, path: &Path) -> Result<()> {
        let here = |error: rustix::io::Errno| failed(path, error);
        let mut names = Vec::<OsString>::new();
        for entry in Dir::read_from(directory).map_err(here)? {
            let entry = entry.map_err(here)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
            // Before they are counted one by one, they are kept in memory.
            let most = self.meter.limits().max_entries;
            if names.len() as u64 > most {
                let message = format!("there are more than {most} files in {}", shown(path));
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
        }
        names.sort_unstable();
        for name in names {
            self.entry(directory, &name, &path.join(&name))?;
        }
        Ok(())
    }

    fn entry(&mut self, parent: &OwnedFd, name: &OsStr, path: &Path) -> Result<()> {
        let here = |error| failed(path, error);
        self.meter.path(path)?;
        self.meter.entry(path)?;
        let stat = host::look(parent.as_fd(), name).map_err(here)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let directory = host::enter(parent.as_fd(), name).map_err(here)?;
                let item = item(path, Kind::Directory, &stat);
                self.packer.add(&item, &mut std::io::empty())?;
                self.directory(&directory, path)
            }
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new()).map_err(|e| here(e.into()))?;
                let target = PathBuf::from(OsStr::from_bytes(target.as_bytes()));
                let item = item(path, Kind::Symlink(target), &stat);
                self.packer.add(&item, &mut std::io::empty())
            }
            FileType::RegularFile => {
                let file = host::read(parent.as_fd(), name).map_err(here)?;
                // What was looked at may be another one by now.
                let stat = fstat(&file).map_err(|error| here(error.into()))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(changed(path));
                }
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                self.meter.bytes(path, size)?;
                let item = item(path, Kind::File { size }, &stat);
                let mut contents = Contents {
                    inner: file.take(size),
                    path,
                };
                self.packer.add(&item, &mut contents)
            }
            _ => match self.options.special {
                SpecialFiles::Skip => {
                    self.meter.skip();
                    Ok(())
                }
                SpecialFiles::Refuse => Err(Error::new(
                    ErrorKind::Host,
                    format!("{} is a device, pipe or socket", shown(path)),
                )
                .with_advice("leave it out, or take SpecialFiles::Skip")),
            },
        }
    }
}

fn item(path: &Path, kind: Kind, stat: &Stat) -> Item {
    Item {
        path: path.to_owned(),
        kind,
        mode: stat.st_mode & 0o777,
        modified: u64::try_from(stat.st_mtime).unwrap_or(0),
    }
}

fn changed(path: &Path) -> Error {
    let message = format!("{} changed while it was read", shown(path));
    Error::new(ErrorKind::Host, message)
}

/// A file's contents, exactly as many as its header says.
struct Contents<'a, R> {
    inner: std::io::Take<R>,
    path: &'a Path,
}

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self
            .inner
            .read(into)
            .map_err(|error| std::io::Error::other(failed(self.path, error)))?;
        if length == 0 && !into.is_empty() && self.inner.limit() > 0 {
            return Err(std::io::Error::other(changed(self.path)));
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::model::ArchiveLimits;

    fn packed(from: &Path, options: &CopyOptions) -> Result<(Vec<String>, CopyReport)> {
        let (archive, report) = pack(from, Vec::new(), Owner::ROOT, options)?;
        let mut archive = tar::Archive::new(&archive[..]);
        let entries = archive.entries().expect("an archive");
        let names = entries.map(|entry| {
            let path = entry
                .expect("an entry")
                .path()
                .expect("a path")
                .into_owned();
            path.to_string_lossy().into_owned()
        });
        Ok((names.collect(), report))
    }

    #[test]
    fn links_are_packed_and_never_followed() {
        let outside = tempfile::tempdir().expect("a directory");
        let from = outside.path().join("from");
        std::fs::create_dir_all(from.join("a")).expect("a directory");
        std::fs::write(outside.path().join("secret"), "secret").expect("a file");
        std::fs::write(from.join("a/f"), "x").expect("a file");
        symlink("../secret", from.join("l")).expect("a link");
        symlink(outside.path(), from.join("up")).expect("a link");
        let (names, report) = packed(&from, &CopyOptions::default()).expect("it is packed");
        assert_eq!(names, ["a", "a/f", "l", "up"]);
        assert_eq!((report.entries, report.bytes), (4, 1));
        // The caller's own path may be one.
        symlink("from/a/f", outside.path().join("named")).expect("a link");
        let (names, _) =
            packed(&outside.path().join("named"), &CopyOptions::default()).expect("it is packed");
        assert_eq!(names, ["named"]);
    }

    #[test]
    fn special_files_are_refused_or_left_out() {
        let from = tempfile::tempdir().expect("a directory");
        let _socket = UnixListener::bind(from.path().join("s")).expect("a socket");
        std::fs::write(from.path().join("f"), "x").expect("a file");
        let error = packed(from.path(), &CopyOptions::default()).expect_err("a socket");
        assert_eq!(error.kind(), ErrorKind::Host);
        assert!(error.message().contains("\"s\""), "{error}");
        let skip = CopyOptions::default().with_special(SpecialFiles::Skip);
        let (names, report) = packed(from.path(), &skip).expect("the rest");
        assert_eq!((names, report.skipped), (vec!["f".to_owned()], 1));
    }

    #[test]
    fn limits_hold() {
        let from = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(from.path().join("a/b")).expect("a directory");
        std::fs::write(from.path().join("a/b/f"), "four").expect("a file");
        let limits = ArchiveLimits::default;
        for limits in [
            limits().with_max_bytes(3u64),
            limits().with_max_file_bytes(3u64),
            limits().with_max_entries(2u64),
            limits().with_max_entries(0u64),
            limits().with_max_depth(2usize),
        ] {
            let options = CopyOptions::default().with_limits(limits);
            let error = packed(from.path(), &options).expect_err("too much");
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        }
        let absent = packed(&from.path().join("absent"), &CopyOptions::default());
        assert_eq!(absent.expect_err("nothing").kind(), ErrorKind::Host);
    }
}
