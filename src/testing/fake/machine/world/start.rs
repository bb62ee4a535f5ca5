//! How an engine starts processes: the first one, and others beside it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::super::errno::Errno;
use super::super::io::{Open, OutputSender, Stream, Table};
use super::super::node::Node;
use super::super::process::{Made, Proc};
use super::super::programs::{self, Context};
use super::super::terminal::Terminal;
use super::super::tree::parts_of;
use super::super::{Command, Running, SpawnError};
use super::{World, lock};

/// Pieces of output that wait for the engine.
const WAITING: usize = 16;

impl World {
    /// Runs the first process.
    pub(in super::super) fn boot(
        self: &Arc<Self>,
        command: Command,
    ) -> std::result::Result<Running, SpawnError> {
        self.end_all();
        lock(&self.processes).clear();
        // It may have been held when it ended.
        self.freeze(false);
        self.mount_all();
        self.next_pid.store(1, Ordering::Relaxed);
        self.begin(command, true)
    }

    /// Runs a command for the engine: the first one, or one beside it.
    pub(in super::super) fn begin(
        self: &Arc<Self>,
        command: Command,
        first: bool,
    ) -> std::result::Result<Running, SpawnError> {
        let (sender, output) = mpsc::channel(WAITING);
        let (stdin, input) = match command.stdin || command.tty {
            true => {
                let (sender, receiver) = mpsc::channel(WAITING);
                (Some(sender), Some(receiver))
            }
            false => (None, None),
        };
        let cwd = self.directory(&command)?;
        let program = programs::find(self, &command.argv, &command.env, &cwd, command.user)?;
        let (files, terminal) = self.ends(&command, sender, input);
        let context = |process: &Arc<Proc>| Context {
            world: Arc::clone(self),
            process: Arc::clone(process),
            files,
            argv: command.argv.clone(),
            env: command.env.clone(),
            cwd,
        };
        let made = |pid| Made {
            pid,
            parent: u32::from(!first),
            user: command.user,
            privileged: command.privileged,
            argv: command.argv.clone(),
            environ: command.env.clone(),
            terminal: terminal.clone(),
            first: first && !command.init,
            ignored: HashSet::new(),
        };
        let process = self.spawn(made, |process| program.run(context(process)));
        let process = process.map_err(|errno| SpawnError {
            code: 126,
            message: format!("unable to start container process: {errno}"),
        })?;
        Ok(Running {
            pid: process.pid,
            stdin,
            output,
            exit: process.exits(),
        })
    }

    fn ends(
        self: &Arc<Self>,
        command: &Command,
        sender: OutputSender,
        input: Option<mpsc::Receiver<bytes::Bytes>>,
    ) -> (Table, Option<Arc<Terminal>>) {
        if command.tty {
            let size = command.size.unwrap_or((24, 80));
            let (terminal, lines) = Terminal::new(sender, size);
            if let Some(keys) = input {
                let weak = Arc::downgrade(&terminal);
                tokio::spawn(Terminal::listen(weak, Arc::clone(self), keys, lines));
            }
            let open = Open::terminal(&terminal);
            let table = Table::new(Arc::clone(&open), Arc::clone(&open), open);
            return (table, Some(terminal));
        }
        let output = Open::sink(Stream::Out, sender.clone());
        let errors = Open::sink(Stream::Err, sender);
        let input = input.map_or_else(Open::null, Open::source);
        (Table::new(input, output, errors), None)
    }

    fn directory(&self, command: &Command) -> std::result::Result<String, SpawnError> {
        let cwd = if command.cwd.is_empty() {
            "/"
        } else {
            &command.cwd
        };
        // Engines make a working directory that isn't there.
        let root = self.view(0, (0, 0));
        let mut path = Vec::new();
        for name in parts_of(cwd) {
            path.push(name);
            if let Err(Errno::NoEntry) = root.look(&path) {
                // Where it can't be made, the look below fails.
                let _ = root.insert(&path, Node::directory(0o755));
            }
        }
        let found = root.find("/", cwd);
        match found {
            Ok(node) if node.is_directory() => Ok(cwd.to_owned()),
            _ => Err(SpawnError {
                code: 126,
                message: format!(
                    "chdir to cwd (\"{cwd}\") set in config.json failed: no such file or directory"
                ),
            }),
        }
    }
}
