//! How late the event loop is: what every other task of the service feels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What a probe asks for.
const NAP: Duration = Duration::from_millis(1);
/// Tokio's timer counts in milliseconds, and rounds up: so much of a lateness is the timer's own.
const GRANULARITY: Duration = Duration::from_millis(1);
/// What latenesses are counted in: a tenth of a millisecond.
const STEP: Duration = Duration::from_micros(100);

/// How often there was which lateness, in steps.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lags {
    counts: BTreeMap<u64, u64>,
    /// Not rounded.
    most: Duration,
}

impl Lags {
    /// A probe has woken so late. While it was late it couldn't ask again, and would have been late each time: these
    /// are counted too, or a loop that stands still for a second would be one late wake-up among a thousand.
    fn add(&mut self, late: Duration) {
        self.most = self.most.max(late);
        let mut left = late;
        loop {
            *self.counts.entry(steps(left)).or_default() += 1;
            match left.checked_sub(NAP) {
                Some(rest) if !rest.is_zero() => left = rest,
                _ => return,
            }
        }
    }

    fn join(mut self, other: Self) -> Self {
        for (lateness, count) in other.counts {
            *self.counts.entry(lateness).or_default() += count;
        }
        self.most = self.most.max(other.most);
        self
    }

    /// What this share of all wake-ups was late by at most.
    pub fn percentile(&self, share: f64) -> Duration {
        let all: u64 = self.counts.values().sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let at = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        let step = u32::try_from(at.map_or(0, |(lateness, _)| *lateness));
        STEP * step.unwrap_or(u32::MAX)
    }

    pub fn max(&self) -> Duration {
        self.most
    }
}

fn steps(late: Duration) -> u64 {
    let steps = late.as_micros().div_ceil(STEP.as_micros());
    u64::try_from(steps).unwrap_or(u64::MAX)
}

/// Tasks on the service's runtime that do nothing but sleep. They can't be pinned to a worker: several of them find one
/// that stands still sooner.
pub struct Probes {
    end: Arc<AtomicBool>,
    probing: Vec<JoinHandle<Lags>>,
}

impl Probes {
    pub fn start(runtime: &Handle, count: usize) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let probe = |_| runtime.spawn(probe(Arc::clone(&end)));
        Self {
            probing: (0..count).map(probe).collect(),
            end,
        }
    }

    /// What all of them have seen.
    pub async fn finish(self) -> Lags {
        self.end.store(true, Ordering::Relaxed);
        let mut all = Lags::default();
        for probe in self.probing {
            all = all.join(probe.await.unwrap_or_default());
        }
        all
    }
}

async fn probe(end: Arc<AtomicBool>) -> Lags {
    let mut lags = Lags::default();
    while !end.load(Ordering::Relaxed) {
        let asked = Instant::now();
        tokio::time::sleep(NAP).await;
        lags.add(asked.elapsed().saturating_sub(NAP + GRANULARITY));
    }
    lags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_a_late_probe_missed_is_counted() {
        let mut lags = Lags::default();
        (0..90).for_each(|_| lags.add(Duration::ZERO));
        lags.add(ms(10));
        // 10 ms, and the nine that it couldn't ask for: 9, 8, … 1.
        assert_eq!(lags.counts.values().sum::<u64>(), 100);
        assert_eq!(lags.percentile(0.5), Duration::ZERO);
        assert_eq!(lags.percentile(0.9), Duration::ZERO);
        assert_eq!(lags.percentile(0.91), ms(1));
        assert_eq!(lags.percentile(0.99), ms(9));
        assert_eq!(lags.percentile(1.0), ms(10));
        assert_eq!(lags.max(), ms(10));
    }

    #[test]
    fn a_step_is_rounded_up() {
        let mut lags = Lags::default();
        lags.add(Duration::from_micros(1));
        assert_eq!(lags.percentile(0.5), STEP);
        assert_eq!(lags.max(), Duration::from_micros(1));
    }

    #[test]
    fn nothing_was_late_where_nobody_looked() {
        let none = Lags::default();
        assert_eq!(
            (none.percentile(0.99), none.max()),
            (Duration::ZERO, Duration::ZERO)
        );
    }

    #[test]
    fn the_probes_find_a_loop_that_stands_still() {
        let service = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let probes = Probes::start(service.handle(), 2);
        let still = service.spawn(async { std::thread::sleep(ms(200)) });
        let lags = service.block_on(async {
            still.await.unwrap();
            probes.finish().await
        });
        assert!(lags.max() >= ms(150), "{:?}", lags.max());
        assert!(lags.percentile(0.9) >= ms(50), "{lags:?}");
    }
}
