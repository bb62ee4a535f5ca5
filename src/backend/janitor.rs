//! Removals that nobody waits for any more: they survive the caller's task, and its runtime.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Id};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::ContainerBackend;
use super::leftover::Leftover;
use crate::error::{Error, Result};
use crate::lock::lock;

/// How long a removal is tried and waited for. A creation under way becomes visible only at its end.
const TRIED: Duration = Duration::from_secs(30);
/// How long the last pause is between looks after that: an engine may be away for longer, and act late. The memory is this
/// process's; what a dead one has left, [`Host`](crate::Host) finds by its labels.
const REMEMBERED: Duration = Duration::from_secs(240);
/// So much is remembered at once, and looked for one after the other: it is in no removal's way.
static PLACES: Semaphore = Semaphore::const_new(256);
static IN_TURN: Semaphore = Semaphore::const_new(1);
/// How long the end of a runtime is held up for a container that is there.
const HELD: Duration = Duration::from_secs(10);
/// How long for one that may never come to be: most creations that were dropped were never sent.
const HELD_IN_DOUBT: Duration = Duration::from_secs(2);
/// Removals at once: an engine does them one after the other anyway.
const AT_ONCE: usize = 8;

struct Job {
    backend: Arc<dyn ContainerBackend>,
    leftover: Leftover,
    held: Held,
}

/// The way to the thread, while there is one.
static JOBS: Mutex<Option<UnboundedSender<Job>>> = Mutex::new(None);

/// What is under way, and who waits for it. A lock of its own: jobs end while that of [`JOBS`] is held.
static UNDER_WAY: Mutex<UnderWay> = Mutex::new(UnderWay {
    until: BTreeMap::new(),
    next: 0,
    waiting: Vec::new(),
    stuck: false,
});
static CHANGED: Condvar = Condvar::new();
/// The same for those who wait without blocking.
static ENDED: Notify = Notify::const_new();

struct UnderWay {
    /// Until when the end of a runtime is held up, and whether for a container that is surely there, by
    /// the number of the job.
    until: BTreeMap<u64, (Instant, bool)>,
    next: u64,
    /// The runtimes in whose blocking pool one thread waits for all jobs.
    waiting: Vec<Id>,
    /// A job has outlasted its time, and none has ended since: waiting for others would take as long.
    stuck: bool,
}

thread_local! {
    /// Whether a removal is waited for at once, on this thread.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Removes it in the background. Within a tokio runtime this returns at once, and the runtime's
/// shutdown waits; outside, this waits.
pub(crate) fn remove(backend: Arc<dyn ContainerBackend>, leftover: Leftover) {
    let held = Held::begin(&leftover);
    submit(Job {
        backend,
        leftover,
        held,
    });
    let Some(host) = Handle::try_current().ok().filter(|_| !WAITS.get()) else {
        drop(wait());
        return;
    };
    // One thread of the host's pool for all jobs: an engine that is slow must not take them all.
    let mut under_way = lock(&UNDER_WAY);
    if under_way.waiting.contains(&host.id()) {
        return;
    }
    under_way.waiting.push(host.id());
    drop(under_way);
    let waiter = Waiter(host.id());
    // A runtime that shuts down waits for blocking tasks that have begun, and drops the others: either
    // way the waiter is dropped.
    host.spawn_blocking(move || drop(waiter));
}

/// Runs what may block this thread: removals that it leaves behind are waited for at once.
pub(crate) fn waiting<T>(work: impl FnOnce() -> T) -> T {
    /// Restored even where the work panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            WAITS.set(self.0);
        }
    }
    let _before = Before(WAITS.replace(true));
    work()
}

struct Waiter(Id);

impl Drop for Waiter {
    fn drop(&mut self) {
        // Under one lock, so that no job comes between the end of the waiting and the word of it.
        wait().waiting.retain(|id| *id != self.0);
    }
}

