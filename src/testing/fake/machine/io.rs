//! What processes read and write: files, pipes, devices, terminals, and the engine's ends of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::task::coop::consume_budget;

use super::errno::{Errno, Result};
use super::node::{Body, Device};
use super::terminal::Terminal;

/// How much goes at once.
pub(super) const PIECE: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// What a process writes, as its engine reads it.
pub(crate) type Output = mpsc::Receiver<(Stream, Bytes)>;
pub(super) type OutputSender = mpsc::Sender<(Stream, Bytes)>;

/// A pipe: 64 KiB, its end told when no writer is left, and the other way round.
#[derive(Debug, Default)]
struct Pipe {
    bytes: Mutex<VecDeque<u8>>,
    readers: AtomicUsize,
    writers: AtomicUsize,
    filled: Notify,
    emptied: Notify,
}

impl Pipe {
    fn bytes(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes from outside, piece by piece.
#[derive(Debug)]
pub(super) struct Source(tokio::sync::Mutex<(mpsc::Receiver<Bytes>, Bytes)>);

impl Source {
    pub(super) fn new(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self(tokio::sync::Mutex::new((receiver, Bytes::new())))
    }

    /// Up to so many bytes of what came, which may be none; `None` when nothing comes any more.
    pub(super) async fn read(&self, most: usize) -> Option<Bytes> {
        let mut held = self.0.lock().await;
        let (receiver, rest) = &mut *held;
        if rest.is_empty() {
            *rest = receiver.recv().await?;
        }
        let count = most.min(rest.len());
        Some(rest.split_to(count))
    }
}

/// An open file: shared by all that were given it, closed with the last of them.
#[derive(Debug)]
pub(super) struct Open {
    what: What,
}

#[derive(Debug)]
enum What {
    Device(Device),
    File {
        body: Arc<Body>,
        at: AtomicU64,
        append: bool,
    },
    Reader(Arc<Pipe>),
    Writer(Arc<Pipe>),
    Source(Source),
    Sink(Stream, OutputSender),
    Terminal(Arc<Terminal>),
    Directory,
}

impl Drop for Open {
    fn drop(&mut self) {
        match &self.what {
            What::Reader(pipe) => {
                pipe.readers.fetch_sub(1, Ordering::AcqRel);
                pipe.emptied.notify_waiters();
                pipe.emptied.notify_one();
            }
            What::Writer(pipe) => {
                pipe.writers.fetch_sub(1, Ordering::AcqRel);
                pipe.filled.notify_waiters();
                pipe.filled.notify_one();
            }
            _ => {}
        }
    }
}

impl Open {
    fn new(what: What) -> Arc<Self> {
        Arc::new(Self { what })
    }

    pub(super) fn device(device: Device) -> Arc<Self> {
        Self::new(What::Device(device))
    }

    pub(super) fn null() -> Arc<Self> {
        Self::device(Device::Null)
    }

    pub(super) fn directory() -> Arc<Self> {
        Self::new(What::Directory)
    }

    pub(super) fn file(body: Arc<Body>, append: bool) -> Arc<Self> {
        let at = AtomicU64::new(0);
        Self::new(What::File { body, at, append })
    }

    pub(super) fn source(receiver: mpsc::Receiver<Bytes>) -> Arc<Self> {
        Self::new(What::Source(Source::new(receiver)))
    }

    pub(super) fn sink(stream: Stream, sender: OutputSender) -> Arc<Self> {
        Self::new(What::Sink(stream, sender))
    }

    pub(super) fn terminal(terminal: &Arc<Terminal>) -> Arc<Self> {
        Self::new(What::Terminal(Arc::clone(terminal)))
    }

    /// The ends of a new pipe: to read, to write.
    pub(super) fn pipe() -> (Arc<Self>, Arc<Self>) {
        let pipe = Arc::new(Pipe {
            readers: AtomicUsize::new(1),
            writers: AtomicUsize::new(1),
            ..Pipe::default()
        });
        (
            Self::new(What::Reader(Arc::clone(&pipe))),
            Self::new(What::Writer(pipe)),
        )
    }

    pub(super) fn is_terminal(&self) -> Option<&Arc<Terminal>> {
        match &self.what {
            What::Terminal(terminal) => Some(terminal),
            _ => None,
        }
    }

    /// Up to so many bytes; none at the end.
    pub(super) async fn read(&self, most: usize) -> Result<Bytes> {
        // Who reads what never ends lets others have a turn, and can be killed.
        consume_budget().await;
        let most = most.min(PIECE);
        match &self.what {
            What::Device(Device::Null) => Ok(Bytes::new()),
            What::Device(Device::Zero | Device::Full) => Ok(vec![0; most].into()),
            What::Device(Device::Random) => {
                let pieces = (0..most.div_ceil(16)).map(|_| uuid::Uuid::new_v4().into_bytes());
                let mut bytes = pieces.collect::<Vec<_>>().concat();
                bytes.truncate(most);
                Ok(bytes.into())
            }
            What::Device(Device::Terminal) | What::Sink(..) | What::Writer(_) => {
                Err(Errno::BadFile)
            }
            What::Directory => Err(Errno::IsDirectory),
            What::File { body, at, .. } => {
                let place = at.load(Ordering::Acquire);
                let bytes = body.read(place, most);
                at.store(place + bytes.len() as u64, Ordering::Release);
                Ok(bytes.into())
            }
            What::Reader(pipe) => loop {
                let filled = pipe.filled.notified();
                {
                    let mut bytes = pipe.bytes();
                    if !bytes.is_empty() {
                        let count = most.min(bytes.len());
                        let read: Vec<u8> = bytes.drain(..count).collect();
                        drop(bytes);
                        pipe.emptied.notify_one();
                        return Ok(read.into());
                    }
                    if pipe.writers.load(Ordering::Acquire) == 0 {
                        // Whoever else waits is to see it too.
                        pipe.filled.notify_one();
                        return Ok(Bytes::new());
                    }
                }
                filled.await;
            },
            What::Source(source) => loop {
                match source.read(most).await {
                    Some(nothing) if nothing.is_empty() => {}
                    read => return Ok(read.unwrap_or_default()),
                }
            },
            What::Terminal(terminal) => Ok(terminal.read(most).await),
        }
    }

    /// Writes it all.
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<()> {
        consume_budget().await;
        match &self.what {
            What::Device(Device::Full) => Err(Errno::NoSpace),
            What::Device(_) => Ok(()),
            What::File { body, at, append } => {
                let place = (!append).then(|| at.load(Ordering::Acquire));
                at.store(body.write(place, bytes)?, Ordering::Release);
                Ok(())
            }
            What::Writer(pipe) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let emptied = pipe.emptied.notified();
                    if pipe.readers.load(Ordering::Acquire) == 0 {
                        return Err(Errno::Pipe);
                    }
                    let count = {
                        let mut held = pipe.bytes();
                        let count = rest.len().min(PIECE.saturating_sub(held.len()));
                        held.extend(rest.iter().take(count));
                        count
                    };
                    if count == 0 {
                        emptied.await;
                        continue;
                    }
                    rest = rest.get(count..).unwrap_or_default();
                    pipe.filled.notify_one();
                }
                Ok(())
            }
            What::Sink(stream, sender) => {
                for piece in bytes.chunks(PIECE) {
                    let sent = sender.send((*stream, Bytes::copy_from_slice(piece)));
                    sent.await.map_err(|_| Errno::Pipe)?;
                }
                Ok(())
            }
            What::Terminal(terminal) => terminal.write(bytes).await,
            What::Reader(_) | What::Source(_) | What::Directory => Err(Errno::BadFile),
        }
    }
}

/// A process's open files by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(BTreeMap<u32, Arc<Open>>);

impl Table {
    pub(super) fn new(input: Arc<Open>, output: Arc<Open>, errors: Arc<Open>) -> Self {
        Self([(0, input), (1, output), (2, errors)].into())
    }

    pub(super) fn get(&self, number: u32) -> Result<&Arc<Open>> {
        self.0.get(&number).ok_or(Errno::BadFile)
    }

    pub(super) fn set(&mut self, number: u32, open: Arc<Open>) {
        self.0.insert(number, open);
    }

    pub(super) fn close(&mut self, number: u32) {
        self.0.remove(&number);
    }
}
