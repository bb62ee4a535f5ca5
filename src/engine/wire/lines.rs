//! Bodies that are one JSON value after the other, a line each.

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt};
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// The longest line that is believed: messages are some hundred bytes, errors may be longer.
pub(super) const MAX_LINE: usize = 1 << 20;

/// An answer's body, line by line. Each byte is looked at once, however the lines are cut.
pub(super) struct Lines {
    body: BoxStream<'static, Result<Bytes>>,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

impl Lines {
    pub(super) fn new(body: BoxStream<'static, Result<Bytes>>) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line that isn't blank, without its end; the last needs none.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let end = self.buffer[self.searched..]
                .iter()
                .position(|b| *b == b'\n');
            let line = match end {
                Some(end) => self.buffer.split_to(self.searched + end + 1),
                None => {
                    self.searched = self.buffer.len();
                    if let Some(bytes) = self.body.next().await.transpose()? {
                        self.take(&bytes)?;
                        continue;
                    }
                    if self.buffer.is_empty() {
                        return Ok(None);
                    }
                    self.buffer.split()
                }
            };
            self.searched = 0;
            bounded(line.len())?;
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line.freeze()));
            }
        }
    }

    /// Takes more in, unless the line would be too long already.
    fn take(&mut self, bytes: &Bytes) -> Result<()> {
        let rest = bytes.iter().position(|b| *b == b'\n');
        bounded(self.buffer.len() + rest.unwrap_or(bytes.len()))?;
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}

/// A body of messages, a line each; some engines put several into one, of which one at a time is read.
struct Messages {
    lines: Lines,
    /// What of the line is still to be read.
    rest: Bytes,
    /// How much of it was.
    read: usize,
}

impl Messages {
    async fn next<M: DeserializeOwned>(&mut self, what: &str) -> Result<Option<M>> {
        loop {
            let mut messages = serde_json::Deserializer::from_slice(&self.rest).into_iter();
            match messages.next() {
                Some(Ok(message)) => {
                    let length = messages.byte_offset();
                    self.rest.advance(length);
                    self.read += length;
                    return Ok(Some(message));
                }
                Some(Err(error)) => {
                    // Where, not what: it may quote anything.
                    let at = self.read + error.column();
                    let message = format!("{what} is broken at column {at}");
                    return Err(Error::new(ErrorKind::Decode, message));
                }
                None => {}
            }
            let Some(line) = self.lines.next().await? else {
                return Ok(None);
            };
            (self.rest, self.read) = (line, 0);
        }
    }
}

/// Takes a body apart into messages, and those into what they mean, if anything; it ends after the first error.
pub(super) fn messages<M, T>(
    body: BoxStream<'static, Result<Bytes>>,
    what: &'static str,
    read: impl Fn(M) -> Result<Option<T>> + Send + 'static,
) -> impl Stream<Item = Result<T>> + Send + 'static
where
    M: DeserializeOwned + Send + 'static,
    T: Send + 'static,
{
    let messages = Messages {
        lines: Lines::new(body),
        rest: Bytes::new(),
        read: 0,
    };
    futures::stream::unfold(Some((messages, read)), move |going| async move {
        let (mut messages, read) = going?;
        loop {
            let next = messages.next(what).await;
            match next.and_then(|message| message.map(&read).transpose()) {
                Ok(None) => return None,
                Ok(Some(None)) => {}
                Ok(Some(Some(meaning))) => return Some((Ok(meaning), Some((messages, read)))),
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
}

fn bounded(length: usize) -> Result<()> {
    if length <= MAX_LINE {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!("a line of over {MAX_LINE} bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn read(pieces: Vec<Vec<u8>>) -> Result<Vec<Bytes>> {
        let body = futures::stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
        let mut lines = Lines::new(body.boxed());
        let mut all = Vec::new();
        while let Some(line) = lines.next().await? {
            all.push(line);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_may_be_cut_anywhere() {
        let all = b"{\"a\":1}\r\n\r\n\n{\"b\":2}\n{}";
        for size in 1..all.len() {
            let pieces = all.chunks(size).map(<[u8]>::to_vec).collect();
            let lines = read(pieces).await.expect("lines");
            let lines: Vec<_> = lines.iter().map(|line| line.trim_ascii()).collect();
            assert_eq!(lines, [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{}"], "by {size}");
        }
    }

    #[tokio::test]
    async fn a_line_is_bounded_however_it_comes() {
        let longest = vec![b'x'; MAX_LINE];
        assert_eq!(read(vec![longest.clone()]).await.expect("a line").len(), 1);
        for pieces in [
            vec![vec![b'x'; MAX_LINE + 1]],
            vec![longest.clone(), b"x".to_vec()],
            vec![b"{}\n".to_vec(), longest, b"x\n".to_vec()],
        ] {
            let error = read(pieces).await.expect_err("too long");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
        }
    }

    /// A line of a MiB holds half a million messages.
    #[tokio::test]
    async fn a_line_is_not_read_ahead_of_what_is_asked_for() {
        static READ: AtomicUsize = AtomicUsize::new(0);

        #[derive(serde::Deserialize)]
        #[serde(from = "BTreeMap<String, u32>")]
        struct Message(usize);

        impl From<BTreeMap<String, u32>> for Message {
            fn from(_: BTreeMap<String, u32>) -> Self {
                Self(READ.fetch_add(1, Ordering::Relaxed) + 1)
            }
        }

        let line = ["{}".repeat(1000).as_bytes(), b" {\"a\":x}\n{}"].concat();
        let body = futures::stream::iter([Ok(Bytes::from(line))]).boxed();
        let read = messages(body, "a message", |message: Message| Ok(Some(message)));
        let mut read = std::pin::pin!(read);
        for number in 1..=1000 {
            let Message(count) = read.next().await.expect("a message").expect("it is sound");
            assert_eq!((count, READ.load(Ordering::Relaxed)), (number, number));
        }
        let error = read
            .next()
            .await
            .expect("an error")
            .map(|_| ())
            .expect_err("broken");
        assert!(error.message().ends_with("column 2007"), "{error}");
        assert!(read.next().await.is_none());
    }

    /// A decoder that looks at all it holds for each piece would take 2^33 looks for this.
    #[tokio::test]
    async fn many_small_pieces_of_long_lines_take_no_longer() {
        let line = [vec![b'x'; MAX_LINE - 1], b"\n".to_vec()].concat();
        let pieces = line.chunks(64).map(<[u8]>::to_vec).cycle().take(1 << 16);
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), read(pieces.collect()));
        assert_eq!(read.await.expect("in time").expect("lines").len(), 4);
    }
}
