//! The files of images.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::node::{Body, Kind, MAX_DEPTH, Node, Parts};

/// What stands where a program would: it is run as the built-in one of its name.
const PROGRAM: &[u8] = b"\x7fELF: run by the fake engine's own programs, by name";

/// The latest time that can be written down: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// The files of an image, shared by all containers of it.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(super) root: Arc<Node>,
}

impl Tree {
    /// The programs that are built in, as busybox would have them, and the usual directories.
    pub(crate) fn busybox() -> Arc<Self> {
        let old = |mut node: Node| {
            node.modified = UNIX_EPOCH;
            node
        };
        let directory = |mode| old(Node::directory(mode));
        let file = |text: &str| old(Node::file(0o644, text));
        let programs = super::programs::names()
            .map(|name| (name.to_owned(), old(Node::link("busybox"))))
            .chain([("busybox".to_owned(), old(Node::file(0o755, PROGRAM)))]);
        let etc = [
            (
                "passwd",
                file("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
            ),
            ("group", file("root:x:0:\nnobody:x:65534:\n")),
        ];
        let named = |(name, node): (&str, Node)| (name.to_owned(), node);
        let root = directory(0o755).with(
            [
                ("bin", directory(0o755).with(programs)),
                ("dev", directory(0o755)),
                ("etc", directory(0o755).with(etc.map(named))),
                ("proc", directory(0o755)),
                ("root", directory(0o700)),
                ("sys", directory(0o755)),
                ("tmp", directory(0o1777)),
            ]
            .map(named),
        );
        Arc::new(Self {
            root: Arc::new(root),
        })
    }

    /// Of a tar archive, as an import or a layer is one.
    pub(crate) fn from_tar(archive: &[u8]) -> io::Result<Arc<Self>> {
        let mut root = Arc::new(Node::directory(0o755));
        unpack(archive, |path, node| insert(&mut root, path, node))?;
        Ok(Arc::new(Self {
            root: Arc::new(root.seal()),
        }))
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.root.total()
    }
}

/// Puts it there; directories on the way that aren't there are made, and one that is there keeps what is in it.
fn insert(root: &mut Arc<Node>, path: &[String], mut node: Node) -> super::errno::Result<()> {
    let Some((name, above)) = path.split_last() else {
        return Ok(());
    };
    let mut here = Arc::make_mut(root);
    for part in above {
        let entry = here.entries_mut()?.entry(part.clone());
        here = Arc::make_mut(entry.or_insert_with(|| Arc::new(Node::directory(0o755))));
    }
    let entries = here.entries_mut()?;
    if let (Kind::Directory(new), Some(old)) = (&mut node.kind, entries.get(name))
        && let Kind::Directory(old) = &old.kind
    {
        new.clone_from(old);
    }
    entries.insert(name.clone(), Arc::new(node));
    Ok(())
}

/// A file's entry of an archive, before it has a place.
pub(super) enum Packed {
    Node(Node),
    /// Another name of what the archive had before.
    HardLink(Parts),
}

/// The names of a path, without the dots.
pub(super) fn parts_of(path: &str) -> Parts {
    let parts = path.split('/');
    let parts = parts.filter(|part| !part.is_empty() && *part != ".");
    parts.map(str::to_owned).collect()
}

/// Every entry of an archive, in order.
pub(super) fn entries(
    archive: &[u8],
    mut each: impl FnMut(Parts, Packed) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let parts = parts_of(&path);
        if parts.len() > MAX_DEPTH || parts.iter().any(|part| part == "..") {
            return Err(io::Error::other(format!("invalid tar entry {path:?}")));
        }
        let target = entry
            .link_name_bytes()
            .map(|name| String::from_utf8_lossy(&name).into_owned());
        let header = entry.header();
        let kind = header.entry_type();
        let mode = header.mode().unwrap_or(0) & 0o7777;
        // A field that was left empty is nobody's complaint.
        let owner = (
            number(header.uid().unwrap_or(0)),
            number(header.gid().unwrap_or(0)),
        );
        let modified = header.mtime().unwrap_or(0).min(LATEST);
        let kind = match kind {
            kind if kind.is_dir() => Kind::Directory(Default::default()),
            kind if kind.is_symlink() => Kind::Link(target.unwrap_or_default()),
            kind if kind.is_hard_link() => {
                let target = parts_of(&target.unwrap_or_default());
                each(parts, Packed::HardLink(target))?;
                continue;
            }
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => {
                let mut contents = Vec::new();
                entry.read_to_end(&mut contents)?;
                Kind::File(Body::sealed(contents))
            }
            // Devices and pipes are nothing to a machine without a kernel.
            _ => continue,
        };
        let mut node = Node::new(kind, mode, owner);
        node.modified = UNIX_EPOCH + Duration::from_secs(modified);
        each(parts, Packed::Node(node))?;
    }
    Ok(())
}

