//! Archives that a hostile container would make. Around the directory that is written lies one that nothing may change.

mod property;

use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, symlink};

use tar::{Builder, EntryType, Header};

use super::*;
use crate::backend::files::sieve::Origin;
use crate::error::ErrorKind;
use crate::model::{ArchiveLimits, SpecialFiles};

/// An entry as it is written, sound or not.
#[derive(Debug, Clone)]
struct Entry {
    kind: EntryType,
    name: String,
    link: String,
    mode: u32,
    contents: Vec<u8>,
}

fn entry(kind: EntryType, name: &str, link: &str) -> Entry {
    Entry {
        kind,
        name: name.to_owned(),
        link: link.to_owned(),
        mode: 0o644,
        contents: Vec::new(),
    }
}

fn file(name: &str, contents: &str) -> Entry {
    Entry {
        contents: contents.into(),
        ..entry(EntryType::Regular, name, "")
    }
}

fn directory(name: &str) -> Entry {
    entry(EntryType::Directory, name, "")
}

fn link(name: &str, to: &str) -> Entry {
    entry(EntryType::Symlink, name, to)
}

fn hard_link(name: &str, to: &str) -> Entry {
    entry(EntryType::Link, name, to)
}

/// The entries one after the other, with long names as GNU writes them; the library would refuse to write most.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        for (kind, text) in [
            (EntryType::GNULongName, &entry.name),
            (EntryType::GNULongLink, &entry.link),
        ] {
            if text.len() > 100 {
                let mut header = header(kind, 0o644, text.len() as u64);
                header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
                header.set_cksum();
                archive.append(&header, text.as_bytes()).expect("a vector");
            }
        }
        let mut header = header(entry.kind, entry.mode, entry.contents.len() as u64);
        let copy = |field: &mut [u8; 100], text: &str| {
            let length = text.len().min(100);
            field[..length].copy_from_slice(&text.as_bytes()[..length]);
        };
        copy(&mut header.as_old_mut().name, &entry.name);
        copy(&mut header.as_old_mut().linkname, &entry.link);
        header.set_cksum();
        archive
            .append(&header, &entry.contents[..])
            .expect("a vector");
    }
    archive.into_inner().expect("a vector")
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(12345);
    header.set_gid(12345);
    header.set_mtime(1_000_000_000);
    header
}

/// A directory for the copy, and around it what must stay as it is.
struct Fence {
    outside: tempfile::TempDir,
}

/// Path, mode, owner, links, and what is in it.
type Seen = Vec<(PathBuf, u32, u32, u64, Vec<u8>)>;

fn look(root: &Path, without: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path == without {
                continue;
            }
            let metadata = path.symlink_metadata().expect("an entry");
            let contents = if metadata.is_dir() {
                ahead.push(path.clone());
                Vec::new()
            } else if metadata.is_symlink() {
                std::fs::read_link(&path)
                    .expect("a link")
                    .into_os_string()
                    .into_encoded_bytes()
            } else if metadata.is_file() {
                std::fs::read(&path).expect("a file")
            } else {
                Vec::new()
            };
            let links = if metadata.is_dir() {
                0
            } else {
                metadata.nlink()
            };
            seen.push((path, metadata.mode(), metadata.uid(), links, contents));
        }
    }
    seen.sort();
    seen
}

impl Fence {
    fn new() -> Self {
        let outside = tempfile::tempdir().expect("a directory");
        for name in ["victim", "private/victim"] {
            let path = outside.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, "untouched").expect("a file");
        }
        Self { outside }
    }

    fn target(&self) -> PathBuf {
        self.outside.path().join("copy")
    }

    fn outside(&self) -> Seen {
        look(self.outside.path(), &self.target())
    }

    fn inside(&self) -> Seen {
        look(&self.target(), Path::new(""))
    }

    fn extract(&self, archive: &[u8], links: OutwardLinks) -> Result<CopyReport> {
        self.extract_by(archive, links, rules())
    }

    fn extract_by(&self, archive: &[u8], links: OutwardLinks, rules: Rules) -> Result<CopyReport> {
        let before = self.outside();
        let name = OsStr::new("file");
        let done = extract(Cursor::new(archive), &self.target(), name, &rules, links);
        let after = self.outside();
        assert!(before == after, "{before:?}\nbecame\n{after:?}");
        done
    }
}

