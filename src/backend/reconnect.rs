//! Whether and when what was lost is tried again.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use super::CallContext;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ReconnectOptions;
use crate::operation::Operation;

/// How much of what was told is asked for again, so that what is out of order by a moment isn't lost.
pub(super) const OVERLAP: Duration = Duration::from_secs(1);

/// The moment after a time.
pub(super) fn after(time: SystemTime) -> Option<SystemTime> {
    time.checked_add(Duration::from_nanos(1))
}

/// The pace of one stream's connections. It is made when the first one is there.
pub(super) struct Reconnect {
    operation: Operation,
    options: ReconnectOptions,
    deadline: Option<Instant>,
    /// Those to come; `None` where they begin anew.
    pauses: Option<ExponentialBackoff>,
    connected: Instant,
    /// Since when the engine is out of reach.
    outage: Option<Instant>,
}

impl Reconnect {
    pub(super) fn new(
        operation: Operation,
        options: &ReconnectOptions,
        context: &CallContext,
    ) -> Self {
        Self {
            operation,
            options: options.clone(),
            deadline: context.deadline,
            pauses: None,
            connected: Instant::now(),
            outage: None,
        }
    }

    /// Notes that there is a connection.
    pub(super) fn connected(&mut self) {
        self.connected = Instant::now();
        if let Some(outage) = self.outage.take() {
            let operation = self.operation;
            tracing::info!(%operation, after = ?outage.elapsed(), "connected again");
        }
    }

    /// Notes that a connection was of use, after which the pauses begin anew. One that ends at once does
    /// nobody any good.
    pub(super) fn progressed(&mut self) {
        self.pauses = None;
    }

    /// Waits after a failure for the next attempt; gives the error back where there is to be none.
    pub(super) async fn failed(&mut self, error: Error) -> Result<()> {
        let now = Instant::now();
        let ends = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if !Self::may_pass(&error) || ends(self.deadline) {
            return Err(error);
        }
        let begun = self.outage.is_none();
        let outage = *self.outage.get_or_insert(now);
        let limit = self
            .options
            .give_up_after
            .and_then(|limit| outage.checked_add(limit));
        if ends(limit) {
            let message = error.to_string();
            return Err(error.with_advice(format!(
                "the engine was out of reach for {:?}, and was given up",
                now - outage
            )))
            .inspect_err(
                |_| tracing::warn!(operation = %self.operation, error = message, "given up"),
            );
        }
        if begun {
            tracing::warn!(
                operation = %self.operation,
                error = format_args!("{error:#}"),
                "the connection is lost: connecting anew"
            );
            if self.connected.elapsed() >= self.options.longest_pause {
                self.progressed();
            }
        }
        let asked = error.retry_after().unwrap_or_default();
        let pause = self.next().max(asked.min(self.options.longest_pause));
        // No later than there is a last attempt to be made.
        let wake = [limit, self.deadline, now.checked_add(pause)];
        if let Some(wake) = wake.into_iter().flatten().min() {
            tokio::time::sleep_until(wake).await;
        }
        Ok(())
    }

    /// Waits before a further attempt that no failure calls for.
    pub(super) async fn pause(&mut self) {
        let pause = self.next();
        tokio::time::sleep(pause).await;
    }

    /// Whether the next attempt may find a failure gone.
    pub(super) fn may_pass(error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Connect
            | ErrorKind::Transport
            | ErrorKind::Timeout
            | ErrorKind::Saturated
            | ErrorKind::Unavailable => true,
            // An engine that starts or ends says so; without a status it speaks of what was asked.
            ErrorKind::Engine => error.status().is_some(),
            _ => false,
        }
    }

    fn next(&mut self) -> Duration {
        let pauses = self.pauses.get_or_insert_with(|| pauses(&self.options));
        pauses.next().unwrap_or(self.options.longest_pause)
    }
}

fn pauses(options: &ReconnectOptions) -> ExponentialBackoff {
    // Longer than anybody waits, and short enough to be doubled.
    let bounded = |pause: Duration| pause.min(Duration::from_secs(86_400));
    let first = bounded(options.first_pause);
    ExponentialBuilder::new()
        .with_min_delay(first)
        .with_max_delay(bounded(options.longest_pause).max(first))
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect(options: &ReconnectOptions) -> Reconnect {
        Reconnect::new(Operation::Logs, options, &CallContext::new())
    }

    fn lost() -> Error {
        Error::new(ErrorKind::Connect, "gone")
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_longest_and_begin_anew() {
        let mut reconnect = reconnect(&ReconnectOptions::default());
        let mut took = async || {
            let began = Instant::now();
            reconnect.failed(lost()).await.expect("another attempt");
            began.elapsed()
        };
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        for pause in expected.map(Duration::from_millis) {
            let took = took().await;
            let slack = Duration::from_millis(1);
            assert!(
                pause <= took && took <= pause * 2 + slack,
                "{took:?} for {pause:?}"
            );
        }
        reconnect.connected();
        reconnect.progressed();
        let began = Instant::now();
        reconnect.failed(lost()).await.expect("another attempt");
        assert!(began.elapsed() <= Duration::from_millis(201));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_has_an_end() {
        let minute = Duration::from_secs(60);
        let mut reconnect = reconnect(&ReconnectOptions::default().with_give_up_after(minute));
        // One that ended doesn't count.
        reconnect.failed(lost()).await.expect("another attempt");
        tokio::time::sleep(minute).await;
        reconnect.connected();
        let began = Instant::now();
        let error = loop {
            if let Err(error) = reconnect.failed(lost()).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(
            error
                .advice()
                .is_some_and(|advice| advice.contains("out of reach"))
        );
        let took = began.elapsed();
        assert!(
            minute <= took && took < minute + Duration::from_millis(10),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_callers_deadline_ends_it() {
        let moment = Instant::now() + Duration::from_secs(5);
        let context = CallContext::new().with_deadline(moment);
        let mut reconnect = Reconnect::new(Operation::Logs, &ReconnectOptions::default(), &context);
        while reconnect.failed(lost()).await.is_ok() {}
        assert!(moment <= Instant::now() && Instant::now() < moment + Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_attempt_cannot_cure_ends_it_at_once() {
        let began = Instant::now();
        for error in [
            Error::answered(400, "no"),
            Error::answered(404, "gone"),
            Error::new(ErrorKind::Decode, "no frames"),
            Error::new(ErrorKind::TooLarge, "endless"),
            Error::new(ErrorKind::Engine, "the log driver can't read"),
        ] {
            let mut reconnect = reconnect(&ReconnectOptions::default());
            let kind = error.kind();
            assert_eq!(
                reconnect.failed(error).await.expect_err("an end").kind(),
                kind
            );
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        let starting = Error::answered(503, "starting");
        let mut reconnect = reconnect(&ReconnectOptions::default());
        reconnect.failed(starting).await.expect("another attempt");
    }
}
