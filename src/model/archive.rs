//! Tar archives on their way, and what an engine says of a file.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use serde::Serialize;

use crate::error::Result;

/// A tar archive on its way to the engine, whole or as a stream.
///
/// A whole one can be sent again when a connection fails before the engine answered; a stream can't.
pub enum TarArchive {
    /// The archive, in memory.
    Bytes(Bytes),
    /// The archive, piece by piece.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

impl TarArchive {
    /// An archive that comes piece by piece.
    #[must_use]
    pub fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::Stream(pieces.boxed())
    }
}

impl<B: Into<Bytes>> From<B> for TarArchive {
    fn from(archive: B) -> Self {
        Self::Bytes(archive.into())
    }
}

/// What one container gives, another can take.
impl From<ArchiveStream> for TarArchive {
    fn from(archive: ArchiveStream) -> Self {
        Self::stream(archive.map(|piece| piece.map_err(io::Error::other)))
    }
}

impl fmt::Debug for TarArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "TarArchive({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("TarArchive(stream)"),
        }
    }
}

/// A tar archive on its way from the engine, piece by piece, as it is read: one that is read slowly comes slowly.
/// Only its end without an error says that it is whole.
pub struct ArchiveStream {
    stat: Option<PathStat>,
    pieces: BoxStream<'static, Result<Bytes>>,
}

impl ArchiveStream {
    /// Wraps a stream of pieces; for implementors of a backend.
    #[must_use]
    pub fn new(
        stat: Option<PathStat>,
        pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self {
            stat,
            pieces: pieces.boxed(),
        }
    }

    /// What the engine says of the file that the archive is of. `None` where the archive came by way of a
    /// command in the container.
    #[must_use]
    pub fn stat(&self) -> Option<&PathStat> {
        self.stat.as_ref()
    }
}

impl Stream for ArchiveStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(context)
    }
}

impl fmt::Debug for ArchiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveStream")
            .field("stat", &self.stat)
            .finish_non_exhaustive()
    }
}

/// What a file is.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a pipe, a socket.
    Special,
}

/// What the engine says of a file in a container.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathStat {
    /// Its name, without the directories before it.
    pub name: String,
    /// What it is; a link isn't followed.
    pub kind: FileKind,
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits, with those for set-uid, set-gid and sticky (`0o7777`).
    pub mode: u32,
    /// When it was changed.
    pub modified: Option<SystemTime>,
    /// Where a link leads: on Docker, the end of all links on the way.
    pub link_target: Option<String>,
}

impl PathStat {
    /// A regular file; for implementors of a backend.
    #[must_use]
    pub fn new(name: impl Into<String>, size: u64) -> Self {
        Self {
            name: name.into(),
            kind: FileKind::File,
            size,
            mode: 0o644,
            modified: None,
            link_target: None,
        }
    }

    setters! {
        /// Sets what it is.
        with_kind(kind: FileKind);
        /// Sets the permission bits.
        with_mode(mode: u32);
        /// Sets when it was changed.
        with_modified(modified: Option<SystemTime>);
        /// Sets where a link leads.
        with_link_target(link_target: Option<String>);
    }
}

/// How the engine unpacks an archive.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutArchiveOptions {
    /// Whether a directory may not become a file, nor a file a directory.
    pub no_overwrite_dir_non_dir: bool,
    /// Whether the files get the container's user and group, where the engine finds both, instead of those in
    /// the archive.
    pub copy_uid_gid: bool,
}

impl PutArchiveOptions {
    setters! {
        /// Sets whether a directory may not become a file, nor a file a directory.
        with_no_overwrite_dir_non_dir(no_overwrite_dir_non_dir: bool);
        /// Sets whether the files get the container's user and group.
        with_copy_uid_gid(copy_uid_gid: bool);
    }
}
