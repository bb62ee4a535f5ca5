//! What is counted and told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use crate::calls::{Call, Ended};

/// How many of each kind are told word by word.
const TOLD: u64 = 8;
/// By how much a call may outlast its deadline.
const OVERSHOOT_MS: f64 = 50.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    Duplicate,
    Orphan,
    Lost,
    DoubleExec,
    ForeignDeleted,
    InventedExitCode,
    Unresolved,
    RemoveLeft,
    AdoptLost,
    WronglyOffered,
    ToldTooEarly,
    ToldTooLate,
    LivingTouched,
    LeaseLeft,
    Missing,
    ToldTwice,
    /// In doubt, since the engine itself doesn't know any more: that isn't bad.
    Forgotten,
}

/// The last line.
#[derive(Debug, Serialize)]
pub struct Line {
    pub ops: u64,
    pub faults: u64,
    pub duplicates: u64,
    pub orphans: u64,
    pub lost: u64,
    pub double_execs: u64,
    pub foreign_deleted: u64,
    pub invented_exit_codes: u64,
    pub unresolved: u64,
    pub retry_amplification: f64,
    pub deadline_overshoot_ms: f64,
    pub recovery_ms_p99: f64,
    pub seconds: f64,
}

impl Line {
    pub fn is_good(&self) -> bool {
        let bad = self.duplicates
            + self.orphans
            + self.lost
            + self.double_execs
            + self.foreign_deleted
            + self.invented_exit_codes
            + self.unresolved;
        bad == 0 && self.deadline_overshoot_ms <= OVERSHOOT_MS
    }
}

pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

/// As long as almost all took.
pub fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    let last = times.len().saturating_sub(1);
    let at = (last as f64 * 0.99).ceil() as usize;
    times.get(at).copied().unwrap_or_default()
}

#[derive(Default)]
struct Inner {
    bad: BTreeMap<Bad, u64>,
    calls: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    overshoot: Duration,
    /// The end of an outage that no call has come through since.
    reconnected: Option<Instant>,
    recoveries: Vec<Duration>,
}

#[derive(Default)]
pub struct Report {
    asked: AtomicU64,
    over: AtomicBool,
    /// The engine itself may not know what became of things.
    pub forgets: bool,
    held: watch::Sender<bool>,
    inner: Mutex<Inner>,
}

impl Report {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of_one_that_forgets() -> Self {
        Self {
            forgets: true,
            ..Self::default()
        }
    }

    /// Holds further calls back, or lets them go on.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Takes the next of so many calls, once it may be asked.
    pub async fn next(&self, ops: u64) -> bool {
        let mut held = self.held.subscribe();
        // The sender lives as long as this does.
        let _ = held.wait_for(|held| !held).await;
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        self.asked
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asked| {
                (asked < ops).then_some(asked + 1)
            })
            .is_ok()
    }

    /// No more calls.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Something that must not be.
    pub fn bad(&self, bad: Bad, count: u64, what: &str) {
        let before = {
            let mut inner = self.inner();
            let known = inner.bad.entry(bad).or_default();
            *known += count;
            *known - count
        };
        if before < TOLD {
            eprintln!("{bad:?}: {what}");
        }
    }

    /// A call that ended.
    pub fn ended(&self, call: &Call, ended: &Ended, took: Duration, deadline: Duration) {
        let mut inner = self.inner();
        let words = inner.calls.entry(call.name()).or_default();
        *words.entry(ended.word()).or_default() += 1;
        let Ended::Told(told) = ended else {
            return;
        };
        inner.overshoot = inner.overshoot.max(took.saturating_sub(deadline));
        if told.is_ok()
            && let Some(since) = inner.reconnected.take()
        {
            inner.recoveries.push(since.elapsed());
        }
    }

    /// The engine is reached again.
    pub fn reconnected(&self) {
        self.inner().reconnected = Some(Instant::now());
    }

    /// Whether a call has come through since.
    pub fn has_recovered(&self) -> bool {
        self.inner().reconnected.is_none()
    }

    pub fn count(&self, bad: Bad) -> u64 {
        self.inner().bad.get(&bad).copied().unwrap_or_default()
    }

    pub fn line(&self, faults: u64, requests: u64, took: Duration) -> Line {
        let mut inner = self.inner();
        let count = |bad| inner.bad.get(&bad).copied().unwrap_or_default();
        let asked = self.asked();
        Line {
            ops: asked,
            faults,
            duplicates: count(Bad::Duplicate),
            orphans: count(Bad::Orphan),
            lost: count(Bad::Lost),
            double_execs: count(Bad::DoubleExec),
            foreign_deleted: count(Bad::ForeignDeleted),
            invented_exit_codes: count(Bad::InventedExitCode),
            unresolved: count(Bad::Unresolved),
            retry_amplification: (requests as f64 / asked.max(1) as f64 * 1e3).round() / 1e3,
            deadline_overshoot_ms: milliseconds(inner.overshoot),
            recovery_ms_p99: milliseconds(p99(&mut inner.recoveries)),
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// How each kind of call ended.
    pub fn table(&self) -> String {
        let inner = self.inner();
        let columns = ["ok", "refused", "not sent", "unknown", "dropped", "other"];
        let mut table = format!("{:26}", "");
        for column in columns {
            table.push_str(&format!("{column:>9}"));
        }
        for (call, words) in &inner.calls {
            table.push_str(&format!("\n{call:26}"));
            for column in columns {
                let count = words.get(column).copied().unwrap_or_default();
                table.push_str(&format!("{count:>9}"));
            }
        }
        table
    }
}
