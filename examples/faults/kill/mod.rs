//! A process that embeds the crate is killed, again and again: what becomes of its containers?

pub mod child;
mod ledger;
mod line;
mod said;
mod stage;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::Setting;
use crate::dice::Dice;
use crate::options::{ClientChoice, EngineChoice, Options};
use crate::report::{Bad, Report, milliseconds, p99};
use crate::witness::Witness;
use crate::{Ground, Outcome};
pub use line::{HELP, Line};
use said::Life;
use stage::Stage;

/// The word by which this program runs as a child.
pub const CHILD: &str = "kill-host-child";
/// By when what a dead one has left is dealt with, from the next one's start.
const WITHIN: Duration = Duration::from_secs(10);
/// When a child is killed, after its first creation began.
const LATEST: Duration = Duration::from_millis(1500);

/// When a child is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It may not even have a lease.
    Newborn,
    /// Before it can have found what is left.
    Early,
    /// Once it has found that, while it asked for others already.
    Busy,
    /// The same, and it asks for others only then.
    Patient,
}

impl Manner {
    fn by(dice: &mut Dice) -> Self {
        match dice.below(20) {
            0 => Self::Newborn,
            1..5 => Self::Early,
            5..12 => Self::Busy,
            _ => Self::Patient,
        }
    }
}

struct Killing<'a> {
    options: &'a Options,
    setting: Setting,
    stage: Stage,
    dice: Dice,
    born: u64,
    /// Nobody else of the same name lives, who could be offered things a moment later.
    alone: bool,
    recoveries: Vec<Duration>,
}

