//! Where the blocking engine takes a road of its own: it is asked only while both roads lead to the same daemon.
//!
//! What tells is the engine's ID. That of the async engine's road is learnt beside calls that are served there, so that it
//! is known when that road fails; that of the blocking engine's is asked for before it is used, and believed for a while.

mod side;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::engine_kind::EngineKind;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use side::{Identity, is_unfit, unfit};

pub(crate) use side::Side;

/// How long the ID on the blocking engine's road is believed: a daemon may be replaced.
const BELIEVED: Duration = Duration::from_secs(10);
/// After so long the async engine's road is asked anew while it serves.
const RENEWED: Duration = Duration::from_secs(30);
/// It is asked no more often than that, however often it breaks.
const SPACING: Duration = Duration::from_secs(1);
/// So long a failure to find out is told to all who want to know, and nobody asks again.
const REST: Duration = Duration::from_millis(500);
/// How long asking may take.
const ASKS: Duration = Duration::from_secs(5);
/// Who had less time than that says nothing of a road that didn't answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a road has said, and how long it is believed.
#[derive(Debug)]
struct Said {
    identity: Result<Identity>,
    at: Instant,
    lasts: Duration,
}

impl Said {
    fn new(identity: Result<Identity>, lasts: Duration) -> Self {
        let at = Instant::now();
        Self {
            identity,
            at,
            lasts,
        }
    }

    fn is_believed(&self) -> bool {
        self.at.elapsed() < self.lasts
    }
}

#[derive(Debug, Default)]
struct State {
    primary: Option<Said>,
    fallback: Option<Said>,
    /// When the async engine's road failed last, unless it has served since.
    broken: Option<Instant>,
    /// How often it has come back: what was asked before says nothing of now.
    returns: u64,
    /// When it was asked last beside calls.
    asked: Option<Instant>,
}

impl State {
    fn learnt(&self) -> Option<Identity> {
        self.primary.as_ref()?.identity.as_ref().ok().cloned()
    }
}

/// The two roads, and what is known of where they lead.
pub(crate) struct Road {
    primary: Side,
    fallback: Side,
    state: Mutex<State>,
    /// Held by who asks, for all.
    asking: tokio::sync::Mutex<()>,
    made: Instant,
    /// When the async engine's road is asked the next time, in milliseconds from `made`: all that a call that is served
    /// looks at.
    due: AtomicU64,
    /// No lock: a runtime that is ending drops what it is given at once.
    learning: AtomicBool,
    warned: AtomicBool,
}

impl Road {
    pub(crate) fn new(primary: Side, fallback: Side) -> Arc<Self> {
        Arc::new(Self {
            primary,
            fallback,
            state: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            made: Instant::now(),
            due: AtomicU64::new(0),
            learning: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        })
    }

    /// Hears how an attempt that began then has ended.
    pub(crate) fn ended<T>(
        self: &Arc<Self>,
        engine: EngineKind,
        began: Instant,
        result: &Result<T>,
    ) {
        match (engine, result) {
            (_, Err(error)) if error.is_path_failure() => self.broke(engine),
            // What a gateway says, or this side of the road, says nothing of who is there.
            (_, Err(error)) if error.status().is_none() || error.is_gateways() => {}
            (EngineKind::Async, _) => self.served(began),
            _ => {}
        }
    }

    /// Whoever answers there the next time may be another.
    fn broke(&self, engine: EngineKind) {
        let mut state = lock(&self.state);
        match engine {
            EngineKind::Async => {
                state.broken = Some(Instant::now());
                self.due.store(0, Ordering::Relaxed);
            }
            _ => state.fallback = None,
        }
    }

    fn served(self: &Arc<Self>, began: Instant) {
        let now = self.made.elapsed().as_millis() as u64;
        if now < self.due.load(Ordering::Relaxed) {
            return;
        }
        let mut state = lock(&self.state);
        match state.broken {
            // It was under way when the road broke.
            Some(broken) if began <= broken => return,
            Some(_) => {
                state.broken = None;
                state.primary = None;
                state.returns += 1;
            }
            None => {}
        }
        self.learn(&mut state);
    }

