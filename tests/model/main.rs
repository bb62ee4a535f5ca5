//! Any calls, in any order, with anything going wrong on the way: a model of the pipeline, held against the fake engine.
//!
//! A [case](steps::Case) is a list of steps that proptest draws and shrinks: one to three callers at once, what goes wrong
//! with which of their requests, when they go away, and what happens meanwhile (an outage, a clock that jumps, another
//! mode). What each caller is told is an input of the [model](model), since several answers may be right: so there is no
//! state machine that could be run ahead of the engine, and a list of steps it is. After each step, when nothing is under
//! way any more, the engine is asked past the proxy what has happened, by its own events.
//!
//! What must hold: nothing happens twice; what a caller was told is so; nothing is left behind where it was told no or went
//! away, once the janitor has been there; nothing is lost, nothing of somebody else's touched, no exit code invented; no
//! call outlasts its deadline; and when all is well again, each way serves, with all its permits.
//!
//! Most cases run by a clock of their own, so that seconds cost nothing, on two async engines in the places of the two
//! paths. The blocking engine waits by the machine's clock alone: its cases have short deadlines.
//!
//! Each case comes of a seed, which is printed where it fails, and nothing is written to files.
//! `CATAMARAN_MODEL_SEED=7 cargo test --all-features --test model paused` runs that one again;
//! `CATAMARAN_MODEL_SECONDS=300` goes on for so long with seeds that nobody has seen.

mod case;
mod client;
mod clock;
mod effects;
mod engine;
mod model;
mod steps;
mod weather;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use case::{CALLS, FAULTED, Run};
use clock::Clock;

/// How many cases run by the paused clock.
const CASES: u64 = 600;
/// How long all of one kind take at most.
const MOST: Duration = Duration::from_secs(20);
/// To make a failure smaller takes long where the janitor is waited for.
const SHRINKS: u32 = 60_000;
/// How many of a thread's last cases are looked at again when all is over.
const KEPT: usize = 16;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().ok().expect("a number"))
}

/// Which seeds, and for how long.
struct Plan {
    next: AtomicU64,
    end: u64,
    until: Instant,
    failed: Mutex<Option<String>>,
}

impl Plan {
    /// The first seeds, unless the environment says otherwise.
    fn new(cases: u64) -> Self {
        let (seed, seconds) = (variable("CATAMARAN_MODEL_SEED"), seconds());
        let fresh = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64 * 1000;
        let (first, end) = match (seed, seconds) {
            (Some(seed), _) => (seed, seed + 1),
            (None, Some(_)) => (fresh, u64::MAX),
            (None, None) => (0, cases),
        };
        Self {
            next: first.into(),
            end,
            until: Instant::now() + seconds.unwrap_or(MOST),
            failed: Mutex::new(None),
        }
    }

    fn seed(&self) -> Option<u64> {
        let is_over =
            self.failed.lock().expect("no panic").is_some() || Instant::now() >= self.until;
        Some(self.next.fetch_add(1, Relaxed)).filter(|seed| *seed < self.end && !is_over)
    }

    fn judged(&self, judged: Result<(), String>) {
        if let Err(failure) = judged {
            self.failed.lock().expect("no panic").get_or_insert(failure);
        }
    }
}

fn seconds() -> Option<Duration> {
    variable("CATAMARAN_MODEL_SECONDS").map(Duration::from_secs)
}

/// The case of a seed, and what becomes of it.
fn run(seed: u64, clock: Clock, on: &Runtime, is_naive: bool) -> Result<Run, String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: if is_naive { 0 } else { 1000 },
        max_shrink_time: SHRINKS,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let last = RefCell::new(None);
    let ran = TestRunner::new_with_rng(config, rng).run(&steps::case(), |case| {
        let judged = clock.run(on, async {
            let mut run = Run::new(&case, clock, is_naive).await;
            let judged = run.go(&case).await;
            last.replace(Some(run));
            judged
        });
        judged.map_err(TestCaseError::fail)
    });
    ran.map_err(|error| format!("seed {seed}: {error}"))?;
    Ok(last.into_inner().expect("a case has run"))
}

/// What one thread does.
fn work(plan: &Plan, clock: Clock, on: &Runtime) {
    let mut kept = VecDeque::new();
    while let Some(seed) = plan.seed() {
        match run(seed, clock, on, false) {
            Ok(run) => kept.push_back(run),
            Err(failure) => plan.judged(Err(failure)),
        }
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
    clock.run(on, async {
        if seconds().is_some() {
            clock.janitor_is_idle().await;
        }
        for run in &mut kept {
            plan.judged(run.after_all().await);
        }
    });
}

/// All cases, by so many threads, each with a runtime of its own where the clock is one thread's.
fn all(clock: Clock, threads: usize, plan: &Plan) {
    let (began, first, shared) = (Instant::now(), plan.next.load(Relaxed), clock.runtime());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| match clock {
                Clock::Real => work(plan, clock, &shared),
                Clock::Paused => {
                    let own = clock.runtime();
                    work(plan, clock, &own);
                    // Its threads may wait for the janitor, which looks for engines that are gone.
                    own.shutdown_background();
                }
            });
        }
    });
    shared.shutdown_background();
    let cases = plan.next.load(Relaxed) - first - threads as u64;
    let (calls, faulted) = (CALLS.load(Relaxed), FAULTED.load(Relaxed));
    println!(
        "{clock:?}: {cases} cases in {:?}; {calls} calls and {faulted} faults by now",
        began.elapsed()
    );
    if let Some(failure) = plan.failed.lock().expect("no panic").take() {
        panic!("{failure}");
    }
}

#[test]
fn the_pipeline_by_a_paused_clock() {
    all(Clock::Paused, 2, &Plan::new(CASES));
}

#[test]
fn both_engines_by_the_machines_clock() {
    all(Clock::Real, 8, &Plan::new(150));
}

/// Who just tries again is found out, by as many cases.
#[test]
fn a_naive_client_is_caught() {
    let runtime = Clock::Paused.runtime();
    let mut missed = vec!["TWICE: made", "TWICE: a command", "LEFT BEHIND", "EFFECT"];
    for seed in 0..CASES {
        if let Err(failure) = run(seed, Clock::Paused, &runtime, true) {
            missed.retain(|what| !failure.contains(what));
        }
        if missed.is_empty() {
            return;
        }
    }
    panic!("{missed:?} aren't found");
}
