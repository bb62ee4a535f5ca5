//! The host's directories, entered name by name and never through a link: what a name is may change at any time, and what
//! a container is to be shut out of is decided by the kernel.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};

use super::meter::shown;
use crate::error::{Error, ErrorKind};

/// The error of the host's own files.
pub(super) fn failed(path: &Path, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    Error::new(ErrorKind::Host, shown(path)).with_source(error)
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A directory that the caller named: links in its path are the caller's own.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(path, DIRECTORY, Mode::empty())?)
}

/// A directory in another, and no link to one.
pub(super) fn enter(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(fs::openat(
        at,
        name,
        DIRECTORY | OFlags::NOFOLLOW,
        Mode::empty(),
    )?)
}

/// What a name stands for, and not where it leads.
pub(super) fn look(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<Stat> {
    Ok(fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// A file to read; one that turned into a pipe doesn't hold anybody up.
pub(super) fn read(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(fs::openat(at, name, flags, Mode::empty())?.into())
}

/// A file that wasn't there.
pub(super) fn create(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(at, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Takes a file or link out of the way; a directory stays, as an error.
pub(super) fn clear(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn set_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    Ok(fs::fchmod(file, Mode::from_raw_mode(mode))?)
}
