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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::files::sieve::Origin;
    use crate::model::{ArchiveLimits, SpecialFiles};

    fn rules() -> Rules {
        Rules {
            origin: Origin::Caller,
            limits: ArchiveLimits::default(),
            special: SpecialFiles::Refuse,
        }
    }

    fn archive(entries: &[(EntryType, &str, &str)]) -> Bytes {
        let mut archive = Builder::new(Vec::new());
        for (kind, name, link) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o6755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(7);
            let contents = if *kind == EntryType::Regular {
                *link
            } else {
                ""
            };
            header.set_size(contents.len() as u64);
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            if contents.is_empty() && !link.is_empty() {
                header.set_link_name(link).expect("a short name");
            }
            header.set_cksum();
            archive
                .append(&header, contents.as_bytes())
                .expect("a vector");
        }
        archive.into_inner().expect("a vector").into()
    }

    #[test]
    fn entries_are_written_anew_for_their_owner() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let from = archive(&[
            (Directory, "./", ""),
            (Directory, "d/", ""),
            (Regular, ".//d/./f", "contents"),
            (Symlink, "l", "/anywhere/../at/all"),
            (Link, "h", "./d/f"),
        ]);
        let packed = repack_bytes(&from, Owner::new(5, 6), &rules()).expect("it is sound");
        let mut packed = tar::Archive::new(&packed[..]);
        let entries = packed.entries().expect("an archive").map(|entry| {
            let mut entry = entry.expect("an entry");
            let mut contents = String::new();
            entry.read_to_string(&mut contents).expect("contents");
            let header = entry.header();
            let owner = (header.uid().expect("uid"), header.gid().expect("gid"));
            assert_eq!(
                (
                    owner,
                    header.mode().expect("mode"),
                    header.mtime().expect("mtime")
                ),
                ((5, 6), 0o755, 7)
            );
            let text = |path: &Path| path.to_string_lossy().into_owned();
            let link = entry.link_name().expect("a link").map(|link| text(&link));
            (
                text(&entry.path().expect("a path")),
                link.unwrap_or_default(),
                contents,
            )
        });
        let entries: Vec<_> = entries.collect();
        let expected = [
            ("d", "", ""),
            ("d/f", "", "contents"),
            ("l", "/anywhere/../at/all", ""),
            ("h", "d/f", ""),
        ];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(entries, expected);
    }

    #[test]
    fn no_entry_goes_through_a_link_of_the_same_archive() {
        use EntryType::{Directory, Link, Regular, Symlink};
        for entries in [
            &[(Symlink, "l", "/etc"), (Regular, "l/f", "x")][..],
            &[(Symlink, "a/l", "/etc"), (Regular, "a/l/b/f", "x")],
            &[(Symlink, "l", "/etc"), (Directory, "l", "")],
            &[
                (Symlink, "l", "/etc"),
                (Regular, "l", "x"),
                (Regular, "l/f", "x"),
            ],
            &[(Symlink, "l", "/etc"), (Link, "h", "l")],
            &[(Symlink, "l", "/etc"), (Link, "h", "l/passwd")],
        ] {
            let packed = repack_bytes(&archive(entries), Owner::ROOT, &rules());
            let error = packed.expect_err("it goes through");
            assert_eq!(error.field(), Some("archive"), "{error}");
            assert!(error.message().contains("through a link"), "{error}");
        }
        let beside = [
            (Symlink, "l", "/etc"),
            (Regular, "l2/f", "x"),
            (Regular, "l", "x"),
        ];
        repack_bytes(&archive(&beside), Owner::ROOT, &rules()).expect("none goes through");
    }

    #[test]
    fn what_is_no_plain_archive_is_refused() {
        for (begin, name) in [
            (&[0x1f, 0x8b, 8][..], "gzip"),
            (b"BZh9", "bzip2"),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
            (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        ] {
            let mut bytes = begin.to_vec();
            bytes.resize(2000, 7);
            let error = repack_bytes(&bytes.into(), Owner::ROOT, &rules());
            let error = error.expect_err("it is compressed");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(name), "{error}");
        }
        let error = repack_bytes(&vec![7; 2000].into(), Owner::ROOT, &rules());
        assert_eq!(
            error.expect_err("it is none").kind(),
            ErrorKind::InvalidInput
        );
        repack_bytes(&Bytes::new(), Owner::ROOT, &rules()).expect("it holds nothing");
    }
}
