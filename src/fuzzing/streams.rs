//! Bodies that are read as they come. How they are cut makes no difference.

use std::fmt::Debug;

use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::{brief, told};
use crate::engine::wire::{self, Framing};
use crate::error::{ErrorKind, Result};
use crate::model::{LogChunk, LogSource, LogStream};

type Body = BoxStream<'static, Result<Bytes>>;

/// The bytes in pieces of this size, the last with what is left.
pub fn cut(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let mut bytes = Bytes::copy_from_slice(bytes);
    let size = size.max(1);
    stream::iter(std::iter::from_fn(move || {
        let piece = bytes.split_to(size.min(bytes.len()));
        (!piece.is_empty()).then_some(Ok(piece))
    }))
}

/// Takes a body apart that comes in pieces of this size, as each kind of messages a line each. `look` at what was read too: it
/// is the same as from one piece.
pub fn lines(body: &[u8], size: usize, look: bool) {
    each(body, size, look, wire::pull_events);
    each(body, size, look, wire::told_events);
    each(body, size, look, wire::samples);
}

/// As [`lines`], output: of a log, a command or an attachment, with and without a terminal.
pub fn output(body: &[u8], size: usize, look: bool) {
    each(body, size, look, |body| {
        wire::log_chunks(body, Framing::Multiplexed)
    });
    if look {
        collected(body, size);
        terminal(body, size);
        whole(body, size);
    }
}

fn each<T, S>(body: &[u8], size: usize, look: bool, read: impl Fn(Body) -> S)
where
    T: PartialEq + Debug,
    S: Stream<Item = Result<T>>,
{
    if !look {
        return block_on(read(cut(body, size).boxed()).for_each(|item| {
            drop(item);
            std::future::ready(())
        }));
    }
    let read = |size| -> Vec<Result<T, (ErrorKind, String)>> {
        let items = block_on(read(cut(body, size).boxed()).collect::<Vec<_>>());
        let failed = items.iter().position(Result::is_err);
        assert!(failed.is_none_or(|failed| failed + 1 == items.len()));
        let words = |item: Result<T>| {
            item.map_err(|error| {
                brief(&error);
                (error.kind(), error.message().to_owned())
            })
        };
        items.into_iter().map(words).collect()
    };
    assert_eq!(read(size), read(usize::MAX));
}

fn chunks(body: &[u8], size: usize, framing: Framing) -> LogStream {
    LogStream::new(wire::log_chunks(cut(body, size).boxed(), framing))
}

/// What a command printed, up to a bound: of both streams together, each in its order.
fn collected(body: &[u8], size: usize) {
    let all = block_on(chunks(body, size, Framing::Multiplexed).collect::<Vec<_>>());
    let of = |wanted: LogSource| {
        let chunks = all.iter().flatten().filter(|chunk| chunk.source == wanted);
        chunks
            .flat_map(|chunk| chunk.bytes.to_vec())
            .collect::<Vec<u8>>()
    };
    let (stdout, stderr) = (of(LogSource::Stdout), of(LogSource::Stderr));
    assert!(stdout.len() + stderr.len() + 8 * all.iter().flatten().count() <= body.len());
    let most = body.len() / 4;
    let Some(read) = told(block_on(
        chunks(body, size, Framing::Multiplexed).output(most),
    )) else {
        return;
    };
    assert!(stdout.starts_with(&read.stdout) && stderr.starts_with(&read.stderr));
    let (kept, had) = (
        read.stdout.len() + read.stderr.len(),
        stdout.len() + stderr.len(),
    );
    assert!(kept <= most && read.truncated == (kept < had));
}

/// A terminal's output is given as it is.
fn terminal(body: &[u8], size: usize) {
    let chunks = block_on(chunks(body, size, Framing::Raw).collect::<Vec<_>>());
    let all = chunks.into_iter().flat_map(|chunk: Result<LogChunk>| {
        let chunk = chunk.expect("there is nothing to fail");
        assert_eq!(chunk.source, LogSource::Console);
        chunk.bytes
    });
    assert!(all.eq(body.iter().copied()));
}

fn whole(body: &[u8], size: usize) {
    for bound in [body.len() / 2, body.len()] {
        match block_on(wire::whole(cut(body, size), bound)) {
            Ok(read) => assert!(read == body && body.len() <= bound),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                assert!(body.len() > bound);
            }
        }
    }
}
