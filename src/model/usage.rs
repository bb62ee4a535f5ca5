//! What is in use: processes of a container, changes to its files, disk space of the engine.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};

/// The processes of a container, as the engine's `ps` shows them.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProcessTable {
    /// The names of the columns: `UID`, `PID`, `CMD` …
    pub titles: Vec<String>,
    /// A row for each process, in the order of the titles.
    pub processes: Vec<Vec<String>>,
}

impl fmt::Debug for ProcessTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessTable")
            .field("titles", &self.titles)
            .field(
                "processes",
                &format_args!("[{} rows]", self.processes.len()),
            )
            .finish()
    }
}

/// How a container's processes are shown.
///
/// ```
/// use catamaran::model::TopOptions;
/// let options = TopOptions::default().with_ps_args("-o pid,rss".to_owned());
/// # let _ = options;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopOptions {
    /// The arguments of `ps`; `None` is the engine's `-ef`. The column of the process id must be among
    /// those shown.
    pub ps_args: Option<String>,
}

impl TopOptions {
    setters! {
        /// Sets the arguments of `ps`.
        with_ps_args(ps_args: Option<String>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let args = self.ps_args.as_deref();
        if args.is_some_and(|args| args.len() > 1024 || args.chars().any(char::is_control)) {
            return Err(Error::invalid(
                "top.ps_args",
                "are at most 1024 bytes on one line",
            ));
        }
        Ok(())
    }
}

/// What became of a file.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Its content or its attributes.
    Modified,
    /// It wasn't in the image.
    Added,
    /// It was in the image.
    Deleted,
    /// Anything else, by the engine's number for it.
    Unknown(i64),
}

/// A file of a container that isn't as in its image.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its absolute path in the container.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
}

/// The disk space of one kind of thing. What the engine doesn't tell is `None`, never 0.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SpaceUsage {
    /// How many there are.
    pub count: Option<u64>,
    /// How many are in use.
    pub active: Option<u64>,
    /// Their size in bytes; what several share counts once where the engine tells.
    pub size: Option<u64>,
    /// How many bytes the removal of those that aren't in use would free.
    pub reclaimable: Option<u64>,
}

/// What the engine keeps on disk.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DiskUsage {
    /// Images.
    pub images: SpaceUsage,
    /// The writable layers of containers.
    pub containers: SpaceUsage,
    /// Volumes.
    pub volumes: SpaceUsage,
    /// What the builder keeps.
    pub build_cache: SpaceUsage,
}
