//! A caller's archive on its way into a container: checked, and written anew with the owner that was asked for.

use std::collections::HashSet;
use std::io::{Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tar::{Builder, EntryType, Header};

use super::bridge::carried;
use super::meter::Meter;
use super::sieve::{Item, Kind, Rules, Sink, sift};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CopyReport, Owner};

/// How many bytes of links' names are remembered.
const MAX_LINKS: usize = 16 << 20;

/// Writes entries as they are wanted.
pub(super) struct Packer<W: Write> {
    builder: Builder<W>,
    owner: Owner,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(to: W, owner: Owner) -> Self {
        Self {
            builder: Builder::new(to),
            owner,
        }
    }

    /// Writes an entry; the contents must be all that its header promises.
    pub(super) fn add(&mut self, item: &Item, contents: &mut dyn Read) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(item.mode);
        header.set_uid(self.owner.uid.into());
        header.set_gid(self.owner.gid.into());
        header.set_mtime(item.modified);
        header.set_size(0);
        let (path, builder) = (&item.path, &mut self.builder);
        let added = match &item.kind {
            Kind::Directory => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, path, std::io::empty())
            }
            Kind::File { size } => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(*size);
                builder.append_data(&mut header, path, contents)
            }
            Kind::Symlink(target) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, path, target)
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Link);
                builder.append_link(&mut header, path, target)
            }
        };
        added.map_err(written)
    }

    pub(super) fn finish(self) -> Result<W> {
        self.builder.into_inner().map_err(written)
    }
}

/// The error of what couldn't be read or sent on.
pub(super) fn written(error: std::io::Error) -> Error {
    carried(error, |error| {
        let message = "the archive is malformed or ends too early";
        Error::invalid("archive", message).with_source(error)
    })
}

struct Repacker<W: Write> {
    packer: Packer<W>,
    rules: Rules,
    links: HashSet<PathBuf>,
    remembered: usize,
}

impl<W: Write> Repacker<W> {
    /// No entry may go where a link of the same archive leads.
    fn beside_links(&self, path: &Path, whole: bool) -> Result<()> {
        let mut before = path.ancestors().skip(usize::from(!whole));
        if before.any(|path| self.links.contains(path)) {
            return Err(self
                .rules
                .refuse(path, "goes through a link of the same archive"));
        }
        Ok(())
    }

    fn remember(&mut self, path: &Path) -> Result<()> {
        self.remembered += path.as_os_str().as_bytes().len() + size_of::<PathBuf>();
        if self.remembered > MAX_LINKS {
            let message = "the archive has more links than can be kept in mind";
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        self.links.insert(path.to_owned());
        Ok(())
    }
}

impl<W: Write> Sink for Repacker<W> {
    fn take(&mut self, item: Item, contents: &mut dyn Read, _: &mut Meter) -> Result<()> {
        if item.path.as_os_str().is_empty() {
            // The directory itself is there, and stays as it is.
            return match item.kind {
                Kind::Directory => Ok(()),
                _ => Err(self.rules.refuse(&item.path, "has no name")),
            };
        }
        // Programs differ in whether a directory replaces a link.
        self.beside_links(&item.path, item.kind == Kind::Directory)?;
        match &item.kind {
            Kind::Symlink(_) => self.remember(&item.path)?,
            Kind::Link(target) => self.beside_links(target, true)?,
            Kind::Directory | Kind::File { .. } => {}
        }
        self.packer.add(&item, contents)
    }
}

/// Reads one archive and writes the other.
pub(super) fn repack<W: Write>(
    archive: impl Read,
    to: W,
    owner: Owner,
    rules: &Rules,
) -> Result<(W, CopyReport)> {
    let mut repacker = Repacker {
        packer: Packer::new(to, owner),
        rules: rules.clone(),
        links: HashSet::new(),
        remembered: 0,
    };
    let report = sift(archive, rules, &mut repacker)?;
    Ok((repacker.packer.finish()?, report))
}

/// As [`repack`], in memory: all of it is checked before any of it is sent.
pub(super) fn repack_bytes(archive: &Bytes, owner: Owner, rules: &Rules) -> Result<Bytes> {
    let room = Vec::with_capacity(archive.len());
    let (packed, _) = repack(Cursor::new(archive), room, owner, rules)?;
    Ok(packed.into())
}
