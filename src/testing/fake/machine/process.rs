//! Processes: each a task that can be held, ended by a signal, and looked at.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};

use super::terminal::Terminal;
use super::world::World;

pub(super) const INT: i32 = 2;
pub(super) const KILL: i32 = 9;
pub(super) const PIPE: i32 = 13;
pub(super) const CONT: i32 = 18;
pub(super) const STOP: i32 = 19;

/// Processor time that a start takes, in nanoseconds.
const START: u64 = 200_000;
/// Those whose default is to do nothing: CHLD, URG, WINCH.
const IGNORED: [i32; 3] = [17, 23, 28];
/// Names in the order of their numbers, from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// A signal by number or name, as `kill` and `trap` take it; 0 is `EXIT`.
pub(crate) fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return (0..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if name == "EXIT" {
        return Some(0);
    }
    let found = NAMES.iter().position(|known| *known == name)?;
    i32::try_from(found + 1).ok()
}

/// How a process ended: 128 and the signal where one ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: i64,
    pub(crate) oom_killed: bool,
}

/// Waits for a process's end; one of which nobody tells any more was killed.
pub(crate) async fn ended(mut exit: watch::Receiver<Option<Exit>>) -> Exit {
    let exit = exit.wait_for(Option::is_some).await;
    exit.ok().and_then(|exit| *exit).unwrap_or(Exit {
        code: 128 + i64::from(KILL),
        oom_killed: false,
    })
}

#[derive(Debug, Default)]
struct Signals {
    /// The first process of a machine without handlers: nothing but the engine's KILL ends it.
    first: bool,
    ignored: HashSet<i32>,
    caught: HashSet<i32>,
    pending: VecDeque<i32>,
    /// What ends it.
    fatal: Option<i32>,
    stopped: bool,
    waker: Option<Waker>,
}

/// A process as the machine holds it.
#[derive(Debug)]
pub(crate) struct Proc {
    pub(super) pid: u32,
    parent: AtomicU64,
    pub(super) user: (u32, u32),
    pub(super) privileged: bool,
    pub(super) terminal: Option<Arc<Terminal>>,
    image: Mutex<(Vec<String>, Vec<String>)>,
    signals: Mutex<Signals>,
    /// Told of each caught signal.
    pub(super) caught: Notify,
    out_of_memory: AtomicBool,
    cpu: AtomicU64,
    held: AtomicU64,
    exit: watch::Sender<Option<Exit>>,
}

/// What a process is made with.
pub(super) struct Made {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) user: (u32, u32),
    pub(super) privileged: bool,
    pub(super) argv: Vec<String>,
    pub(super) environ: Vec<String>,
    pub(super) terminal: Option<Arc<Terminal>>,
    /// Whether it is the machine's first, without an init program above it.
    pub(super) first: bool,
    /// Signals that it ignores from the start.
    pub(super) ignored: HashSet<i32>,
}

