//! What an engine keeps for its next call, and lets go once nobody has wanted it for long.

use std::future::Future;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::lock::lock;

/// What nobody uses just now.
pub(super) struct Idle<T> {
    timeout: Duration,
    shelf: Mutex<Shelf<T>>,
}

struct Shelf<T> {
    /// Since when nobody uses it; the latest is the last.
    kept: Vec<(Instant, T)>,
    /// Whether a task looks after them.
    watched: bool,
}

impl<T> Idle<T> {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            shelf: Mutex::new(Shelf {
                kept: Vec::new(),
                watched: false,
            }),
        }
    }

    /// The latest that fits, and since when nobody has used it.
    pub(super) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<(Instant, T)> {
        let kept = &mut lock(&self.shelf).kept;
        let latest = kept.iter().rposition(|(_, one)| fits(one))?;
        Some(kept.remove(latest))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.shelf).kept.len()
    }
}

/// Who keeps something.
pub(super) trait Keep: Send + Sync + Sized + 'static {
    type Kept: Send;

    fn idle(&self) -> &Idle<Self::Kept>;

    /// What tells whether something is still of use.
    fn of_use(&self) -> impl Fn(&Self::Kept) -> bool {
        |_| true
    }

    /// Done now and then, as long as something is kept.
    fn look(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Drops what nobody has used for long, and what is of no use any more.
    fn prune(&self, now: Instant) {
        let of_use = self.of_use();
        let Idle { timeout, shelf } = self.idle();
        let stale = |(since, one): &mut (Instant, _)| !of_use(one) || now - *since >= *timeout;
        let gone: Vec<_> = lock(shelf).kept.extract_if(.., stale).collect();
        // What it takes to drop them keeps nobody from the others.
        drop(gone);
    }

    /// Keeps it. A task on that runtime, or on that of who kept something before, sees to it that it goes though nobody calls.
    fn keep(self: &Arc<Self>, one: Self::Kept, runtime: &Handle) {
        let idle = self.idle();
        let mut shelf = lock(&idle.shelf);
        shelf.kept.push((Instant::now(), one));
        if !std::mem::replace(&mut shelf.watched, true) {
            drop(shelf);
            let watch = Watch(Arc::downgrade(self));
            drop(runtime.spawn(watch.over(idle.timeout)));
        }
    }
}

/// Looks after what is kept, until there is nothing.
struct Watch<K: Keep>(Weak<K>);

impl<K: Keep> Watch<K> {
    async fn over(mut self, period: Duration) {
        loop {
            tokio::time::sleep(period).await;
            let Some(keeper) = self.0.upgrade() else {
                return;
            };
            keeper.prune(Instant::now());
            keeper.look().await;
            let mut shelf = lock(&keeper.idle().shelf);
            if shelf.kept.is_empty() {
                // Whoever keeps something from now on has another task.
                shelf.watched = false;
                self.0 = Weak::new();
                return;
            }
        }
    }
}

impl<K: Keep> Drop for Watch<K> {
    fn drop(&mut self) {
        // Its runtime has ended, and others may go on.
        if let Some(keeper) = self.0.upgrade() {
            lock(&keeper.idle().shelf).watched = false;
        }
    }
}
