//! How long a session lives, and what happens when its program ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ready::Ready;
use crate::error::{Error, Result};

/// How long a session lives, and what happens when its program ends. It stands in the container's labels, so that it holds after the
/// death of the host as well.
///
/// What is idle or too old is first stopped, and removed when it has been kept for [`retention`](Self::retention). What was
/// stopped for being idle, or has ended by itself, starts again when it is opened: its files are there, and what it had in
/// memory (`tmpfs`) isn't.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// When it counts as ready; [`Ready::Running`] unless set.
    pub ready: Ready,
    /// How long that may take, an hour at most; 60 s unless set.
    #[serde(with = "humantime_serde")]
    pub ready_timeout: Duration,
    /// So long after the last use it is stopped; half an hour unless set, `None` is never.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Option<Duration>,
    /// So long after it was opened it is stopped, and isn't resumed any more; a day unless set, `None` is never.
    #[serde(with = "humantime_serde")]
    pub max_age: Option<Duration>,
    /// So long one that has stopped is kept before it is removed; an hour unless set.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How long its program has from the stop signal to the kill, in whole seconds, ten minutes at most; two seconds unless set.
    #[serde(with = "humantime_serde")]
    pub stop_timeout: Duration,
    /// What happens when its program ends by itself.
    pub restart: Restart,
}

/// What happens when a session's program ends by itself.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Nothing: the session has stopped, until it is opened again.
    #[default]
    Never,
    /// Where it failed (another exit code than 0, or out of memory) it is started again, after a pause that doubles from a
    /// second to a minute, so many times in a row: once it has run for as long as the last pause, and for ten seconds, it
    /// counts from the beginning.
    OnFailure {
        /// How many times.
        most: u32,
    },
}

const MILLI: Duration = Duration::from_millis(1);
const MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);
/// Ten years: whatever is longer is meant to be never.
const LONGEST: Duration = Duration::from_secs(86_400 * 3_650);

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            ready: Ready::Running,
            ready_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(1_800)),
            max_age: Some(Duration::from_secs(86_400)),
            retention: Duration::from_secs(3_600),
            stop_timeout: Duration::from_secs(2),
            restart: Restart::Never,
        }
    }
}

impl Lifecycle {
    pub(super) fn validate(&self) -> Result<()> {
        let times = [
            ("ready_timeout", Some(self.ready_timeout), MILLI..=HOUR),
            ("idle_timeout", self.idle_timeout, MILLI..=LONGEST),
            ("max_age", self.max_age, MILLI..=LONGEST),
            ("retention", Some(self.retention), Duration::ZERO..=LONGEST),
            (
                "stop_timeout",
                Some(self.stop_timeout),
                Duration::ZERO..=MINUTES,
            ),
        ];
        for (field, time, fits) in times {
            if time.is_some_and(|time| !fits.contains(&time)) {
                let (least, most) = (fits.start(), humantime::format_duration(*fits.end()));
                return Err(Error::invalid(
                    field,
                    format!("isn't from {least:?} to {most}"),
                ));
            }
        }
        Ok(())
    }
}
