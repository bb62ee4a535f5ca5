//! How far a log has been given, so that the next connection goes on there.
//!
//! Docker stamps the records of a stream in their order, all parts of a split line alike. The two streams of a
//! container are stamped and written side by side, so that between them the order may differ by a moment.

use std::time::{Duration, SystemTime};

use super::records::Piece;
use crate::backend::reconnect::{OVERLAP, after};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::LogSource;

/// More than what an engine loses that reads a time as a floating-point number, as Podman does.
const ROUNDING: Duration = Duration::from_micros(1);

/// Where one stream's records end that were given.
struct Mark {
    /// The time of the last.
    time: SystemTime,
    /// How many of that time there were: at least the one.
    records: u64,
    /// How many bytes of its text were given.
    given: usize,
    /// Whether its line goes on: the parts to come have its time.
    open: bool,
    /// What of this was read again, while it is read again.
    again: Option<Again>,
}

#[derive(Default)]
struct Again {
    records: u64,
    read: usize,
}

/// How far the streams of one container have been given.
#[derive(Default)]
pub(super) struct Position {
    /// What was written before isn't given.
    floor: Option<SystemTime>,
    /// What was written before isn't asked for.
    from: Option<SystemTime>,
    first: Option<SystemTime>,
    marks: [Option<Mark>; 3],
}

/// What of a piece is to be given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its timestamp, if it has one.
    pub(super) stamp: bool,
    /// How many bytes of its text were given before.
    pub(super) skip: usize,
}

impl Position {
    /// A log from that time on, or from its beginning.
    pub(super) fn new(since: Option<SystemTime>) -> Self {
        Self {
            floor: since,
            from: since,
            ..Self::default()
        }
    }

    /// Nothing was read yet.
    pub(super) fn is_new(&self) -> bool {
        self.first.is_none()
    }

    /// From where the next connection reads, and notes that it does.
    pub(super) fn resume(&mut self) -> Option<SystemTime> {
        let since = self.since();
        for mark in self.marks.iter_mut().flatten() {
            let again = since.max(self.floor).is_none_or(|since| since <= mark.time);
            mark.again = again.then(Again::default);
        }
        since
    }

    /// The latest record's time.
    fn latest(&self) -> Option<SystemTime> {
        self.marks.iter().flatten().map(|mark| mark.time).max()
    }

    fn since(&self) -> Option<SystemTime> {
        let marks = || self.marks.iter().flatten();
        let overlap = self.latest().and_then(|latest| latest.checked_sub(OVERLAP));
        let open = marks().filter(|mark| mark.open).map(|mark| mark.time);
        let enough = overlap.into_iter().chain(open).min();
        self.from.max(enough)
    }

    /// What of a piece wasn't given before.
    pub(super) fn take(&mut self, piece: &Piece) -> Result<Option<Part>> {
        if self.floor.is_some_and(|floor| piece.time < floor) {
            return Ok(None);
        }
        self.first.get_or_insert(piece.time);
        let mark = &mut self.marks[slot(piece.source)];
        let text = piece.text();
        if let Some(known) = mark
            && let Some(again) = &mut known.again
        {
            if piece.begins() && piece.time == known.time {
                again.records += 1;
                again.read = 0;
            }
            if piece.time > known.time {
                return Err(lost(known.time));
            }
            if piece.time < known.time || again.records < known.records {
                return Ok(None);
            }
            // The last record that was given, perhaps in part.
            let skip = text.len().min(known.given.saturating_sub(again.read));
            again.read += text.len();
            let rest = text.len() - skip;
            let through = again.read >= known.given || piece.ends;
            if through {
                known.again = None;
            }
            known.give(&text[skip..]);
            return Ok((rest > 0).then_some(Part { stamp: false, skip }));
        }
        match mark {
            Some(mark) if !piece.begins() => mark.give(text),
            Some(mark) if mark.time == piece.time => {
                mark.records += 1;
                mark.given = 0;
                mark.give(text);
            }
            mark => mark.insert(Mark::new(piece.time)).give(text),
        }
        Ok(Some(Part {
            stamp: piece.begins(),
            skip: 0,
        }))
    }

