//! The children, and what is heard of them.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::CHILD;
use super::ledger::Ledger;
use super::said::{Life, Said};
use crate::Outcome;
use crate::report::{Bad, Report};
use crate::witness::{Found, Witness};

/// How long a child may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many failures of calls are told.
const TOLD: u64 = 8;

pub struct Running {
    process: Child,
    orders: ChildStdin,
    pub started: Instant,
    pub begun: bool,
    pub asking: bool,
    pub recovered: bool,
    pub ended: bool,
    here: u64,
    /// Nothing more comes.
    silent: bool,
}

/// `None` at its end.
type Line = (u64, Option<Said>);

pub struct Stage {
    pub witness: Arc<Witness>,
    pub report: Arc<Report>,
    pub ledger: Ledger,
    pub failed: u64,
    children: BTreeMap<u64, Running>,
    engine: Option<String>,
    lines: (mpsc::UnboundedSender<Line>, mpsc::UnboundedReceiver<Line>),
    questions: u64,
}

impl Stage {
    /// The engine: where the environment doesn't name it.
    pub fn new(witness: Arc<Witness>, report: Arc<Report>, engine: Option<String>) -> Self {
        Self {
            witness,
            report,
            ledger: Ledger::default(),
            failed: 0,
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
                let said = serde_json::from_str(&line);
                let said = said.unwrap_or_else(|_| Said::Failed(format!("it said {line:?}")));
                let _ = lines.send((number, Some(said)));
            }
            let _ = lines.send((number, None));
        });
        self.ledger.born(number, &life.host);
        let running = Running {
            process,
            orders,
            started,
            begun: false,
            asking: false,
            recovered: false,
            ended: false,
            here: 0,
            silent: false,
        };
        self.children.insert(number, running);
        Ok(())
    }

    pub async fn order(&mut self, number: u64, order: &str) -> Outcome<()> {
        let child = self.children.get_mut(&number).ok_or("no such child")?;
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
            Said::Begun(instance) if child.begun => {
                eprintln!("child {number} was silent for its lease, and is {instance} now");
            }
            Said::Begun(_) => child.begun = true,
            Said::Asking => child.asking = true,
            Said::Recovered => child.recovered = true,
            Said::Here(question) => child.here = *question,
            Said::Ended(how) => {
                child.ended = true;
                if let Some(error) = how {
                    return Err(format!("child {number} couldn't end: {error}").into());
                }
            }
            Said::Failed(what) => {
                self.failed += 1;
                if self.failed <= TOLD {
                    eprintln!("a call failed in child {number}: {what}");
                }
            }
            _ => {}
        }
        if let Some((bad, what)) = self.ledger.heard(number, &said)? {
            self.report.bad(bad, 1, &what);
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
    pub async fn catch_up(&mut self) -> Outcome<()> {
        self.questions += 1;
        let question = self.questions;
        let living: Vec<u64> = self.children.keys().copied().collect();
        for number in &living {
            self.order(*number, &question.to_string()).await?;
        }
        for number in living {
            self.until(number, |child| child.here == question).await?;
        }
        Ok(())
    }

    /// Looks at the engine, and counts what isn't as it must be.
    pub async fn judge(&mut self) -> Outcome<Vec<Found>> {
        self.catch_up().await?;
        let before = self.ledger.clone();
        let found = self.witness.containers().await?;
        self.catch_up().await?;
        for (bad, what) in self.ledger.judge(&before, &found) {
            self.report.bad(bad, 1, &what);
        }
        Ok(found)
    }

    /// Counts what dead ones have left, each once.
    pub fn count_left(&mut self, found: &[Found], when: &str) {
        let left = self.ledger.left(found, false);
        let all = [
            (Bad::RemoveLeft, left.to_remove, "it is there"),
            (Bad::AdoptLost, left.to_offer, "nobody was offered it"),
        ];
        for (bad, ids, why) in all {
            for id in ids {
                if self.ledger.first_time(bad, &id) {
                    let what = format!("{why} {when}: {}", self.ledger.describe(&id));
                    self.report.bad(bad, 1, &what);
                }
            }
        }
    }

    /// Without a warning, as the kernel does it where memory is short. What it has said is heard.
    pub async fn kill(&mut self, number: u64) -> Outcome<()> {
        let child = self.children.get_mut(&number).ok_or("no such child")?;
        child.process.kill().await?;
        self.until(number, |child| child.silent).await?;
        self.children.remove(&number);
        self.ledger.gone(number);
        Ok(())
    }

    pub async fn end(&mut self, number: u64) -> Outcome<()> {
        self.order(number, "work").await?;
        self.order(number, "end").await?;
        self.until(number, |child| child.ended).await?;
        let child = self.children.get_mut(&number).ok_or("no such child")?;
        child.process.wait().await?;
        self.until(number, |child| child.silent).await?;
        self.children.remove(&number);
        self.ledger.gone(number);
        Ok(())
    }
}
