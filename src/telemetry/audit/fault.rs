//! What is wrong with a log, and where.

use std::fmt;
use std::path::PathBuf;

use crate::quote::one_line;

/// What is wrong with a log.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditProblem {
    /// The file can't be read, or there is none.
    Unreadable {
        /// Why.
        message: String,
    },
    /// The line is no record.
    NotARecord,
    /// The record isn't what its hash was made of: it was altered.
    Altered,
    /// The record has another number than the one that follows: records were removed before it, it was put elsewhere, or it
    /// stands there twice.
    OutOfSequence {
        /// The number that follows.
        expected: u64,
        /// The record's.
        found: u64,
    },
    /// The record was made to follow on another one than that before it: one of the two was replaced.
    Unlinked {
        /// Its number.
        seq: u64,
    },
    /// The record with this number has another hash than the expected one: the log was rewritten.
    OtherThanExpected {
        /// The record's number.
        seq: u64,
    },
    /// The log ends before the expected record: its end was cut off.
    EndsBefore {
        /// The expected record's number.
        seq: u64,
    },
    /// The log begins after the expected record, which was deleted, as old files are.
    BeginsAfter {
        /// The expected record's number.
        seq: u64,
    },
    /// A file that is followed by another one ends in the middle of a record.
    Torn,
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { message } => write!(f, "it can't be read: {message}"),
            Self::NotARecord => f.write_str("this is no record"),
            Self::Altered => f.write_str("the record was altered: it doesn't have its hash"),
            Self::OutOfSequence { expected, found } if found > expected => write!(
                f,
                "record {found} stands where {expected} should: {} removed, or put elsewhere",
                match found - expected {
                    1 => "a record was".to_owned(),
                    count => format!("{count} records were"),
                }
            ),
            Self::OutOfSequence { expected, found } => write!(
                f,
                "record {found} stands where {expected} should: it was put there, or stands there twice"
            ),
            Self::Unlinked { seq } => write!(
                f,
                "record {seq} doesn't follow on the one before it: one of them was replaced"
            ),
            Self::OtherThanExpected { seq } => write!(
                f,
                "record {seq} isn't the expected one: the log was rewritten"
            ),
            Self::EndsBefore { seq } => write!(
                f,
                "the log ends before the expected record {seq}: its end was cut off"
            ),
            Self::BeginsAfter { seq } => write!(
                f,
                "the log begins after the expected record {seq}, which was deleted"
            ),
            Self::Torn => {
                f.write_str("it ends in the middle of a record, and another file follows")
            }
        }
    }
}

/// The first thing that is wrong with a log.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// In which file.
    pub file: PathBuf,
    /// In which line, from 1; 0 is the file as a whole.
    pub line: u64,
    /// What it is.
    pub problem: AuditProblem,
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.file))?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for AuditFault {}
