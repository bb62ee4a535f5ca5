//! A path that fails isn't asked for a while: calls don't wait for what won't answer, and what is ill isn't flooded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind};
use crate::lock::lock;

/// When a path counts as failing, and how long it is left alone.
///
/// ```
/// use std::time::Duration;
/// use catamaran::BreakerOptions;
///
/// let patient = BreakerOptions::default().with_failures(20u32).with_rest(Duration::from_secs(2));
/// # let _ = patient;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// After so many failures of the path in a row it opens; 5 unless set, 0 is never.
    pub failures: u32,
    /// How long the path is left alone then, before one call probes it; 500 ms unless set.
    pub rest: Duration,
    /// Each probe that fails doubles that, up to this; 5 s unless set.
    pub longest_rest: Duration,
    /// A timeout counts as a failure of the path where the attempt had at least so long; 1 s unless set. Callers in a
    /// hurry say nothing of the path.
    pub patience: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_millis(500),
            longest_rest: Duration::from_secs(5),
            patience: Duration::from_secs(1),
        }
    }
}

impl BreakerOptions {
    /// Sets after how many failures in a row it opens; 0 is never.
    #[must_use]
    pub fn with_failures(mut self, failures: impl Into<u32>) -> Self {
        self.failures = failures.into();
        self
    }

    /// Sets how long the path is left alone at first.
    #[must_use]
    pub fn with_rest(mut self, rest: impl Into<Duration>) -> Self {
        self.rest = rest.into();
        self
    }

    /// Sets how long it is left alone at most.
    #[must_use]
    pub fn with_longest_rest(mut self, rest: impl Into<Duration>) -> Self {
        self.longest_rest = rest.into();
        self
    }

    /// Sets from which time on a timeout counts.
    #[must_use]
    pub fn with_patience(mut self, patience: impl Into<Duration>) -> Self {
        self.patience = patience.into();
        self
    }
}

impl BreakerOptions {
    /// How long one probe has the path for itself.
    fn probe(&self) -> Duration {
        self.longest_rest.max(self.patience)
    }
}

/// What a path's breaker lets through.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Every call.
    Closed,
    /// None.
    Open,
    /// One call at a time, which finds out whether the path is well again.
    Probing,
}

impl BreakerState {
    /// The name as serde has it, for labels.
    ///
    /// ```
    /// assert_eq!(catamaran::BreakerState::Open.as_str(), "open");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }

    /// As the metric has it.
    pub(crate) const fn as_number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Probing => 1,
            Self::Open => 2,
        }
    }
}

/// What a breaker has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) state: BreakerState,
    /// Greater than that of any change before it, whichever breaker's: whoever is told of both may be told of the later one first.
    pub(crate) generation: u64,
}

static CHANGES: AtomicU64 = AtomicU64::new(0);

/// The breaker of one path.
#[derive(Debug)]
pub(crate) struct Breaker {
    engine: EngineKind,
    options: BreakerOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// In a row.
    failures: u32,
    /// How often it has opened without having been closed in between.
    openings: u32,
    /// Grows with each change of the phase: who was let through before says nothing of now.
    generation: u64,
    last: Option<Error>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Phase {
    #[default]
    Closed,
    Open(Instant),
    /// Since then.
    Probing(Instant),
}

impl State {
    fn change(&mut self, phase: Phase) -> Change {
        self.phase = phase;
        self.generation = CHANGES.fetch_add(1, Ordering::Relaxed) + 1;
        self.failures = 0;
        Change {
            state: match phase {
                Phase::Closed => BreakerState::Closed,
                Phase::Open(_) => BreakerState::Open,
                Phase::Probing(_) => BreakerState::Probing,
            },
            generation: self.generation,
        }
    }
}

impl Breaker {
    pub(crate) fn new(engine: EngineKind, options: BreakerOptions) -> Arc<Self> {
        Arc::new(Self {
            engine,
            options,
            state: Mutex::default(),
        })
    }

    pub(crate) fn state(&self) -> BreakerState {
        match lock(&self.state).phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open(until) if until > Instant::now() => BreakerState::Open,
            Phase::Open(_) | Phase::Probing(_) => BreakerState::Probing,
        }
    }