impl Proc {
    pub(super) fn new(made: Made) -> Arc<Self> {
        Arc::new(Self {
            pid: made.pid,
            parent: AtomicU64::new(made.parent.into()),
            user: made.user,
            privileged: made.privileged,
            terminal: made.terminal,
            image: Mutex::new((made.argv, made.environ)),
            signals: Mutex::new(Signals {
                first: made.first,
                ignored: made.ignored,
                ..Signals::default()
            }),
            caught: Notify::new(),
            out_of_memory: AtomicBool::new(false),
            cpu: AtomicU64::new(START),
            held: AtomicU64::new(0),
            exit: watch::Sender::new(None),
        })
    }

    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn image(&self) -> MutexGuard<'_, (Vec<String>, Vec<String>)> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn argv(&self) -> Vec<String> {
        self.image().0.clone()
    }

    pub(super) fn environ(&self) -> Vec<String> {
        self.image().1.clone()
    }

    pub(super) fn name(&self) -> String {
        let image = self.image();
        let program = image.0.first().map_or("", String::as_str);
        program.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Another program takes its place: what was caught isn't any more, what was ignored stays so.
    pub(super) fn becomes(&self, argv: Vec<String>, environ: Vec<String>) {
        *self.image() = (argv, environ);
        let mut signals = self.signals();
        signals.caught.clear();
        signals.pending.clear();
    }

    pub(super) fn parent(&self) -> u32 {
        u32::try_from(self.parent.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub(super) fn adopt(&self, parent: u32) {
        self.parent.store(parent.into(), Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> char {
        if self.signals().stopped { 'T' } else { 'S' }
    }

    pub(super) fn exits(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.subscribe()
    }

    pub(super) fn ignored(&self) -> HashSet<i32> {
        self.signals().ignored.clone()
    }

    /// What becomes of a signal from now on: caught, ignored, or by default.
    pub(super) fn trap(&self, signal: i32, caught: bool, ignored: bool) {
        let mut signals = self.signals();
        signals.caught.remove(&signal);
        signals.ignored.remove(&signal);
        if caught {
            signals.caught.insert(signal);
        } else if ignored {
            signals.ignored.insert(signal);
        }
    }

    /// The next signal that was caught.
    pub(super) fn next_caught(&self) -> Option<i32> {
        self.signals().pending.pop_front()
    }

    pub(super) fn has_caught(&self) -> bool {
        !self.signals().pending.is_empty()
    }

    /// Takes a signal; `within` where a process of the same machine sends it.
    pub(super) fn signal(&self, signal: i32, within: bool) {
        let mut signals = self.signals();
        let shielded = signals.first && within;
        match signal {
            0 => return,
            KILL if shielded => return,
            KILL => signals.fatal = Some(KILL),
            STOP if signals.first => return,
            STOP => signals.stopped = true,
            CONT => signals.stopped = false,
            _ if signals.ignored.contains(&signal) => return,
            _ if signals.caught.contains(&signal) => {
                if !signals.pending.contains(&signal) {
                    signals.pending.push_back(signal);
                }
                self.caught.notify_one();
            }
            _ if IGNORED.contains(&signal) || signals.first => return,
            _ => signals.fatal = signals.fatal.or(Some(signal)),
        }
        if let Some(waker) = signals.waker.take() {
            waker.wake();
        }
    }

    /// Whether a signal ends or holds it as soon as it waits.
    pub(super) fn is_held(&self) -> bool {
        let signals = self.signals();
        signals.fatal.is_some() || signals.stopped
    }

    /// Ends it since the machine's memory is at its end.
    pub(super) fn out_of_memory(&self) {
        self.out_of_memory.store(true, Ordering::Relaxed);
        self.signal(KILL, false);
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.signals().waker.take() {
            waker.wake();
        }
    }

    pub(super) fn uses_cpu(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.cpu.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu.load(Ordering::Relaxed))
    }

    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn holds(&self, bytes: u64) {
        self.held.store(bytes, Ordering::Relaxed);
    }
}

/// A process under way: its program, as long as no signal ends or holds it.
pub(super) struct Task {
    world: Arc<World>,
    process: Arc<Proc>,
    program: Option<BoxFuture<'static, i64>>,
}

impl Task {
    pub(super) fn new(
        world: Arc<World>,
        process: Arc<Proc>,
        program: BoxFuture<'static, i64>,
    ) -> Self {
        Self {
            world,
            process,
            program: Some(program),
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let task = &mut *self;
        let stopped = {
            let mut signals = task.process.signals();
            signals.waker = Some(context.waker().clone());
            if let Some(signal) = signals.fatal {
                drop(signals);
                task.ends(128 + i64::from(signal));
                return Poll::Ready(());
            }
            signals.stopped
        };
        if stopped || task.world.is_frozen() {
            return Poll::Pending;
        }
        let Some(program) = &mut task.program else {
            return Poll::Ready(());
        };
        let began = Instant::now();
        let polled = program.as_mut().poll(context);
        let took = began.elapsed();
        task.process.uses_cpu(took.mul_f64(task.world.share()));
        let signal = task.process.signals().fatal;
        match (signal, polled) {
            (Some(signal), _) => task.ends(128 + i64::from(signal)),
            (None, Poll::Ready(code)) => task.ends(code),
            (None, Poll::Pending) => return Poll::Pending,
        }
        Poll::Ready(())
    }
}

impl Task {
    fn ends(&mut self, code: i64) {
        // What it held open is closed before anybody hears of its end.
        self.program = None;
        let exit = Exit {
            code,
            oom_killed: self.process.out_of_memory.load(Ordering::Relaxed),
        };
        self.world.gone(&self.process);
        self.process.exit.send_replace(Some(exit));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // With its runtime.
        if self.program.is_some() {
            self.ends(128 + i64::from(KILL));
        }
    }
}