    /// Asks the async engine's road in the background.
    fn learn(self: &Arc<Self>, state: &mut State) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if state.asked.is_some_and(|asked| asked.elapsed() < SPACING) {
            return self.asks_in(SPACING);
        }
        if self.learning.swap(true, Ordering::Relaxed) {
            return;
        }
        state.asked = Some(Instant::now());
        self.asks_in(ASKS);
        let (learning, returns) = (Learning(Arc::clone(self)), state.returns);
        runtime.spawn(async move {
            let road = &learning.0;
            let identity = road.primary.identity(ASKS, false).await;
            let mut state = lock(&road.state);
            if state.returns != returns {
                return road.asks_in(SPACING);
            }
            let known = state.primary.as_ref().map(|said| &said.identity);
            match (&identity, known) {
                (Err(_), Some(Ok(_))) => return road.asks_in(ASKS),
                (Err(_), _) => road.asks_in(ASKS),
                (Ok(now), Some(Ok(before))) if now != before => {
                    tracing::warn!(place = %road.primary.place, before = %before.id, now = %now.id, "another engine answers");
                    road.asks_in(RENEWED);
                }
                (Ok(_), _) => road.asks_in(RENEWED),
            }
            state.primary = Some(Said::new(identity, REST));
        });
    }

    fn asks_in(&self, time: Duration) {
        let due = self.made.elapsed().saturating_add(time).as_millis() as u64;
        self.due.store(due, Ordering::Relaxed);
    }

    /// Whether the blocking engine may be asked. Where that has to be found out first, it takes half of the time that is
    /// left; `cleans_up` is whether the caller's runtime may be ending.
    pub(crate) async fn check(self: &Arc<Self>, deadline: Deadline, cleans_up: bool) -> Result<()> {
        let verdict = match self.verdict() {
            Some(verdict) => verdict,
            None => self.find_out(deadline, cleans_up).await,
        };
        match &verdict {
            Ok(()) => self.warned.store(false, Ordering::Relaxed),
            Err(error) if !self.warned.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "the blocking engine's own road isn't used");
            }
            Err(_) => {}
        }
        verdict
    }

    /// What is known already.
    pub(crate) fn verdict(&self) -> Option<Result<()>> {
        let state = lock(&self.state);
        let fallback = state.fallback.as_ref().filter(|said| said.is_believed())?;
        let there = match &fallback.identity {
            Ok(there) => there,
            Err(error) => return Some(Err(self.fallback.unknown(error))),
        };
        match state.primary.as_ref() {
            Some(Said {
                identity: Ok(here), ..
            }) if here == there => Some(Ok(())),
            Some(Said {
                identity: Ok(here), ..
            }) => Some(Err(self.differ(here, there))),
            Some(
                said @ Said {
                    identity: Err(error),
                    ..
                },
            ) if said.is_believed() => Some(Err(self.unlearnt(error))),
            _ => None,
        }
    }

    async fn find_out(self: &Arc<Self>, deadline: Deadline, cleans_up: bool) -> Result<()> {
        let time = deadline.left().map_or(ASKS, |left| (left / 2).min(ASKS));
        let within = deadline.within(Some(time));
        let late = |error| self.fallback.unknown(&error);
        let _turn = within.bound(self.asking.lock()).await.map_err(late)?;
        // Another has found out meanwhile.
        if let Some(verdict) = self.verdict() {
            return verdict;
        }
        let time = within.left().unwrap_or(ASKS);
        let learnt = lock(&self.state).learnt();
        let (here, there) = tokio::join!(
            async {
                match learnt {
                    Some(learnt) => Ok(learnt),
                    None => self.primary.identity(time, cleans_up).await,
                }
            },
            self.fallback.identity(time, cleans_up),
        );
        let there = self
            .steady(here.as_ref().ok(), there, within, cleans_up)
            .await;
        // A caller in a hurry, or without a turn, is told, and says nothing to others.
        let hurried = |error: &&Error| match error.kind() {
            ErrorKind::Saturated => true,
            kind => time < PATIENCE && kind == ErrorKind::Timeout,
        };
        if let Some(error) = there.as_ref().err().filter(hurried) {
            return Err(self.fallback.unknown(error));
        }
        if let Some(error) = here.as_ref().err().filter(hurried) {
            return Err(self.unlearnt(error));
        }
        let mut state = lock(&self.state);
        // It may have been learnt meanwhile, beside a call.
        if state.learnt().is_none() {
            state.primary = Some(Said::new(here, REST));
        }
        let lasts = match &there {
            Err(error) if !is_unfit(error) => REST,
            _ => BELIEVED,
        };
        state.fallback = Some(Said::new(there, lasts));
        // Where no call is served by the async engine's road, nothing else asks it anew.
        let old = |said: &Said| said.at.elapsed() >= RENEWED;
        if state.primary.as_ref().is_some_and(old) && !cleans_up {
            self.learn(&mut state);
        }
        drop(state);
        let verdict = self.verdict();
        verdict.unwrap_or_else(|| Err(self.fallback.unknown(&within.error())))
    }

    /// An ID that differs from the other road's may be one that differs each time.
    async fn steady(
        &self,
        here: Option<&Identity>,
        there: Result<Identity>,
        within: Deadline,
        cleans_up: bool,
    ) -> Result<Identity> {
        let there = there?;
        if here.is_none_or(|here| *here == there) {
            return Ok(there);
        }
        let left = within.left().unwrap_or(ASKS);
        let again = self.fallback.identity(left, cleans_up).await?;
        if again == there {
            return Ok(there);
        }
        Err(unfit(
            "it gives another ID each time it is asked, as Podman does, so that nobody can tell whether two roads lead to it",
        ))
    }

    /// What this side lacks is no failure of the blocking engine's path.
    fn unlearnt(&self, error: &Error) -> Error {
        let unknown = self.primary.unknown(error);
        match unknown.kind() {
            ErrorKind::Saturated => unknown,
            _ => unknown.with_kind(ErrorKind::Unavailable),
        }
    }

    fn differ(&self, here: &Identity, there: &Identity) -> Error {
        let (primary, fallback) = (&self.primary.place, &self.fallback.place);
        Error::new(
            ErrorKind::Unavailable,
            format!("another engine answers at {fallback} ({there}) than at {primary} ({here})"),
        )
        .with_advice("let DOCKER_FALLBACK_HOST lead to the engine of DOCKER_HOST, or unset it")
    }
}

/// Until it is dropped, however the task ends.
struct Learning(Arc<Road>);

impl Drop for Learning {
    fn drop(&mut self) {
        self.0.learning.store(false, Ordering::Relaxed);
    }
}
