//! Between async streams and the blocking tar library: pieces in a short queue, so that nothing is buffered beyond it
//! and who goes away ends the other side.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{Stream, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Error, ErrorKind, Result};

/// How many pieces wait between the two sides.
const QUEUE: usize = 4;
/// How large a piece is that is written.
const PIECE: usize = 64 << 10;

/// What a piece on its way in is, or the sound end of them.
type Incoming = Option<Result<Bytes>>;

fn gone() -> Error {
    Error::new(ErrorKind::Cancelled, "the other side went away")
}

/// The error that an I/O error carries, or is.
pub(super) fn carried(error: io::Error, otherwise: impl FnOnce(io::Error) -> Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) => otherwise(error),
    }
}

/// A stream, read by a thread.
pub(super) struct Intake {
    pieces: Receiver<Incoming>,
    current: Bytes,
    ended: bool,
}

impl Read for Intake {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.ended {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Some(Ok(piece))) => self.current = piece,
                Some(Some(Err(error))) => return Err(io::Error::other(error)),
                Some(None) => self.ended = true,
                None => return Err(io::Error::other(gone())),
            }
        }
        let length = into.len().min(self.current.len());
        into[..length].copy_from_slice(&self.current[..length]);
        self.current.advance(length);
        Ok(length)
    }
}

/// Gives a stream to work on a thread of the runtime's blocking pool, and waits for what comes of it. Dropped, the
/// work finds the stream broken and ends.
pub(super) async fn consume<T: Send + 'static>(
    stream: impl Stream<Item = Result<Bytes>> + Send + Unpin,
    work: impl FnOnce(Intake) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, pieces) = channel(QUEUE);
    let intake = Intake {
        pieces,
        current: Bytes::new(),
        ended: false,
    };
    let mut worker = tokio::task::spawn_blocking(move || work(intake));
    let done = tokio::select! {
        done = &mut worker => done,
        () = feed(stream, sender) => worker.await,
    };
    joined(done)
}

pub(super) fn joined<T>(done: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    done.unwrap_or_else(|error| {
        let message = "the host's runtime is shutting down";
        Err(Error::new(ErrorKind::Cancelled, message).with_source(error))
    })
}

async fn feed(mut stream: impl Stream<Item = Result<Bytes>> + Unpin, sender: Sender<Incoming>) {
    while let Some(piece) = stream.next().await {
        let broken = piece.is_err();
        if sender.send(Some(piece)).await.is_err() || broken {
            return;
        }
    }
    drop(sender.send(None).await);
}

/// What a thread writes, as a stream.
pub(super) struct Outlet {
    pieces: Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Outlet {
    pub(super) fn new() -> (Self, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
        let (pieces, receiver) = channel(QUEUE);
        let stream = futures::stream::unfold(receiver, |mut receiver: Receiver<_>| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let buffer = BytesMut::with_capacity(PIECE);
        (Self { pieces, buffer }, stream)
    }

    fn send(&mut self, piece: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.pieces.blocking_send(piece);
        sent.map_err(|_| io::Error::other(gone()))
    }

    /// Work that writes into it, to a sound end; where the work fails, the stream ends with an error, so that nobody takes
    /// it for whole.
    pub(super) fn filled<I, T>(
        self,
        work: impl FnOnce(Self, I) -> Result<(Self, T)> + Send + 'static,
    ) -> impl FnOnce(I) -> Result<T> + Send + 'static {
        move |input| {
            let pieces = self.pieces.clone();
            let filled = work(self, input).and_then(|(mut outlet, done)| {
                let flushed = outlet.flush().map(|()| done);
                flushed.map_err(|error| carried(error, |_| gone()))
            });
            if filled.is_err() {
                let failed = io::Error::other("the archive can't be made");
                drop(pieces.blocking_send(Err(failed)));
            }
            filled
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.buffer.len().min(PIECE - 1);
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.buffer.reserve(PIECE);
        self.send(Ok(piece))
    }
}
