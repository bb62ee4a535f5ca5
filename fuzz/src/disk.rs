//! Directories to work in.

use std::fs;
use std::path::{Path, PathBuf};

/// A directory of this process's own: `scripts/fuzz` has it in memory, and removes it.
pub fn own() -> PathBuf {
    let path = std::env::temp_dir().join(format!("catamaran-fuzz-{}", std::process::id()));
    fs::create_dir_all(&path).expect("a directory");
    path.canonicalize().expect("a directory")
}

/// Everything beneath a directory, but for what is beneath `without`.
pub fn beneath(directory: &Path, without: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let (mut found, mut ahead) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path == without {
                continue;
            }
            let metadata = path.symlink_metadata().expect("an entry");
            if metadata.is_dir() {
                ahead.push(path.clone());
            }
            found.push((path, metadata));
        }
    }
    found
}

/// Takes whatever is there away.
pub fn clear(path: &Path) {
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        fs::remove_dir_all(path).expect("it can be removed");
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).expect("it can be removed");
    }
}
