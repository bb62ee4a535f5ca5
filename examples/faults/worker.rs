//! A caller: it asks at random, now and then goes away before the answer, and looks at the engine itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::Effect;

use crate::Outcome;
use crate::calls::{Answer, Call, Certainty, Client, Command, Ended, Program};
use crate::dice::Dice;
use crate::model::{Container, State};
use crate::options::{EngineChoice, Options};
use crate::report::{Bad, Report};
use crate::things::Thing;
use crate::witness::Witness;

/// How many containers a worker has at once.
const CONTAINERS: usize = 4;
/// When a caller may go away.
const SOONEST: Duration = Duration::from_micros(100);
/// How long an engine may take to show what it has done.
const SHOWN: Duration = Duration::from_secs(2);

/// What all workers share.
pub struct Common {
    pub client: Box<dyn Client>,
    pub witness: Witness,
    pub report: Arc<Report>,
    pub options: Options,
    pub run: String,
}

pub struct Worker {
    number: u64,
    made: u64,
    dice: Dice,
    common: Arc<Common>,
    pub containers: Vec<Container>,
    pub things: Vec<Thing>,
}

impl Worker {
    pub fn new(number: u64, common: Arc<Common>) -> Self {
        Self {
            number,
            made: 0,
            dice: Dice::new(common.options.seed, number),
            common,
            containers: Vec::new(),
            things: Vec::new(),
        }
    }

    /// Asks until all calls are asked.
    pub async fn work(mut self) -> Outcome<Self> {
        while self.common.report.next(self.common.options.ops).await {
            self.settle_doubts().await?;
            self.step().await?;
        }
        Ok(self)
    }

    /// Looks at those of which it is sure now that nothing more comes.
    async fn settle_doubts(&mut self) -> Outcome<()> {
        let common = Arc::clone(&self.common);
        for container in &mut self.containers {
            let due =
                matches!(container.maybe, Some((_, until)) if until <= tokio::time::Instant::now());
            if let (true, Some(id)) = (due, &container.id) {
                let seen = common.witness.look(id).await?;
                container.settle(seen.as_ref(), None, &common.report);
            }
        }
        Ok(())
    }

    async fn step(&mut self) -> Outcome<()> {
        let ready: Vec<usize> = (0..self.containers.len())
            .filter(|at| self.containers[*at].is_ready())
            .collect();
        let dice = self.dice.below(100);
        if dice < 4 {
            return self.list().await;
        }
        let real = self.common.options.engine == EngineChoice::Real;
        if dice < if real { 8 } else { 14 } {
            return self.thing(real).await;
        }
        let create = ready.is_empty()
            || ready.len() < CONTAINERS && self.dice.chance(1.0 / (1 + ready.len()) as f64);
        match self.dice.pick(&ready).copied() {
            Some(at) if !create => self.use_one(at).await,
            _ => self.create().await,
        }
    }

    fn token(&mut self) -> String {
        self.made += 1;
        format!("{}-{}", self.number, self.made)
    }

    /// A name of its own, or, now and then, one that somebody else has.
    fn name(&mut self, token: &str) -> (String, bool) {
        let foreign = self.common.witness.foreign_names();
        let taken = self.dice.chance(0.05);
        match self.dice.pick(&foreign) {
            Some(name) if taken => (name.clone(), true),
            _ => (format!("{}-c-{token}", self.common.run), false),
        }
    }

    async fn ask(&mut self, call: &Call) -> Ended {
        let options = &self.common.options;
        let asked = self.common.client.call(call);
        let began = Instant::now();
        let ended = if self.dice.chance(options.cancel_rate) {
            // As many within a millisecond as within ten, and so on, almost to the end.
            let least = SOONEST.as_secs_f64();
            let span = 0.8 * options.deadline.as_secs_f64() / least;
            let most = SOONEST.mul_f64(span.powf(self.dice.fraction()));
            let left = tokio::time::timeout(most, asked).await;
            left.map_or(Ended::Dropped, Ended::Told)
        } else {
            Ended::Told(asked.await)
        };
        let report = &self.common.report;
        report.ended(call, &ended, began.elapsed(), options.deadline);
        if matches!(&ended, Ended::Told(Err(failure)) if failure.effect == Effect::NotSent) {
            // Else an outage would use up all calls.
            tokio::time::sleep(options.deadline / 20).await;
        }
        let unresolved = matches!(ended, Ended::Told(_)) && ended.certainty() == Certainty::Unsure;
        if unresolved
            && !call.is_read_only()
            && let Ended::Told(Err(failure)) = &ended
        {
            let what = format!("{call:?}: {}", failure.text);
            // A daemon that was killed knows none of its execs, nor that it had begun to start something: it says that
            // this doesn't run, and can't start it again.
            let is_said = |words: &&str| failure.text.contains(*words);
            let half_started = || ["already exists", "already in use"].iter().any(is_said);
            let bad = match call {
                Call::Exec(..) if report.forgets => Bad::Forgotten,
                Call::Start(_) if report.forgets && half_started() => Bad::Forgotten,
                _ => Bad::Unresolved,
            };
            report.bad(bad, 1, &what);
        }
        ended
    }

