//! What a caller knows of a container by what it was told, and what it finds at the engine.

use std::fmt;

use tokio::time::Instant;

use crate::calls::{Answer, Call, Certainty, Command, Ended, Program};
use crate::report::{Bad, Report};
use crate::witness::Seen;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Created,
    Running,
    Paused,
    Exited,
    /// A job that was started: it runs, or has ended.
    Begun,
}

/// How a container is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub present: bool,
    pub state: State,
    /// `None` where the engine chose it.
    pub name: Option<String>,
    pub shares: Option<u32>,
}

impl Condition {
    fn fits(&self, seen: Option<&Seen>) -> bool {
        let Some(seen) = seen else {
            return !self.present;
        };
        let status = seen.status.as_str();
        let state = match self.state {
            State::Created => status == "created",
            State::Running => status == "running",
            State::Paused => status == "paused",
            State::Exited => status == "exited",
            State::Begun => matches!(status, "running" | "exited"),
        };
        let name = self.name.as_ref().is_none_or(|name| *name == seen.name);
        let shares = self
            .shares
            .is_none_or(|shares| i64::from(shares) == seen.shares);
        self.present && state && name && shares
    }

    /// How it will be once this call is done.
    fn after(&self, call: &Call, program: Program) -> Self {
        let mut after = self.clone();
        match (call, self.state) {
            (Call::Start(_), State::Created | State::Exited | State::Begun) => {
                after.state = match program {
                    Program::Service => State::Running,
                    Program::Job(_) => State::Begun,
                };
            }
            (Call::Stop(_) | Call::Kill(_), State::Running | State::Begun)
            | (Call::Wait(_), State::Begun) => after.state = State::Exited,
            (Call::Pause(_), State::Running) => after.state = State::Paused,
            (Call::Unpause(_), State::Paused) => after.state = State::Running,
            (Call::Remove(_), _) => after.present = false,
            (Call::Rename(_, name), _) => after.name = Some(name.clone()),
            (Call::Update(_, shares), _) => after.shares = Some(*shares),
            _ => {}
        }
        after
    }
}

/// A command, and how often it may have run and must have.
#[derive(Debug)]
pub struct Ran {
    pub token: String,
    pub least: u64,
    pub most: u64,
}

