//! Watches what sessions use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::manager::Shared;
use super::notice::Change;
use super::roster::Entry;
use super::written::Limits;
use crate::backend::CallContext;
use crate::model::{ContainerRef, ContainerStats, setters};

/// Samples that are taken at once, so that calls of users have the rest.
const AT_ONCE: usize = 4;
/// So many are taken in a second at most.
const A_SECOND: u32 = 20;
/// A warning is over where the use is so much below what it was given for.
const RELIEF: f64 = 10.0;

/// How what sessions use is watched: in turn, at most twenty a second, so that of many sessions each is looked at less often.
///
/// A session is told of once when it is above, and again after it has been ten points below.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceWatch {
    /// How often; 15 s unless set, 1 s at least.
    pub interval: Duration,
    /// Memory counts as high from so many percent of the limit; 90 unless set.
    pub memory_percent: f64,
    /// Processor time counts as held back where the limit did so, and so many percent of it were used; 90 unless set.
    pub cpu_percent: f64,
    /// Processes count as many from so many percent of the limit; 90 unless set.
    pub pids_percent: f64,
}

impl Default for ResourceWatch {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            memory_percent: 90.0,
            cpu_percent: 90.0,
            pids_percent: 90.0,
        }
    }
}

impl ResourceWatch {
    setters! {
        /// Sets how often.
        with_interval(interval: Duration);
        /// Sets from when memory counts as high.
        with_memory_percent(memory_percent: f64);
        /// Sets from when processor time counts as held back.
        with_cpu_percent(cpu_percent: f64);
        /// Sets from when processes count as many.
        with_pids_percent(pids_percent: f64);
    }
}

/// What was last seen of one, and what it was warned of.
#[derive(Debug, Clone, Default)]
struct Last {
    stats: Option<ContainerStats>,
    memory: bool,
    cpu: bool,
    pids: bool,
}

pub(super) async fn watch(shared: Arc<Shared>) {
    let Some(watch) = shared.settings.resources else {
        return;
    };
    let interval = watch.interval.max(Duration::from_secs(1));
    let quick = shared
        .backend
        .with_context(CallContext::new().with_timeout(interval));
    let mut seen: HashMap<ContainerRef, Last> = HashMap::new();
    loop {
        let running: Vec<_> = shared.roster.sessions();
        let running: Vec<_> = running
            .into_iter()
            .filter(|one| one.managed.is_known_to_run())
            .collect();
        let count = u32::try_from(running.len()).unwrap_or(u32::MAX);
        let round = interval.max(Duration::from_secs(1) * count / A_SECOND);
        let began = tokio::time::Instant::now();
        let samples = running.into_iter().map(|entry| {
            let quick = Arc::clone(&quick);
            async move {
                let of_session = quick.with_context(entry.key.context());
                let stats = of_session.stats(&entry.managed.container).await;
                (entry, stats)
            }
        });
        let mut samples = futures::stream::iter(samples).buffer_unordered(AT_ONCE);
        let mut now = HashMap::new();
        while let Some((entry, stats)) = samples.next().await {
            let container = entry.managed.container.clone();
            let mut last = seen.remove(&container).unwrap_or_default();
            match stats {
                Ok(stats) => told(&shared, &entry, &watch, &mut last, stats),
                Err(error) => {
                    tracing::debug!(%error, session = %entry.key, "what it uses isn't known")
                }
            }
            now.insert(container, last);
        }
        seen = now;
        tokio::time::sleep_until(began + round).await;
    }
}

fn told(
    shared: &Shared,
    entry: &Entry,
    watch: &ResourceWatch,
    last: &mut Last,
    stats: ContainerStats,
) {
    let changes = changes(entry.managed.written.what.limits, watch, last, &stats);
    last.stats = Some(stats);
    shared.tell_all(&entry.managed, changes);
}

/// What is to be told of a sample.
fn changes(
    limits: Limits,
    watch: &ResourceWatch,
    last: &mut Last,
    stats: &ContainerStats,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Some(memory), Some(limit)) = (stats.memory, limits.memory) {
        let percent = share(memory.usage as f64, limit as f64);
        if rises(&mut last.memory, percent, watch.memory_percent) {
            let usage = memory.usage;
            changes.push(Change::MemoryHigh {
                percent,
                usage,
                limit,
            });
        }
    }
    if let (Some(before), Some(limit)) = (&last.stats, limits.cpus)
        && let Some(used) = stats.cpu_percent_since(before)
    {
        let periods = |stats: &ContainerStats| stats.cpu.and_then(|cpu| cpu.throttled_periods);
        let held_back = periods(stats) > periods(before);
        let percent = if held_back {
            share(used, limit * 100.0)
        } else {
            0.0
        };
        if rises(&mut last.cpu, percent, watch.cpu_percent) {
            changes.push(Change::CpuThrottled { percent });
        }
    }
    if let (Some(current), Some(limit)) = (stats.pids, limits.pids.map(u64::from)) {
        let percent = share(current as f64, limit as f64);
        if rises(&mut last.pids, percent, watch.pids_percent) {
            changes.push(Change::PidsHigh { current, limit });
        }
    }
    changes
}

fn share(used: f64, limit: f64) -> f64 {
    used / limit * 100.0
}

/// Whether it has just come to be above.
fn rises(above: &mut bool, percent: f64, bound: f64) -> bool {
    let was = *above;
    *above = percent >= bound || (was && percent > bound - RELIEF);
    *above && !was
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_until_it_is_well_below() {
        let mut above = false;
        let told = [10.0, 95.0, 99.0, 85.0, 91.0, 80.0, 90.0]
            .map(|percent| rises(&mut above, percent, 90.0));
        assert_eq!(told, [false, true, false, false, false, false, true]);
    }
}
