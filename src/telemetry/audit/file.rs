//! The log in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::chain::beginning;
use super::fault::{AuditFault, AuditProblem};
use super::head::AuditHead;
use super::kin;
use super::options::{AuditFileOptions, Durability};
use super::sink::AuditSink;
use super::tail::Tail;
use crate::error::{Error, ErrorKind, Result};
use crate::quote::one_line;

/// A file that is appended to, and rotated by its size.
///
/// * `audit.jsonl` is the file that is written, `audit.jsonl.1` the one before it, `audit.jsonl.2` the one before that. The
///   highest number is the oldest, and is deleted when there are more than [`keep`](AuditFileOptions::keep). A rotation
///   that fails is told (`tracing`) and tried again: until it succeeds the file grows.
/// * Each file begins with a line that says with which record: `{"v":1,"begins":8,"prev":"…","hash":"…"}`.
/// * Files are made with mode 0600; those that exist keep theirs.
/// * `audit.jsonl.lock` is locked (`flock`) as long as it is open: one process writes it. On network file systems
///   that don't keep such locks, see to it yourself.
/// * After a write that failed the file is cut back to its last acknowledged record before the next. A file that somebody
///   moved or removed is begun anew, and the chain goes on; one that somebody else wrote to or shortened is no
///   longer written.
///
/// ```no_run
/// use catamaran::telemetry::audit::{AuditFile, AuditFileOptions, AuditLog, AuditOptions};
///
/// # fn example() -> catamaran::Result<()> {
/// let options = AuditFileOptions::default().with_keep(100u32);
/// let file = AuditFile::open("/var/log/notebooks/audit.jsonl", options)?;
/// let log = AuditLog::new(file, AuditOptions::default())?;
/// # let _ = log;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    options: AuditFileOptions,
    file: File,
    /// Of what was acknowledged.
    length: u64,
    /// More than that may be there.
    torn: bool,
    /// Whether its name is as durable as what is in it.
    placed: bool,
    /// Whether the last rotation went well: what fails all the time is told once.
    rotates: bool,
    head: Option<AuditHead>,
    /// Held as long as it is open.
    _lock: File,
}

