//! Between async streams and the blocking tar library: pieces in a short queue, so that nothing is buffered beyond it
//! and who goes away ends the other side.

use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{Stream, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::TarArchive;

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

/// Work on a thread of its own. It waits for others, who may need a thread of the runtime's blocking pool: there, such work
/// could fill the pool and wait for itself.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("catamaran-files".to_owned());
    let spawned = thread.spawn(move || drop(sender.send(work())));
    spawned.map_err(|error| {
        Error::new(ErrorKind::Host, "there is no thread for the copy").with_source(error)
    })?;
    done.await.unwrap_or_else(|_| Err(gone()))
}

/// Gives a stream to work on a thread, and waits for what comes of it. Dropped, the work finds the stream broken and
/// ends.
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
    let mut worker = pin!(on_a_thread(move || work(intake)));
    tokio::select! {
        done = &mut worker => done,
        () = feed(stream, sender) => worker.await,
    }
}

/// Work that waits for nobody, on a thread of the runtime's blocking pool.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
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
    fn send(&mut self, piece: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.pieces.blocking_send(piece);
        sent.map_err(|_| io::Error::other(gone()))
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

/// What writes into an outlet, and is still to be started with its input.
pub(super) type Work<I, T> = Box<dyn FnOnce(I) -> Result<T> + Send>;

/// Puts an archive while it is made: `make` starts the work, `put` sends what it writes. Work that fails ends the archive with
/// an error, so that nobody takes it for whole, and its own error is the outcome.
pub(super) async fn relay<I, T, M, P>(
    work: impl FnOnce(Outlet, I) -> Result<(Outlet, T)> + Send + 'static,
    make: impl FnOnce(Work<I, T>) -> M,
    put: impl FnOnce(TarArchive) -> P,
) -> Result<T>
where
    M: Future<Output = Result<T>>,
    P: Future<Output = Result<()>>,
{
    let (pieces, receiver) = channel(QUEUE);
    let stream = futures::stream::unfold(receiver, |mut receiver: Receiver<_>| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    // Known before the archive breaks off for it.
    let failure = Arc::new(OnceLock::new());
    let failed = Arc::clone(&failure);
    let outlet = Outlet {
        pieces: pieces.clone(),
        buffer: BytesMut::with_capacity(PIECE),
    };
    let work: Work<I, T> = Box::new(move |input| {
        let done = work(outlet, input).and_then(|(mut outlet, done)| {
            let flushed = outlet.flush().map(|()| done);
            flushed.map_err(|error| carried(error, |_| gone()))
        });
        if let Err(error) = &done {
            let _ = failed.set(error.clone());
            let broken = io::Error::other("the archive can't be made");
            let _ = pieces.blocking_send(Err(broken));
        }
        done
    });
    let mut making = pin!(make(work));
    let mut putting = pin!(put(TarArchive::stream(stream)));
    let (put, made) = tokio::select! {
        put = &mut putting => (put, None),
        made = &mut making => (putting.await, Some(made)),
    };
    match (put, made) {
        (Ok(()), Some(made)) => made.map_err(|error| error.with_effect(Effect::Unknown)),
        (Ok(()), None) => making
            .await
            .map_err(|error| error.with_effect(Effect::Unknown)),
        // It broke off for a failure of the work; otherwise the work has failed because nobody wants it any more.
        (Err(refused), _) => match failure.get() {
            Some(error) if error.kind() != ErrorKind::Cancelled => {
                Err(error.clone().with_effect(match refused.effect() {
                    Effect::NotSent => Effect::NotSent,
                    _ => Effect::Unknown,
                }))
            }
            _ => Err(refused),
        },
    }
}
