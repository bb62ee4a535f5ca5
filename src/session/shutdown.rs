//! The manager's end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use super::close::close;
use super::key::SessionKey;
use super::manager::Shared;
use super::pool::Pool;
use crate::error::{Error, ErrorKind, Result};

/// Sessions that are closed at once.
const AT_ONCE: usize = 16;
/// Nobody waits for longer.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(50);

/// What becomes of the sessions when the manager is shut down.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// They go on, and the next instance adopts them.
    LeaveRunning,
    /// It is waited until their users have closed them, or they have ended; those that are there when the time is over go on.
    Drain,
    /// They are closed.
    CloseAll,
}

pub(super) async fn shutdown(shared: &Arc<Shared>, how: Shutdown, within: Duration) -> Result<()> {
    let within = within.min(LONGEST);
    let until = Instant::now() + within;
    shared.closed.store(true, Ordering::SeqCst);
    // The lease is given back in any case: a part of the time is for that.
    let most = until - within / 4;
    let pooled = drain(shared, shared.pools.close());
    let sessions = async {
        opens_end(shared).await;
        match how {
            Shutdown::LeaveRunning => Ok(()),
            Shutdown::Drain => {
                while shared.roster.len() > 0 {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(())
            }
            Shutdown::CloseAll => close_all(shared).await,
        }
    };
    let ended = tokio::time::timeout_at(most, async { tokio::join!(pooled, sessions).1 }).await;
    let ended = ended.unwrap_or_else(|_| Err(late(shared, within)));
    shared.end();
    let left = until.saturating_duration_since(Instant::now());
    let host = shared.host.end(left).await;
    ended.and(host)
}

fn late(shared: &Shared, within: Duration) -> Error {
    let (left, opens) = (shared.roster.len(), shared.opens.load(Ordering::SeqCst));
    let message = format!(
        "{left} sessions and {opens} opens were left after {within:?}, less a quarter to give the lease back"
    );
    let error = Error::new(ErrorKind::Timeout, message);
    error.with_advice("they go on: the next instance adopts or removes them")
}

async fn opens_end(shared: &Shared) {
    while shared.opens.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(LOOK).await;
    }
}

async fn drain(shared: &Shared, pools: Vec<Arc<Pool>>) {
    let pooled: Vec<_> = pools.iter().flat_map(|pool| pool.close()).collect();
    let gone = pooled.into_iter().map(|made| made.discard(shared));
    let gone = futures::stream::iter(gone).buffer_unordered(AT_ONCE);
    gone.collect::<Vec<()>>().await;
    while pools.iter().any(|pool| pool.starting() > 0) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Where it isn't its turn, it comes later: nobody else asks any more.
async fn close_in_turn(shared: &Arc<Shared>, key: &SessionKey) -> Result<bool> {
    loop {
        let backend = shared.backend_for(key, None);
        match close(shared, &backend, key).await {
            Err(error) if error.kind() == ErrorKind::Saturated => {
                tokio::time::sleep(error.retry_after().unwrap_or(LOOK)).await;
            }
            closed => return closed,
        }
    }
}

/// Those that are adopted meanwhile, too.
async fn close_all(shared: &Arc<Shared>) -> Result<()> {
    loop {
        let entries = shared.roster.sessions();
        if entries.is_empty() {
            return Ok(());
        }
        // Owned by each: of borrowed ones the compiler doesn't see that their future can go to another thread.
        let closed = entries.into_iter().map(|entry| {
            let shared = Arc::clone(shared);
            async move { close_in_turn(&shared, &entry.key).await }
        });
        let closed = futures::stream::iter(closed).buffer_unordered(AT_ONCE);
        let closed: Vec<Result<bool>> = closed.collect().await;
        closed.into_iter().try_for_each(|closed| closed.map(drop))?;
    }
}
