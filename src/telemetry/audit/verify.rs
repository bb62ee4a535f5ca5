//! Whether a log is as it was written.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use super::fault::{AuditFault, AuditProblem};
use super::head::AuditHead;
use super::read::read;

/// What a log is held against.
///
/// ```
/// use catamaran::telemetry::audit::VerifyOptions;
///
/// let kept = format!("42:{}", "0b".repeat(32)).parse()?;
/// let options = VerifyOptions::default().expecting(kept);
/// # let _ = options;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyOptions {
    /// Records that must be there as they were: heads of the log that were kept elsewhere.
    pub expected: Vec<AuditHead>,
}

impl VerifyOptions {
    /// Adds a record that must be there.
    #[must_use]
    pub fn expecting(mut self, head: AuditHead) -> Self {
        self.expected.push(head);
        self
    }
}

/// What was found in a log in which no fault was.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// How many files.
    pub files: usize,
    /// How many records.
    pub records: u64,
    /// The number of the first one; none where there are no records. Where it isn't 1, older files have been deleted.
    pub first: Option<u64>,
    /// The last record.
    pub head: Option<AuditHead>,
    /// When the first and the last record were made.
    pub span: Option<(SystemTime, SystemTime)>,
    /// How many records were dropped, as those that are there tell.
    pub lost: u64,
    /// So many bytes of an unfinished line are at the end, as a kill leaves them. They never were acknowledged: it is no fault,
    /// and the writer cuts them off when it opens the log. In a log that is being written, it may be the record just now.
    pub torn: u64,
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        match (self.first, self.head) {
            (Some(first), Some(head)) => {
                write!(
                    f,
                    "{} records in {} {files}, from {first} to {}, each follows on the one before it",
                    self.records, self.files, head.seq
                )?;
                if first > 1 {
                    write!(
                        f,
                        "\nit begins at {first}: what was before it has been deleted"
                    )?;
                }
                if let Some((from, to)) = self.span {
                    let text = humantime::format_rfc3339_millis;
                    write!(f, "\nmade from {} to {}", text(from), text(to))?;
                }
                if self.lost > 0 {
                    write!(
                        f,
                        "\n{} records were dropped while it couldn't be written",
                        self.lost
                    )?;
                }
                write!(f, "\nhead {head}")?;
            }
            _ => write!(f, "no records in {} {files}", self.files)?,
        }
        if self.torn > 0 {
            write!(
                f,
                "\n{} bytes of an unfinished record, which never was acknowledged, are at the end",
                self.torn
            )?;
        }
        Ok(())
    }
}

/// Reads a log through all of its files, and says what it holds, or the first thing that is wrong. It takes the memory of one
/// record, and blocks while it reads; of a log that is rotated meanwhile see [`read`].
///
/// ```no_run
/// use catamaran::telemetry::audit::{self, VerifyOptions};
///
/// match audit::verify("/var/log/notebooks/audit.jsonl", &VerifyOptions::default()) {
///     Ok(report) => println!("{report}"),
///     Err(fault) => println!("{fault}"),
/// }
/// ```
///
/// # Errors
/// The first fault. A line that was altered, removed or put elsewhere is one; records missing at the end, or a log rewritten
/// as a whole, are found only against [expected](VerifyOptions::expecting) records.
pub fn verify(path: impl AsRef<Path>, options: &VerifyOptions) -> Result<AuditReport, AuditFault> {
    let mut report = AuditReport {
        files: 0,
        records: 0,
        first: None,
        head: None,
        span: None,
        lost: 0,
        torn: 0,
    };
    let mut reader = read(path);
    while let Some(record) = reader.next() {
        let record = record?;
        let other =
            |expected: &&AuditHead| expected.seq == record.seq && expected.hash != record.hash;
        if options.expected.iter().find(other).is_some() {
            return Err(reader.fault(AuditProblem::OtherThanExpected { seq: record.seq }));
        }
        report.records += 1;
        report.lost = report.lost.saturating_add(record.lost);
        report.first.get_or_insert(record.seq);
        let (from, _) = report.span.unwrap_or((record.time, record.time));
        report.span = Some((from, record.time));
        report.head = Some(record.head());
    }
    let (first, last) = (report.first, report.head.map(|head| head.seq));
    for AuditHead { seq, .. } in options.expected.iter().copied() {
        if last.is_none_or(|last| last < seq) {
            return Err(reader.fault(AuditProblem::EndsBefore { seq }));
        }
        if first.is_none_or(|first| first > seq) {
            return Err(reader.fault(AuditProblem::BeginsAfter { seq }));
        }
    }
    (report.files, report.torn) = (reader.files, reader.torn);
    Ok(report)
}
