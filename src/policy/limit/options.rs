//! How much, and for how long.

use std::time::Duration;

use crate::model::setters;

/// How much may be under way at once in one backend, both engines together, and how long what is more waits.
///
/// Calls, streams and pulls have permits of their own. A stream holds its permit as long as it is open: a log, events,
/// samples, an exec, an attachment, a wait, a stop that gives its container time, and an archive or an image on its way in or
/// out.
///
/// Whoever waits is served in the order of coming, one [key](crate::CallContext::key) after the other; and a key gets a
/// permit as long as it holds fewer than are free: a single one holds half of them at most, so that another needn't wait
/// for it. Calls without a key may hold them all.
///
/// What finds the queue full fails at once as [`Saturated`](crate::ErrorKind::Saturated), or takes the place of the newest
/// of the key that has the most in the queue; [`retry_after`](crate::Error::retry_after) estimates when it would have
/// come to its turn.
///
/// ```
/// use catamaran::{Config, Endpoint, LimitOptions};
///
/// let config = Config::builder()
///     .endpoint(Endpoint::unix("/run/docker.sock"))
///     .limits(LimitOptions::default().with_calls(64usize).with_streams(4096usize))
///     .build()?;
/// assert_eq!(config.pool_size(), 64);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOptions {
    /// So many calls, 1 to 1024; 20 unless set.
    pub calls: usize,
    /// So many streams, 1 to 65,536; 1024 unless set. Each is an open file here, and one of the engine's. Whoever reconnects
    /// has two for a moment.
    pub streams: usize,
    /// So many pulls, 1 to 1024; 8 unless set: a pull fetches several layers at once by itself (Docker three).
    pub pulls: usize,
    /// So many of each kind wait, up to 65,536; 1024 unless set.
    pub queue: usize,
    /// For so long a call or a stream waits at most, 1 ms to 24 h; 10 s unless set, a third of a call's usual time, so that
    /// there is time left to do it.
    pub queue_time: Duration,
    /// For so long a pull waits; 10 min unless set.
    pub pull_queue_time: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            calls: 20,
            streams: 1024,
            pulls: 8,
            queue: 1024,
            queue_time: Duration::from_secs(10),
            pull_queue_time: Duration::from_secs(600),
        }
    }
}

impl LimitOptions {
    setters! {
        /// Sets how many calls are under way at once.
        with_calls(calls: usize);
        /// Sets how many streams are open at once.
        with_streams(streams: usize);
        /// Sets how many pulls are under way at once.
        with_pulls(pulls: usize);
        /// Sets how many of each kind wait; with 0 none does.
        with_queue(queue: usize);
        /// Sets how long a call or a stream waits.
        with_queue_time(queue_time: Duration);
        /// Sets how long a pull waits.
        with_pull_queue_time(pull_queue_time: Duration);
    }
}
