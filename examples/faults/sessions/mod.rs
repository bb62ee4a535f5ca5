//! A process with a session manager is killed, again and again, or the engine under it: what becomes of the sessions?

pub mod child;
mod end;
mod engine;
mod hand;
mod ledger;
mod line;
mod look;
mod said;
mod stage;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use crate::dice::Dice;
use crate::options::{EngineChoice, Options};
use crate::wire::Wire;
use crate::{Ground, Outcome};
pub use engine::kill_engine;
use ledger::pending;
use line::Bad;
pub use line::{HELP, Line};
use look::Looker;
use said::Life;
use stage::Stage;

/// The word by which this program runs as a child.
pub const CHILD: &str = "kill-sessions-child";
/// How long after a lease's time what a dead one has left may take.
const WITHIN: Duration = Duration::from_secs(10);
/// When a child is killed, after it has begun to work.
const LATEST: Duration = Duration::from_millis(2500);

struct Run<'a> {
    options: &'a Options,
    image: String,
    stage: Stage,
    dice: Dice,
    born: u64,
    sets: u64,
    recoveries: Vec<Duration>,
    /// Sessions that can't be opened in the end.
    stuck: usize,
}

pub async fn kill_host(options: &Options) -> Outcome<Line> {
    let began = Instant::now();
    let ground = Ground::prepare(options.engine).await?;
    let engine = ground.fake.as_ref().map(|engine| engine.docker_host());
    let mut run = Run::set_up(options, &ground, ground.wire(), engine).await?;
    let ended = tokio::select! {
        ended = run.kill_hosts() => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    run.finish(ended, options.kill_host, began).await
}

impl<'a> Run<'a> {
    async fn set_up(
        options: &'a Options,
        ground: &Ground,
        wire: Wire,
        engine: Option<String>,
    ) -> Outcome<Self> {
        let setting = &ground.setting;
        let mut looker = Looker::new(wire, &setting.run, &setting.image);
        if let Err(error) = looker.set_up().await {
            looker.clean_up().await?;
            return Err(error);
        }
        Ok(Self {
            options,
            image: setting.image.clone(),
            stage: Stage::new(looker, engine),
            dice: Dice::new(options.seed, 0),
            born: 0,
            sets: 1,
            recoveries: Vec::new(),
            stuck: 0,
        })
    }

    fn spawn(&mut self, set: u64) -> Outcome<u64> {
        let number = self.born;
        self.born += 1;
        let (hands, pause) = match self.options.engine {
            EngineChoice::Fake => (4, Duration::from_millis(40)),
            EngineChoice::Real => (4, Duration::from_millis(100)),
        };
        self.stage.spawn(&Life {
            number,
            host: self.stage.looker.host.clone(),
            lease: self.options.lease,
            seed: self.options.seed,
            image: self.image.clone(),
            set,
            hands,
            pause,
        })?;
        Ok(number)
    }

    async fn kill_hosts(&mut self) -> Outcome<()> {
        let mut set = 0;
        let mut child = self.spawn(set)?;
        for killed in 1..=self.options.kill_host {
            if killed % 4 == 0 {
                (child, set) = self.pair(child, set).await?;
            } else {
                self.live(child).await?;
                self.stage.kill(child).await?;
                child = self.spawn(set)?;
            }
            eprintln!("{killed} of {} killed", self.options.kill_host);
        }
        self.recovery(child).await?;
        self.load(child).await?;
        self.last(child, set).await
    }

    /// From a child's birth to the moment at which it is killed.
    async fn live(&mut self, child: u64) -> Outcome<()> {
        match self.dice.below(10) {
            // It may not even have a lease.
            0 => {
                let age = Duration::from_millis(self.dice.below(200));
                let born = self.stage.child(child)?.started;
                self.stage.listen(born + age).await
            }
            // Before it can know what was left.
            1..3 => {
                self.stage.until(child, |child| child.begun()).await?;
                let age = self
                    .dice
                    .between(Duration::ZERO, self.options.lease * 3 / 2);
                self.stage.listen(Instant::now() + age).await
            }
            _ => {
                self.recovery(child).await?;
                self.load(child).await
            }
        }
    }

    /// Waits for a moment in the middle of its work.
    async fn load(&mut self, child: u64) -> Outcome<()> {
        let opened = self.stage.child(child)?.opened;
        self.stage
            .until(child, |child| child.opened > opened)
            .await?;
        let age = self.dice.between(Duration::ZERO, LATEST);
        self.stage.listen(Instant::now() + age).await
    }

    /// Waits until what dead ones have left is dealt with, or should be.
    async fn recovery(&mut self, child: u64) -> Outcome<()> {
        let known = self.stage.child(child)?.recovered;
        // One that has lived on has recovered long since.
        let started = match known {
            true => Instant::now(),
            false => self.stage.child(child)?.started,
        };
        let until = started + self.options.lease + WITHIN;
        loop {
            self.stage
                .listen(Instant::now() + Duration::from_millis(100))
                .await?;
            let told = self.stage.child(child)?.recovered;
            let found = self.stage.looker.found().await?;
            let left = pending(&found, &self.stage.dead);
            if told && left.is_empty() {
                break;
            }
            if Instant::now() > until {
                for name in left {
                    let what = format!("{name}, of a dead one, after a lease and 10 s");
                    self.stage.wrongs.note(Bad::LeftOver, what);
                }
                if !told {
                    eprintln!("child {child} hasn't recovered after a lease and 10 s");
                }
                self.stage.until(child, |child| child.recovered).await?;
                break;
            }
        }
        if !known {
            self.recoveries.push(started.elapsed());
        }
        self.stage.judge().await.map(drop)
    }

    /// Two side by side, of which one is killed: the other one has it all then.
    async fn pair(&mut self, first: u64, set: u64) -> Outcome<(u64, u64)> {
        self.recovery(first).await?;
        let another = self.sets;
        self.sets += 1;
        let second = self.spawn(another)?;
        self.recovery(second).await?;
        self.load(second).await?;
        self.stage.judge().await?;
        let (dead, left, heir, kept) = match self.dice.chance(0.5) {
            true => (first, set, second, another),
            false => (second, another, first, set),
        };
        self.stage.kill(dead).await?;
        let killed = Instant::now();
        loop {
            let listed = self.stage.child(heir)?.listed;
            self.stage.order(heir, &format!("list {left}")).await?;
            self.stage
                .until(heir, |child| child.listed > listed)
                .await?;
            let missing = self.stage.ledger.missing(heir, left);
            let found = self.stage.looker.found().await?;
            let pending = pending(&found, &self.stage.dead);
            if missing.is_empty() && pending.is_empty() {
                break;
            }
            if killed.elapsed() > self.options.lease + WITHIN {
                let pending = pending.into_iter();
                let pending = pending.map(|name| (Bad::LeftOver, format!("{name}, of {dead}")));
                for (bad, what) in missing.into_iter().chain(pending) {
                    self.stage.wrongs.note(bad, what);
                }
                break;
            }
            self.stage
                .listen(Instant::now() + Duration::from_millis(200))
                .await?;
        }
        self.stage.judge().await?;
        self.stage.order(heir, &format!("use {left}")).await?;
        self.stage.until(heir, |child| child.used).await?;
        self.stage.judge().await?;
        Ok((heir, kept))
    }
}
