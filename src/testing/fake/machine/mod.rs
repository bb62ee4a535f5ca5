//! What a container is made of where there is no kernel: files in memory, processes that are tasks, and a shell.
//!
//! | File | Holds |
//! |---|---|
//! | `tree.rs`, `node.rs` | the files of images, shared until somebody writes |
//! | `files.rs`, `procfs.rs` | the files of one container, with what is mounted over them |
//! | `process.rs`, `io.rs`, `terminal.rs` | processes, signals, pipes and terminals |
//! | `world/` | all of these together, for one container |
//! | `shell/` | a POSIX shell |
//! | `programs/` | the programs that are built in, and those of the host's test |

mod archive;
mod errno;
mod files;
mod io;
mod node;
mod process;
mod procfs;
mod programs;
mod shell;
mod terminal;
#[cfg(test)]
mod tests;
mod tree;
mod world;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

pub(crate) use archive::{FileError, FileStat};
pub(crate) use io::{Output, Stream};
pub(crate) use process::{Exit, ended, signal_number};
pub use programs::Process;
pub(crate) use programs::Programs;
pub(crate) use tree::Tree;

use files::Space;
use node::Node;
use world::World;

/// Files that outlive containers: a volume's.
#[derive(Debug, Clone)]
pub(crate) struct Volume(Arc<Space>);

impl Volume {
    pub(crate) fn new() -> Self {
        Self(Space::disk(Arc::new(Node::directory(0o755))))
    }

    /// Bytes of its files.
    pub(crate) fn size(&self) -> u64 {
        self.0.root().total()
    }
}

/// What is mounted over the root.
#[derive(Debug, Clone)]
pub(crate) struct Mounted {
    pub(crate) target: String,
    pub(crate) what: What,
    pub(crate) read_only: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// One that is empty takes what the image has there.
    Volume(Volume),
    /// Memory, up to so many bytes; empty at each start. `runs`: whether programs may be run from it.
    Memory {
        bytes: Option<u64>,
        mode: u32,
        runs: bool,
    },
    /// A directory of the host's: shown empty.
    Host,
}

/// What a machine may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) memory: Option<u64>,
    pub(crate) pids: Option<u64>,
    pub(crate) cpus: Option<f64>,
    pub(crate) cpuset: Option<String>,
    pub(crate) shm_bytes: Option<u64>,
    /// Name, soft, hard.
    pub(crate) ulimits: Vec<(String, i64, i64)>,
}

/// Finds machines by the names that they have on networks.
pub(crate) trait Network: Send + Sync + std::fmt::Debug {
    /// The machine that is reached by this name or address, where one is.
    fn find(&self, name: &str) -> Option<Arc<Machine>>;
}

/// How a machine is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    pub(crate) hostname: String,
    pub(crate) mounts: Vec<Mounted>,
    pub(crate) read_only_root: bool,
    pub(crate) limits: Limits,
    /// The bounding set, by name (`CHOWN`).
    pub(crate) capabilities: Vec<String>,
    pub(crate) no_new_privileges: bool,
    /// `lo`, `eth0` …
    pub(crate) interfaces: Vec<String>,
    /// Programs of the host's test, which come before those that are built in.
    pub(crate) programs: Programs,
    pub(crate) network: Option<Arc<dyn Network>>,
}

/// What to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Command {
    pub(crate) argv: Vec<String>,
    /// `NAME=value`, complete.
    pub(crate) env: Vec<String>,
    pub(crate) cwd: String,
    /// By number: user, group.
    pub(crate) user: (u32, u32),
    pub(crate) tty: bool,
    /// Whether there is an input; else it is at its end at once.
    pub(crate) stdin: bool,
    /// Rows, columns.
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) privileged: bool,
    /// Whether an init program stands above the first process, which signals then end as they end any.
    pub(crate) init: bool,
}

/// Why a program couldn't be started, as a runtime says it, and the exit code: 127 absent, 126 not to be run.
#[derive(Debug, Clone)]
pub(crate) struct SpawnError {
    pub(crate) code: i64,
    pub(crate) message: String,
}

/// A process under way, as an engine holds it.
#[derive(Debug)]
pub(crate) struct Running {
    /// Of the machine's own counting.
    pub(crate) pid: u32,
    /// The input; dropped, it is at its end. `None` where none was asked for.
    pub(crate) stdin: Option<mpsc::Sender<Bytes>>,
    /// Both streams in order, `Out` alone with a terminal. It ends when no process holds it any more.
    pub(crate) output: Output,
    pub(crate) exit: watch::Receiver<Option<Exit>>,
}

/// One process as `top` shows it.
#[derive(Debug, Clone)]
pub(crate) struct ProcessInfo {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) user: u32,
    pub(crate) command: String,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) memory: u64,
    pub(crate) pids: u64,
}

/// A container's world. Its processes end when it is dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    world: Arc<World>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.world.end_all();
    }
}

impl Machine {
    pub(crate) fn new(tree: &Tree, setup: Setup) -> Self {
        Self {
            world: World::new(tree, setup),
        }
    }

    /// Limits that an update changed.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.world.set_limits(limits);
    }

    /// Runs the first process: when it ends all others are killed. What is mounted in memory is empty.
    pub(crate) fn boot(&self, command: Command) -> Result<Running, SpawnError> {
        self.world.boot(command)
    }

    /// Runs another beside it.
    pub(crate) fn exec(&self, command: Command) -> Result<Running, SpawnError> {
        self.world.begin(command, false)
    }

    /// Sends a signal by number; `false` where no such process is there.
    pub(crate) fn signal(&self, pid: u32, signal: i32) -> bool {
        let process = self.world.process(pid);
        if let Some(process) = &process {
            process.signal(signal, false);
        }
        process.is_some()
    }

    /// Holds every process, or lets all go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.world.freeze(frozen);
    }

    /// Rows and columns of a process's terminal.
    pub(crate) fn resize(&self, pid: u32, size: (u16, u16)) {
        let process = self.world.process(pid);
        if let Some(terminal) = process
            .as_ref()
            .and_then(|process| process.terminal.as_ref())
        {
            terminal.resize(size);
            self.world.signal_terminal(terminal, 28);
        }
    }

    pub(crate) fn processes(&self) -> Vec<ProcessInfo> {
        let processes = self.world.processes().into_iter();
        let shown = processes.map(|process| ProcessInfo {
            pid: process.pid,
            parent: process.parent(),
            user: process.user.0,
            command: process.argv().join(" "),
        });
        shown.collect()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            cpu: self.world.cpu(),
            memory: self.world.memory(),
            pids: self.world.processes().len() as u64,
        }
    }
}