fn unpack(
    archive: &[u8],
    mut insert: impl FnMut(&[String], Node) -> super::errno::Result<()>,
) -> io::Result<()> {
    // Of hard links: what came before by that name.
    let mut seen = std::collections::HashMap::new();
    entries(archive, |path, packed| {
        let node = match packed {
            Packed::Node(node) => node,
            Packed::HardLink(target) => match seen.get(&target) {
                Some(node) => Node::clone(node),
                None => return Err(io::Error::other("a hard link to nothing")),
            },
        };
        if let Kind::File(_) = node.kind {
            seen.insert(path.clone(), node.clone());
        }
        insert(&path, node).map_err(|errno| io::Error::other(errno.to_string()))
    })
}

fn number(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

/// Packs what is at a node under a name, with all that is beneath.
pub(super) fn pack(name: &str, node: &Arc<Node>) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, name, node)?;
    builder.into_inner()
}

pub(super) fn append(
    builder: &mut tar::Builder<Vec<u8>>,
    name: &str,
    node: &Node,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(node.uid.into());
    header.set_gid(node.gid.into());
    header.set_mtime(seconds(node.modified));
    header.set_size(0);
    match &node.kind {
        Kind::Directory(entries) => {
            header.set_entry_type(tar::EntryType::Directory);
            entry(builder, &mut header, &format!("{name}/"), &[])?;
            for (entry, node) in entries {
                append(builder, &format!("{name}/{entry}"), node)?;
            }
            Ok(())
        }
        Kind::File(body) => {
            let contents = body.contents();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(contents.len() as u64);
            entry(builder, &mut header, name, &contents)
        }
        Kind::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            if target.len() > SHORT {
                long(builder, tar::EntryType::GNULongLink, target)?;
            }
            if let Some(gnu) = header.as_gnu_mut() {
                fill(&mut gnu.linkname, target);
            }
            entry(builder, &mut header, name, &[])
        }
        Kind::Device(_) => {
            header.set_entry_type(tar::EntryType::Char);
            header.set_device_major(1)?;
            header.set_device_minor(3)?;
            entry(builder, &mut header, name, &[])
        }
    }
}

/// How long a name may be in a header.
const SHORT: usize = 100;

/// One entry, whose name is written as it is: the root's own archive has absolute ones, which the library refuses.
fn entry(
    builder: &mut tar::Builder<Vec<u8>>,
    header: &mut tar::Header,
    name: &str,
    contents: &[u8],
) -> io::Result<()> {
    if name.len() > SHORT {
        long(builder, tar::EntryType::GNULongName, name)?;
    }
    if let Some(gnu) = header.as_gnu_mut() {
        fill(&mut gnu.name, name);
    }
    header.set_cksum();
    builder.append(header, contents)
}

fn long(builder: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, name: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(name.len() as u64 + 1);
    if let Some(gnu) = header.as_gnu_mut() {
        fill(&mut gnu.name, "././@LongLink");
    }
    header.set_cksum();
    builder.append(&header, [name.as_bytes(), b"\0"].concat().as_slice())
}

fn fill(field: &mut [u8; SHORT], text: &str) {
    field.fill(0);
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