    /// Lets a call through, or says how long none will be, and what failed last.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Result<Pass, Rest> {
        let mut state = lock(&self.state);
        let left = match state.phase {
            Phase::Closed => None,
            Phase::Open(until) if until <= now => {
                state.change(Phase::Probing(now));
                None
            }
            Phase::Open(until) => Some(until - now),
            // A probe that takes as long as it takes (a wait, a gate of the host's) isn't waited for.
            Phase::Probing(since) if now - since >= self.options.probe() => {
                state.change(Phase::Probing(now));
                None
            }
            Phase::Probing(_) => Some(self.options.rest),
        };
        match left {
            None => Ok(Pass {
                breaker: Arc::clone(self),
                generation: state.generation,
                from: now,
                probes: matches!(state.phase, Phase::Probing(_)),
                told: false,
            }),
            Some(left) => Err(Rest {
                left,
                last: state.last.clone(),
            }),
        }
    }

    /// What it has become, where that is new.
    fn well(&self, generation: u64) -> Option<Change> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return None;
        }
        state.failures = 0;
        if !matches!(state.phase, Phase::Probing(_)) {
            return None;
        }
        let change = state.change(Phase::Closed);
        state.openings = 0;
        state.last = None;
        drop(state);
        tracing::info!(engine = %self.engine, "the path to the engine is well again");
        Some(change)
    }

    /// What it has become, where that is new.
    fn failed(&self, generation: u64, error: &Error) -> Option<Change> {
        let mut state = lock(&self.state);
        if state.generation != generation || self.options.failures == 0 {
            return None;
        }
        state.failures += 1;
        let probed = matches!(state.phase, Phase::Probing(_));
        if !probed && state.failures < self.options.failures {
            return None;
        }
        let rest = self.options.rest;
        let rest = rest.saturating_mul(1 << state.openings.min(16));
        let rest = rest.min(self.options.longest_rest);
        state.openings += 1;
        state.last = Some(error.clone());
        // A rest beyond all time is one for ever, as nearly as it can be told.
        let now = Instant::now();
        let until = now.checked_add(rest);
        let change = state.change(Phase::Open(
            until.unwrap_or(now + Duration::from_secs(1 << 30)),
        ));
        drop(state);
        if !probed {
            tracing::warn!(engine = %self.engine, error = %error, ?rest, "the path to the engine fails: it is left alone for a while");
        }
        Some(change)
    }

    /// Who probed went away without having found out: the next may.
    fn untold(&self, generation: u64) {
        let mut state = lock(&self.state);
        if state.generation == generation && matches!(state.phase, Phase::Probing(_)) {
            state.change(Phase::Open(Instant::now()));
        }
    }
}

/// How long a path is left alone.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) left: Duration,
    pub(crate) last: Option<Error>,
}

/// Leave to make one attempt. Dropped without a word (the caller has gone), it says nothing of the path.
#[derive(Debug)]
pub(crate) struct Pass {
    breaker: Arc<Breaker>,
    generation: u64,
    from: Instant,
    probes: bool,
    told: bool,
}

impl Pass {
    /// What the breaker has become by letting it through, where it is to find out how the path is.
    pub(crate) fn probe(&self) -> Option<Change> {
        self.probes.then_some(Change {
            state: BreakerState::Probing,
            generation: self.generation,
        })
    }

    /// Tells what came of it. Any answer of the engine says that the path is well. What the breaker has become, where that is
    /// new.
    pub(crate) fn ended<T>(mut self, result: &Result<T, Error>) -> Option<Change> {
        match result {
            Ok(_) => self.told = true,
            Err(error) if error.status().is_some() || error.effect() == Effect::Rejected => {
                self.told = true;
            }
            Err(error) if self.counts(error) => {
                self.told = true;
                return self.breaker.failed(self.generation, error);
            }
            Err(_) => {}
        }
        self.told.then(|| self.breaker.well(self.generation))?
    }

