//! The chain, and how its links are written.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::AuditProblem;
use super::head::{AuditHash, AuditHead};
use super::record::{AuditEntry, AuditLimits, AuditOutcome, AuditReason, AuditRecord};
use crate::engine_kind::EngineKind;
use crate::error::{Effect, ErrorKind};
use crate::operation::Operation;

/// No record is longer, whatever its texts hold: seven of 256 characters, each escaped in at most 6 bytes.
pub(super) const LONGEST_LINE: usize = 16 << 10;
const VERSION: u32 = 1;
/// In characters.
const LONGEST_TEXT: usize = 256;
/// What follows on the bytes that are hashed: this, the hash, and the end.
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

/// Where a chain stands, while it is written or read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    /// The number of the next record, and the hash of the one before it; none where any may come.
    next: Option<(u64, AuditHash)>,
}

/// One entry with what the log itself knows of it.
pub(super) struct Told<'a> {
    pub(super) entry: &'a AuditEntry,
    pub(super) time: SystemTime,
    pub(super) lost: u64,
}

impl Chain {
    /// One that goes on after this record, or begins.
    pub(super) fn after(head: Option<AuditHead>) -> Self {
        let next = match head {
            Some(head) => (head.seq.saturating_add(1), head.hash),
            None => (1, AuditHash::NONE),
        };
        Self { next: Some(next) }
    }

    /// One that is read from somewhere on.
    pub(super) fn anywhere() -> Self {
        Self { next: None }
    }

    /// The last record.
    pub(super) fn head(&self) -> Option<AuditHead> {
        let (next, hash) = self.next.filter(|(next, _)| *next > 1)?;
        let seq = next - 1;
        Some(AuditHead { seq, hash })
    }

    /// Writes the next record to the end of the lines.
    pub(super) fn add(&mut self, told: &Told<'_>, lines: &mut Vec<u8>) -> serde_json::Result<u64> {
        let (seq, prev) = self.next.unwrap_or((1, AuditHash::NONE));
        let hash = seal(&Body::new(seq, prev, told), lines)?;
        *self = Self::after(Some(AuditHead { seq, hash }));
        Ok(seq)
    }

    /// Reads the first line of a file: the records in it go on where those before it end.
    pub(super) fn begin(&mut self, line: &[u8]) -> Result<(), AuditProblem> {
        let begin: Begin = opened(line)?;
        self.check(begin.begins, begin.prev)?;
        self.next = Some((begin.begins, begin.prev));
        Ok(())
    }

    /// Reads the next record, from a line without its end.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<AuditRecord, AuditProblem> {
        let record: AuditRecord = opened(line)?;
        self.check(record.seq, record.prev)?;
        *self = Self::after(Some(record.head()));
        Ok(record)
    }

    /// Whether a record with this number, and with that hash before it, may come next.
    fn check(&self, found: u64, prev: AuditHash) -> Result<(), AuditProblem> {
        let (expected, known) = match self.next {
            Some((next, known)) => (next, known),
            None if found <= 1 => (1, AuditHash::NONE),
            None => (found, prev),
        };
        match () {
            () if found != expected => Err(AuditProblem::OutOfSequence { expected, found }),
            () if prev != known => Err(AuditProblem::Unlinked { seq: found }),
            () => Ok(()),
        }
    }

    /// Whether what stands behind the last whole line can be the beginning of a record. Where a record is whole but for its
    /// end, which is something else, that was altered.
    pub(super) fn may_tear(mut self, rest: &[u8]) -> bool {
        (rest.split_last()).is_none_or(|(_, line)| self.follow(line).is_err())
    }
}

/// The first line of a file: with which record it begins. Without it, nobody would see that its first records are gone.
#[derive(Serialize, Deserialize)]
struct Begin {
    v: u32,
    begins: u64,
    prev: AuditHash,
}

/// The first line of a file that begins with these lines.
pub(super) fn beginning(lines: &[u8]) -> serde_json::Result<Vec<u8>> {
    #[derive(Deserialize)]
    struct First {
        seq: u64,
        prev: AuditHash,
    }
    let first = lines.split(|byte| *byte == b'\n').next();
    let First { seq, prev } = serde_json::from_slice(first.unwrap_or_default())?;
    let begin = Begin {
        v: VERSION,
        begins: seq,
        prev,
    };
    let mut line = Vec::new();
    seal(&begin, &mut line)?;
    Ok(line)
}

