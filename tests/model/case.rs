//! One case: its steps, each followed by a look at the engine when nothing is under way any more.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use catamaran::testing::{Fault, Hold, Rule, When};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::client::{Asked, Client};
use crate::clock::Clock;
use crate::engine::{FOREIGN, Lab, World};
use crate::model::{Call, Ended, Judged, Model};
use crate::steps::{Caller, Case, Step, Verb};
use crate::weather;

const NAMES: [&str; 4] = ["one", "two", "three", FOREIGN[0].0];
/// What is still under way has come to its end after that.
const LATE: Duration = Duration::from_millis(50);
/// For how long the janitor looks for a creation, and a pause of it more.
const JANITOR: Duration = Duration::from_secs(40);

/// How many calls there were, and how many requests of theirs met a fault.
pub static CALLS: AtomicU64 = AtomicU64::new(0);
pub static FAULTED: AtomicU64 = AtomicU64::new(0);

pub struct Run {
    lab: Lab,
    model: Model,
    client: Client,
    clock: Clock,
    deadline: Duration,
    tokens: u32,
    /// Creations that arrive after all steps.
    late: Hold,
    history: Vec<String>,
}

impl Run {
    pub async fn new(case: &Case, clock: Clock, is_naive: bool) -> Self {
        let lab = Lab::start(case.personality).await;
        let deadline = clock.deadlines()[case.deadline];
        let client = match is_naive {
            true => Client::naive(lab.proxy.endpoint(), deadline),
            false => Client::hybrid(lab.proxy.endpoint(), deadline, clock, case.mode),
        };
        Self {
            lab,
            model: Model::default(),
            client,
            clock,
            deadline,
            tokens: 0,
            late: Hold::new(),
            history: Vec::new(),
        }
    }

    pub async fn go(&mut self, case: &Case) -> Judged {
        let gone = self.steps(&case.steps).await;
        gone.map_err(|bad| format!("{bad}\n{}", self.history.join("\n")))
    }

    async fn steps(&mut self, steps: &[Step]) -> Judged {
        for (number, step) in steps.iter().enumerate() {
            self.history
                .push(format!("step {number}, deadline {:?}", self.deadline));
            self.step(step).await?;
        }
        self.late.release();
        self.quiet(LATE).await;
        self.look(Ended::nothing(&self.lab.world)).await?;
        weather::recover(&self.client, self.lab.proxy.faults()).await?;
        self.tidy().await
    }

    fn asked(&mut self, caller: &Caller, alone: bool) -> Asked {
        let given = match caller.verb {
            Verb::RemoveNetwork => &self.model.networks,
            Verb::RemoveVolume => &self.model.volumes,
            _ => &self.model.containers,
        };
        let last = given.len().checked_sub(1);
        let target = last.and_then(|last| given.get(last - caller.slot % (last + 1)).cloned());
        let there = target
            .as_ref()
            .and_then(|id| self.lab.world.containers.get(id));
        // Most ask for what makes sense, one after the other.
        let rests = there.is_some_and(|one| matches!(one.state, "created" | "exited"));
        let verb = match caller.verb {
            verb if verb.makes() || verb == Verb::List => verb,
            Verb::RemoveNetwork if target.is_none() => Verb::CreateNetwork,
            Verb::RemoveVolume if target.is_none() => Verb::CreateVolume,
            _ if target.is_none() => Verb::Create,
            verb if verb.needs_life() && rests && caller.other > 0 => Verb::Start,
            verb => verb,
        };
        // A name means the same container throughout where nobody else is there.
        let by_name = there
            .filter(|_| alone && caller.other == 1)
            .map(|one| one.name.clone());
        let target = target.filter(|_| !verb.makes()).unwrap_or_default();
        self.tokens += 1;
        let name = Some(NAMES[caller.other]).filter(|_| verb.names());
        Asked {
            verb,
            called: by_name.unwrap_or_else(|| target.clone()),
            target,
            name: name.unwrap_or_default().to_owned(),
            token: format!("t{}", self.tokens),
            code: match verb {
                Verb::Exec => Some(caller.other as i64),
                _ => (verb.makes() && caller.other == 2).then_some(3),
            },
        }
    }

