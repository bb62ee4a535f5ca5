//! Reading an archive that nobody vouches for: what each entry is, checked before anybody acts on it.
//!
//! Nothing in it may become more than was received: sparse files and compression are refused by name, and what the
//! library reads into memory by itself (long names, extended headers) is bounded.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tar::EntryType;

use super::bridge::carried;
use super::meter::{Meter, shown};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ArchiveLimits, CopyReport, SpecialFiles};

/// What may come between the contents of two entries: padding, a header, a long name, extended headers.
const BETWEEN: u64 = 1 << 20;
/// What may follow the end of the archive: tar fills its last record.
const AFTER: u64 = 1 << 20;
/// What an entry may have beside its contents, on average.
const OVERHEAD: u64 = 16 << 10;

/// Where the archive came from, which decides what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The caller's: an argument.
    Caller,
    /// A container's. All names begin with that of what was asked for, but where that is the root: Docker writes a
    /// dot, Podman nothing.
    Container { root: bool },
}

/// What is taken.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) origin: Origin,
    pub(super) limits: ArchiveLimits,
    pub(super) special: SpecialFiles,
}

impl Rules {
    fn bad(&self, message: String) -> Error {
        match self.origin {
            Origin::Caller => Error::invalid("archive", message),
            Origin::Container { .. } => Error::new(ErrorKind::Unsafe, message),
        }
    }

    pub(super) fn refuse(&self, path: &Path, why: &str) -> Error {
        self.bad(format!("{} {why}", shown(path)))
    }

    /// What the library couldn't read.
    fn malformed(&self, error: io::Error) -> Error {
        // The library's own words quote the archive's bytes, which may be a file's.
        carried(error, |_| {
            let message = "the archive is malformed or ends too early";
            match self.origin {
                Origin::Caller => Error::invalid("archive", message),
                Origin::Container { .. } => Error::new(ErrorKind::Decode, message),
            }
        })
    }
}

/// An entry, checked. Its path has no part that isn't a name; it is empty for what the archive is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Permission bits, without those above `0o777`.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File {
        size: u64,
    },
    /// Where it leads is not checked.
    Symlink(PathBuf),
    /// To another entry's path, checked as such.
    Link(PathBuf),
}

/// Whoever acts on the entries.
pub(super) trait Sink {
    /// Acts on one. Of a file, all of `contents` must be read; they end with an error where they end too early.
    fn take(&mut self, item: Item, contents: &mut dyn Read, meter: &mut Meter) -> Result<()>;
}

/// Reads an archive to its end, and says how much it held.
pub(super) fn sift(archive: impl Read, rules: &Rules, sink: &mut impl Sink) -> Result<CopyReport> {
    let limits = &rules.limits;
    let allowed = limits
        .max_bytes
        .saturating_add(limits.max_entries.saturating_mul(OVERHEAD))
        .saturating_add(BETWEEN + AFTER);
    let gate = Gate {
        inner: archive,
        allowed,
        between: Rc::default(),
        failure: Rc::default(),
        first: true,
        origin: rules.origin,
    };
    let (between, failure) = (Rc::clone(&gate.between), Rc::clone(&gate.failure));
    let mut archive = tar::Archive::new(gate);
    let mut meter = Meter::new(*limits);
    let read = entries(&mut archive, rules, &mut meter, sink, &between);
    let rest = |()| {
        between.set(Some(AFTER));
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| rules.malformed(error))
    };
    // The library may have hidden the cause in an error of its own.
    match read.and_then(rest) {
        Ok(_) => Ok(meter.report()),
        Err(error) => Err(failure.borrow_mut().take().unwrap_or(error)),
    }
}

fn entries<R: Read>(
    archive: &mut tar::Archive<Gate<R>>,
    rules: &Rules,
    meter: &mut Meter,
    sink: &mut impl Sink,
    between: &Cell<Option<u64>>,
) -> Result<()> {
    let malformed = |error| rules.malformed(error);
    let mut entries = archive.entries().map_err(malformed)?;
    loop {
        between.set(Some(BETWEEN));
        let Some(entry) = entries.next() else {
            return Ok(());
        };
        let mut entry = entry.map_err(malformed)?;
        between.set(None);
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            meter.entry(Path::new("an extended header"))?;
            meter.skip();
            drain(&mut entry).map_err(malformed)?;
            continue;
        }
        let size = entry.size();
        let name = entry.path_bytes().into_owned();
        let name = path_of(&name);
        meter.entry(name)?;
        plain(&mut entry, name, rules)?;
        meter.bytes(name, size)?;
        let path = checked(name, rules, meter)?;
        let kind = match entry.header().entry_type() {
            // Before there was a type for them, directories were files whose names end so.
            EntryType::Regular if name.as_os_str().as_bytes().ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous => Kind::File { size },
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink(target(&entry, name, rules)?),
            EntryType::Link => {
                let target = target(&entry, name, rules)?;
                let target = checked(&target, rules, meter).map_err(|error| {
                    let message = format!("{}: its target {}", shown(name), error.message());
                    error.with_message(message)
                })?;
                Kind::Link(target)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => match rules.special {
                SpecialFiles::Refuse => {
                    return Err(rules
                        .refuse(name, "is a device or pipe")
                        .with_advice("leave it out, or take SpecialFiles::Skip"));
                }
                SpecialFiles::Skip => {
                    meter.skip();
                    drain(&mut entry).map_err(malformed)?;
                    continue;
                }
            },
            _ => return Err(rules.refuse(name, "is of an unknown kind")),
        };
        let is_file = matches!(kind, Kind::File { .. });
        let item = Item {
            mode: entry.header().mode().map_err(malformed)? & 0o777,
            modified: entry.header().mtime().unwrap_or(0),
            path,
            kind,
        };
        let mut contents = Whole {
            inner: &mut entry,
            left: size,
        };
        sink.take(item, &mut contents, meter)?;
        if is_file {
            drain(&mut contents).map_err(malformed)?;
        }
        drain(&mut entry).map_err(malformed)?;
    }
}

