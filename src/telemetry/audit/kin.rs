//! The files of a log: the one that is written, and those before it, numbered from the newest.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The log's path with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The numbers of the files before the one that is written, the newest first. After a kill in the middle of a rotation one
/// may be missing in between.
pub(super) fn numbers(path: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let name = entry?.file_name();
        numbers.extend(path.file_name().and_then(|own| number(own, &name)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number(own: &OsStr, name: &OsStr) -> Option<u32> {
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(own.as_encoded_bytes())?;
    let digits = str::from_utf8(rest.strip_prefix(b".")?).ok()?;
    let number: u32 = digits.parse().ok()?;
    // One way of writing it alone.
    (number > 0 && number.to_string() == digits).then_some(number)
}

/// All files that are there, in the order in which they were written.
pub(super) fn all(path: &Path) -> io::Result<Vec<PathBuf>> {
    let numbers = numbers(path)?;
    let mut files: Vec<_> = (numbers.iter().rev())
        .map(|number| beside(path, &number.to_string()))
        .collect();
    if path.try_exists()? {
        files.push(path.to_path_buf());
    }
    Ok(files)
}

/// Makes room for one more, so that no more than `keep` are kept then: deletes the oldest where there are too many, and
/// counts the others up. Wherever a kill ends it, all that are left stand in their order.
pub(super) fn make_room(path: &Path, keep: u32) -> io::Result<()> {
    let numbers = numbers(path)?;
    let free = (1..)
        .zip(&numbers)
        .find_map(|(free, number)| (free != *number).then_some(free));
    let free = free.unwrap_or(numbers.len() as u32 + 1);
    let too_many = if free > keep {
        keep
    } else {
        keep.saturating_add(1)
    };
    for number in numbers.iter().rev().filter(|number| **number >= too_many) {
        fs::remove_file(beside(path, &number.to_string()))?;
    }
    for number in (1..free.min(too_many)).rev() {
        let from = beside(path, &number.to_string());
        fs::rename(from, beside(path, &(number + 1).to_string()))?;
    }
    Ok(())
}
