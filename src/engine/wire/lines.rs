//! Bodies that are one JSON value after the other, a line each.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
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

/// A body of messages, a line each; some engines put several into one.
struct Messages<M> {
    lines: Lines,
    /// What a line held beyond the first.
    ready: VecDeque<M>,
    broken: Option<Error>,
}

impl<M: DeserializeOwned> Messages<M> {
    async fn next(&mut self, what: &str) -> Result<Option<M>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            let Some(line) = self.lines.next().await? else {
                return Ok(None);
            };
            for message in serde_json::Deserializer::from_slice(&line).into_iter() {
                match message {
                    Ok(message) => self.ready.push_back(message),
                    Err(error) => {
                        // Where, not what: it may quote anything.
                        let at = error.column();
                        let message = format!("{what} is broken at column {at}");
                        self.broken = Some(Error::new(ErrorKind::Decode, message));
                        break;
                    }
                }
            }
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
        ready: VecDeque::new(),
        broken: None,
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

    /// A decoder that looks at all it holds for each piece would take 2^33 looks for this.
    #[tokio::test]
    async fn many_small_pieces_of_long_lines_take_no_longer() {
        let line = [vec![b'x'; MAX_LINE - 1], b"\n".to_vec()].concat();
        let pieces = line.chunks(64).map(<[u8]>::to_vec).cycle().take(1 << 16);
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), read(pieces.collect()));
        assert_eq!(read.await.expect("in time").expect("lines").len(), 4);
    }
}
