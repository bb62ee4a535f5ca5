//! Fills a warm pool, while nobody waits.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::making::Made;
use super::manager::Shared;
use super::opening::Timings;
use super::pool::{Pool, Warm};
use crate::backend::{CallContext, ContainerBackend};
use crate::lock::lock;

/// So long after a claim the next may follow, which shouldn't wait behind a start: an engine does little else meanwhile.
const SETTLES: Duration = Duration::from_secs(1);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);
/// After so long without a miss less is kept.
const CALM: Duration = Duration::from_secs(60);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) async fn go_on(shared: Arc<Shared>, pool: Arc<Pool>) {
    // Its calls leave room for everybody's.
    let context = CallContext::new().with_key("catamaran: warm pool");
    let backend = shared.backend.with_context(context);
    let mut making = FuturesUnordered::new();
    let (mut pause, mut not_before) = (SHORTEST_PAUSE, Instant::now());
    while !lock(&pool.state).closed || !making.is_empty() {
        age(&shared, &pool);
        let at_once = lock(&pool.state).options.at_once;
        while making.len() < at_once && Instant::now() >= not_before && is_wanted(&shared, &pool) {
            lock(&pool.state).starting += 1;
            making.push(make(&shared, &backend, &pool));
        }
        tokio::select! {
            () = pool.changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(made) = making.next() => {
                pause = match made {
                    true => SHORTEST_PAUSE,
                    false => {
                        not_before = Instant::now() + pause;
                        (pause * 2).min(LONGEST_PAUSE)
                    }
                };
            }
        }
    }
}

/// Whether one more shall be made now.
fn is_wanted(shared: &Shared, pool: &Pool) -> bool {
    let state = lock(&pool.state);
    let there = state.ready.len() + state.starting;
    if state.closed || there >= state.target || shared.is_open().is_err() {
        return false;
    }
    // Those who make one for themselves come first.
    if shared.admission.is_busy() {
        return false;
    }
    let settled = state.claimed.is_none_or(|at| at.elapsed() >= SETTLES);
    settled || state.ready.len() <= state.target / 4
}

/// Lets go of what is too old, and of what is no longer meant to be kept.
fn age(shared: &Shared, pool: &Pool) {
    let now = Instant::now();
    let mut state = lock(&pool.state);
    if now.duration_since(state.missed) >= CALM && state.target > state.options.min {
        state.target -= 1;
        state.missed = now;
    }
    let mut gone = Vec::new();
    while let Some(oldest) = state.ready.front() {
        let too_old = now.duration_since(oldest.since) >= state.options.max_age;
        if !too_old && state.ready.len() <= state.target.max(state.options.min) {
            break;
        }
        gone.extend(state.ready.pop_front());
        state.discarded += 1;
    }
    // One that has ended is of no use.
    let ready = std::mem::take(&mut state.ready);
    let (well, ended): (Vec<_>, Vec<_>) =
        (ready.into_iter()).partition(|warm| warm.made.managed.is_up());
    state.ready = well.into();
    state.discarded += ended.len() as u64;
    drop(state);
    for warm in gone.into_iter().chain(ended) {
        shared.roster.forget(warm.made.container());
    }
}

async fn make(shared: &Arc<Shared>, backend: &Arc<dyn ContainerBackend>, pool: &Pool) -> bool {
    let longest = lock(&pool.state).options.max_age;
    let mut timings = Timings::default();
    let made = Made::new(shared, backend, &pool.spec, Some(longest), &mut timings).await;
    if lock(&pool.state).closed
        && let Ok(made) = made
    {
        made.discard(shared).await;
        lock(&pool.state).starting -= 1;
        return true;
    }
    let mut state = lock(&pool.state);
    state.starting -= 1;
    match made {
        Ok(made) => {
            state.last_error = None;
            state.ready.push_back(Warm {
                made,
                since: Instant::now(),
            });
            true
        }
        Err(failure) => {
            let error = format!("{failure}: {}", failure.cause());
            if state.last_error.is_none() {
                tracing::warn!(%error, image = %pool.spec.container.image, "a warm pool can't be filled: it is tried again");
            }
            state.last_error = Some(error);
            false
        }
    }
}