    async fn create(&mut self) -> Outcome<()> {
        let token = self.token();
        let (name, taken) = self.name(&token);
        let name = (taken || self.dice.chance(0.6)).then_some(name);
        let program = match self.dice.chance(0.35) {
            true => Program::Job(self.dice.below(100).cast_signed()),
            false => Program::Service,
        };
        let call = Call::Create {
            name: name.clone(),
            token: token.clone(),
            worker: self.number,
            program,
        };
        let ended = self.ask(&call).await;
        let mut container = Container::new(token, program, name, &ended);
        let common = &self.common;
        if let Some(id) = container.id.clone() {
            match common.witness.look(&id).await? {
                Some(_) if taken => {
                    let what = format!("somebody else's was given: {container}");
                    common.report.bad(Bad::Lost, 1, &what);
                    container.now.present = false;
                }
                seen => container.settle(seen.as_ref(), None, &common.report),
            }
        }
        self.containers.push(container);
        Ok(())
    }

    async fn use_one(&mut self, at: usize) -> Outcome<()> {
        let Some(id) = self.containers[at].id.clone() else {
            return Ok(());
        };
        let call = self.choose(at, id.clone());
        let ended = self.ask(&call).await;
        let common = Arc::clone(&self.common);
        let doubt = tokio::time::Instant::now() + common.options.doubt();
        let container = &mut self.containers[at];
        let Some(if_done) = container.told(&call, &ended, doubt, &common.report) else {
            return Ok(());
        };
        // An engine may show a moment later what it has answered.
        let patience = Instant::now() + SHOWN;
        let seen = loop {
            let seen = common.witness.look(&id).await?;
            if container.is_as_told(seen.as_ref()) || Instant::now() >= patience {
                break seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        container.settle(seen.as_ref(), Some(&if_done), &common.report);
        Ok(())
    }

    /// What makes sense, and now and then what doesn't.
    fn choose(&mut self, at: usize, id: String) -> Call {
        let container = &self.containers[at];
        let (state, program) = (container.now.state, container.program);
        let dice = self.dice.below(100);
        match (state, dice) {
            (_, 0..8) => Call::Remove(id),
            (_, 8..13) => {
                let token = self.token();
                Call::Rename(id, self.name(&token).0)
            }
            (_, 13..18) => {
                // Never what it is already: two at a time are told apart.
                let shares = 2 + self.dice.below(1000) * 2;
                Call::Update(id, u32::try_from(shares).unwrap_or(2))
            }
            (_, 18..24) => Call::Inspect(id),
            (State::Paused, _) => Call::Unpause(id),
            (State::Created, 24..28) => Call::Kill(id),
            (State::Created, 28..32) => Call::Stop(id),
            (State::Created, _) => Call::Start(id),
            (State::Exited, 24..55) => Call::Start(id),
            (State::Exited, 55..60) => Call::Pause(id),
            (State::Exited, 60..65) => Call::Stop(id),
            (State::Exited, 65..75) if program != Program::Service => Call::Wait(id),
            (State::Exited, _) => Call::Remove(id),
            (State::Begun, 24..30) => Call::Start(id),
            (State::Begun, 30..35) => Call::Kill(id),
            (State::Begun, _) => Call::Wait(id),
            (State::Running, 24..32) => Call::Stop(id),
            (State::Running, 32..40) => Call::Kill(id),
            (State::Running, 40..48) => Call::Pause(id),
            (State::Running, 48..52) => Call::Start(id),
            (State::Running, _) => {
                let command = Command {
                    token: self.token(),
                    code: self.dice.below(100).cast_signed(),
                };
                Call::Exec(id, command)
            }
        }
    }

    async fn list(&mut self) -> Outcome<()> {
        let ended = self.ask(&Call::List(self.number)).await;
        if let Ended::Told(Ok(Answer::Listed(ids))) = &ended {
            let sure = self.containers.iter().filter(|one| one.is_ready());
            for container in sure {
                if container.id.as_ref().is_some_and(|id| !ids.contains(id)) {
                    let what = format!("not in the list: {container}");
                    self.common.report.bad(Bad::Lost, 1, &what);
                }
            }
        }
        Ok(())
    }

    /// Networks and volumes: one of each at a time.
    async fn thing(&mut self, real: bool) -> Outcome<()> {
        let is_network = self.dice.chance(if real { 0.8 } else { 0.5 });
        let is = |thing: &Thing| thing.is_network == is_network && thing.is_ready();
        if let Some(at) = self.things.iter().position(is) {
            let name = self.things[at].name.clone().unwrap_or_default();
            let call = match is_network {
                true => Call::RemoveNetwork(name),
                false => Call::RemoveVolume(name),
            };
            let ended = self.ask(&call).await;
            let thing = &mut self.things[at];
            thing.removed = Some(ended.certainty());
            thing.note("remove", &ended);
            return Ok(());
        }
        let token = self.token();
        let name = format!("{}-t-{token}", self.common.run);
        let named = is_network || self.dice.chance(0.7);
        let call = match is_network {
            true => Call::CreateNetwork {
                name: name.clone(),
                token: token.clone(),
            },
            false => Call::CreateVolume {
                name: named.then(|| name.clone()),
                token: token.clone(),
            },
        };
        let ended = self.ask(&call).await;
        let made = match &ended {
            Ended::Told(Ok(Answer::Made(made))) => Some(made.clone()),
            _ => None,
        };
        let mut thing = Thing {
            is_network,
            token,
            name: if named { Some(name) } else { made },
            created: ended.certainty(),
            removed: None,
            history: Vec::new(),
        };
        thing.note("create", &ended);
        self.things.push(thing);
        Ok(())
    }
}
