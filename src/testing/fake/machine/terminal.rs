//! Terminals: lines are put together and shown as they are typed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::errno::{Errno, Result};
use super::io::{OutputSender, PIECE, Source, Stream};
use super::process::INT;
use super::world::World;

/// How long a line may be: what is typed beyond it is lost, as with a kernel's terminals.
const MAX_LINE: usize = 4095;
/// How many lines wait to be read, or pieces without a line's rules; then whoever types waits.
const WAITING: usize = 256;

#[derive(Debug)]
pub(super) struct Terminal {
    output: OutputSender,
    state: Mutex<State>,
    /// What can be read: lines; an empty one is the end of the input, once.
    lines: Source,
}

#[derive(Debug)]
struct State {
    /// Rows, columns.
    size: (u16, u16),
    echo: bool,
    raw: bool,
    line: Vec<u8>,
}

/// What becomes of what is typed.
#[derive(Default)]
struct Typed {
    shown: Vec<u8>,
    lines: Vec<Bytes>,
    interrupts: bool,
}

impl Terminal {
    /// With whom what is typed is passed on to.
    pub(super) fn new(output: OutputSender, size: (u16, u16)) -> (Arc<Self>, mpsc::Sender<Bytes>) {
        let (sender, lines) = mpsc::channel(WAITING);
        let terminal = Self {
            output,
            state: Mutex::new(State {
                size,
                echo: true,
                raw: false,
                line: Vec::new(),
            }),
            lines: Source::new(lines),
        };
        (Arc::new(terminal), sender)
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    pub(super) async fn read(&self, most: usize) -> Bytes {
        match self.lines.read(most).await {
            Some(read) => read,
            // Nobody types any more, which isn't the input's end.
            None => futures::future::pending().await,
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> Result<()> {
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
        lines: mpsc::Sender<Bytes>,
    ) {
        while let Some(bytes) = keys.recv().await {
            let Some(terminal) = terminal.upgrade() else {
                return;
            };
            let typed = terminal.take(&bytes);
            if !typed.shown.is_empty() {
                let echoed = terminal.output.send((Stream::Out, typed.shown.into()));
                if echoed.await.is_err() {
                    return;
                }
            }
            if typed.interrupts {
                world.signal_terminal(&terminal, INT);
            }
            // It ends with its last process, also while lines wait.
            drop(terminal);
            for line in typed.lines {
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        }
    }

    fn take(&self, bytes: &[u8]) -> Typed {
        let mut state = self.state();
        let mut typed = Typed::default();
        if state.raw {
            typed.lines.push(Bytes::copy_from_slice(bytes));
            return typed;
        }
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    state.line.push(b'\n');
                    let line = std::mem::take(&mut state.line);
                    typed.lines.push(line.into());
                    typed.shown.extend(b"\r\n");
                }
                4 => {
                    let line = std::mem::take(&mut state.line);
                    typed.lines.push(line.into());
                }
                3 => {
                    state.line.clear();
                    typed.shown.extend(b"^C");
                    typed.interrupts = true;
                }
                8 | 127 => {
                    if state.line.pop().is_some() {
                        typed.shown.extend(b"\x08 \x08");
                    }
                }
                _ if state.line.len() >= MAX_LINE => {}
                byte => {
                    state.line.push(*byte);
                    typed.shown.push(*byte);
                }
            }
        }
        if !state.echo {
            typed.shown.clear();
        }
        typed
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
