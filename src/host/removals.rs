//! Removes what dead instances have left, beside the looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::backend::ContainerBackend;
use crate::error::{ErrorKind, Result};
use crate::model::{ContainerRef, RemoveOptions};

/// Removals at once.
const AT_ONCE: usize = 8;
/// Between two tries of one removal, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so long nobody waits for it any more; it is tried on.
const GIVEN_UP: Duration = Duration::from_secs(60);

pub(super) struct Removals {
    backend: Arc<dyn ContainerBackend>,
    permits: Arc<Semaphore>,
    running: JoinSet<Ended>,
    ended: Vec<Ended>,
    tried: BTreeMap<ContainerRef, Tried>,
}

type Ended = (ContainerRef, Result<()>);

struct Tried {
    since: Instant,
    pause: Duration,
    /// When it is tried again; nothing while it is under way.
    next: Option<Instant>,
    given_up: bool,
}

impl Removals {
    pub(super) fn new(backend: Arc<dyn ContainerBackend>) -> Self {
        Self {
            backend,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            running: JoinSet::new(),
            ended: Vec::new(),
            tried: BTreeMap::new(),
        }
    }

    /// Waits until all that were begun have ended; without end, where none is.
    ///
    /// # Cancel safety
    /// Safe: what has ended is kept.
    pub(super) async fn ended(&mut self) {
        let before = self.ended.len();
        while let Some(ended) = self.running.join_next().await {
            self.ended.extend(ended);
        }
        if self.ended.len() == before {
            std::future::pending::<()>().await;
        }
    }

    /// These are there and shall go. Whether somebody should wait for it: it is being tried, and hasn't been for long.
    pub(super) fn want(&mut self, unwanted: &[ContainerRef]) -> bool {
        let now = Instant::now();
        while let Some(ended) = self.running.try_join_next() {
            self.ended.extend(ended);
        }
        for (id, removed) in self.ended.drain(..) {
            let Some(tried) = self.tried.get_mut(&id) else {
                continue;
            };
            tried.next = Some(now + tried.pause);
            tried.pause = (tried.pause * 2).min(LONGEST_PAUSE);
            if let Err(error) = removed
                && now.duration_since(tried.since) > GIVEN_UP
                && !std::mem::replace(&mut tried.given_up, true)
            {
                tracing::error!(
                    container = %id, %error,
                    "a dead instance's container can't be removed: it is tried on; remove it by hand"
                );
            }
        }
        self.tried
            .retain(|id, tried| tried.next.is_none() || unwanted.contains(id));
        for id in unwanted {
            let tried = self.tried.entry(id.clone()).or_insert_with(|| Tried {
                since: now,
                pause: Duration::from_secs(1),
                next: Some(now),
                given_up: false,
            });
            if tried.next.is_none_or(|next| next > now) {
                continue;
            }
            tried.next = None;
            let (backend, permits, id) = (
                Arc::clone(&self.backend),
                Arc::clone(&self.permits),
                id.clone(),
            );
            self.running.spawn(async move {
                let _permit = permits.acquire().await;
                let removed = remove(&*backend, &id).await;
                (id, removed)
            });
        }
        let waited = |id| {
            self.tried
                .get(id)
                .is_some_and(|tried: &Tried| now.duration_since(tried.since) <= GIVEN_UP)
        };
        unwanted.iter().any(waited)
    }
}

/// Removes all of them; the first failure is told once each has been tried.
pub(super) async fn all(backend: &dyn ContainerBackend, containers: &[ContainerRef]) -> Result<()> {
    let removals = containers.iter().map(|id| remove(backend, id));
    let removals = futures::stream::iter(removals).buffer_unordered(AT_ONCE);
    let ended: Vec<_> = removals.collect().await;
    futures::stream::iter(ended).try_collect().await
}

async fn remove(backend: &dyn ContainerBackend, id: &ContainerRef) -> Result<()> {
    match backend.remove(id, &RemoveOptions::force()).await {
        Ok(()) => {
            tracing::info!(container = %id, "a container whose host is gone is removed");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