impl AuditFile {
    /// Opens it, makes it where there is none, and finds where the chain goes on. What a kill or a full disk left of an
    /// unfinished line is cut off: it never was acknowledged.
    ///
    /// It reads the file's end, and blocks meanwhile: open it when the service starts.
    ///
    /// # Errors
    /// `Host` where it can't be opened or locked, where another process has it, and where its last records don't follow on
    /// each other. Nothing is repaired then: look at it ([`verify`](super::verify)), move it and its kin away, and begin a
    /// new one.
    pub fn open(path: impl Into<PathBuf>, options: AuditFileOptions) -> Result<Self> {
        let path = path.into();
        let failed = |message: &str, error: io::Error| {
            let error = Error::new(ErrorKind::Host, format!("{message} {}", one_line(&path)))
                .with_source(error);
            error.with_advice("see that its folder exists and that this process may write there")
        };
        let lock = lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::new(
                ErrorKind::Host,
                format!("another writer has the audit log {}", one_line(&path)),
            )
            .with_advice("give each process a file of its own, or end the other one"),
            _ => failed("cannot lock the audit log", error),
        })?;
        let file = append_to(&path).map_err(|error| failed("cannot open the audit log", error))?;
        let tail = end(&path, &file)
            .map_err(|error| failed("cannot read the audit log", error))?
            .map_err(|fault| {
                let message = "the audit log is broken where it would go on";
                Error::new(ErrorKind::Host, message)
                    .with_source(fault)
                    .with_advice("keep its files as they are elsewhere, and begin a new one")
            })?;
        if tail.torn > 0 {
            tracing::warn!(
                path = %one_line(&path),
                bytes = tail.torn,
                "the audit log ends in the middle of a record, which never was acknowledged: it is cut off"
            );
            file.set_len(tail.whole)
                .map_err(|error| failed("cannot cut back the audit log", error))?;
        }
        Ok(Self {
            path,
            options,
            file,
            length: tail.whole,
            torn: false,
            placed: false,
            rotates: true,
            head: tail.head,
            _lock: lock,
        })
    }

    /// Sees that the file is ours and whole.
    fn settle(&mut self) -> io::Result<()> {
        let (own, found) = (self.file.metadata()?, fs::metadata(&self.path));
        let there = match found {
            Ok(found) => (found.dev(), found.ino()) == (own.dev(), own.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !there {
            self.file = append_to(&self.path)?;
            tracing::warn!(path = %one_line(&self.path), "the audit log was moved or removed: a new file is begun");
            (self.length, self.torn, self.placed) = (0, false, false);
        }
        let length = self.file.metadata()?.len();
        if self.torn && length >= self.length {
            self.file.set_len(self.length)?;
        } else if length != self.length {
            return Err(io::Error::other(
                "somebody else has written to the audit log or shortened it",
            ));
        }
        self.torn = false;
        if !self.placed && self.options.durability == Durability::Disk {
            File::open(kin::folder(&self.path))?.sync_all()?;
        }
        self.placed = true;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        // What can fail for want of room comes first, while all is as it was.
        let next = kin::beside(&self.path, "next");
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = append_to(&next)?;
        kin::make_room(&self.path, self.options.keep.max(1))?;
        fs::rename(&self.path, kin::beside(&self.path, "1"))?;
        fs::rename(&next, &self.path)?;
        (self.file, self.length, self.placed) = (file, 0, false);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        match self.options.durability {
            Durability::Process => Ok(()),
            Durability::Disk => self.file.sync_data(),
        }
    }
}

impl AuditSink for AuditFile {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.settle()?;
        let grown = self.length.saturating_add(lines.len() as u64);
        if self.length > 0 && grown > self.options.max_bytes {
            let rotated = self.rotate();
            if let Err(error) = &rotated
                && self.rotates
            {
                tracing::warn!(path = %one_line(&self.path), %error, "the audit log can't be rotated: it grows");
            }
            self.rotates = rotated.is_ok();
            // Whatever of it was done.
            self.settle()?;
        }
        let mut begun;
        let lines = match self.length {
            0 => {
                begun = beginning(lines)?;
                begun.extend_from_slice(lines);
                begun.as_slice()
            }
            _ => lines,
        };
        // Until it is known to be whole.
        self.torn = true;
        let written = self.file.write_all(lines).and_then(|()| self.sync());
        match written {
            Ok(()) => {
                self.length += lines.len() as u64;
                self.torn = false;
            }
            // Where that fails too, it is for the next write.
            Err(_) => _ = self.settle(),
        }
        written
    }

    fn head(&mut self) -> Option<AuditHead> {
        self.head
    }
}

/// Whoever may make a link in the log's folder mustn't choose what is written to.
const NO_LINKS: i32 = OFlags::NOFOLLOW.bits() as i32;

fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(kin::beside(path, "lock"))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn append_to(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no plain file")),
    }
}

/// Where the chain goes on: after the file's last record, or, where it has none, after that of the newest one before it.
fn end(path: &Path, file: &File) -> io::Result<Result<Tail, AuditFault>> {
    let fault = |file: PathBuf, problem| AuditFault {
        file,
        line: 0,
        problem,
    };
    let mut tail = match Tail::read(file)? {
        Ok(tail) => tail,
        Err(problem) => return Ok(Err(fault(path.to_path_buf(), problem))),
    };
    for number in kin::numbers(path)? {
        if tail.head.is_some() {
            break;
        }
        let older = kin::beside(path, &number.to_string());
        match Tail::read(&File::open(&older)?)? {
            Ok(end) if end.torn == 0 => tail.head = end.head,
            Ok(_) => return Ok(Err(fault(older, AuditProblem::Torn))),
            Err(problem) => return Ok(Err(fault(older, problem))),
        }
    }
    Ok(Ok(tail))
}
