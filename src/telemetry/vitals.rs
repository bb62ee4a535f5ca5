//! What is known of the engines' paths without asking.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::window::{Sum, Window};
use crate::config::Config;
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind};
use crate::lock::lock;
use crate::policy::{BreakerState, Change, Limits, Load};

/// Of both paths, and of the calls that took them.
#[derive(Debug)]
pub(crate) struct Vitals {
    began: Instant,
    states: Mutex<[State; 2]>,
    /// The last change of each path's breaker: its generation, and in the last two bits its state as the metric has it.
    breakers: [AtomicU64; 2],
    /// Calls; those that fell back are marked.
    calls: Mutex<Window>,
    /// The permits that both engines share, where it is known.
    limits: OnceLock<Arc<Limits>>,
    /// When a call found no place, in milliseconds from the beginning; 0 is never.
    saturated: AtomicU64,
    /// Which share the async engine is to serve, in percent.
    rollout: AtomicU8,
    /// When it was judged last, likewise.
    judged: AtomicU64,
    /// Records of the audit that were dropped, as far as is known.
    lost: AtomicU64,
}

/// Of one path.
#[derive(Debug, Default)]
struct State {
    /// Attempts that say something of it; those that it failed are marked.
    attempts: Window,
    last_success: Option<SystemTime>,
    /// The same, for durations.
    answered: Option<Instant>,
    away: Option<Away>,
}

/// No connection can be made.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: Instant,
    /// When one was tried last, in vain.
    last: Instant,
    /// Though one was by the other path.
    alone: bool,
}

impl Away {
    /// At least that long lies between the first and the last connection that failed, none having come about in between: one that fails
    /// alone, or several at once, are a backlog that was full for a moment. No daemon starts within that time, and whoever tries again
    /// or probes does so after more.
    const LEAST: Duration = Duration::from_millis(100);

    /// Whether it was the engine that was away.
    fn was_the_engines(&self) -> bool {
        !self.alone && self.last - self.since >= Self::LEAST
    }
}

/// One path, as it is.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) sum: Sum,
    pub(super) last_success: Option<SystemTime>,
}

impl Vitals {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            states: Mutex::default(),
            breakers: Default::default(),
            calls: Mutex::default(),
            limits: OnceLock::new(),
            rollout: AtomicU8::new(Config::ROLLOUT),
            saturated: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Whether so many dropped records of the audit are more than there were.
    pub(super) fn lost(&self, dropped: u64) -> bool {
        self.lost.swap(dropped, Ordering::Relaxed) < dropped
    }

    pub(super) fn know(&self, limits: Arc<Limits>) {
        // It is told once, by whoever makes both engines.
        let _ = self.limits.set(limits);
    }

    /// What is under way and waits, of each kind.
    pub(super) fn loads(&self) -> Vec<Load> {
        self.limits
            .get()
            .map(|limits| limits.loads())
            .unwrap_or_default()
    }

    pub(super) fn path(&self, engine: EngineKind) -> Path {
        let state = &lock(&self.states)[index(engine)];
        Path {
            sum: state.attempts.sum(),
            last_success: state.last_success,
        }
    }

    pub(super) fn calls(&self) -> Sum {
        lock(&self.calls).sum()
    }

    /// Takes note of a change, unless a later one is known already.
    pub(super) fn changed(&self, engine: EngineKind, change: Change) {
        let numbered = change.generation << 2 | u64::from(change.state.as_number());
        self.breakers[index(engine)].fetch_max(numbered, Ordering::Relaxed);
    }

    /// As the metric has it.
    pub(super) fn breaker(&self, engine: EngineKind) -> u8 {
        (self.breakers[index(engine)].load(Ordering::Relaxed) & 3) as u8
    }

    /// Whether a path is left alone, or probed.
    pub(super) fn is_left_alone(&self, engine: EngineKind) -> bool {
        self.breaker(engine) != BreakerState::Closed.as_number()
    }