/// Waits for the jobs under way, each for as long as its kind is worth.
fn wait() -> MutexGuard<'static, UnderWay> {
    let mut under_way = lock(&UNDER_WAY);
    loop {
        let now = Instant::now();
        let over = |(end, sure): &(Instant, bool)| *sure && *end <= now;
        under_way.stuck |= under_way.until.values().any(over);
        let ends = under_way.until.values().map(|(end, _)| *end);
        let Some(left) = ends.max().and_then(|end| end.checked_duration_since(now)) else {
            return under_way;
        };
        let waited = CHANGED.wait_timeout(under_way, left);
        under_way = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A job counts as under way until this is dropped, whatever ends it.
struct Held(u64);

impl Held {
    fn begin(leftover: &Leftover) -> Self {
        let mut under_way = lock(&UNDER_WAY);
        let sure = !leftover.is_in_doubt();
        let most = match sure {
            _ if under_way.stuck || leftover.is_in_use() => Duration::ZERO,
            true => HELD,
            false => HELD_IN_DOUBT,
        };
        let number = under_way.next;
        under_way.next += 1;
        let end = Instant::now() + most;
        under_way.until.insert(number, (end, sure));
        Self(number)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&UNDER_WAY).until.remove(&self.0);
        CHANGED.notify_all();
        ENDED.notify_waiters();
    }
}

/// How many removals are under way.
pub(crate) fn under_way() -> usize {
    lock(&UNDER_WAY).until.len()
}

/// Waits until none is.
pub(crate) async fn idle() {
    loop {
        let ended = ENDED.notified();
        let mut ended = std::pin::pin!(ended);
        // Registered before the look, so that no end comes between.
        ended.as_mut().enable();
        if under_way() == 0 {
            return;
        }
        ended.await;
    }
}

fn submit(job: Job) {
    let mut jobs = lock(&JOBS);
    let job = match &*jobs {
        Some(open) => match open.send(job) {
            Ok(()) => return,
            Err(refused) => refused.0,
        },
        None => job,
    };
    let leftover = job.leftover.clone();
    let (sender, receiver) = unbounded_channel();
    let _ = sender.send(job);
    let thread = std::thread::Builder::new().name("catamaran-janitor".to_owned());
    let begun = thread.spawn(
        move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(work(receiver)),
            Err(error) => tracing::error!(%error, "no runtime to remove containers with"),
        },
    );
    match begun {
        Ok(_) => *jobs = Some(sender),
        Err(error) => {
            tracing::error!(%error, %leftover, "no thread to remove what was given up: remove it by hand");
        }
    }
}

/// Works until nothing is left to do: an idle process has no such thread.
async fn work(mut jobs: UnboundedReceiver<Job>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        if running.is_empty() {
            // Under the lock, so that no job comes between the look and the end.
            let mut open = lock(&JOBS);
            match jobs.try_recv() {
                Ok(job) => drop(running.spawn(work_on(job, Arc::clone(&permits)))),
                Err(_) => {
                    *open = None;
                    return;
                }
            }
        }
        tokio::select! {
            Some(job) = jobs.recv() => drop(running.spawn(work_on(job, Arc::clone(&permits)))),
            ended = running.join_next() => if let Some(Err(error)) = ended {
                tracing::error!(%error, "a removal ended: what was given up may be left behind");
            },
        }
    }
}

async fn work_on(job: Job, permits: Arc<Semaphore>) {
    let Job {
        backend,
        leftover,
        held,
    } = job;
    let began = Instant::now();
    let mut pause = Duration::from_millis(25);
    while began.elapsed() <= TRIED {
        let removed = {
            let _permit = permits.acquire().await;
            leftover.remove(&*backend).await
        };
        if is_done(&removed, &leftover) {
            lock(&UNDER_WAY).stuck = false;
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    drop(held);
    remember(&*backend, &leftover).await;
}

/// Looks for it now and then, when nobody waits for it any longer.
async fn remember(backend: &dyn ContainerBackend, leftover: &Leftover) {
    let left = |error: Option<&Error>| {
        let error = error.map(tracing::field::display);
        tracing::error!(
            %leftover, error,
            "what was given up may be left behind: remove it by hand"
        );
    };
    let Ok(_place) = PLACES.try_acquire() else {
        return left(None);
    };
    let mut pause = TRIED;
    loop {
        tokio::time::sleep(pause).await;
        let removed = {
            let _turn = IN_TURN.acquire().await;
            leftover.remove(backend).await
        };
        if is_done(&removed, leftover) {
            return;
        }
        pause *= 2;
        if pause > REMEMBERED {
            // Of a creation that never came to anything nothing is left.
            return removed.as_ref().err().map_or((), |error| left(Some(error)));
        }
    }
}

/// Whether it is gone for good: a container that isn't there, or a creation that was found and removed, of which no attempt
/// before it may be late, now that the name is free again.
fn is_done(removed: &Result<bool>, leftover: &Leftover) -> bool {
    match removed {
        Ok(true) => !leftover.may_come_again(),
        Ok(false) => !leftover.is_in_doubt(),
        Err(_) => false,
    }
}
