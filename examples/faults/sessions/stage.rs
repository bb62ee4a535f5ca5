//! The children, and what is heard of them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::CHILD;
use super::ledger::Ledger;
use super::line::{Bad, Wrongs};
use super::look::{Found, Looker};
use super::said::{Life, Said};
use crate::Outcome;

/// How long a child may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(150);

/// How many refusals are told word by word.
const TOLD: u64 = 8;

pub struct Running {
    process: Child,
    orders: ChildStdin,
    pub started: Instant,
    instances: BTreeSet<String>,
    pub opened: u64,
    pub recovered: bool,
    pub listed: u64,
    pub used: bool,
    pub rests: bool,
    pub checked: bool,
    /// What it was told last.
    pub strays: Option<Vec<String>>,
    ended: bool,
    here: u64,
    /// Nothing more comes.
    silent: bool,
}

impl Running {
    pub fn begun(&self) -> bool {
        !self.instances.is_empty()
    }
}

/// `None` at its end.
type Line = (u64, Option<Said>);

pub struct Stage {
    pub looker: Looker,
    pub ledger: Ledger,
    pub wrongs: Wrongs,
    /// Calls refused for now, and times that a child was replaced.
    pub unavailable: u64,
    /// Instances that have been killed.
    pub dead: BTreeSet<String>,
    /// Whether what is open runs all the while.
    pub must_run: bool,
    children: BTreeMap<u64, Running>,
    engine: Option<String>,
    lines: (mpsc::UnboundedSender<Line>, mpsc::UnboundedReceiver<Line>),
    questions: u64,
}

impl Stage {
    /// The engine: where the environment doesn't name it.
    pub fn new(looker: Looker, engine: Option<String>) -> Self {
        Self {
            ledger: Ledger::new(&looker.host),
            looker,
            wrongs: Wrongs::default(),
            unavailable: 0,
            dead: BTreeSet::new(),
            must_run: true,
            children: BTreeMap::new(),
            engine,
            lines: mpsc::unbounded_channel(),
            questions: 0,
        }
    }

    pub fn child(&self, number: u64) -> Outcome<&Running> {
        let child = self.children.get(&number);
        Ok(child.ok_or_else(|| format!("there is no child {number}"))?)
    }