    pub(super) fn set_rollout(&self, percent: u8) {
        self.rollout.store(percent, Ordering::Relaxed);
    }

    pub(super) fn rollout(&self) -> u8 {
        self.rollout.load(Ordering::Relaxed)
    }

    /// Counts an attempt; for how long the engine was away, where this one shows that it is back. Where the other path led to it
    /// meanwhile, it was the path that was broken.
    pub(super) fn attempted(
        &self,
        engine: EngineKind,
        now: Instant,
        took: Option<Duration>,
        failure: Option<&Error>,
    ) -> Option<Duration> {
        let mut states = lock(&self.states);
        let [one, other] = &mut *states;
        let (own, other) = match engine {
            EngineKind::Blocking => (other, one),
            _ => (one, other),
        };
        let says = Says::of(failure);
        if says != Says::Nothing {
            own.attempts.add(now, says == Says::Fails, took);
        }
        match (says, failure.map(Error::kind)) {
            (Says::Fails, Some(ErrorKind::Connect)) => {
                let away = own.away.get_or_insert(Away {
                    since: now,
                    last: now,
                    alone: false,
                });
                away.last = now;
                away.alone |= other.answered.is_some_and(|at| at > away.since);
                None
            }
            (Says::Fails | Says::Nothing, _) => None,
            (Says::Answers, _) => {
                own.last_success = Some(SystemTime::now());
                own.answered = Some(now);
                let away = own.away.take().filter(Away::was_the_engines)?;
                // It is told once, whichever path sees it.
                other.away = None;
                Some(now - away.since)
            }
        }
    }

    /// Counts a call; whether it fell back, where it could.
    pub(super) fn called(&self, now: Instant, fell_back: Option<bool>, saturated: bool) {
        if let Some(fell_back) = fell_back {
            lock(&self.calls).add(now, fell_back, None);
        }
        if saturated {
            self.saturated.store(self.at(now), Ordering::Relaxed);
        }
    }

    /// Since when no call was refused for want of a place; nothing where none ever was.
    pub(super) fn since_saturated(&self) -> Option<Duration> {
        match self.saturated.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Duration::from_millis(
                self.at(Instant::now()).saturating_sub(at),
            )),
        }
    }

    /// Whether it is time to judge again: it is for one of those who ask at the same time.
    pub(super) fn is_to_be_judged(&self, now: Instant, every: Duration) -> bool {
        let (last, now) = (self.judged.load(Ordering::Relaxed), self.at(now));
        now.saturating_sub(last) >= every.as_millis() as u64
            && (self.judged)
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    fn at(&self, now: Instant) -> u64 {
        // From 1 on.
        (now - self.began).as_millis() as u64 + 1
    }
}

fn index(engine: EngineKind) -> usize {
    usize::from(engine == EngineKind::Blocking)
}

/// What an attempt says of its path, as the breaker has it too, but for gateways: what stands in between is a part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The engine has answered, if with a failure of its own: by the other path the answer would be the same.
    Answers,
    Fails,
    /// It ended before it came to the engine, or after it.
    Nothing,
}

