//! Streams: output framed by Docker's multiplexing, and bodies read whole.

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{LogChunk, LogSource};

/// The largest frame that is believed. Docker copies output in pieces of 32 KiB and splits log lines at
/// 16 KiB, Podman's frames are single lines; the header could claim 4 GiB.
const MAX_FRAME: usize = 16 << 20;

/// How output comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Eight bytes before each piece: the stream, three zeros, a big-endian length.
    Multiplexed,
    /// As it was written, since a terminal makes both streams one.
    Raw,
}

struct Frames<S> {
    body: S,
    buffer: BytesMut,
    framing: Framing,
    done: bool,
}

/// Takes an answer's body apart into output; it ends after the first error.
pub(crate) fn log_chunks(
    body: BoxStream<'static, Result<Bytes>>,
    framing: Framing,
) -> impl Stream<Item = Result<LogChunk>> + Send + 'static {
    let frames = Frames {
        body,
        buffer: BytesMut::new(),
        framing,
        done: false,
    };
    futures::stream::unfold(frames, |mut frames| async move {
        if frames.done {
            return None;
        }
        match frames.next().await {
            Ok(None) => None,
            Ok(Some(chunk)) => Some((Ok(chunk), frames)),
            Err(error) => {
                frames.done = true;
                Some((Err(error), frames))
            }
        }
    })
}

impl<S: Stream<Item = Result<Bytes>> + Unpin> Frames<S> {
    async fn next(&mut self) -> Result<Option<LogChunk>> {
        if self.framing == Framing::Raw {
            while let Some(bytes) = self.body.next().await.transpose()? {
                if !bytes.is_empty() {
                    return Ok(Some(LogChunk {
                        source: LogSource::Console,
                        bytes,
                    }));
                }
            }
            return Ok(None);
        }
        loop {
            if let Some(chunk) = self.take_frame()? {
                return Ok(Some(chunk));
            }
            match self.body.next().await.transpose()? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    return Err(Error::new(
                        ErrorKind::Decode,
                        "the output ends within a frame",
                    ));
                }
            }
        }
    }

    fn take_frame(&mut self) -> Result<Option<LogChunk>> {
        loop {
            let Some(&[stream, 0, 0, 0, a, b, c, d]) = self.buffer.first_chunk::<8>() else {
                if self.buffer.len() < 8 {
                    return Ok(None);
                }
                return Err(Error::new(
                    ErrorKind::Decode,
                    "the output isn't framed as it should be",
                ));
            };
            let source = match stream {
                // 0 is stdin, which Docker uses for output that was written before the streams split.
                0 | 1 => LogSource::Stdout,
                2 => LogSource::Stderr,
                3 => return self.system_error(u32::from_be_bytes([a, b, c, d])),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Decode,
                        format!("there is no output stream {stream}"),
                    ));
                }
            };
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if length > MAX_FRAME {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    format!("a frame claims {length} bytes; {MAX_FRAME} are accepted"),
                ));
            }
            if self.buffer.len() < 8 + length {
                self.buffer.reserve(8 + length - self.buffer.len());
                return Ok(None);
            }
            self.buffer.advance(8);
            let bytes = self.buffer.split_to(length).freeze();
            if !bytes.is_empty() {
                return Ok(Some(LogChunk { source, bytes }));
            }
        }
    }

    /// Stream 3 carries the engine's own words for what went wrong while it read the log.
    fn system_error(&self, length: u32) -> Result<Option<LogChunk>> {
        let end = 8 + (length as usize).min(1024);
        // However the words arrive, they are told as far as they go.
        let Some(text) = self.buffer.get(8..end) else {
            return Ok(None);
        };
        Err(Error::new(
            ErrorKind::Engine,
            String::from_utf8_lossy(text).trim().to_owned(),
        ))
    }
}

/// Reads a body to its end, up to a bound.
pub(crate) async fn whole(
    mut body: impl Stream<Item = Result<Bytes>> + Unpin,
    bound: usize,
) -> Result<Bytes> {
    let within = |length: usize| {
        if length <= bound {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!("the answer exceeds {bound} bytes"),
        ))
    };
    // Most answers come in one piece, which then needs no copy.
    let first = body.next().await.transpose()?.unwrap_or_default();
    within(first.len())?;
    let Some(second) = body.next().await.transpose()? else {
        return Ok(first);
    };
    let mut all = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(piece) = next {
        within(all.len() + piece.len())?;
        all.extend_from_slice(&piece);
        next = body.next().await.transpose()?;
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
        frame.extend(text);
        frame
    }

    async fn read(pieces: Vec<Vec<u8>>, framing: Framing) -> Vec<Result<LogChunk>> {
        let body = futures::stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
        log_chunks(body.boxed(), framing).collect().await
    }

    #[tokio::test]
    async fn frames_may_be_cut_anywhere() {
        let all = [frame(1, b"out\n"), frame(2, b""), frame(2, b"err\n")].concat();
        for size in 1..all.len() {
            let pieces = all.chunks(size).map(<[u8]>::to_vec).collect();
            let chunks: Result<Vec<_>> = read(pieces, Framing::Multiplexed)
                .await
                .into_iter()
                .collect();
            let chunks = chunks.expect("sound frames");
            assert_eq!(chunks.len(), 2, "in pieces of {size}");
            assert_eq!(
                (chunks[0].source, &chunks[0].bytes[..]),
                (LogSource::Stdout, &b"out\n"[..])
            );
            assert_eq!(
                (chunks[1].source, &chunks[1].bytes[..]),
                (LogSource::Stderr, &b"err\n"[..])
            );
        }
    }

    #[tokio::test]
    async fn lies_end_the_stream_with_one_error() {
        for (bytes, kind) in [
            (
                vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
                ErrorKind::TooLarge,
            ),
            (vec![1, 0, 0, 0, 0, 0, 0, 9, b'x'], ErrorKind::Decode),
            (vec![9, 0, 0, 0, 0, 0, 0, 1, b'x'], ErrorKind::Decode),
            (b"no frames at all".to_vec(), ErrorKind::Decode),
            (frame(3, b"log driver failed"), ErrorKind::Engine),
        ] {
            let chunks = read(vec![bytes], Framing::Multiplexed).await;
            assert_eq!(chunks.len(), 1);
            assert_eq!(chunks[0].as_ref().expect_err("a lie").kind(), kind);
        }
    }

    #[tokio::test]
    async fn a_terminal_has_no_frames() {
        let chunks = read(vec![b"\x01\0\0\0".to_vec()], Framing::Raw).await;
        assert_eq!(chunks[0].as_ref().expect("raw").source, LogSource::Console);
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_the_bound() {
        for (pieces, bound, expected) in [
            (vec![], 0, Some("")),
            (vec!["abc"], 3, Some("abc")),
            (vec!["abc"], 2, None),
            (vec!["ab", "c", "d"], 4, Some("abcd")),
            (vec!["ab", "c", "d"], 3, None),
        ] {
            let body =
                futures::stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
            match (whole(body, bound).await, expected) {
                (Ok(read), Some(expected)) => assert_eq!(read, expected),
                (Err(error), None) => assert_eq!(error.kind(), ErrorKind::TooLarge),
                (read, expected) => panic!("{read:?} instead of {expected:?}"),
            }
        }
    }
}