fn rules() -> Rules {
    Rules {
        origin: Origin::Container { root: false },
        limits: ArchiveLimits::default(),
        special: SpecialFiles::Refuse,
    }
}

#[test]
fn what_leads_out_is_refused_by_name() {
    use OutwardLinks::{Keep, Refuse};
    let outside = tempfile::tempdir().expect("a directory");
    let absolute = outside.path().to_string_lossy().into_owned();
    let deep = format!("w/{}up", "../".repeat(40));
    for (why, links, entries) in [
        ("upwards", Refuse, vec![file("w/../../victim", "x")]),
        ("upwards", Refuse, vec![file("../victim", "x")]),
        ("upwards", Refuse, vec![directory("w/..")]),
        ("upwards", Refuse, vec![directory("w/a/../../../private")]),
        ("upwards", Refuse, vec![file(&deep, "x")]),
        ("upwards", Refuse, vec![file("w/./.././../victim", "x")]),
        ("absolute", Refuse, vec![file("/etc/victim", "x")]),
        ("absolute", Refuse, vec![file("//w/victim", "x")]),
        ("may lead out", Refuse, vec![link("w/l", "/etc")]),
        ("may lead out", Refuse, vec![link("w/l", "..")]),
        (
            "may lead out",
            Refuse,
            vec![directory("w/a"), link("w/a/l", "../..")],
        ),
        (
            "may lead out",
            Refuse,
            vec![link("w/a/b/c", "../../../victim")],
        ),
        ("may lead out", Refuse, vec![link("w/a", "b/../c")]),
        // In the copy by its letters, out of it on the way.
        (
            "may lead out",
            Refuse,
            vec![
                directory("w/a/b"),
                link("w/a/b/l", "."),
                link("w/m", "a/b/l/l/../../.."),
            ],
        ),
        (
            "goes through",
            Keep,
            vec![link("w/l", ".."), file("w/l/victim", "x")],
        ),
        (
            "goes through",
            Keep,
            vec![link("w/l", &absolute), file("w/l/victim", "x")],
        ),
        (
            "goes through",
            Keep,
            vec![link("w/l", "../private"), directory("w/l/d")],
        ),
        (
            "goes through",
            Keep,
            vec![link("w/l", ".."), directory("w/l"), file("w/l/victim", "x")],
        ),
        (
            "goes through",
            Keep,
            vec![
                link("w/a", "."),
                link("w/a/b", ".."),
                file("w/a/b/victim", "x"),
            ],
        ),
        (
            "goes through",
            Refuse,
            vec![file("w/f", "x"), file("w/f/g", "x")],
        ),
        (
            "isn't a file of the copy",
            Keep,
            vec![hard_link("w/h", "w/absent")],
        ),
        (
            "isn't a file of the copy",
            Keep,
            vec![link("w/l", "../victim"), hard_link("w/h", "w/l")],
        ),
        (
            "isn't a file of the copy",
            Keep,
            vec![link("w/l", ".."), hard_link("w/h", "w/l/victim")],
        ),
        (
            "isn't a file of the copy",
            Keep,
            vec![directory("w/d"), hard_link("w/h", "w/d")],
        ),
        (
            "isn't a file of the copy",
            Keep,
            vec![hard_link("w/h", "w")],
        ),
        ("upwards", Keep, vec![hard_link("w/h", "w/../../victim")]),
        ("upwards", Keep, vec![hard_link("w/h", "../victim")]),
        ("absolute", Keep, vec![hard_link("w/h", "/etc/passwd")]),
        ("leads nowhere", Keep, vec![link("w/l", "")]),
        (
            "device or pipe",
            Keep,
            vec![entry(EntryType::Fifo, "w/p", "")],
        ),
        (
            "device or pipe",
            Keep,
            vec![entry(EntryType::Char, "w/p", "")],
        ),
        (
            "device or pipe",
            Keep,
            vec![entry(EntryType::Block, "w/p", "")],
        ),
        (
            "unknown",
            Keep,
            vec![entry(EntryType::new(b'Z'), "w/p", "")],
        ),
    ] {
        for there in [false, true] {
            let fence = Fence::new();
            if there {
                std::fs::create_dir(fence.target()).expect("a directory");
            }
            let mut all = vec![directory("w"), file("w/first", "first")];
            all.extend(entries.iter().cloned());
            let error = fence.extract(&archive(&all), links).expect_err(why);
            assert_eq!(error.kind(), ErrorKind::Unsafe, "{error} {entries:?}");
            assert!(error.message().contains(why), "{error} {entries:?}");
            let named = entries.iter().any(|entry| {
                let name = entry.name.strip_prefix("w/").unwrap_or(&entry.name);
                let shown = name.chars().take(20).collect::<String>();
                error.message().contains(&shown)
            });
            assert!(named, "{error} names one of {entries:?}");
            // One that is new goes as a whole.
            assert_eq!(fence.target().join("first").exists(), there);
        }
    }
}