impl Says {
    fn of(failure: Option<&Error>) -> Self {
        let Some(error) = failure else {
            return Self::Answers;
        };
        match error.status() {
            Some(502..=504) => Self::Fails,
            Some(_) => Self::Answers,
            None if error.effect() == Effect::Rejected => Self::Answers,
            None if error.is_path_failure() => Self::Fails,
            None => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn attempt(vitals: &Vitals, engine: EngineKind, kind: Option<ErrorKind>) -> Option<Duration> {
        let failure = kind.map(|kind| Error::new(kind, "gone"));
        vitals.attempted(engine, Instant::now(), None, failure.as_ref())
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_comes_back_is_told_of_once() {
        let (vitals, gone) = (Vitals::new(), Some(ErrorKind::Connect));
        for _ in 0..3 {
            assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
            assert_eq!(attempt(&vitals, EngineKind::Blocking, gone), None);
            tokio::time::advance(MINUTE / 3).await;
        }
        assert_eq!(attempt(&vitals, EngineKind::Blocking, None), Some(MINUTE));
        assert_eq!(attempt(&vitals, EngineKind::Async, None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_fail_for_a_moment_are_no_restart() {
        let (vitals, gone) = (Vitals::new(), Some(ErrorKind::Connect));
        // One alone, however long nobody asks again.
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(attempt(&vitals, EngineKind::Async, None), None);
        // Many at once.
        for _ in 0..100 {
            assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        }
        tokio::time::advance(Away::LEAST - Duration::from_millis(1)).await;
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        assert_eq!(attempt(&vitals, EngineKind::Async, None), None);
        // Each was followed by one that came about.
        for _ in 0..3 {
            assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
            tokio::time::advance(Away::LEAST).await;
            assert_eq!(attempt(&vitals, EngineKind::Async, None), None);
        }
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        tokio::time::advance(Away::LEAST).await;
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        let away = attempt(&vitals, EngineKind::Async, None);
        assert_eq!(away, Some(Away::LEAST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_that_is_broken_is_no_engine_that_was_away() {
        let (vitals, gone) = (Vitals::new(), Some(ErrorKind::Connect));
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        tokio::time::advance(MINUTE / 4).await;
        assert_eq!(attempt(&vitals, EngineKind::Blocking, None), None);
        assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
        assert_eq!(attempt(&vitals, EngineKind::Async, None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_comes_to_the_engine_says_something_of_it() {
        use ErrorKind as K;
        let vitals = Vitals::new();
        let counted = |failure: Option<Error>| {
            let before = vitals.path(EngineKind::Async).sum;
            let took = Some(Duration::from_secs(1));
            vitals.attempted(EngineKind::Async, Instant::now(), took, failure.as_ref());
            let sum = vitals.path(EngineKind::Async).sum;
            assert_eq!(sum.all - before.all, sum.timed - before.timed);
            (sum.all - before.all, sum.marked - before.marked)
        };
        for kind in [
            K::Saturated,
            K::InvalidInput,
            K::Unsupported,
            K::Cancelled,
            K::Host,
        ] {
            assert_eq!(counted(Some(Error::new(kind, "no"))), (0, 0), "{kind}");
        }
        for kind in [K::Connect, K::Transport, K::Timeout, K::Decode] {
            assert_eq!(counted(Some(Error::new(kind, "no"))), (1, 1), "{kind}");
        }
        for (status, marked) in [(404, 0), (500, 0), (502, 1), (503, 1), (504, 1), (505, 0)] {
            let answered = Error::answered(status, "no");
            assert_eq!(counted(Some(answered)), (1, marked), "{status}");
        }
        assert_eq!(counted(None), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn whichever_path_is_asked_first_afterwards() {
        // Where the other road is only tried once it is known to lead to the same engine.
        let (vitals, gone) = (Vitals::new(), Some(ErrorKind::Connect));
        for _ in 0..2 {
            assert_eq!(attempt(&vitals, EngineKind::Async, gone), None);
            tokio::time::advance(MINUTE / 2).await;
        }
        assert_eq!(attempt(&vitals, EngineKind::Blocking, None), None);
        assert_eq!(attempt(&vitals, EngineKind::Async, None), Some(MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_judged_every_now_and_then_by_one_of_those_who_ask() {
        let vitals = Vitals::new();
        tokio::time::advance(MINUTE).await;
        assert!(vitals.is_to_be_judged(Instant::now(), MINUTE));
        assert!(!vitals.is_to_be_judged(Instant::now(), MINUTE));
        tokio::time::advance(MINUTE).await;
        assert!(vitals.is_to_be_judged(Instant::now(), MINUTE));
    }
}
