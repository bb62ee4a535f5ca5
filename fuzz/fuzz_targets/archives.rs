//! Archives as callers make them, on their way into a container: what is written anew leads nowhere else, and comes to
//! itself when it is written anew once more.
#![no_main]

use std::path::Component;

use bytes::Bytes;
use catamaran::fuzzing::{read_file, repack};
use catamaran_fuzz::archive::mend;
use catamaran_fuzz::memory::within;
use libfuzzer_sys::fuzz_target;

/// What the library makes room for where a header promises that much.
const PROMISED: usize = 128 << 10;

fuzz_target!(|bytes: &[u8]| {
    let mut archive = bytes.to_vec();
    mend(&mut archive);
    let archive = Bytes::from(archive);
    read_file(&archive, archive.len() as u64 / 2);
    within(16, PROMISED, archive.len(), || drop(repack(&archive)));
    let Ok(packed) = repack(&archive) else {
        return;
    };
    assert_eq!(repack(&packed).expect("what was written is taken"), packed);
    let mut read = tar::Archive::new(&packed[..]);
    for entry in read.entries().expect("an archive") {
        let entry = entry.expect("an entry");
        let (path, header) = (entry.path().expect("a path"), entry.header());
        let mut parts = path.components();
        assert!(
            parts.all(|part| matches!(part, Component::Normal(_))),
            "{path:?}"
        );
        let owner = (
            header.uid().expect("a user"),
            header.gid().expect("a group"),
        );
        let mode = header.mode().expect("a mode");
        assert!(
            owner == (0, 0) && mode <= 0o777,
            "{path:?}: {owner:?} {mode:o}"
        );
        assert!(entry.size() <= archive.len() as u64);
    }
});