#[test]
fn what_was_there_is_neither_followed_nor_written_to() {
    let entries = |name: &str| archive(&[directory("w"), file(name, "new")]);
    let fence = Fence::new();
    let (target, victim) = (fence.target(), fence.outside.path().join("victim"));
    std::fs::create_dir(&target).expect("a directory");
    symlink(fence.outside.path(), target.join("away")).expect("a link");
    symlink(&victim, target.join("link")).expect("a link");
    std::fs::write(target.join("own"), "old").expect("a file");
    std::fs::hard_link(target.join("own"), target.join("other name")).expect("a link");

    let through = fence.extract(&entries("w/away/victim"), OutwardLinks::Keep);
    assert_eq!(through.expect_err("a link").kind(), ErrorKind::Unsafe);
    for name in ["link", "own"] {
        let replaced = fence.extract(&entries(&format!("w/{name}")), OutwardLinks::Refuse);
        replaced.expect("it is replaced");
        let path = target.join(name);
        assert!(path.symlink_metadata().expect("a file").is_file());
        assert_eq!(std::fs::read(path).expect("a file"), b"new");
    }
    let kept = std::fs::read(target.join("other name"));
    assert_eq!(
        kept.expect("a file"),
        b"old",
        "who else had it has it still"
    );
    assert_eq!(std::fs::read(victim).expect("a file"), b"untouched");
    // A directory is no file, and nothing is removed with what is in it.
    std::fs::create_dir(target.join("full")).expect("a directory");
    let over = fence.extract(&entries("w/full"), OutwardLinks::Refuse);
    assert_eq!(over.expect_err("a directory").kind(), ErrorKind::Host);
}

#[test]
fn sound_archives_are_copied_whole() {
    let mut tool = file("w/tool", "tool");
    tool.mode = 0o6755;
    let mut shut = directory("w/shut");
    shut.mode = 0o2000;
    let long = format!("w/{}/{}", "d".repeat(120), "f".repeat(200));
    let entries = [
        directory("w"),
        tool,
        shut,
        file("w/shut/within", "within"),
        file("w/made/on/the/way", "x"),
        link("w/made/on/up", "../../tool"),
        link("w/dangling", "no/where"),
        hard_link("w/hard", "w/tool"),
        file(&long, "long"),
        file("w/twice", "once"),
        file("w/twice", "twice"),
    ];
    let fence = Fence::new();
    let report = fence.extract(&archive(&entries), OutwardLinks::Refuse);
    let report = report.expect("it is sound");
    // Three directories were made on the way to files, and one to the long name.
    assert_eq!(
        (report.entries, report.bytes, report.skipped),
        (10 + 4, 24, 0)
    );
    let target = fence.target();
    let metadata = |name: &str| target.join(name).symlink_metadata().expect("a file");
    assert_eq!(metadata("tool").mode() & 0o7777, 0o755, "without set-uid");
    assert_eq!(metadata("shut").mode() & 0o7777, 0o700, "open to its owner");
    assert_eq!(metadata("tool").mtime(), 1_000_000_000);
    assert_eq!(metadata("tool").nlink(), 2);
    assert_eq!(
        metadata("tool").uid(),
        metadata("").uid(),
        "this process's own"
    );
    assert_eq!(
        std::fs::read(target.join("twice")).expect("a file"),
        b"twice"
    );
    assert_eq!(
        std::fs::read(target.join("made/on/up")).expect("a file"),
        b"tool"
    );
}

