//! A log with timestamps, as the records that it is made of.
//!
//! Where the streams are framed, a frame is a record. A terminal's log has no frames: a record ends with its
//! line, or, where the engine has split a long line, where its own timestamp comes again.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{LogChunk, LogSource, parse_rfc3339};

/// The longest timestamp with its space: nanoseconds and an offset take 36.
const MAX_STAMP: usize = 40;

/// A record, or a part of one.
pub(super) struct Piece {
    pub(super) source: LogSource,
    pub(super) time: SystemTime,
    /// The timestamp, where a record begins here, and the text.
    pub(super) bytes: Bytes,
    /// How long the timestamp is, with its space; 0 where the record began before.
    pub(super) stamp: usize,
    /// Whether the record ends here.
    pub(super) ends: bool,
}

impl Piece {
    pub(super) fn begins(&self) -> bool {
        self.stamp > 0
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[self.stamp..]
    }
}

/// One connection's log. Each byte is given as soon as it can only be text: no more than a timestamp is held.
#[derive(Default)]
pub(super) struct Records {
    /// What may be a timestamp, or a part of one.
    held: BytesMut,
    /// The timestamp of the record that has begun.
    record: Option<(Bytes, SystemTime)>,
}

impl Records {
    pub(super) fn take(&mut self, chunk: LogChunk) -> Result<Vec<Piece>> {
        if chunk.source == LogSource::Console {
            return self.console(chunk.bytes);
        }
        let (stamp, time) = stamp(&chunk.bytes)?.ok_or_else(unstamped)?;
        Ok(vec![Piece {
            source: chunk.source,
            time,
            bytes: chunk.bytes,
            stamp,
            ends: true,
        }])
    }

    fn console(&mut self, bytes: Bytes) -> Result<Vec<Piece>> {
        let mut data = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(&bytes);
            self.held.split().freeze()
        };
        let mut pieces = Vec::new();
        while !data.is_empty() {
            let begins = self.record.is_none();
            if begins {
                let Some((length, time)) = stamp(&data)? else {
                    self.held.extend_from_slice(&data);
                    break;
                };
                self.record = Some((data.slice(..length), time));
            }
            let Some((own, time)) = &self.record else {
                break;
            };
            let stamp = if begins { own.len() } else { 0 };
            let text = &data[stamp..];
            let line = text.iter().position(|b| *b == b'\n').map(|end| end + 1);
            let split = find(&text[..line.unwrap_or(text.len())], own);
            let end = split.or(line);
            let length = end.unwrap_or(text.len() - beginning(text, own));
            let piece = Piece {
                source: LogSource::Console,
                time: *time,
                bytes: data.split_to(stamp + length),
                stamp,
                ends: end.is_some(),
            };
            if end.is_some() {
                self.record = None;
            }
            if !piece.bytes.is_empty() || piece.ends {
                pieces.push(piece);
            }
            if end.is_none() {
                self.held.extend_from_slice(&data);
                break;
            }
        }
        Ok(pieces)
    }

    /// What was held, where the log ends well.
    pub(super) fn finish(mut self) -> Result<Option<Piece>> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let (_, time) = self.record.ok_or_else(unstamped)?;
        Ok(Some(Piece {
            source: LogSource::Console,
            time,
            bytes: self.held.split().freeze(),
            stamp: 0,
            ends: true,
        }))
    }
}

/// The timestamp that a record begins with, and its length with the space; `None` where there is more to come.
fn stamp(record: &[u8]) -> Result<Option<(usize, SystemTime)>> {
    let Some(space) = record.iter().take(MAX_STAMP).position(|b| *b == b' ') else {
        return if record.len() < MAX_STAMP {
            Ok(None)
        } else {
            Err(unstamped())
        };
    };
    let text = std::str::from_utf8(&record[..space]).ok();
    let time = text.and_then(parse_rfc3339).ok_or_else(unstamped)?;
    Ok(Some((space + 1, time)))
}

fn unstamped() -> Error {
    Error::new(ErrorKind::Decode, "a log record without its timestamp")
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// How much of the text's end may be the beginning of that.
fn beginning(text: &[u8], what: &[u8]) -> usize {
    let most = text.len().min(what.len() - 1);
    (1..=most)
        .rev()
        .find(|length| text.ends_with(&what[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "2026-11-24T15:32:07.271699179Z ";
    const TWO: &str = "2026-11-24T15:32:07.5+01:00 ";

    fn records(log: &[u8], size: usize) -> Vec<(String, bool)> {
        let mut records = Records::default();
        let mut all: Vec<(String, bool)> = Vec::new();
        let mut add = |piece: Piece| {
            if piece.begins() {
                all.push((String::new(), false));
            }
            let last = all.last_mut().expect("a record has begun");
            last.0 += std::str::from_utf8(piece.text()).expect("text");
            last.1 |= piece.ends;
        };
        for piece in log.chunks(size) {
            let chunk = LogChunk {
                source: LogSource::Console,
                bytes: Bytes::copy_from_slice(piece),
            };
            records
                .take(chunk)
                .expect("records")
                .into_iter()
                .for_each(&mut add);
        }
        records
            .finish()
            .expect("an end")
            .into_iter()
            .for_each(&mut add);
        all
    }

    #[test]
    fn a_terminals_records_may_be_cut_anywhere() {
        let log = format!(
            "{ONE}a\r\n{ONE}\n{TWO}long{TWO}, longer{TWO} and done\n{ONE}x {TWO}not ours\n{TWO}no end 2026-11"
        );
        for size in 1..=log.len() {
            let expected = [
                ("a\r\n", true),
                ("\n", true),
                ("long", true),
                (", longer", true),
                (" and done\n", true),
                (&format!("x {TWO}not ours\n"), true),
                ("no end 2026-11", true),
            ];
            let read = records(log.as_bytes(), size);
            let read: Vec<_> = read
                .iter()
                .map(|(text, ends)| (text.as_str(), *ends))
                .collect();
            // What ends with the log is only told from what goes on where something was held.
            assert_eq!(read[..6], expected[..6], "by {size}");
            assert_eq!(read[6].0, expected[6].0, "by {size}");
        }
    }

    #[test]
    fn what_has_no_timestamp_is_no_record() {
        for (source, text) in [
            (LogSource::Stdout, "no time\n"),
            (LogSource::Stdout, "2026-11-24T15:32:07Z"),
            (LogSource::Console, "Error grabbing logs: no\n"),
            (
                LogSource::Console,
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ),
        ] {
            let chunk = LogChunk {
                source,
                bytes: text.into(),
            };
            let error = Records::default().take(chunk).map(|_| ()).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }
}