    fn counts(&self, error: &Error) -> bool {
        let hurried = self.from.elapsed() < self.breaker.options.patience;
        error.is_path_failure() && (error.kind() != ErrorKind::Timeout || !hurried)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.untold(self.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken<T>() -> Result<T, Error> {
        Err(Error::new(ErrorKind::Connect, "gone"))
    }

    fn opened(options: BreakerOptions) -> Arc<Breaker> {
        let breaker = Breaker::new(EngineKind::Async, options);
        for _ in 0..options.failures {
            assert_eq!(breaker.state(), BreakerState::Closed);
            breaker
                .admit(Instant::now())
                .expect("closed")
                .ended(&broken::<()>());
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_rests_longer_each_time_and_closes() {
        let options = BreakerOptions::default();
        let breaker = opened(options);
        for rest in [500, 1000, 2000, 4000, 5000, 5000] {
            let left = breaker.admit(Instant::now()).expect_err("open").left;
            assert_eq!(left, Duration::from_millis(rest));
            tokio::time::advance(left).await;
            breaker
                .admit(Instant::now())
                .expect("a probe")
                .ended(&broken::<()>());
        }
        tokio::time::advance(options.longest_rest).await;
        breaker
            .admit(Instant::now())
            .expect("a probe")
            .ended(&Ok(()));
        assert_eq!(breaker.state(), BreakerState::Closed);
        let again = opened(options);
        assert_eq!(
            again.admit(Instant::now()).expect_err("open").left,
            options.rest
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_probes_at_a_time_and_who_goes_away_leaves_it_to_the_next() {
        let breaker = opened(BreakerOptions::default());
        tokio::time::advance(Duration::from_millis(500)).await;
        let probe = breaker.admit(Instant::now()).expect("a probe");
        assert_eq!(breaker.state(), BreakerState::Probing);
        breaker.admit(Instant::now()).expect_err("another probes");
        drop(probe);
        breaker
            .admit(Instant::now())
            .expect("the next")
            .ended(&Ok(()));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_without_end_is_not_waited_for() {
        let options = BreakerOptions::default();
        let breaker = opened(options);
        tokio::time::advance(options.rest).await;
        let endless = breaker.admit(Instant::now()).expect("a probe");
        tokio::time::advance(options.longest_rest).await;
        breaker
            .admit(Instant::now())
            .expect("another")
            .ended(&Ok(()));
        assert_eq!(breaker.state(), BreakerState::Closed);
        endless.ended(&broken::<()>());
        assert_eq!(breaker.state(), BreakerState::Closed, "it comes late");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_does_not_count() {
        let breaker = Breaker::new(EngineKind::Async, BreakerOptions::default());
        let late = [breaker.admit(Instant::now()), breaker.admit(Instant::now())]
            .map(|pass| pass.expect("closed"));
        for _ in 0..5 {
            breaker
                .admit(Instant::now())
                .expect("closed")
                .ended(&broken::<()>());
        }
        let [well, ill] = late;
        well.ended(&Ok(()));
        assert_eq!(breaker.state(), BreakerState::Open, "a late success");
        tokio::time::advance(Duration::from_millis(500)).await;
        let probe = breaker.admit(Instant::now()).expect("a probe");
        ill.ended(&broken::<()>());
        probe.ended(&Ok(()));
        assert_eq!(breaker.state(), BreakerState::Closed, "a late failure");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_path_counts() {
        let breaker = Breaker::new(EngineKind::Async, BreakerOptions::default());
        for error in [
            Error::answered(500, "the engine's own"),
            Error::answered(404, "no such container"),
            Error::new(ErrorKind::InvalidInput, "not sent"),
            Error::new(ErrorKind::Saturated, "no turn"),
            Error::new(ErrorKind::Timeout, "in a hurry"),
        ] {
            for _ in 0..10 {
                breaker
                    .admit(Instant::now())
                    .expect("closed")
                    .ended(&Err::<(), _>(error.clone()));
            }
        }
        for _ in 0..10 {
            drop(breaker.admit(Instant::now()).expect("closed"));
        }
        for _ in 0..5 {
            let pass = breaker.admit(Instant::now()).expect("closed");
            tokio::time::advance(Duration::from_secs(1)).await;
            pass.ended(&Err::<(), _>(Error::new(ErrorKind::Timeout, "silence")));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_begins_the_count_anew() {
        let breaker = Breaker::new(EngineKind::Async, BreakerOptions::default());
        for _ in 0..10 {
            for _ in 0..4 {
                breaker
                    .admit(Instant::now())
                    .expect("closed")
                    .ended(&broken::<()>());
            }
            breaker
                .admit(Instant::now())
                .expect("closed")
                .ended(&Ok(()));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