/// Writes it as a line that ends with its hash.
fn seal(body: &impl Serialize, lines: &mut Vec<u8>) -> serde_json::Result<AuditHash> {
    let mut body = serde_json::to_vec(body)?;
    // The brace that closes it comes after the hash.
    body.pop();
    let hash = AuditHash::of(&body);
    lines.extend_from_slice(&body);
    lines.extend_from_slice(HASH);
    lines.extend_from_slice(hash.to_string().as_bytes());
    lines.extend_from_slice(END);
    lines.push(b'\n');
    Ok(hash)
}

/// Reads a line that has its hash.
fn opened<T: DeserializeOwned>(line: &[u8]) -> Result<T, AuditProblem> {
    let (body, hash) = split(line).ok_or(AuditProblem::NotARecord)?;
    if AuditHash::of(body) != hash {
        return Err(AuditProblem::Altered);
    }
    serde_json::from_slice(line).map_err(|_| AuditProblem::NotARecord)
}

/// What is hashed, and the hash.
fn split(line: &[u8]) -> Option<(&[u8], AuditHash)> {
    let suffix = HASH.len() + AuditHash::LENGTH + END.len();
    let (body, rest) = line.split_at(line.len().checked_sub(suffix)?);
    let digits = rest.strip_prefix(HASH)?.strip_suffix(END)?;
    Some((body, AuditHash::read(str::from_utf8(digits).ok()?)?))
}

/// All but the hash, in the order of the line.
#[derive(Serialize)]
struct Body<'a> {
    v: u32,
    seq: u64,
    time: String,
    #[serde(skip_serializing_if = "is_zero")]
    lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Cow<'a, str>>,
    operation: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Cow<'a, str>>,
    engine: EngineKind,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_failure: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_effect: Option<Effect>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<&'a AuditLimits>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    elapsed_ms: f64,
    prev: AuditHash,
}

impl<'a> Body<'a> {
    fn new(seq: u64, prev: AuditHash, told: &Told<'a>) -> Self {
        let entry = told.entry;
        let (reason, path) = match entry.reason {
            AuditReason::Mode => ("mode", None),
            AuditReason::Rollout => ("rollout", None),
            AuditReason::Breaker => ("breaker", None),
            AuditReason::Fallback { kind, effect } => ("fallback", Some((kind, effect))),
        };
        let (outcome, failure, status) = match entry.outcome {
            AuditOutcome::Ok => ("ok", None, None),
            AuditOutcome::Abandoned => ("abandoned", None, None),
            AuditOutcome::Failed {
                kind,
                effect,
                status,
            } => ("failed", Some((kind, effect)), status),
        };
        Self {
            v: VERSION,
            seq,
            time: rfc3339(told.time),
            lost: told.lost,
            actor: entry.actor.as_deref().map(bounded),
            session: entry.session.as_deref().map(bounded),
            operation: entry.operation,
            subject: entry.subject.as_deref().map(bounded),
            object: entry.object.as_deref().map(bounded),
            engine: entry.engine,
            reason,
            path_failure: path.map(|(kind, _)| kind),
            path_effect: path.map(|(_, effect)| effect),
            attempts: entry.attempts,
            spec: entry.spec.as_deref().map(bounded),
            image: entry.image.as_deref().map(bounded),
            limits: entry.limits.as_ref(),
            outcome,
            failure: failure.map(|(kind, _)| kind),
            effect: failure.map(|(_, effect)| effect),
            status,
            elapsed_ms: entry.elapsed.as_micros() as f64 / 1000.0,
            prev,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A clock that is wrong by ages mustn't keep a record from being written.
fn rfc3339(time: SystemTime) -> String {
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_micros(time.clamp(UNIX_EPOCH, last)).to_string()
}

/// The text, cut where it is long. JSON escapes the control characters of ASCII but not all that a terminal obeys.
fn bounded(text: &str) -> Cow<'_, str> {
    let obeyed = |character: char| {
        character.is_control() && !character.is_ascii_control() || character == '\u{7f}'
    };
    let cut = text.char_indices().nth(LONGEST_TEXT).map(|(at, _)| at);
    let kept = &text[..cut.unwrap_or(text.len())];
    if cut.is_none() && !kept.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = kept.replace(obeyed, "\u{fffd}");
    if cut.is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}
