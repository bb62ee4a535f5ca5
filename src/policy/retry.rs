//! How often, and after which pause, a call is tried again.

use std::sync::Mutex;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::lock::lock;

/// How often a call is tried, and how many tries all calls together may add.
///
/// ```
/// use catamaran::RetryOptions;
///
/// let once = RetryOptions::never();
/// let often = RetryOptions::default().with_tries(8u32);
/// # let _ = (once, often);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryOptions {
    /// How often a call is tried, the first included; 5 unless set. A try that falls back to the other engine is still
    /// one. What may have happened, and can be looked at, is tried on until it is known, as long as there is time and the
    /// budget lasts: but for 1, which is one try.
    pub tries: u32,
    /// The pause after the first try; 50 ms unless set. Each further one is twice as long, up to
    /// [`longest_pause`](Self::longest_pause), and a random part of as much at most comes on top.
    pub pause: Duration,
    /// The longest pause; 2 s unless set.
    pub longest_pause: Duration,
    /// How many further tries each call earns for all of them; 0.2 unless set: an outage makes at most so many more
    /// requests than calls, once what was saved up is spent.
    pub earns: f64,
    /// How many may be saved up, which is what there is at first; 100 unless set.
    pub saves: u32,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            tries: 5,
            pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            earns: 0.2,
            saves: 100,
        }
    }
}

impl RetryOptions {
    /// One try each; falling back is none.
    #[must_use]
    pub fn never() -> Self {
        Self::default().with_tries(1u32)
    }

    /// Sets how often a call is tried.
    #[must_use]
    pub fn with_tries(mut self, tries: impl Into<u32>) -> Self {
        self.tries = tries.into();
        self
    }

    /// Sets the pause after the first try, and the longest.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.pause = first;
        self.longest_pause = longest;
        self
    }

    /// Sets how many further tries each call earns, and how many may be saved up.
    #[must_use]
    pub fn with_budget(mut self, earns: f64, saves: u32) -> Self {
        self.earns = earns;
        self.saves = saves;
        self
    }

    /// The pauses between the tries of one call.
    pub(super) fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.pause)
            .with_max_delay(self.longest_pause)
            .with_factor(2.0)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

/// What all calls of a backend may still try again.
#[derive(Debug)]
pub(crate) struct Budget {
    earns: f64,
    most: f64,
    saved: Mutex<f64>,
}

impl Budget {
    pub(crate) fn new(options: &RetryOptions) -> Self {
        let most = f64::from(options.saves);
        Self {
            earns: options.earns.max(0.0),
            most,
            saved: Mutex::new(most),
        }
    }

    /// A call has begun.
    pub(super) fn earn(&self) {
        let mut saved = lock(&self.saved);
        *saved = (*saved + self.earns).min(self.most);
    }

    /// Takes one further try, if there is one.
    pub(super) fn spend(&self) -> bool {
        let mut saved = lock(&self.saved);
        let enough = *saved >= 1.0;
        if enough {
            *saved -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_earn_what_is_tried_again() {
        let budget = Budget::new(&RetryOptions::default().with_budget(0.2, 10));
        let spent = |calls: usize| {
            let calls = (0..calls).map(|_| {
                budget.earn();
                (0..4).filter(|_| budget.spend()).count()
            });
            calls.sum::<usize>()
        };
        assert!((10..=11).contains(&spent(3)), "what was saved");
        assert!((199..=201).contains(&spent(1000)), "what was earned");
    }

    #[test]
    fn pauses_grow_with_a_random_part() {
        let pauses: Vec<_> = RetryOptions::default().pauses().take(8).collect();
        let bounds = [50, 100, 200, 400, 800, 1600, 2000, 2000];
        for (pause, least) in pauses.into_iter().zip(bounds) {
            let least = Duration::from_millis(least);
            assert!(pause >= least && pause <= least * 2, "{pause:?} {least:?}");
        }
    }
}