    async fn step(&mut self, step: &Step) -> Judged {
        let alone = step.callers.len() == 1;
        let callers = step.callers.iter();
        let asked = callers.map(|caller| (self.asked(caller, alone), caller.leave));
        let asked: Vec<_> = asked.collect();
        let troubled = !step.troubles.is_empty() || step.weather.is_some();
        let mut ended = Ended {
            troubled: troubled || !self.client.is_well(),
            lied: step.troubles.iter().any(|trouble| trouble.lies()),
            delayed: step.troubles.iter().any(|trouble| trouble.delays()),
            ..Ended::nothing(&self.lab.world)
        };
        let (hold, faults) = (Hold::new(), self.lab.proxy.faults().clone());
        // It holds never, and counts all.
        faults.add(Rule::any(Fault::Refuse).when(When::Nth(u64::MAX)));
        for trouble in &step.troubles {
            let late = trouble.late && alone && asked[0].0.verb.makes();
            let fault = trouble.fault(self.deadline, if late { &self.late } else { &hold });
            faults.add(Rule::any(fault).when(When::Nth(trouble.nth)));
        }
        let (client, deadline) = (self.client.clone(), self.deadline);
        let calls = asked.into_iter().map(|(asked, leave)| {
            let (client, faults) = (&client, &faults);
            async move {
                let began = tokio::time::Instant::now();
                let told =
                    weather::leaving(client.ask(&asked, deadline), leave, deadline, faults).await;
                let took = began.elapsed();
                Call { asked, told, took }
            }
        });
        let began = Instant::now();
        let calls = calls.collect::<FuturesUnordered<_>>().collect::<Vec<_>>();
        let storm = weather::blow(
            step.weather,
            &mut self.lab.proxy,
            &client,
            self.clock,
            deadline,
        );
        let (calls, jumped) = tokio::join!(calls, storm);
        let slack = self.clock.slack(began);
        let allowed = deadline + self.clock.late() + jumped + slack;
        // On a busy machine a call may have too little time without any fault.
        ended.troubled |= slack > LATE;
        hold.release();
        // What is held up by time arrives within one and a half.
        let late = if ended.delayed {
            deadline * 3 / 2
        } else {
            LATE
        };
        self.quiet(late).await;
        let met = (1..=step.troubles.len()).map(|rule| faults.count(rule).faulted);
        FAULTED.fetch_add(met.sum(), Relaxed);
        CALLS.fetch_add(calls.len() as u64, Relaxed);
        faults.clear();
        self.history
            .extend(calls.iter().map(|call| format!("  {call:?}")));
        if let Some(call) = calls.iter().find(|call| call.took > allowed) {
            return Err(format!("LATE: {allowed:?} were allowed: {call:?}"));
        }
        ended.calls = calls;
        self.look(ended).await
    }

    async fn look(&mut self, mut ended: Ended) -> Judged {
        ended.moments = self.lab.look().await?;
        for one in &ended.moments {
            let line = format!("    {} {:.12}", one.action, one.actor);
            self.history.push(line);
        }
        self.model.judge(&ended, &self.lab.foreign)
    }

    /// Until nothing is under way: what was sent late has arrived, and the engine is asked nothing more.
    async fn quiet(&self, late: Duration) {
        sleep(late).await;
        let journal = self.lab.fake.journal();
        let asked = || journal.requests().into_iter().map(|one| one.status);
        loop {
            let (began, before) = (Instant::now(), asked().collect::<Vec<_>>());
            sleep(LATE).await;
            // A busy machine may not have come to it.
            if self.clock.slack(began) <= LATE && asked().eq(before) {
                return;
            }
        }
    }

    /// The janitor removes what nobody was given.
    async fn tidy(&mut self) -> Judged {
        let began = Instant::now();
        while let Err(left) = self.model.there(&self.lab).await? {
            let Client::Hybrid(_) = &self.client else {
                return Err(left);
            };
            if began.elapsed() > JANITOR {
                return Err(left);
            }
            self.clock.nap().await;
        }
        self.look(Ended::nothing(&self.lab.world)).await
    }

    /// A look when the janitor has nothing more to do.
    pub async fn after_all(&mut self) -> Judged {
        let tidied = self.tidy().await;
        tidied.map_err(|bad| format!("after all: {bad}\n{}", self.history.join("\n")))
    }
}

impl Ended {
    fn nothing(before: &World) -> Self {
        Self {
            before: before.clone(),
            calls: Vec::new(),
            moments: Vec::new(),
            troubled: false,
            lied: false,
            delayed: false,
        }
    }
}
