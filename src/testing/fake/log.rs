//! A container's log, as the driver `json-file` keeps it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::machine::Stream as Source;
use super::time::Time;

/// How long a line may be before it is kept in parts: 16 KiB, as moby has it.
const PART: usize = 16 << 10;
/// How much of a log goes in one piece.
const PIECE: usize = 32 << 10;
/// How much of a log is kept: the test's host isn't to run out of memory. What is older goes, as in a log that is rotated.
const KEPT: usize = 256 << 20;

#[derive(Debug)]
struct Record {
    time: Time,
    source: Source,
    /// With its line break, where it has one.
    text: Box<[u8]>,
}

/// The last records, and how many came before them.
#[derive(Debug, Default)]
struct Records {
    kept: VecDeque<Record>,
    gone: usize,
    bytes: usize,
}

impl Records {
    /// How many there were.
    fn count(&self) -> usize {
        self.gone + self.kept.len()
    }

    fn push(&mut self, record: Record, most: usize) {
        self.bytes += record.size();
        self.kept.push_back(record);
        while self.bytes > most
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.size();
            self.gone += 1;
        }
    }
}

impl Record {
    fn size(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

/// A line that has no end yet.
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    /// The time of its parts that are kept already: all have one.
    time: Option<Time>,
}

/// Where a log is, and whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    records: usize,
    runs: bool,
}

#[derive(Debug)]
pub(super) struct Log {
    records: Mutex<Records>,
    /// Lines that have no end yet: of the output, of the errors.
    open: Mutex<[Line; 2]>,
    state: watch::Sender<State>,
}

impl Default for Log {
    fn default() -> Self {
        let state = State {
            records: 0,
            runs: false,
        };
        Self {
            records: Mutex::default(),
            open: Mutex::default(),
            state: watch::Sender::new(state),
        }
    }
}

/// What is asked of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) follow: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) timestamps: bool,
    pub(super) since: Option<Time>,
    pub(super) until: Option<Time>,
    pub(super) tail: Option<usize>,
    pub(super) tty: bool,
}

impl Log {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn runs(&self, runs: bool) {
        if !runs {
            self.close();
        }
        self.state.send_modify(|state| state.runs = runs);
    }

    pub(super) fn write(&self, source: Source, bytes: &[u8]) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let [out, err] = &mut *open;
        let line = if source == Source::Out { out } else { err };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.text.extend_from_slice(piece);
            while line.text.len() > PART {
                let rest = line.text.split_off(PART);
                let time = *line.time.get_or_insert_with(Time::now);
                self.add(source, time, std::mem::replace(&mut line.text, rest));
            }
            if line.text.last() == Some(&b'\n') {
                let time = line.time.take().unwrap_or_else(Time::now);
                self.add(source, time, std::mem::take(&mut line.text));
            }
        }
    }

    /// What has no end is kept as it is.
    fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let [out, err] = &mut *open;
        for (source, line) in [(Source::Out, out), (Source::Err, err)] {
            let time = line.time.take().unwrap_or_else(Time::now);
            if !line.text.is_empty() {
                self.add(source, time, std::mem::take(&mut line.text));
            }
        }
    }

    fn add(&self, source: Source, time: Time, text: Vec<u8>) {
        let mut records = self.records();
        let last = records.kept.back();
        let last = last.map_or(Time::default(), |record| record.time);
        let record = Record {
            time: time.max(last),
            source,
            text: text.into(),
        };
        records.push(record, KEPT);
        let count = records.count();
        drop(records);
        self.state.send_modify(|state| state.records = count);
    }

    /// The log as it is asked for; followed, to the end of the run.
    pub(super) fn read(
        self: &Arc<Self>,
        asked: Asked,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static + use<> {
        let state = self.state.subscribe();
        let wanted = move |record: &Record| match record.source {
            Source::Out => asked.stdout,
            Source::Err => asked.stderr,
        };
        let within = move |record: &Record| {
            wanted(record)
                && asked.since.is_none_or(|since| record.time >= since)
                && asked.until.is_none_or(|until| record.time <= until)
        };
        let first = {
            let records = self.records();
            let all = records.kept.iter().enumerate();
            let mut places = all.filter(|(_, record)| within(record));
            let first = match asked.tail {
                Some(0) => None,
                Some(tail) => places.rev().take(tail).last(),
                None => places.next(),
            };
            first.map_or(records.count(), |(at, _)| records.gone + at)
        };
        let log = Arc::clone(self);
        let end = asked.until.and_then(Time::instant);
        stream::unfold((state, first), move |(mut state, mut at)| {
            let log = Arc::clone(&log);
            async move {
                loop {
                    let now = *state.borrow_and_update();
                    let mut piece = BytesMut::new();
                    {
                        let records = log.records();
                        // A slow reader misses what has gone.
                        at = at.max(records.gone);
                        while piece.len() < PIECE
                            && let Some(record) = records.kept.get(at - records.gone)
                        {
                            at += 1;
                            if within(record) {
                                framed(&mut piece, record, asked);
                            }
                        }
                    }
                    if !piece.is_empty() {
                        return Some((Ok(piece.freeze()), (state, at)));
                    }
                    if !asked.follow || (at >= now.records && !now.runs) {
                        return None;
                    }
                    let changed = state.changed();
                    let changed = match end {
                        Some(end) => tokio::time::timeout_at(end, changed).await.ok()?,
                        None => changed.await,
                    };
                    // The container is gone, and what it said is read.
                    if changed.is_err() {
                        return None;
                    }
                }
            }
        })
    }
}

fn framed(piece: &mut BytesMut, record: &Record, asked: Asked) {
    let time = asked.timestamps.then(|| format!("{} ", record.time.text()));
    let time = time.unwrap_or_default();
    if !asked.tty {
        header(piece, record.source, time.len() + record.text.len());
    }
    piece.put_slice(time.as_bytes());
    piece.put_slice(&record.text);
}

/// Docker's header of a piece of output.
pub(super) fn header(piece: &mut BytesMut, source: Source, length: usize) {
    piece.put_u8(match source {
        Source::Out => 1,
        Source::Err => 2,
    });
    piece.put_slice(&[0; 3]);
    piece.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

pub(super) fn frame(source: Source, bytes: &[u8]) -> Bytes {
    let mut piece = BytesMut::with_capacity(bytes.len() + 8);
    header(&mut piece, source, bytes.len());
    piece.put_slice(bytes);
    piece.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_goes_and_is_counted() {
        let record = || Record {
            time: Time::now(),
            source: Source::Out,
            text: Box::from(&b"line\n"[..]),
        };
        let mut records = Records::default();
        for _ in 0..10 {
            records.push(record(), 4 * record().size());
        }
        assert_eq!((records.count(), records.gone), (10, 6));
    }
}
