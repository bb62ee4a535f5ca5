//! What goes wrong on the way to the engine, and when.

use std::sync::Arc;
use std::time::Duration;

use catamaran::testing::{Fault, FaultProxy, Faults, Hold, Rule, When};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Outcome;
use crate::dice::Dice;
use crate::options::Options;
use crate::report::Report;

/// Endpoints, and whether they only look.
const ENDPOINTS: &[(&str, &str, bool)] = &[
    ("GET", "/_ping", true),
    ("GET", "/version", true),
    ("GET", "/info", true),
    ("POST", "/containers/create", false),
    ("POST", "/containers/*/start", false),
    ("POST", "/containers/*/stop", false),
    ("POST", "/containers/*/kill", false),
    ("POST", "/containers/*/pause", false),
    ("POST", "/containers/*/unpause", false),
    ("POST", "/containers/*/rename", false),
    ("POST", "/containers/*/update", false),
    ("POST", "/containers/*/wait", true),
    ("DELETE", "/containers/*", false),
    ("GET", "/containers/*/json", true),
    ("GET", "/containers/json", true),
    ("POST", "/containers/*/exec", false),
    ("POST", "/exec/*/start", false),
    ("GET", "/exec/*/json", true),
    ("POST", "/networks/create", false),
    ("GET", "/networks/*", true),
    ("GET", "/networks", true),
    ("DELETE", "/networks/*", false),
    ("POST", "/volumes/create", false),
    ("GET", "/volumes/*", true),
    ("GET", "/volumes", true),
    ("DELETE", "/volumes/*", false),
];

/// How long calls are asked again before an outage, so that some are under way.
const BUSY: Duration = Duration::from_millis(20);

/// Requests as the proxy counted them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requests {
    pub all: u64,
    pub faulted: u64,
}

/// The rules of a while: they are made anew again and again, for a [`Hold`] holds once only.
struct Spell {
    rules: usize,
    holds: Vec<Hold>,
}

pub struct Weather {
    proxy: FaultProxy,
    options: Options,
    dice: Dice,
    spell: Spell,
    counted: Requests,
}

impl Weather {
    pub fn new(proxy: FaultProxy, options: &Options) -> Self {
        let mut weather = Self {
            proxy,
            options: options.clone(),
            dice: Dice::new(options.seed, u64::MAX),
            spell: Spell {
                rules: 0,
                holds: Vec::new(),
            },
            counted: Requests::default(),
        };
        weather.change(weather.options.fault_rate, true);
        weather
    }

    /// Lets faults and outages come until told to end, and then nothing more fails.
    pub async fn blow(
        mut self,
        report: Arc<Report>,
        mut end: watch::Receiver<bool>,
    ) -> Outcome<Self> {
        let (mut outages, mut changed) = (0, Instant::now());
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
                _ = end.wait_for(|end| *end) => break,
            }
            let due = (outages + 1) * self.options.ops / (self.options.outages + 1);
            let outage = outages < self.options.outages && report.asked() >= due;
            if outage {
                outages += 1;
                // What is still on its way couldn't be told from what is lost.
                self.change(self.options.fault_rate, false);
                report.hold(true);
                tokio::time::sleep(self.options.longest_delay()).await;
                report.hold(false);
                tokio::time::sleep(BUSY).await;
                self.outage(&report).await?;
            }
            if outage || changed.elapsed() > self.options.longest_delay().mul_f64(0.8) {
                self.change(self.options.fault_rate, true);
                changed = Instant::now();
            }
        }
        self.change(0.0, false);
        Ok(self)
    }

    /// Nobody reaches the engine for a while.
    async fn outage(&mut self, report: &Report) -> Outcome<()> {
        let tenth = self.options.deadline / 10;
        let time = self.dice.between(tenth, tenth * 2);
        self.proxy.disconnect();
        tokio::time::sleep(time).await;
        self.proxy.reconnect().await?;
        report.reconnected();
        eprintln!("an outage of {time:.0?}, after {} calls", report.asked());
        let patience = Instant::now() + self.options.deadline;
        while !report.has_recovered() && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// All that was counted so far.
    pub fn requests(&mut self) -> Requests {
        let faults = self.proxy.faults();
        let mut counted = self.counted;
        for rule in 0..self.spell.rules {
            let faulted = faults.count(rule).faulted;
            counted.faulted += faulted;
            counted.all += faulted;
        }
        // The last rule sees what no other took.
        counted.all += faults.count(self.spell.rules).matched;
        counted
    }

    /// Puts new rules in the place of the old ones.
    fn change(&mut self, rate: f64, may_delay: bool) {
        self.counted = self.requests();
        let before = std::mem::take(&mut self.spell.holds);
        let faults: Faults = self.proxy.faults().clone();
        faults.clear();
        faults.seed(self.dice.roll());
        let mut rules = 0;
        for (method, path, looks) in ENDPOINTS {
            let kinds = self.kinds(*looks, may_delay);
            let each = rate / kinds.len() as f64;
            for (at, kind) in kinds.into_iter().enumerate() {
                // Of those that met none before it, so that all have the same share.
                let chance = each / (1.0 - at as f64 * each);
                faults.add(Rule::new(method, *path, kind).when(When::Chance(chance)));
                rules += 1;
            }
        }
        faults.add(Rule::any(Fault::Latency(Duration::ZERO)).when(When::Chance(0.0)));
        self.spell.rules = rules;
        for hold in before {
            hold.release();
        }
    }

    /// Each kind of fault. Looks are held up for a short time alone: a caller needs them to find out the rest.
    fn kinds(&mut self, looks: bool, may_delay: bool) -> Vec<Fault> {
        let most = self.options.longest_delay();
        let most = if looks { most / 10 } else { most };
        let dice = &mut self.dice;
        let mut time = || dice.between(most / 20, most);
        let mut kinds = vec![
            Fault::Refuse,
            Fault::DropAnswer,
            Fault::Drip(512, Duration::from_millis(1)),
            Fault::Malformed,
            Fault::Latency(time().mul_f64(0.2)),
        ];
        if may_delay {
            kinds.extend([Fault::HoldAnswer(time()), Fault::DelayRequest(time())]);
        }
        kinds.extend([
            Fault::ResetRequest(self.dice.below(200)),
            Fault::Truncate(self.dice.below(100)),
            Fault::Status(*self.dice.pick(&[500, 502, 503]).unwrap_or(&500)),
            Fault::StatusAfter(*self.dice.pick(&[500, 502, 504]).unwrap_or(&500)),
            Fault::RetryAfter(503, u64::from(!looks)),
        ]);
        if may_delay && !looks {
            let (answer, request) = (Hold::new(), Hold::new());
            self.spell.holds.extend([answer.clone(), request.clone()]);
            kinds.extend([
                Fault::HoldAnswerUntil(answer),
                Fault::DelayRequestUntil(request),
            ]);
        }
        kinds
    }
}