    pub fn spawn(&mut self, life: &Life) -> Outcome<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([CHILD, &serde_json::to_string(life)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(engine) = &self.engine {
            command.env("DOCKER_HOST", engine);
        }
        let started = Instant::now();
        let mut process = command.spawn()?;
        let orders = process.stdin.take().ok_or("a child without an input")?;
        let said = process.stdout.take().ok_or("a child without an output")?;
        let (number, lines) = (life.number, self.lines.0.clone());
        tokio::spawn(async move {
            let mut said = BufReader::new(said).lines();
            while let Ok(Some(line)) = said.next_line().await {
                // The last line of one that is killed may be half a line, which it hasn't said.
                if let Ok(said) = serde_json::from_str(&line) {
                    let _ = lines.send((number, Some(said)));
                }
            }
            let _ = lines.send((number, None));
        });
        self.ledger.born(number, life.set);
        let running = Running {
            process,
            orders,
            started,
            instances: BTreeSet::new(),
            opened: 0,
            recovered: false,
            listed: 0,
            used: false,
            rests: false,
            checked: false,
            strays: None,
            ended: false,
            here: 0,
            silent: false,
        };
        self.children.insert(number, running);
        Ok(())
    }

    pub async fn order(&mut self, number: u64, order: &str) -> Outcome<()> {
        let child = self.children.get_mut(&number).ok_or("no such child")?;
        child.strays = None;
        let line = format!("{order}\n");
        Ok(child.orders.write_all(line.as_bytes()).await?)
    }

    /// Takes in what is said until then.
    pub async fn listen(&mut self, until: Instant) -> Outcome<()> {
        while let Ok(line) = tokio::time::timeout_at(until, self.lines.1.recv()).await {
            self.take(line.ok_or("nobody speaks")?)?;
        }
        Ok(())
    }

    fn take(&mut self, (number, said): Line) -> Outcome<()> {
        let Some(child) = self.children.get_mut(&number) else {
            return Ok(());
        };
        let Some(said) = said else {
            child.silent = true;
            return Ok(());
        };
        match &said {
            Said::Begun(instance) => {
                if child.begun() {
                    self.unavailable += 1;
                    eprintln!("child {number} was silent for its lease, and is {instance} now");
                }
                child.instances.insert(instance.clone());
            }
            Said::Opened { .. } => child.opened += 1,
            Said::Recovered => child.recovered = true,
            Said::Listed => child.listed += 1,
            Said::Used => child.used = true,
            Said::Rests => child.rests = true,
            Said::Checked => child.checked = true,
            Said::Strays(strays) => child.strays = Some(strays.clone()),
            Said::Here(question) => child.here = *question,
            Said::Ended(how) => {
                child.ended = true;
                if let Some(error) = how {
                    let what = format!("child {number} couldn't end: {error}");
                    self.wrongs.note(Bad::FailedCall, what);
                }
            }
            Said::Failed {
                what,
                unavailable: true,
            } => {
                self.unavailable += 1;
                if self.unavailable <= TOLD {
                    eprintln!("refused in child {number}: {what}");
                }
            }
            Said::Failed { what, .. } => {
                let what = format!("in child {number}: {what}");
                self.wrongs.note(Bad::FailedCall, what);
            }
            _ => {}
        }
        for (bad, what) in self.ledger.heard(number, &said) {
            self.wrongs.note(bad, what);
        }
        Ok(())
    }

    /// Listens until a child is so.
    pub async fn until(&mut self, number: u64, is_so: impl Fn(&Running) -> bool) -> Outcome<()> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let child = self.child(number)?;
            if is_so(child) {
                return Ok(());
            }
            if child.silent {
                return Err(format!("child {number} has ended before its time").into());
            }
            let line = tokio::time::timeout_at(patience, self.lines.1.recv()).await;
            let line = line.map_err(|_| format!("child {number} doesn't get on"))?;
            self.take(line.ok_or("nobody speaks")?)?;
        }
    }

    /// Hears all that was said so far.
    async fn catch_up(&mut self) -> Outcome<()> {
        self.questions += 1;
        let question = self.questions;
        let living: Vec<u64> = self.children.keys().copied().collect();
        for number in &living {
            let child = self.children.get_mut(number).ok_or("no such child")?;
            let line = format!("{question}\n");
            child.orders.write_all(line.as_bytes()).await?;
        }
        for number in living {
            self.until(number, |child| child.here == question).await?;
        }
        Ok(())
    }

    /// Looks at the engine, and counts what isn't as it must be.
    pub async fn judge(&mut self) -> Outcome<Found> {
        self.catch_up().await?;
        let before = self.ledger.clone();
        let found = self.looker.found().await?;
        self.catch_up().await?;
        for (bad, what) in self.ledger.judge(&before, &found, self.must_run) {
            self.wrongs.note(bad, what);
        }
        for (bad, what) in self.looker.audit_foreign(self.must_run).await? {
            self.wrongs.note(bad, what);
        }
        Ok(found)
    }

    /// Without a warning, as the kernel does it where memory is short. What it has said is heard.
    pub async fn kill(&mut self, number: u64) -> Outcome<()> {
        let child = self.children.get_mut(&number).ok_or("no such child")?;
        child.process.kill().await?;
        self.until(number, |child| child.silent).await?;
        let child = self.children.remove(&number);
        self.dead
            .extend(child.map(|child| child.instances).unwrap_or_default());
        Ok(())
    }

    /// Has it close all and end in order.
    pub async fn end(&mut self, number: u64) -> Outcome<()> {
        self.order(number, "end").await?;
        self.until(number, |child| child.ended).await?;
        let child = self.children.get_mut(&number).ok_or("no such child")?;
        child.process.wait().await?;
        self.until(number, |child| child.silent).await?;
        self.children.remove(&number);
        Ok(())
    }
}
