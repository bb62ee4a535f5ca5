//! What processes read and write: files, pipes, devices, terminals, and the engine's ends of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::errno::{Errno, Result};
use super::node::{Body, Device};
use super::process::INT;
use super::world::World;

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

/// What comes from outside.
#[derive(Debug)]
pub(super) struct Source {
    receiver: tokio::sync::Mutex<(mpsc::Receiver<Bytes>, Bytes)>,
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
        let receiver = tokio::sync::Mutex::new((receiver, Bytes::new()));
        Self::new(What::Source(Source { receiver }))
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
            What::Source(source) => {
                let mut held = source.receiver.lock().await;
                let (receiver, rest) = &mut *held;
                while rest.is_empty() {
                    match receiver.recv().await {
                        Some(more) => *rest = more,
                        None => return Ok(Bytes::new()),
                    }
                }
                let count = most.min(rest.len());
                Ok(rest.split_to(count))
            }
            What::Terminal(terminal) => terminal.read(most).await,
        }
    }

    /// Writes it all.
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<()> {
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

/// A terminal: lines are put together and shown as they are typed.
#[derive(Debug)]
pub(super) struct Terminal {
    output: OutputSender,
    state: Mutex<Typed>,
    typed: Notify,
}

#[derive(Debug)]
struct Typed {
    /// Rows, columns.
    size: (u16, u16),
    echo: bool,
    raw: bool,
    line: Vec<u8>,
    /// What can be read: lines; an empty one is the end of the input, once.
    ready: VecDeque<Vec<u8>>,
}

impl Terminal {
    pub(super) fn new(output: OutputSender, size: (u16, u16)) -> Arc<Self> {
        Arc::new(Self {
            output,
            state: Mutex::new(Typed {
                size,
                echo: true,
                raw: false,
                line: Vec::new(),
                ready: VecDeque::new(),
            }),
            typed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, Typed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn size(&self) -> (u16, u16) {
        self.state().size
    }

    pub(super) fn resize(&self, size: (u16, u16)) {
        self.state().size = size;
    }

    pub(super) fn set_echo(&self, echo: bool) {
        self.state().echo = echo;
    }

    pub(super) fn set_raw(&self, raw: bool) {
        self.state().raw = raw;
    }

    async fn read(&self, most: usize) -> Result<Bytes> {
        loop {
            let typed = self.typed.notified();
            {
                let mut state = self.state();
                if let Some(mut line) = state.ready.pop_front() {
                    if line.len() > most {
                        let rest = line.split_off(most);
                        state.ready.push_front(rest);
                    }
                    return Ok(line.into());
                }
            }
            typed.await;
        }
    }

    async fn write(&self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE) {
            let shown = returned(piece);
            let sent = self.output.send((Stream::Out, shown.into()));
            sent.await.map_err(|_| Errno::Pipe)?;
        }
        Ok(())
    }

    /// Takes what is typed, for as long as anybody types and a process has the terminal.
    pub(super) async fn listen(
        terminal: Weak<Self>,
        world: Arc<World>,
        mut keys: mpsc::Receiver<Bytes>,
    ) {
        while let Some(bytes) = keys.recv().await {
            let Some(terminal) = terminal.upgrade() else {
                return;
            };
            let (shown, interrupts) = terminal.take(&bytes);
            if !shown.is_empty() {
                let echoed = terminal.output.send((Stream::Out, shown.into()));
                if echoed.await.is_err() {
                    return;
                }
            }
            terminal.typed.notify_one();
            if interrupts {
                world.signal_terminal(&terminal, INT);
            }
        }
    }

    fn take(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut state = self.state();
        let (mut shown, mut interrupts) = (Vec::new(), false);
        if state.raw {
            state.ready.push_back(bytes.to_vec());
            return (shown, false);
        }
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    state.line.push(b'\n');
                    let line = std::mem::take(&mut state.line);
                    state.ready.push_back(line);
                    shown.extend(b"\r\n");
                }
                4 => {
                    let line = std::mem::take(&mut state.line);
                    state.ready.push_back(line);
                }
                3 => {
                    state.line.clear();
                    shown.extend(b"^C");
                    interrupts = true;
                }
                8 | 127 => {
                    if state.line.pop().is_some() {
                        shown.extend(b"\x08 \x08");
                    }
                }
                byte => {
                    state.line.push(*byte);
                    shown.push(*byte);
                }
            }
        }
        if !state.echo {
            shown.clear();
        }
        (shown, interrupts)
    }
}

/// Line breaks as a terminal writes them.
fn returned(bytes: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == b'\n' {
            shown.push(b'\r');
        }
        shown.push(*byte);
    }
    shown
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
