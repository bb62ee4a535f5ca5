//! One moment by which a call is done.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{Stream, StreamExt};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Timeout};

use crate::error::{Error, ErrorKind, Result};

/// The moment by which a call is done, or none.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Option<Instant>,
    from: Instant,
}

impl Deadline {
    /// The earlier of a time from now and a moment.
    pub(crate) fn new(timeout: Option<Duration>, moment: Option<Instant>) -> Self {
        Self::from(Instant::now(), timeout, moment)
    }

    /// The same from a moment that has been read from the clock already.
    pub(crate) fn from(from: Instant, timeout: Option<Duration>, moment: Option<Instant>) -> Self {
        let at = match (
            timeout.and_then(|timeout| from.checked_add(timeout)),
            moment,
        ) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { at, from }
    }

    /// No moment at all.
    pub(crate) fn none() -> Self {
        Self::new(None, None)
    }

    /// A shorter time of its own, from now, within this one.
    pub(crate) fn within(self, timeout: Option<Duration>) -> Self {
        self.within_from(Instant::now(), timeout)
    }

    pub(crate) fn within_from(self, from: Instant, timeout: Option<Duration>) -> Self {
        Self::from(from, timeout, self.at)
    }

    /// The time that is left.
    pub(crate) fn left(self) -> Option<Duration> {
        self.left_at(Instant::now())
    }

    pub(crate) fn left_at(self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }

    /// The moment itself.
    pub(crate) fn moment(self) -> Option<Instant> {
        self.at
    }

    pub(crate) fn has_passed(self) -> bool {
        self.has_passed_at(Instant::now())
    }

    pub(crate) fn has_passed_at(self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    pub(crate) fn error(self) -> Error {
        let allowed = self
            .at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(self.from));
        let message = if allowed.is_zero() {
            "the deadline had passed".to_owned()
        } else {
            format!("no answer within {allowed:?}")
        };
        Error::new(ErrorKind::Timeout, message)
    }

    /// The stream until the deadline, or its first error.
    pub(crate) fn until<T: Send + 'static>(
        self,
        stream: impl Stream<Item = Result<T>> + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        futures::stream::unfold(Some(stream.boxed()), move |stream| async move {
            let mut stream = stream?;
            match self.bound(stream.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(item))) => Some((Ok(item), Some(stream))),
                Ok(Some(Err(error))) | Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Runs the future until the deadline. (An `async fn` would have room for it twice: as it is given, and as it is awaited.)
    pub(crate) fn bound<F: Future>(self, future: F) -> Bound<F> {
        match self.at {
            None => Bound::Free { future },
            // A timer is late by up to a millisecond, in which a call to a near engine is sent and answered.
            Some(at) if at <= Instant::now() => Bound::Passed { deadline: self },
            Some(at) => Bound::Timed {
                future: tokio::time::timeout_at(at, future),
                deadline: self,
            },
        }
    }
}

pin_project! {
    /// See [`Deadline::bound`].
    #[project = Runs]
    pub(crate) enum Bound<F> {
        Free {
            #[pin]
            future: F,
        },
        Passed {
            deadline: Deadline,
        },
        Timed {
            #[pin]
            future: Timeout<F>,
            deadline: Deadline,
        },
    }
}

impl<F: Future> Future for Bound<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Runs::Free { future } => future.poll(context).map(Ok),
            Runs::Passed { deadline } => Poll::Ready(Err(deadline.error())),
            Runs::Timed { future, deadline } => {
                let in_time = future.poll(context);
                in_time.map_err(|_| deadline.error())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_begins_after_it_has_passed() {
        let passed = Deadline::new(None, Some(Instant::now()));
        let begun = passed.bound(async { panic!("it was begun") });
        let error: Result<()> = begun.await;
        assert_eq!(error.expect_err("too late").kind(), ErrorKind::Timeout);
    }
}
