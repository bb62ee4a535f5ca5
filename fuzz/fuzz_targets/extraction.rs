//! Archives as a hostile container makes them, unpacked onto the disk one after the other: whatever they say, nothing is
//! changed outside the directory, nothing in it is special or leads out, and there is no more of it than was allowed.
#![no_main]

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use catamaran::fuzzing::extract;
use catamaran::model::{ArchiveLimits, CopyOptions, OutwardLinks, SpecialFiles};
use catamaran_fuzz::archive::{Entry, write};
use catamaran_fuzz::disk::{beneath, clear, own};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Links {
    Refuse,
    Skip,
    Keep,
}

#[derive(Arbitrary, Debug)]
struct Case {
    archives: Vec<Vec<Entry>>,
    links: Links,
    skip_special: bool,
    /// Whether the directory is there.
    there: bool,
    /// The limits, within what is small.
    limits: [u8; 4],
}

/// What stays as it is, with the directory that is written in the midst of it.
static OUTSIDE: LazyLock<PathBuf> = LazyLock::new(|| {
    let outside = own();
    for name in ["victim", "private/victim"] {
        let path = outside.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, "untouched").expect("a file");
    }
    outside
});

/// Path, inode, mode, links, when it was changed in any way, and what is in it.
type Seen = (PathBuf, u64, u32, u64, (i64, i64), Vec<u8>);

fn outside(copy: &Path) -> Vec<Seen> {
    let seen = |(path, found): (PathBuf, fs::Metadata)| {
        let contents = fs::read(&path).unwrap_or_default();
        let changed = (found.ctime(), found.ctime_nsec());
        (
            path,
            found.ino(),
            found.mode(),
            found.nlink(),
            changed,
            contents,
        )
    };
    let mut all: Vec<_> = beneath(&OUTSIDE, copy).into_iter().map(seen).collect();
    all.sort();
    all
}

/// How many entries and bytes there are; a file of several names is counted once.
fn held(copy: &Path) -> (u64, u64) {
    if copy.symlink_metadata().is_err() {
        return (0, 0);
    }
    let all = beneath(copy, Path::new(""));
    let files = all.iter().filter(|(_, found)| found.is_file());
    let sizes: HashMap<_, _> = files
        .map(|(_, found)| (found.ino(), found.size()))
        .collect();
    (all.len() as u64, sizes.values().sum())
}

fn inside(copy: &Path, links: OutwardLinks) {
    if copy.symlink_metadata().is_err() {
        return;
    }
    assert!(copy.symlink_metadata().is_ok_and(|found| found.is_dir()));
    for (path, found) in beneath(copy, Path::new("")) {
        let link = found.is_symlink();
        assert!(
            link || found.is_dir() || found.is_file(),
            "{path:?} is special"
        );
        assert!(
            link || found.mode() & 0o7000 == 0,
            "{path:?} has {:o}",
            found.mode()
        );
        if let (true, false, Ok(end)) = (link, links == OutwardLinks::Keep, path.canonicalize()) {
            assert!(end.starts_with(copy), "{path:?} leads to {end:?}");
        }
    }
}

fuzz_target!(|case: Case| {
    let copy = OUTSIDE.join("copy");
    if case.there {
        fs::create_dir(&copy).expect("a directory");
    }
    let [entries, bytes, file, depth] = case.limits;
    let limits = ArchiveLimits::default()
        .with_max_entries(u64::from(entries % 32) + 1)
        .with_max_bytes(u64::from(bytes) * 16)
        .with_max_file_bytes(u64::from(file) * 16)
        .with_max_depth(usize::from(depth % 16) + 1);
    let links = match case.links {
        Links::Refuse => OutwardLinks::Refuse,
        Links::Skip => OutwardLinks::Skip,
        Links::Keep => OutwardLinks::Keep,
    };
    let special = if case.skip_special {
        SpecialFiles::Skip
    } else {
        SpecialFiles::Refuse
    };
    let options = CopyOptions::default();
    let options = options
        .with_limits(limits)
        .with_special(special)
        .with_outward_links(links);
    for entries in case.archives.iter().take(4) {
        let archive = write(entries, OUTSIDE.as_os_str().as_bytes());
        let (before, had, new) = (outside(&copy), held(&copy), !copy.exists());
        let extracted = extract(&archive, &copy, &options);
        assert_eq!(outside(&copy), before);
        inside(&copy, links);
        let has = held(&copy);
        assert!(
            has.0 <= had.0 + limits.max_entries,
            "{had:?} became {has:?}"
        );
        assert!(has.1 <= had.1 + limits.max_bytes, "{had:?} became {has:?}");
        if let Ok(report) = &extracted {
            assert!(
                report.entries + report.skipped <= limits.max_entries,
                "{report:?}"
            );
            assert!(report.bytes <= limits.max_bytes, "{report:?}");
        } else if new {
            assert!(!copy.exists(), "what is new is there whole or not at all");
        }
    }
    clear(&copy);
});