    /// Notes that the log has ended for now, in order. What a terminal's program wrote last without a line
    /// end is followed by the next run's first record, whose timestamp nothing would tell from text: that
    /// is read from its beginning.
    pub(super) fn run_ended(&mut self) {
        let console = &mut self.marks[slot(LogSource::Console)];
        if let Some(mark) = console.take_if(|mark| mark.open && mark.again.is_none()) {
            self.floor = self.floor.max(after(mark.time));
            self.from = self.floor;
        }
    }

    /// The time of all that was read so far, where that is a whole second: of an engine that stamps no finer, there
    /// may be more of that time before and after.
    pub(super) fn whole_second(&self) -> Option<SystemTime> {
        self.last_second().filter(|_| self.latest() == self.first)
    }

    /// The time of the latest record, where that is a whole second.
    pub(super) fn last_second(&self) -> Option<SystemTime> {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let is_whole =
            |time: &SystemTime| since(*time).is_some_and(|since| since.subsec_nanos() == 0);
        self.latest().filter(is_whole)
    }

    /// Nothing was read, and what was written before that time isn't given.
    pub(super) fn begin_at(&mut self, time: SystemTime) {
        *self = Self::new(self.floor.max(Some(time)));
    }

    /// Notes that what was read so far was the log's tail: what was before it isn't asked for.
    pub(super) fn tail_ended(&mut self) {
        let open = self.marks.iter().flatten().any(|mark| mark.open);
        // Of the records of one time, the tail may have had the last alone.
        if self.latest() == self.first && !open {
            self.skip_to_now();
        } else {
            self.floor_at_first();
        }
    }

    /// What was read so far, and before, isn't asked for.
    pub(super) fn skip_to_now(&mut self) {
        *self = Self::new(self.floor.max(self.latest().and_then(after)));
    }

    /// What was written before the first record isn't asked for.
    pub(super) fn floor_at_first(&mut self) {
        let before = self.first.and_then(|first| first.checked_sub(ROUNDING));
        // Of a whole second there may be records that come before the first; those after it have come with it.
        let through = self
            .first
            .filter(is_whole)
            .filter(|_| self.latest() > self.first);
        self.floor = self.floor.max(through.and_then(after).or(self.first));
        self.from = self.from.max(before);
    }

    /// Fails where something that was given is no longer in the log, which was read to its end.
    pub(super) fn confirm(&self) -> Result<()> {
        let missing = |mark: &&Mark| mark.again.is_some();
        match self.marks.iter().flatten().find(missing) {
            Some(mark) => Err(lost(mark.time)),
            None => Ok(()),
        }
    }
}

impl Mark {
    fn new(time: SystemTime) -> Self {
        Self {
            time,
            records: 1,
            given: 0,
            open: true,
            again: None,
        }
    }

    fn give(&mut self, text: &[u8]) {
        self.given += text.len();
        if let Some(last) = text.last() {
            self.open = *last != b'\n';
        }
    }
}

fn is_whole(time: &SystemTime) -> bool {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.is_ok_and(|since| since.subsec_nanos() == 0)
}

fn slot(source: LogSource) -> usize {
    match source {
        LogSource::Stdout => 0,
        LogSource::Stderr => 1,
        LogSource::Console => 2,
    }
}

fn lost(time: SystemTime) -> Error {
    let time = humantime::format_rfc3339_nanos(time);
    Error::new(
        ErrorKind::Engine,
        format!(
            "after a reconnect, the log no longer holds its record of {time}: what followed it may be lost"
        ),
    )
    .with_effect(Effect::Unknown)
    .with_advice("give the log driver more room, or follow the log anew")
}