#[test]
fn what_is_unwanted_may_be_left_out() {
    let entries = [
        directory("w"),
        entry(EntryType::Fifo, "w/pipe", ""),
        link("w/out", "/etc"),
        file("w/file", "x"),
    ];
    let fence = Fence::new();
    let skip = Rules {
        special: SpecialFiles::Skip,
        ..rules()
    };
    let report = fence.extract_by(&archive(&entries), OutwardLinks::Skip, skip);
    let report = report.expect("the rest");
    assert_eq!((report.entries, report.skipped), (1, 2));
    assert_eq!(fence.inside().len(), 1);
}

/// Docker writes a dot before the names of the root's own archive, Podman nothing.
#[test]
fn the_root_has_no_name_of_its_own() {
    for before in ["./", ""] {
        let named = |name: &str| format!("{before}{name}");
        let entries = [
            directory(&named("etc/")),
            file(&named("etc/passwd"), "x"),
            hard_link(&named("shadow"), &named("etc/passwd")),
        ];
        let fence = Fence::new();
        let of_root = Rules {
            origin: Origin::Container { root: true },
            ..rules()
        };
        let report = fence.extract_by(&archive(&entries), OutwardLinks::Refuse, of_root);
        assert_eq!(report.expect("it is sound").entries, 3);
        for name in ["etc/passwd", "shadow"] {
            let text = std::fs::read(fence.target().join(name)).expect("a file");
            assert_eq!(text, b"x", "{before}{name}");
        }
    }
}

#[test]
fn one_file_gets_the_name_that_it_was_asked_for_by() {
    let fence = Fence::new();
    let copied = fence.extract(&archive(&[file("resolved", "x")]), OutwardLinks::Refuse);
    assert_eq!(copied.expect("it is copied").entries, 1);
    assert!(fence.target().join("file").is_file());
}