fn drain(entry: &mut impl Read) -> io::Result<u64> {
    io::copy(entry, &mut io::sink())
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The path as names alone.
fn checked(name: &Path, rules: &Rules, meter: &Meter) -> Result<PathBuf> {
    let bytes = name.as_os_str().as_bytes();
    if bytes.starts_with(b"/") {
        return Err(rules.refuse(name, "is an absolute path"));
    }
    if bytes.contains(&0) {
        return Err(rules.refuse(name, "has a NUL in it"));
    }
    let parts = bytes.split(|byte| *byte == b'/');
    let mut parts = parts.filter(|part| !part.is_empty() && *part != b".");
    if rules.origin == (Origin::Container { root: false }) {
        // What a link leads to may be `.` itself, and is then gone already.
        let of_dot = bytes == b"." || bytes.starts_with(b"./");
        if let Some(b"..") = if of_dot { None } else { parts.next() } {
            return Err(rules.refuse(name, "leads upwards"));
        }
    }
    let mut path = PathBuf::new();
    for part in parts {
        if part == b".." {
            return Err(rules.refuse(name, "leads upwards"));
        }
        path.push(OsStr::from_bytes(part));
    }
    meter.path(&path)?;
    Ok(path)
}

fn target<R: Read>(entry: &tar::Entry<'_, R>, name: &Path, rules: &Rules) -> Result<PathBuf> {
    match entry.link_name_bytes() {
        Some(bytes) if !bytes.is_empty() && bytes.len() <= 4095 && !bytes.contains(&0) => {
            Ok(path_of(&bytes).to_owned())
        }
        _ => Err(rules.refuse(name, "is a link that leads nowhere")),
    }
}

/// Refuses files that hide their size.
fn plain<R: Read>(entry: &mut tar::Entry<'_, R>, name: &Path, rules: &Rules) -> Result<()> {
    let mut sparse = entry.header().entry_type() == EntryType::GNUSparse;
    if let Some(extensions) = entry
        .pax_extensions()
        .map_err(|error| rules.malformed(error))?
    {
        for extension in extensions {
            let extension = extension.map_err(|error| rules.malformed(error))?;
            sparse |= extension.key_bytes().starts_with(b"GNU.sparse.");
        }
    }
    if sparse {
        return Err(rules
            .refuse(name, "is sparse: it may become more than was sent")
            .with_advice("make the archive without sparse files (tar: not --sparse)"));
    }
    Ok(())
}

/// An entry's contents, to the last byte that its header promised.
struct Whole<'a, R> {
    inner: &'a mut R,
    left: u64,
}

impl<R: Read> Read for Whole<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let length = self.inner.read(&mut into[..most])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= length as u64;
        Ok(length)
    }
}

/// What is let through to the library: no more than is allowed, between entries or in all, and nothing compressed.
struct Gate<R> {
    inner: R,
    allowed: u64,
    /// What may be read between two entries; `None` within one.
    between: Rc<Cell<Option<u64>>>,
    failure: Rc<RefCell<Option<Error>>>,
    first: bool,
    origin: Origin,
}

impl<R: Read> Gate<R> {
    fn fail(&self, error: Error) -> io::Error {
        *self.failure.borrow_mut() = Some(error.clone());
        io::Error::other(error)
    }

    fn compressed(&self, begin: &[u8]) -> Option<Error> {
        const KINDS: [(&str, &[u8]); 5] = [
            ("gzip", &[0x1f, 0x8b]),
            ("bzip2", b"BZh"),
            ("xz", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
            ("zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
            ("lzip", b"LZIP"),
        ];
        let (name, _) = KINDS.iter().find(|(_, magic)| begin.starts_with(magic))?;
        let message =
            format!("the archive is compressed with {name}: no limit could hold what it becomes");
        Some(match self.origin {
            Origin::Caller => {
                Error::unsupported("archive", message).with_advice("decompress it first")
            }
            Origin::Container { .. } => Error::new(ErrorKind::Unsafe, message),
        })
    }
}

impl<R: Read> Read for Gate<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = self.allowed.min(self.between.get().unwrap_or(u64::MAX));
        let most = into.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        if most == 0 && !into.is_empty() {
            // Whether there is any more must be asked: a stream may end just here.
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            let what = if self.allowed == 0 {
                "the archive is longer than what it may hold"
            } else {
                "the archive's headers are too long"
            };
            return Err(self.fail(Error::new(ErrorKind::TooLarge, what)));
        }
        let length = match self.inner.read(&mut into[..most]) {
            Ok(length) => length,
            Err(error) => match error.downcast::<Error>() {
                Ok(ours) => return Err(self.fail(ours)),
                Err(error) => return Err(error),
            },
        };
        if std::mem::take(&mut self.first)
            && let Some(error) = self.compressed(&into[..length])
        {
            return Err(self.fail(error));
        }
        self.allowed -= length as u64;
        if let Some(between) = self.between.get() {
            self.between
                .set(Some(between.saturating_sub(length as u64)));
        }
        Ok(length)
    }
}
