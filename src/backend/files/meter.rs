//! How much there has been, and whether it is too much.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{ArchiveLimits, CopyReport};
use crate::quote::quote;

/// The longest name that file systems take.
const MAX_NAME: usize = 255;
/// Linux's `PATH_MAX`, without its NUL.
const MAX_PATH: usize = 4095;

/// Counts against limits.
#[derive(Debug)]
pub(super) struct Meter {
    limits: ArchiveLimits,
    report: CopyReport,
}

pub(super) fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

fn too_large(path: &Path, what: &str, limit: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("{what}, at {}: {limit} are accepted", shown(path)),
    )
}

impl Meter {
    pub(super) fn new(limits: ArchiveLimits) -> Self {
        Self {
            limits,
            report: CopyReport::default(),
        }
    }

    pub(super) fn limits(&self) -> &ArchiveLimits {
        &self.limits
    }

    pub(super) fn report(&self) -> CopyReport {
        self.report
    }

    /// Counts a file, directory or link.
    pub(super) fn entry(&mut self, path: &Path) -> Result<()> {
        let limit = self.limits.max_entries;
        if self.report.entries + self.report.skipped >= limit {
            return Err(too_large(path, "there are too many files", limit));
        }
        self.report.entries += 1;
        Ok(())
    }

    /// Takes the latest entry back: it is none of what is copied.
    pub(super) fn forget(&mut self) {
        self.report.entries = self.report.entries.saturating_sub(1);
    }

    /// Counts what is left out instead.
    pub(super) fn skip(&mut self) {
        self.forget();
        self.report.skipped += 1;
    }

    /// Counts a file's bytes before any is read.
    pub(super) fn bytes(&mut self, path: &Path, size: u64) -> Result<()> {
        if size > self.limits.max_file_bytes {
            let what = format!("a file has {size} bytes");
            return Err(too_large(path, &what, self.limits.max_file_bytes));
        }
        let all = self.report.bytes.saturating_add(size);
        if all > self.limits.max_bytes {
            let what = "there are too many bytes in all";
            return Err(too_large(path, what, self.limits.max_bytes));
        }
        self.report.bytes = all;
        Ok(())
    }

    /// Checks how long and how deep a path is.
    pub(super) fn path(&self, path: &Path) -> Result<()> {
        let length = path.as_os_str().len();
        if length > MAX_PATH {
            let what = format!("a path has {length} bytes");
            return Err(too_large(path, &what, MAX_PATH));
        }
        if let Some(name) = path.iter().find(|name| name.len() > MAX_NAME) {
            let what = format!("a name has {} bytes", name.len());
            return Err(too_large(path, &what, MAX_NAME));
        }
        if path.iter().count() > self.limits.max_depth {
            let what = "a path has too many parts";
            return Err(too_large(path, what, self.limits.max_depth));
        }
        Ok(())
    }
}