pub async fn kill_host(options: &Options) -> Outcome<Line> {
    if options.client == ClientChoice::NaiveRetry {
        return Err("--kill-host has a naive client of its own: naive".into());
    }
    let began = Instant::now();
    let ground = Ground::prepare(options.engine).await?;
    let witness = Arc::new(Witness::set_up(ground.wire(), ground.setting.clone()).await?);
    let mut killing = Killing {
        options,
        setting: ground.setting.clone(),
        stage: Stage::new(
            Arc::clone(&witness),
            Arc::new(Report::default()),
            ground.fake.as_ref().map(|engine| engine.docker_host()),
        ),
        dice: Dice::new(options.seed, 0),
        born: 0,
        alone: true,
        recoveries: Vec::new(),
    };
    let ended = tokio::select! {
        ended = killing.go_on(began) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    // With all of its children.
    drop(killing);
    if ended.is_err() {
        eprintln!("cleaning up");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    witness.clean_up().await?;
    ended
}

impl Killing<'_> {
    async fn spawn(&mut self, host: &str, calm: bool) -> Outcome<u64> {
        let number = self.born;
        self.born += 1;
        let tasks = match self.options.engine {
            EngineChoice::Fake => 6,
            EngineChoice::Real => 4,
        };
        self.stage.spawn(&Life {
            number,
            host: host.to_owned(),
            lease: self.options.lease,
            seed: self.options.seed,
            run: self.setting.run.clone(),
            image: self.setting.image.clone(),
            client: self.options.client,
            tasks: if calm { 2 } else { tasks },
            pause: Duration::from_millis(if calm { 700 } else { 5 }),
        })?;
        Ok(number)
    }

    /// One that lives to the end.
    async fn neighbour(&mut self, host: &str) -> Outcome<u64> {
        let number = self.spawn(host, true).await?;
        self.stage.until(number, |child| child.begun).await?;
        self.stage.order(number, "work").await?;
        Ok(number)
    }

    async fn go_on(&mut self, began: Instant) -> Outcome<Line> {
        let [host, another] = self.setting.hosts();
        let mut neighbours = vec![self.neighbour(&another).await?];
        let mut child = self.spawn(&host, false).await?;
        for killed in 0..self.options.kill_host {
            // So the next one is whom all is offered to first, then one of two.
            if killed == self.options.kill_host / 2 {
                self.alone = false;
                neighbours.push(self.neighbour(&host).await?);
            }
            let manner = Manner::by(&mut self.dice);
            self.live(child, manner).await?;
            self.stage.kill(child).await?;
            child = self.spawn(&host, false).await?;
            if (killed + 1) % 10 == 0 {
                eprintln!("{} of {} killed", killed + 1, self.options.kill_host);
            }
        }
        self.live(child, Manner::Patient).await?;
        neighbours.push(child);
        for number in neighbours {
            self.stage.end(number).await?;
        }
        let found = self.stage.judge().await?;
        let left = self.stage.ledger.left(&found, false).to_remove;
        for id in left {
            let what = format!("its host has ended: {}", self.stage.ledger.describe(&id));
            self.stage.report.bad(Bad::RemoveLeft, 1, &what);
        }
        let leases = self.stage.witness.held_leases().await?;
        if !leases.is_empty() {
            let what = format!("leases of hosts that have ended: {leases:?}");
            self.stage
                .report
                .bad(Bad::LeaseLeft, leases.len() as u64, &what);
        }
        self.stage.witness.audit_foreign(&self.stage.report).await?;
        Ok(self.line(began))
    }

    /// From a child's birth to the moment at which it is killed.
    async fn live(&mut self, child: u64, manner: Manner) -> Outcome<()> {
        if manner == Manner::Newborn {
            let age = self
                .dice
                .between(Duration::ZERO, Duration::from_millis(150));
            let born = self.stage.child(child)?.started;
            return self.stage.listen(born + age).await;
        }
        self.stage.until(child, |child| child.begun).await?;
        if manner != Manner::Patient {
            self.stage.order(child, "work").await?;
        }
        if manner != Manner::Early {
            self.recovery(child).await?;
            self.stage.judge().await?;
        }
        if manner == Manner::Patient {
            self.stage.order(child, "work").await?;
        }
        self.stage.until(child, |child| child.asking).await?;
        let age = self.dice.between(Duration::ZERO, LATEST);
        self.stage.listen(Instant::now() + age).await
    }

    /// Waits until what dead ones have left is dealt with, or should be.
    async fn recovery(&mut self, child: u64) -> Outcome<()> {
        let started = self.stage.child(child)?.started;
        let (mut was_told, mut quiet) = (false, None);
        loop {
            self.stage
                .listen(Instant::now() + Duration::from_millis(50))
                .await?;
            let told = self.stage.child(child)?.recovered;
            let at = started.elapsed();
            let found = self.stage.witness.containers().await?;
            if told && !was_told {
                was_told = true;
                self.stage.catch_up().await?;
                // What came to be after its host's death may come later.
                let mut left = self.stage.ledger.left(&found, true);
                if self.alone {
                    left.to_remove.append(&mut left.to_offer);
                }
                for id in &left.to_remove {
                    let what = format!("`recovered`, but for {}", self.stage.ledger.describe(id));
                    self.stage.report.bad(Bad::ToldTooEarly, 1, &what);
                }
            }
            match self.stage.ledger.left(&found, false).is_empty() {
                true => quiet = quiet.or(Some(at)),
                false => quiet = None,
            }
            if let (Some(quiet), true) = (quiet, told) {
                self.recoveries.push(quiet);
                return Ok(());
            }
            if at > WITHIN {
                self.recoveries.push(at);
                if !told && quiet.is_some() {
                    let what = format!("child {child} isn't told `recovered`, and nothing is left");
                    self.stage.report.bad(Bad::ToldTooLate, 1, &what);
                }
                self.stage.count_left(&found, "10 s after the next start");
                return Ok(());
            }
        }
    }

    fn line(&mut self, began: Instant) -> Line {
        let (stage, report) = (&self.stage, &self.stage.report);
        Line {
            kills: self.options.kill_host,
            made: stage.ledger.made() as u64,
            adoptions: stage.ledger.adoptions,
            remove_left: report.count(Bad::RemoveLeft),
            adopt_lost: report.count(Bad::AdoptLost),
            wrongly_offered: report.count(Bad::WronglyOffered),
            told_too_early: report.count(Bad::ToldTooEarly),
            told_too_late: report.count(Bad::ToldTooLate),
            living_touched: report.count(Bad::LivingTouched),
            foreign_deleted: report.count(Bad::ForeignDeleted),
            duplicates: report.count(Bad::Duplicate),
            lost: report.count(Bad::Lost),
            leases_left: report.count(Bad::LeaseLeft),
            failed_calls: stage.failed,
            recovery_ms_p99: milliseconds(p99(&mut self.recoveries)),
            seconds: (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        }
    }
}
