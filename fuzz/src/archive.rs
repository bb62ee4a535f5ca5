//! Archives: as they are made up, and with sums that are right, without which nobody would read any further.

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use tar::Header;

const BLOCK: usize = 512;

/// Sets the sum of every header that a reader would come to.
pub fn mend(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        at += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let size = header.entry_size().unwrap_or(0);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        at = at.saturating_add(size.min(1 << 30).next_multiple_of(BLOCK));
    }
}

/// A part of a path: few names, so that entries meet, and what leads elsewhere.
#[derive(Arbitrary, Debug)]
pub enum Part {
    A,
    B,
    C,
    Up,
    Here,
    Nothing,
    /// A name of that many letters.
    Long(u16),
    Other(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
pub enum Base {
    /// Beneath what the archive is of.
    Within,
    Relative,
    Root,
    /// In the directory that must stay as it is, by its whole path.
    Outside,
}

#[derive(Arbitrary, Debug)]
pub struct Name {
    base: Base,
    parts: Vec<Part>,
}

impl Name {
    fn bytes(&self, outside: &[u8]) -> Vec<u8> {
        let mut name = match self.base {
            Base::Within => b"w/".to_vec(),
            Base::Relative => Vec::new(),
            Base::Root => b"/".to_vec(),
            Base::Outside => [outside, b"/"].concat(),
        };
        for (index, part) in self.parts.iter().take(80).enumerate() {
            if index > 0 {
                name.push(b'/');
            }
            match part {
                Part::A => name.push(b'a'),
                Part::B => name.push(b'b'),
                Part::C => name.push(b'c'),
                Part::Up => name.extend(b".."),
                Part::Here => name.push(b'.'),
                Part::Nothing => {}
                Part::Long(length) => name.extend(vec![b'l'; usize::from(length % 300)]),
                Part::Other(bytes) => name.extend(bytes),
            }
        }
        name
    }
}

#[derive(Arbitrary, Debug)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Link,
    /// Whatever byte says what it is.
    Other(u8),
}

/// An entry, sound or not.
#[derive(Arbitrary, Debug)]
pub struct Entry {
    kind: Kind,
    name: Name,
    link: Name,
    mode: u32,
    contents: Vec<u8>,
    /// How much more its header promises.
    more: u8,
    /// An extended header's key and value.
    extension: Option<(String, Vec<u8>)>,
    /// A byte of the header that is another.
    patch: Option<(u16, u8)>,
}

/// Writes the entries one after the other; the library would refuse to write most.
pub fn write(entries: &[Entry], outside: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let (name, link) = (entry.name.bytes(outside), entry.link.bytes(outside));
        if let Some((key, value)) = &entry.extension {
            let record = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
            // The length counts its own digits.
            let digits = (1..).find(|digits| (record.len() + digits).to_string().len() == *digits);
            let length = (record.len() + digits.unwrap_or(0)).to_string();
            let record = [length.as_bytes(), &record].concat();
            put(
                &mut archive,
                header(b'x', b"pax", b"", 0o644, record.len()),
                &record,
            );
        }
        for (kind, text) in [(b'L', &name), (b'K', &link)] {
            if text.len() > 100 {
                let header = header(kind, b"././@LongLink", b"", 0o644, text.len());
                put(&mut archive, header, text);
            }
        }
        let kind = match entry.kind {
            Kind::File => b'0',
            Kind::Link => b'1',
            Kind::Symlink => b'2',
            Kind::Directory => b'5',
            Kind::Other(kind) => kind,
        };
        let size = entry.contents.len() + usize::from(entry.more);
        let mut header = header(kind, &name, &link, entry.mode, size);
        if let Some((at, byte)) = entry.patch {
            header.as_mut_bytes()[usize::from(at) % BLOCK] = byte;
        }
        put(&mut archive, header, &entry.contents);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(kind: u8, name: &[u8], link: &[u8], mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(mode & 0o7777);
    header.set_size(size as u64);
    header.set_mtime(1_000_000_000);
    let old = header.as_old_mut();
    for (field, text) in [(&mut old.name, name), (&mut old.linkname, link)] {
        let length = text.len().min(field.len());
        field[..length].copy_from_slice(&text[..length]);
    }
    header
}

fn put(archive: &mut Vec<u8>, mut header: Header, contents: &[u8]) {
    header.set_cksum();
    archive.extend(header.as_bytes());
    archive.extend(contents);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}
