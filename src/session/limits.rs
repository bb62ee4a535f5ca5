//! How many sessions there may be, for whom, and how many are opened at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::setters;

const QUEUE_TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// How many sessions there may be, all together and for each owner, and how many are opened at once.
///
/// What would exceed an owner's quota fails at once as [`Saturated`](crate::ErrorKind::Saturated): waiting wouldn't help,
/// since only the owner's own closing makes room. Where all sessions together are too many, an open waits: owner by owner
/// in turn, in the order of coming within one. A queue that is full refuses the newest of the owner with the most in it.
///
/// A session counts from its open until it is closed or removed, also while it is stopped. What is found again after a
/// restart is kept even beyond the limits, which then hold for new sessions.
///
/// ```
/// use catamaran::session::SessionLimits;
///
/// let limits = SessionLimits::default()
///     .with_sessions(1000usize)
///     .with_owner_sessions(4)
///     .with_owner_memory(8u64 << 30)
///     .with_owner_cpus(4.0);
/// assert_eq!(limits.owner_sessions, Some(4));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub struct SessionLimits {
    /// So many sessions of all owners together, at least 1; 256 unless set.
    pub sessions: usize,
    /// So many of one owner, at least 1; 16 unless set, `None` for as many as there may be.
    pub owner_sessions: Option<usize>,
    /// So many bytes of memory for the sessions of one owner together, by their limits; not bounded unless set. Each session
    /// needs a limit then.
    pub owner_memory: Option<u64>,
    /// So many CPUs for the sessions of one owner together, by their limits, 0.001 to 65536; not bounded unless set. Each
    /// session needs a limit then.
    pub owner_cpus: Option<f64>,
    /// So many are opened at once, 1 to 1024; 16 unless set. An owner gets one more of them as long as it has fewer than are
    /// free. What is ready in a pool isn't counted.
    pub opens: usize,
    /// So many opens wait, up to 65,536, for there to be fewer sessions, and so many for their turn; 256 unless set.
    pub queue: usize,
    /// For so long an open waits at most, for each of the two, 1 ms to 24 h; 30 s unless set.
    pub queue_time: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            sessions: 256,
            owner_sessions: Some(16),
            owner_memory: None,
            owner_cpus: None,
            opens: 16,
            queue: 256,
            queue_time: Duration::from_secs(30),
        }
    }
}

impl SessionLimits {
    setters! {
        /// Sets how many sessions there may be.
        with_sessions(sessions: usize);
        /// Sets how many sessions one owner may have.
        with_owner_sessions(owner_sessions: Option<usize>);
        /// Sets how much memory one owner's sessions may have, in bytes.
        with_owner_memory(owner_memory: Option<u64>);
        /// Sets how many CPUs one owner's sessions may have.
        with_owner_cpus(owner_cpus: Option<f64>);
        /// Sets how many sessions are opened at once.
        with_opens(opens: usize);
        /// Sets how many opens wait; with 0 none does.
        with_queue(queue: usize);
        /// Sets how long an open waits.
        with_queue_time(queue_time: Duration);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (field, sound, accepted) in [
            ("limits.sessions", self.sessions > 0, "must be at least 1"),
            (
                "limits.owner_sessions",
                self.owner_sessions != Some(0),
                "must be at least 1",
            ),
            (
                "limits.owner_memory",
                self.owner_memory != Some(0),
                "must be at least 1 byte",
            ),
            // As a container's own.
            (
                "limits.owner_cpus",
                (self.owner_cpus).is_none_or(|cpus| (0.001..=65_536.0).contains(&cpus)),
                "must be from 0.001 to 65536",
            ),
            (
                "limits.opens",
                (1..=1024).contains(&self.opens),
                "must be from 1 to 1024",
            ),
            (
                "limits.queue",
                self.queue <= 65_536,
                "must be at most 65536",
            ),
            (
                "limits.queue_time",
                QUEUE_TIMES.contains(&self.queue_time),
                "must be from 1 ms to 24 h",
            ),
        ] {
            if !sound {
                return Err(Error::invalid(field, accepted));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_is_accepted() {
        let usual = SessionLimits::default;
        usual().validate().expect("the defaults");
        for accepted in [
            usual().with_queue(0usize).with_owner_sessions(None),
            usual().with_owner_cpus(0.001).with_owner_memory(1),
            usual().with_sessions(usize::MAX).with_opens(1024usize),
        ] {
            accepted.validate().expect("within the bounds");
        }
        for (limits, field) in [
            (usual().with_sessions(0usize), "limits.sessions"),
            (usual().with_owner_sessions(0), "limits.owner_sessions"),
            (usual().with_owner_memory(0), "limits.owner_memory"),
            (usual().with_owner_cpus(0.0), "limits.owner_cpus"),
            (usual().with_owner_cpus(f64::NAN), "limits.owner_cpus"),
            (usual().with_opens(0usize), "limits.opens"),
            (usual().with_opens(1025usize), "limits.opens"),
            (usual().with_queue(65_537usize), "limits.queue"),
            (usual().with_queue_time(Duration::ZERO), "limits.queue_time"),
        ] {
            let error = limits.validate().expect_err(field);
            assert_eq!(error.field(), Some(field));
        }
    }
}
