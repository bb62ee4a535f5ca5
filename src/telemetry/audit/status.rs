//! What a log tells of itself and of its records.

use serde::Serialize;

use super::head::AuditHead;

/// What has become of a record.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It was written: it is acknowledged.
    Written {
        /// Its number.
        seq: u64,
    },
    /// It waits, since the sink fails, and is written when the sink works again: as long as this process lives it isn't lost.
    Pending,
    /// It is lost: there was no room for it, or the log is closed.
    Dropped,
}

/// How a log does.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditStatus {
    /// How many records were written since it was opened.
    pub written: u64,
    /// How many were dropped.
    pub dropped: u64,
    /// How many wait.
    pub pending: usize,
    /// Why the sink fails; `None` where it works.
    pub failing: Option<String>,
    /// The last record that was written; `None` where there is none.
    pub head: Option<AuditHead>,
}
