//! From when on an alert is raised.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, Result};

/// From when on an alert is raised, when it is over, and how long what was told isn't told again.
///
/// What is judged by a share or a p95 is raised at once, and over once it hasn't been so for
/// [`event_window`](Self::event_window): what comes and goes about its threshold is told once. Shares are of what happened in the
/// last minute, and say nothing below [`least_calls`](Self::least_calls). The defaults are choices, each with its reason; your
/// own numbers come from what your users bear, and the metrics.
///
/// ```
/// use std::time::Duration;
/// use catamaran::telemetry::alerts::AlertOptions;
///
/// let strict = AlertOptions::default()
///     .with_fallback_share(0.01)?
///     .with_slow(Duration::from_millis(500))?;
/// assert!(AlertOptions::default().with_fallback_share(1.5).is_err());
/// # let _ = strict;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlertOptions {
    least_calls: u64,
    error_share: f64,
    fallback_share: f64,
    slow: Duration,
    queue_share: f64,
    event_window: Duration,
    repeat: Option<Duration>,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            least_calls: 20,
            error_share: 0.5,
            fallback_share: 0.1,
            slow: Duration::from_secs(2),
            queue_share: 0.8,
            event_window: Duration::from_secs(60),
            repeat: None,
        }
    }
}

impl AlertOptions {
    /// So many calls there must have been in it, 1 at least, before a share or a p95 means something; 20 unless set, since
    /// of fewer a p95 is merely the slowest.
    #[must_use]
    pub fn least_calls(&self) -> u64 {
        self.least_calls
    }

    /// [`AsyncPathFailing`](super::AlertKind::AsyncPathFailing) where this share of the async engine's attempts failed for its
    /// path, those that never came to it not counted, above 0 and up to 1; 0.5 unless set: fewer are what retries and fallback are for.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        self.error_share
    }

    /// [`FallbackShare`](super::AlertKind::FallbackShare) where this share of the calls that the async engine was to serve was
    /// served by falling back, above 0 and up to 1; 0.1 unless set: one in ten is no passing fault any more, and the
    /// blocking engine's threads still bear it.
    #[must_use]
    pub fn fallback_share(&self) -> f64 {
        self.fallback_share
    }

    /// [`SlowEngine`](super::AlertKind::SlowEngine) where the p95 of an engine's answers is above this, 1 ms to 1 h; 2 s unless
    /// set: ten times what a create or a start takes on an engine that is well, and far from a call's usual 30 s.
    #[must_use]
    pub fn slow(&self) -> Duration {
        self.slow
    }

    /// [`QueueSaturated`](super::AlertKind::QueueSaturated) where this share of a queue is taken, above 0 and up to 1; 0.8 unless
    /// set: there is a little time left before calls are refused. It is raised at once where one was.
    #[must_use]
    pub fn queue_share(&self) -> f64 {
        self.queue_share
    }

    /// What merely happens (an engine restarted, limits weakened, orphans found) is over when it hasn't happened again for so
    /// long, what is judged by a share or a p95 when it hasn't been so, 1 s to 24 h; 60 s unless set, so that four scrapes of
    /// Prometheus, every 15 s, see it.
    #[must_use]
    pub fn event_window(&self) -> Duration {
        self.event_window
    }

    /// What lasts is told again after so long, and what happens again, too, 1 s to 24 h; never unless set: what calls people
    /// (Alertmanager, a pager) has its own.
    #[must_use]
    pub fn repeat(&self) -> Option<Duration> {
        self.repeat
    }
}

impl AlertOptions {
    /// Sets how many calls there must have been.
    ///
    /// # Errors
    /// `InvalidInput` for 0.
    pub fn with_least_calls(mut self, calls: u64) -> Result<Self> {
        if calls == 0 {
            return Err(Error::invalid("least_calls", "isn't 1 at least"));
        }
        self.least_calls = calls;
        Ok(self)
    }

    /// Sets which share of the async engine's attempts may fail.
    ///
    /// # Errors
    /// `InvalidInput` where it isn't above 0 and up to 1.
    pub fn with_error_share(mut self, share: f64) -> Result<Self> {
        self.error_share = part("error_share", share)?;
        Ok(self)
    }

    /// Sets which share of the calls may fall back.
    ///
    /// # Errors
    /// `InvalidInput` where it isn't above 0 and up to 1.
    pub fn with_fallback_share(mut self, share: f64) -> Result<Self> {
        self.fallback_share = part("fallback_share", share)?;
        Ok(self)
    }

    /// Sets above which p95 an engine is slow.
    ///
    /// # Errors
    /// `InvalidInput` below 1 ms or above 1 h.
    pub fn with_slow(mut self, slow: Duration) -> Result<Self> {
        self.slow = within("slow", slow, Duration::from_millis(1)..=HOUR)?;
        Ok(self)
    }

    /// Sets which share of a queue may be taken.
    ///
    /// # Errors
    /// `InvalidInput` where it isn't above 0 and up to 1.
    pub fn with_queue_share(mut self, share: f64) -> Result<Self> {
        self.queue_share = part("queue_share", share)?;
        Ok(self)
    }

    /// Sets after how long a time without it what happened, or what a share has shown, is over.
    ///
    /// # Errors
    /// `InvalidInput` below 1 s or above 24 h.
    pub fn with_event_window(mut self, window: Duration) -> Result<Self> {
        self.event_window = within("event_window", window, SECOND..=DAY)?;
        Ok(self)
    }

    /// Sets after how long it is told again, or that it isn't.
    ///
    /// # Errors
    /// `InvalidInput` below 1 s or above 24 h.
    pub fn with_repeat(mut self, repeat: impl Into<Option<Duration>>) -> Result<Self> {
        let repeat = repeat.into();
        self.repeat = match repeat {
            Some(repeat) => Some(within("repeat", repeat, SECOND..=DAY)?),
            None => None,
        };
        Ok(self)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn within(
    field: &'static str,
    time: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration> {
    if range.contains(&time) {
        return Ok(time);
    }
    let [least, most] = [*range.start(), *range.end()].map(humantime::format_duration);
    Err(Error::invalid(field, format!("isn't {least} to {most}")))
}

fn part(field: &'static str, share: f64) -> Result<f64> {
    // NaN is neither.
    if share > 0.0 && share <= 1.0 {
        return Ok(share);
    }
    Err(Error::invalid(field, "isn't above 0 and up to 1"))
}