/// A container that a caller asked for.
pub struct Container {
    pub token: String,
    pub program: Program,
    /// `None` where its creation didn't end well.
    pub id: Option<String>,
    pub now: Condition,
    /// How it may be as well, and until when it may come to be so.
    pub maybe: Option<(Condition, Instant)>,
    /// How often its program may have run.
    pub runs: u64,
    /// It was asked to end.
    pub forced: bool,
    pub execs: Vec<Ran>,
    history: Vec<String>,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_deref().unwrap_or("no id");
        write!(f, "{} ({id:.12}, {:?}):", self.token, self.program)?;
        self.history
            .iter()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl Container {
    /// What a creation came to.
    pub fn new(token: String, program: Program, name: Option<String>, ended: &Ended) -> Self {
        let id = match ended {
            Ended::Told(Ok(Answer::Made(id))) => Some(id.clone()),
            _ => None,
        };
        let mut container = Self {
            token,
            program,
            now: Condition {
                present: id.is_some(),
                state: State::Created,
                name,
                shares: None,
            },
            id,
            maybe: None,
            runs: 0,
            forced: false,
            execs: Vec::new(),
            history: Vec::new(),
        };
        container.note("create", ended);
        container
    }

    /// Whether its caller may go on with it.
    pub fn is_ready(&self) -> bool {
        self.id.is_some() && self.now.present && self.maybe.is_none()
    }

    fn note(&mut self, call: &str, ended: &Ended) {
        let more = match ended {
            Ended::Told(Err(failure)) => format!(": {}", failure.text),
            Ended::Told(Ok(Answer::Code(code))) => format!(" {code}"),
            _ => String::new(),
        };
        let when = humantime::format_rfc3339_millis(std::time::SystemTime::now());
        self.history
            .push(format!("{when} {call}: {}{more}", ended.word()));
    }

    /// Takes in what a call was told. Whether the engine is to be looked at now: as it must be, and as it would be had a
    /// call done what its caller was told it didn't.
    pub fn told(
        &mut self,
        call: &Call,
        ended: &Ended,
        doubt: Instant,
        report: &Report,
    ) -> Option<Condition> {
        self.note(call.name(), ended);
        let mut certainty = ended.certainty();
        self.check_answer(call, ended, report);
        if let Call::Exec(_, command) = call {
            self.executed(command, certainty);
        }
        self.forced |= matches!(call, Call::Stop(_) | Call::Kill(_) | Call::Remove(_));
        let after = self.now.after(call, self.program);
        if call.is_read_only() {
            if certainty == Certainty::Done {
                self.now = after;
            }
            return None;
        }
        let runs_again = matches!(call, Call::Start(_))
            && !matches!(self.now.state, State::Running | State::Paused);
        if runs_again && certainty != Certainty::NotDone {
            self.runs += 1;
        }
        if let (Call::Exec(..), Certainty::Done) = (call, certainty) {
            // Nothing of the container itself has changed.
            certainty = Certainty::NotDone;
        }
        match certainty {
            Certainty::Done => {
                self.now = after;
                Some(self.now.clone())
            }
            Certainty::NotDone => Some(after),
            Certainty::Unsure => {
                self.maybe = Some((after, doubt));
                None
            }
        }
    }

    fn executed(&mut self, command: &Command, certainty: Certainty) {
        self.execs.push(Ran {
            token: command.token.clone(),
            least: u64::from(certainty == Certainty::Done),
            most: u64::from(certainty != Certainty::NotDone),
        });
    }

    /// What an answer says, against what is known already.
    fn check_answer(&self, call: &Call, ended: &Ended, report: &Report) {
        let code = match (call, ended) {
            (_, Ended::Told(Err(failure))) if failure.not_found && self.now.present => {
                // A removal is looked at below.
                if !matches!(call, Call::Remove(_) | Call::Exec(..)) {
                    report.bad(
                        Bad::Lost,
                        1,
                        &format!("{} finds nothing: {self}", call.name()),
                    );
                }
                return;
            }
            (Call::Exec(_, command), Ended::Told(Ok(Answer::Code(code)))) => {
                if *code != command.code {
                    let told = format!("{code} for a command's {}: {self}", command.code);
                    report.bad(Bad::InventedExitCode, 1, &told);
                }
                return;
            }
            (Call::Wait(_), Ended::Told(Ok(Answer::Code(code)))) => *code,
            (Call::Inspect(_), Ended::Told(Ok(Answer::Shown { name, ended_with }))) => {
                if self.now.name.as_ref().is_some_and(|own| own != name) {
                    report.bad(Bad::Lost, 1, &format!("it is called {name}: {self}"));
                }
                match ended_with {
                    Some(code) => *code,
                    None => return,
                }
            }
            _ => return,
        };
        let own = matches!(self.program, Program::Job(own) if own == code);
        // By SIGTERM or SIGKILL.
        let forced = self.forced && matches!(code, 143 | 137);
        if !own && !forced {
            // What Docker says where it wasn't there to see the end.
            let bad = match report.forgets && code == 255 {
                true => Bad::Forgotten,
                false => Bad::InventedExitCode,
            };
            report.bad(bad, 1, &format!("{code}: {self}"));
        }
    }

    /// Whether it is as it is to be at the engine.
    pub fn is_as_told(&self, seen: Option<&Seen>) -> bool {
        let maybe = self.maybe.as_ref().map(|(maybe, _)| maybe);
        // A removal by force kills first; an engine may leave it at that where its client goes away.
        let halfway = maybe.filter(|maybe| !maybe.present).map(|_| Condition {
            state: State::Exited,
            ..self.now.clone()
        });
        let ways = [Some(&self.now), maybe, halfway.as_ref()];
        ways.into_iter().flatten().any(|way| way.fits(seen))
    }

    /// Counts what isn't as it was told, and goes on from what is there.
    pub fn settle(&mut self, seen: Option<&Seen>, if_done: Option<&Condition>, report: &Report) {
        if !self.is_as_told(seen) {
            let as_if_done = if_done.is_some_and(|done| *done != self.now && done.fits(seen));
            let found = seen.map_or("gone".to_owned(), |seen| {
                format!("{} as {:?}, shares {}", seen.status, seen.name, seen.shares)
            });
            let what = format!("told {:?}, it is {found}: {self}", self.now);
            match as_if_done {
                // What its caller was told that it wasn't done was done.
                true => report.bad(Bad::Orphan, 1, &what),
                false => report.bad(Bad::Lost, 1, &what),
            }
            let runs = |state| matches!(state, State::Running | State::Begun | State::Paused);
            if as_if_done
                && let Some(done) = if_done
                && runs(done.state)
                && !runs(self.now.state)
            {
                self.runs += 1;
            }
        }
        let Some(seen) = seen else {
            self.now.present = false;
            self.maybe = None;
            return;
        };
        if let Some((maybe, _)) = self.maybe.take()
            && (maybe.fits(Some(seen)) && !self.now.fits(Some(seen)))
        {
            self.now = maybe;
        }
        let known = &mut self.now;
        known.present = true;
        known.state = match (seen.status.as_str(), self.program) {
            ("created", _) => State::Created,
            ("paused", _) => State::Paused,
            ("running", Program::Service) => State::Running,
            ("running", Program::Job(_)) => State::Begun,
            _ => State::Exited,
        };
        known.name = Some(seen.name.clone());
        known.shares = known.shares.and(u32::try_from(seen.shares).ok());
    }
}
