//! Times as the API writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Time(pub(super) Duration);

impl Time {
    pub(super) fn now() -> Self {
        Self(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }

    /// Seconds with a fraction, a time with its date, or a span before now.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((seconds, fraction)) = text.split_once('.')
            && let Ok(seconds) = seconds.parse()
        {
            let digits: String = fraction
                .chars()
                .chain("000000000".chars())
                .take(9)
                .collect();
            return Some(Self(Duration::new(seconds, digits.parse().ok()?)));
        }
        if let Ok(seconds) = text.parse() {
            return Some(Self(Duration::from_secs(seconds)));
        }
        if let Ok(time) = humantime::parse_rfc3339_weak(text) {
            return Some(Self(time.duration_since(UNIX_EPOCH).ok()?));
        }
        let span = humantime::parse_duration(text).ok()?;
        Some(Self(Self::now().0.checked_sub(span)?))
    }

    /// When that is by the runtime's clock; `None` where it is too far away to ever be.
    pub(super) fn instant(self) -> Option<Instant> {
        Instant::now().checked_add(self.0.saturating_sub(Self::now().0))
    }

    pub(super) fn text(self) -> String {
        humantime::format_rfc3339_nanos(UNIX_EPOCH + self.0).to_string()
    }

    pub(super) fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    pub(super) fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What engines write where there is no time.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";
