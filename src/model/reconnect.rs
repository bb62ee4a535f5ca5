//! How long what was lost is tried to be had again.

use std::time::Duration;

/// How a stream that outlives its connections comes by the next one.
///
/// Each attempt waits longer than the one before, up to a longest pause, and each pause is stretched by chance
/// up to double, so that those who lost their engine together don't come back together. What counts as out of
/// reach: no connection, a broken one, no answer in time, an engine that says that it failed (5xx). What it refuses
/// (4xx), and what can't be read, is no outage, and ends the stream at once.
///
/// ```
/// use std::time::Duration;
/// use catamaran::model::ReconnectOptions;
///
/// let impatient = ReconnectOptions::default().with_give_up_after(Duration::from_secs(60));
/// assert_eq!(ReconnectOptions::default().give_up_after, None);
/// # let _ = impatient;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconnectOptions {
    /// How long the engine may be out of reach; `None`, the default, is for as long as it takes. The
    /// deadline of the [`CallContext`](crate::CallContext) ends it too.
    pub give_up_after: Option<Duration>,
    /// The pause before the first attempt, 100 ms by default; the next ones double it.
    pub first_pause: Duration,
    /// The longest pause, 10 s by default.
    pub longest_pause: Duration,
}

impl Default for ReconnectOptions {
    fn default() -> Self {
        Self {
            give_up_after: None,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl ReconnectOptions {
    setters! {
        /// Sets how long the engine may be out of reach.
        with_give_up_after(give_up_after: Option<Duration>);
        /// Sets the pause before the first attempt.
        with_first_pause(first_pause: Duration);
        /// Sets the longest pause.
        with_longest_pause(longest_pause: Duration);
    }
}
