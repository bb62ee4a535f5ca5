//! A log that is read again, record by record, each held against the one before it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::chain::{Chain, LONGEST_LINE};
use super::fault::{AuditFault, AuditProblem};
use super::kin;
use super::record::AuditRecord;

/// The records of a log, the oldest first, through all of its files: each is verified before it is given, and the first fault
/// is the end. A line that isn't finished at the end of the last file is no record.
///
/// It reads files, and blocks meanwhile. Of a log that is rotated while it is read it may find that files are missing: read
/// it again then.
///
/// ```no_run
/// use catamaran::telemetry::audit;
///
/// # fn example() -> Result<(), audit::AuditFault> {
/// for record in audit::read("/var/log/notebooks/audit.jsonl") {
///     let record = record?;
///     if record.actor.as_deref() == Some("user-17") {
///         println!("{} {} {:?}", record.seq, record.operation, record.subject);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn read(path: impl AsRef<Path>) -> AuditReader {
    AuditReader::new(path.as_ref())
}

/// The records of a log; [`read`] gives it.
#[derive(Debug)]
pub struct AuditReader {
    left: VecDeque<PathBuf>,
    open: Option<BufReader<File>>,
    chain: Chain,
    /// Where it reads.
    pub(super) file: PathBuf,
    pub(super) line: u64,
    /// How many files it has begun.
    pub(super) files: usize,
    /// So many bytes follow on the last whole line.
    pub(super) torn: u64,
    ended: bool,
    failed: Option<io::Error>,
}

impl AuditReader {
    fn new(path: &Path) -> Self {
        let (left, failed) = match kin::all(path) {
            Ok(files) if files.is_empty() => {
                let error = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
                (VecDeque::new(), Some(error))
            }
            Ok(files) => (files.into(), None),
            Err(error) => (VecDeque::new(), Some(error)),
        };
        Self {
            left,
            open: None,
            chain: Chain::anywhere(),
            file: path.to_path_buf(),
            line: 0,
            files: 0,
            torn: 0,
            ended: false,
            failed,
        }
    }

    /// The next whole line, without its end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, AuditProblem> {
        let failed = |error: io::Error| AuditProblem::Unreadable {
            message: error.to_string(),
        };
        if let Some(error) = self.failed.take() {
            return Err(failed(error));
        }
        loop {
            let Some(open) = &mut self.open else {
                let Some(next) = self.left.pop_front() else {
                    return Ok(None);
                };
                (self.file, self.line) = (next, 0);
                self.files += 1;
                self.open = Some(BufReader::new(File::open(&self.file).map_err(failed)?));
                continue;
            };
            let mut line = Vec::new();
            let most = LONGEST_LINE as u64 + 1;
            let read = open.take(most).read_until(b'\n', &mut line);
            let read = read.map_err(failed)?;
            if line.pop_if(|last| *last == b'\n').is_some() {
                self.line += 1;
                return Ok(Some(line));
            }
            if read == 0 {
                self.open = None;
                continue;
            }
            let (rest, ends) = rest(open).map_err(failed)?;
            self.open = None;
            let problem = match self.left.is_empty() {
                _ if ends => Some(AuditProblem::NotARecord),
                _ if !self.chain.may_tear(&line) => Some(AuditProblem::Altered),
                true => None,
                false => Some(AuditProblem::Torn),
            };
            if let Some(problem) = problem {
                self.line += 1;
                return Err(problem);
            }
            self.torn = read as u64 + rest;
        }
    }

    fn next_record(&mut self) -> Result<Option<AuditRecord>, AuditProblem> {
        while let Some(line) = self.next_line()? {
            if self.line > 1 {
                return self.chain.follow(&line).map(Some);
            }
            self.chain.begin(&line)?;
        }
        Ok(None)
    }

    pub(super) fn fault(&self, problem: AuditProblem) -> AuditFault {
        AuditFault {
            file: self.file.clone(),
            line: self.line,
            problem,
        }
    }
}

/// How much is left, and whether a line ends there.
fn rest(file: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let mut length = 0;
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok((length, false));
        }
        if bytes.contains(&b'\n') {
            return Ok((length, true));
        }
        let read = bytes.len();
        length += read as u64;
        file.consume(read);
    }
}

impl Iterator for AuditReader {
    type Item = Result<AuditRecord, AuditFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.next_record().map_err(|problem| self.fault(problem));
        self.ended = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}
