//! Work that is done once for all who ask for it at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};

use crate::error::{ErrorKind, Result};
use crate::lock::lock;

/// The work under way, by what it is about.
pub(crate) struct Flights<K: Hash + Eq + 'static, T: 'static>(LazyLock<Mutex<Map<K, T>>>);

type Map<K, T> = HashMap<K, Weak<Flight<K, T>>>;

impl<K: Hash + Eq, T> Flights<K, T> {
    pub(crate) const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    fn map(&self) -> MutexGuard<'_, Map<K, T>> {
        lock(&self.0)
    }
}

/// One piece of work, and those who wait for it: whoever holds the turn does it, and the next takes over
/// where that one goes away.
pub(crate) struct Flight<K: Hash + Eq + 'static, T: 'static> {
    flights: &'static Flights<K, T>,
    key: K,
    turn: tokio::sync::Mutex<Option<Result<T>>>,
}

impl<K: Hash + Eq + Clone, T: Clone> Flight<K, T> {
    /// Joins those who wait for this already, or is the first.
    pub(crate) fn join(flights: &'static Flights<K, T>, key: K) -> Arc<Self> {
        let mut map = flights.map();
        if let Some(flight) = map.get(&key).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Self {
            flights,
            key: key.clone(),
            turn: tokio::sync::Mutex::default(),
        });
        map.insert(key, Arc::downgrade(&flight));
        flight
    }

    /// What the work gave, done by whoever's turn it is.
    ///
    /// # Cancel safety
    /// Dropped during the work, the next who waits does it.
    pub(crate) async fn outcome(
        self: Arc<Self>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.outcome_unless(is_ones_own, work).await
    }

    /// As [`outcome`](Self::outcome), where a failure of these kinds is one's own, and the next does the work again.
    pub(crate) async fn outcome_unless(
        self: Arc<Self>,
        is_ones_own: impl Fn(ErrorKind) -> bool,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut turn = self.turn.lock().await;
        if let Some(outcome) = &*turn {
            return outcome.clone();
        }
        let outcome = work.await;
        if outcome
            .as_ref()
            .is_err_and(|error| is_ones_own(error.kind()))
        {
            return outcome;
        }
        // Who comes now asks anew; who waits gets this.
        self.flights.map().remove(&self.key);
        *turn = Some(outcome.clone());
        outcome
    }
}

/// Whether a failure says something of the caller, and nothing of the work: others may have more time.
fn is_ones_own(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Saturated | ErrorKind::Cancelled
    )
}

impl<K: Hash + Eq, T> Drop for Flight<K, T> {
    fn drop(&mut self) {
        let mut map = self.flights.map();
        // The key may be another flight's by now.
        if map
            .get(&self.key)
            .is_some_and(|flight| flight.strong_count() == 0)
        {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;
    use crate::error::Error;

    static FLIGHTS: Flights<&'static str, usize> = Flights::new();

    #[tokio::test]
    async fn who_waits_shares_what_is_done_once() {
        let count = AtomicUsize::new(0);
        let asked = (0..10).map(|_| {
            Flight::join(&FLIGHTS, "shared").outcome(async {
                tokio::task::yield_now().await;
                Ok(count.fetch_add(1, Ordering::Relaxed))
            })
        });
        for outcome in join_all(asked).await {
            assert_eq!(outcome.expect("it is done"), 0);
        }
        let again = Flight::join(&FLIGHTS, "shared").outcome(async { Ok(7) });
        assert_eq!(again.await.expect("done anew"), 7);
        assert!(!FLIGHTS.map().contains_key("shared"));
    }

    #[tokio::test]
    async fn the_next_takes_over_from_one_who_goes_away() {
        let mut leader = Box::pin(Flight::join(&FLIGHTS, "left").outcome(std::future::pending()));
        assert!((&mut leader).now_or_never().is_none());
        let mut next = Box::pin(Flight::join(&FLIGHTS, "left").outcome(async { Ok(2) }));
        assert!((&mut next).now_or_never().is_none(), "it is another's turn");
        drop(leader);
        assert_eq!(next.await.expect("it took over"), 2);
        assert!(!FLIGHTS.map().contains_key("left"));
    }

    #[tokio::test]
    async fn a_failure_is_shared_unless_it_is_ones_own() {
        for (kind, runs) in [(ErrorKind::Engine, 1), (ErrorKind::Timeout, 3)] {
            let count = AtomicUsize::new(0);
            let asked = (0..3).map(|_| {
                Flight::join(&FLIGHTS, "failing").outcome(async {
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Err(Error::new(kind, "no"))
                })
            });
            for outcome in join_all(asked).await {
                assert_eq!(outcome.expect_err("it fails").kind(), kind);
            }
            assert_eq!(count.load(Ordering::Relaxed), runs);
        }
        assert!(FLIGHTS.map().is_empty() || !FLIGHTS.map().contains_key("failing"));
    }
}
