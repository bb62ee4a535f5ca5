//! Where a file's chain goes on, and what of its end was torn.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::chain::Chain;
use super::fault::AuditProblem;
use super::head::AuditHead;

/// Of a file's end so much is looked at: more than one write of the log takes, so that what a write left behind, whatever
/// it is, has a whole record before it there.
const LOOKED_AT: u64 = 512 << 10;

/// The end of a file.
#[derive(Debug)]
pub(super) struct Tail {
    /// Its last whole record; none where it has none.
    pub(super) head: Option<AuditHead>,
    /// So many bytes are whole lines.
    pub(super) whole: u64,
    /// So many follow, which never were acknowledged.
    pub(super) torn: u64,
}

impl Tail {
    /// Reads it, and holds its last two records against each other.
    pub(super) fn read(file: &File) -> io::Result<Result<Self, AuditProblem>> {
        let length = file.metadata()?.len();
        let from = length.saturating_sub(LOOKED_AT);
        // It is at most what is looked at.
        let mut bytes = vec![0; (length - from) as usize];
        file.read_exact_at(&mut bytes, from)?;
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(match from {
                0 => Ok(Self {
                    head: None,
                    whole: 0,
                    torn: length,
                }),
                _ => Err(AuditProblem::NotARecord),
            });
        };
        let whole = from + end as u64 + 1;
        let mut lines = bytes[..end].rsplit(|byte| *byte == b'\n');
        let (last, before, third) = (lines.next(), lines.next(), lines.next());
        // What is looked at may begin in the middle of a line, or with the first one of the file.
        let lines = match (third, from) {
            (Some(_), _) => [None, before, last],
            (None, 0) if before.is_some() => [before, last, None],
            (None, 0) => [last, None, None],
            (None, _) => [None, None, last],
        };
        Ok(
            Self::follow(lines).and_then(|chain| match chain.may_tear(&bytes[end + 1..]) {
                true => Ok(Self {
                    head: chain.head(),
                    whole,
                    torn: length - whole,
                }),
                false => Err(AuditProblem::Altered),
            }),
        )
    }

    /// Holds them against each other; the first one is that of a file.
    fn follow([begin, one, other]: [Option<&[u8]>; 3]) -> Result<Chain, AuditProblem> {
        let mut chain = Chain::anywhere();
        if let Some(line) = begin {
            chain.begin(line)?;
        }
        for line in [one, other].into_iter().flatten() {
            chain.follow(line)?;
        }
        Ok(chain)
    }
}
