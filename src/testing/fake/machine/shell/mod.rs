//! A POSIX shell, as far as programs in containers use it: it forks, waits and traps as one.

mod arithmetic;
mod builtins;
mod eval;
mod expand;
mod invoke;
mod jobs;
mod parse;
mod pattern;
mod redirect;
mod simple;
mod syntax;
mod variables;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::process::Exit;
use super::programs::{Context, Program};
use syntax::Command;

pub(super) use invoke::sh;

/// After so many commands a shell lets others have a turn; a loop without end is no load on the test's host.
const TURN: u32 = 1024;

/// What ends more than one command.
enum Jump {
    /// A program takes this shell's place, of which nothing is kept meanwhile.
    Become(Box<(Program, Context)>),
    Break(u32),
    Continue(u32),
    Return(i64),
    Exit(i64),
}

type Ran = Result<i64, Jump>;

struct Shell {
    context: Context,
    /// `$0`.
    name: String,
    positional: Vec<String>,
    /// Value, and whether commands are given it.
    variables: HashMap<String, (String, bool)>,
    functions: HashMap<String, Arc<Command>>,
    /// What is done on a signal; 0 is the end.
    traps: BTreeMap<i32, String>,
    options: Vec<char>,
    umask: u32,
    status: i64,
    last_background: Option<u32>,
    children: Vec<(u32, watch::Receiver<Option<Exit>>)>,
    steps: u32,
    depth: usize,
    /// The next simple command is the last: a program takes this shell's place, as in shells that forked for it.
    in_place: bool,
}

impl Shell {
    fn new(context: Context, name: String, positional: Vec<String>, options: Vec<char>) -> Self {
        let pairs = context.env.iter().filter_map(|pair| pair.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), (value.to_owned(), true)));
        let mut shell = Self {
            variables: variables.collect(),
            name,
            positional,
            functions: HashMap::new(),
            traps: BTreeMap::new(),
            options,
            umask: 0o022,
            status: 0,
            last_background: None,
            children: Vec::new(),
            steps: 0,
            depth: 0,
            in_place: false,
            context,
        };
        shell.set("PWD", shell.context.cwd.clone());
        shell
    }

    async fn complain(&self, message: &str) {
        let line = format!("{}: {message}\n", self.name);
        if let Ok(errors) = self.context.files.get(2) {
            let _ = errors.write(line.as_bytes()).await;
        }
    }

    /// An expansion that fails ends the shell.
    async fn fails(&mut self, message: &str) -> Jump {
        self.complain(message).await;
        Jump::Exit(2)
    }

    /// Between two commands: signals, and others' turns.
    async fn turn(&mut self) -> Result<(), Jump> {
        if self.context.process.is_held() {
            tokio::task::yield_now().await;
        }
        self.steps += 1;
        if self.steps.is_multiple_of(TURN) {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            // For its container it ran all the time.
            let share = self.context.world.share();
            self.context
                .process
                .uses_cpu(began.elapsed().mul_f64(share));
        }
        self.handle_signals().await
    }

    async fn handle_signals(&mut self) -> Result<(), Jump> {
        while let Some(signal) = self.context.process.next_caught() {
            if let Some(action) = self.traps.get(&signal).cloned() {
                let status = self.status;
                self.eval(&action).await?;
                self.status = status;
            }
        }
        Ok(())
    }
}
