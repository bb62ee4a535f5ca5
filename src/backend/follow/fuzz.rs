//! A log that is read to its end, and once more on another connection.

use bytes::Bytes;

use super::position::Position;
use super::records::{Piece, Records};
use crate::error::Result;
use crate::model::{LogChunk, LogSource};

/// Every byte is given, and none a second time where the engine's clock went forward, as Docker's does within a stream.
pub(crate) fn fuzz_follow(log: &[u8], source: LogSource, sizes: [usize; 2]) -> Result<()> {
    let [first, again] = sizes.map(|size| pieces(log, source, size));
    let mut position = Position::new(None);
    let (mut times, mut forward) = ([None; 3], true);
    for piece in &first? {
        let part = position.take(piece)?.expect("it is new");
        assert!(part.stamp == piece.begins() && part.skip == 0);
        let latest = &mut times[piece.source as usize];
        forward &= *latest <= Some(piece.time);
        *latest = Some(piece.time);
    }
    let since = position.resume();
    let asked_for = |piece: &Piece| since.is_none_or(|since| since <= piece.time);
    for piece in again?.iter().filter(|piece| asked_for(piece)) {
        let part = position.take(piece);
        assert!(!forward || matches!(part, Ok(None)), "{part:?}");
        part?;
    }
    let confirmed = position.confirm();
    assert!(!forward || confirmed.is_ok(), "{confirmed:?}");
    confirmed
}

fn pieces(log: &[u8], source: LogSource, size: usize) -> Result<Vec<Piece>> {
    // A terminal's log comes in pieces of any size, another in frames of a line, here of either stream in turn.
    let console = source == LogSource::Console;
    let (chunks, lines) = (
        log.chunks(size.max(1)),
        log.split_inclusive(|b| *b == b'\n'),
    );
    let chunks = chunks.filter(|_| console).map(|chunk| (source, chunk));
    let streams = [LogSource::Stdout, LogSource::Stderr].into_iter().cycle();
    let lines = streams.zip(lines).filter(|_| !console);
    let mut records = Records::default();
    let mut pieces = Vec::new();
    for (source, bytes) in chunks.chain(lines) {
        let bytes = Bytes::copy_from_slice(bytes);
        pieces.extend(records.take(LogChunk { source, bytes })?);
    }
    pieces.extend(records.finish()?);
    let read = pieces.iter().flat_map(|piece| piece.bytes.iter());
    assert!(read.eq(log));
    Ok(pieces)
}