#[test]
fn limits_hold_whatever_the_headers_say() {
    let limits = ArchiveLimits::default()
        .with_max_bytes(1000u64)
        .with_max_file_bytes(600u64)
        .with_max_entries(10u64)
        .with_max_depth(5usize);
    let rules = Rules { limits, ..rules() };
    let of = |size: usize| "x".repeat(size);
    let many =
        |count: usize| -> Vec<_> { (0..count).map(|n| file(&format!("w/{n}"), "")).collect() };
    let mut claims = archive(&[file("w/f", "x")]);
    let huge = header(EntryType::Regular, 0o644, u64::MAX / 2);
    claims[124..136].copy_from_slice(&huge.as_bytes()[124..136]);
    resum(&mut claims);
    let mut sparse = header(EntryType::GNUSparse, 0o644, 0);
    sparse.as_old_mut().name[..3].copy_from_slice(b"w/s");
    let gnu = sparse.as_gnu_mut().expect("gnu");
    gnu.set_real_size(1 << 30);
    gnu.sparse[0].offset.copy_from_slice(b"10000000000\0");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    sparse.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&sparse, &b""[..]).expect("a vector");
    let sparse = builder.into_inner().expect("a vector");
    let mut pax = Builder::new(Vec::new());
    let extension: [(&str, &[u8]); 2] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.realsize", b"99999999"),
    ];
    pax.append_pax_extensions(extension).expect("a vector");
    let mut one = header(EntryType::Regular, 0o644, 1);
    one.set_cksum();
    pax.append_data(&mut one, "w/s", &b"x"[..])
        .expect("a vector");
    let pax = pax.into_inner().expect("a vector");
    let mut trailed = archive(&[file("w/f", "x")]);
    trailed.resize(trailed.len() + (3 << 20), 0);

    for (what, bytes, kind) in [
        (
            "in all",
            archive(&[file("w/a", &of(600)), file("w/b", &of(401))]),
            ErrorKind::TooLarge,
        ),
        (
            "601 bytes",
            archive(&[file("w/a", &of(601))]),
            ErrorKind::TooLarge,
        ),
        ("too many files", archive(&many(11)), ErrorKind::TooLarge),
        (
            "too many files",
            archive(&[
                file("w/1/2/3/f", ""),
                file("w/4/5/6/f", ""),
                file("w/7/8/9/f", ""),
            ]),
            ErrorKind::TooLarge,
        ),
        (
            "too many parts",
            archive(&[file("w/1/2/3/4/5/6", "")]),
            ErrorKind::TooLarge,
        ),
        (
            "256 bytes",
            archive(&[file(&format!("w/{}", of(256)), "")]),
            ErrorKind::TooLarge,
        ),
        (
            "a path has",
            archive(&[file(&format!("w/{}", "y/".repeat(3000)), "")]),
            ErrorKind::TooLarge,
        ),
        ("a file has", claims, ErrorKind::TooLarge),
        (
            "headers are too long",
            archive(&[file(&format!("w/{}", of(5 << 20)), "")]),
            ErrorKind::TooLarge,
        ),
        (
            "headers are too long",
            archive(&[link("w/l", &of(5 << 20))]),
            ErrorKind::TooLarge,
        ),
        ("headers are too long", trailed, ErrorKind::TooLarge),
        ("sparse", sparse, ErrorKind::Unsafe),
        ("sparse", pax, ErrorKind::Unsafe),
        ("gzip", vec![0x1f, 0x8b, 8, 0], ErrorKind::Unsafe),
        ("malformed", vec![b'x'; 2048], ErrorKind::Decode),
        ("malformed", vec![b'x'; 100], ErrorKind::Decode),
    ] {
        let fence = Fence::new();
        let done = fence.extract_by(&bytes, OutwardLinks::Keep, rules.clone());
        let error = done.expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.message().contains(what), "{what}: {error}");
        assert!(error.to_string().len() < 400, "{what}: {error}");
        assert!(!fence.target().exists(), "{what}");
    }
    let fence = Fence::new();
    let just = archive(&[file("w/a", &of(600)), file("w/b", &of(400))]);
    let done = fence.extract_by(&just, OutwardLinks::Refuse, rules);
    done.expect("what is allowed is allowed");
}

/// Writes the checksum of the first header anew.
fn resum(archive: &mut [u8]) {
    let mut header = Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&archive[..512]);
    header.set_cksum();
    archive[..512].copy_from_slice(header.as_bytes());
}

#[test]
fn an_archive_that_breaks_off_leaves_nothing() {
    let whole = archive(&[
        directory("w"),
        file("w/a", &"x".repeat(2000)),
        file("w/b", "y"),
    ]);
    let end = whole.len() - 1024;
    for length in (1..end).step_by(97) {
        // At a border between entries, only the stream itself can tell.
        if matches!(length, 512 | 3072) {
            continue;
        }
        let fence = Fence::new();
        let done = fence.extract(&whole[..length], OutwardLinks::Refuse);
        let kind = done.expect_err("a part").kind();
        assert!(
            matches!(kind, ErrorKind::Decode | ErrorKind::Unsafe),
            "{length}: {kind:?}"
        );
        assert!(!fence.target().exists(), "{length}");
    }
}
