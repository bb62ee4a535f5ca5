//! Removals that nobody waits for any more: they survive the caller's task, and its runtime.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ContainerBackend;
use super::guard::Leftover;

/// How long a removal is tried. A creation under way becomes visible only at its end.
const TRIED: Duration = Duration::from_secs(30);
/// How long the caller's runtime, when it shuts down, is held up for a container that is there.
const HELD: Duration = Duration::from_secs(10);
/// How long for one that may never come to be: most creations that were dropped were never sent.
const HELD_IN_DOUBT: Duration = Duration::from_secs(2);
/// Removals at once: an engine does them one after the other anyway.
const AT_ONCE: usize = 8;

struct Job {
    backend: Arc<dyn ContainerBackend>,
    leftover: Leftover,
    /// Dropped at the end, which is what [`Held`] waits for.
    _done: mpsc::Sender<()>,
}

/// The way to the thread, while there is one.
static JOBS: Mutex<Option<UnboundedSender<Job>>> = Mutex::new(None);

/// Removes it in the background. Within a tokio runtime this returns at once, and the runtime's
/// shutdown waits; outside, this waits.
pub(super) fn remove(backend: Arc<dyn ContainerBackend>, leftover: Leftover) {
    let (done, finished) = mpsc::channel();
    let most = match leftover {
        Leftover::Container(_) => HELD,
        Leftover::Creation(..) => HELD_IN_DOUBT,
    };
    submit(Job {
        backend,
        leftover,
        _done: done,
    });
    let held = Held { finished, most };
    if let Ok(host) = tokio::runtime::Handle::try_current() {
        // A runtime that shuts down waits for blocking tasks that have begun, and drops the others:
        // either way `held` is dropped, which is the waiting.
        host.spawn_blocking(move || drop(held));
    }
}

struct Held {
    finished: mpsc::Receiver<()>,
    most: Duration,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nothing is ever sent: it ends with the job, or after this time.
        let _ = self.finished.recv_timeout(self.most);
    }
}

fn submit(job: Job) {
    let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
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
    let thread = std::thread::Builder::new()
        .name("catamaran-janitor".to_owned())
        .spawn(move || {
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(work(receiver)),
                Err(error) => tracing::error!(%error, "no runtime to remove containers with"),
            }
        });
    match thread {
        Ok(_) => *jobs = Some(sender),
        Err(error) => {
            tracing::error!(%error, container = %leftover, "no thread to remove a container with: remove it by hand");
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
            let mut open = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
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
            _ = running.join_next() => {}
        }
    }
}

async fn work_on(job: Job, permits: Arc<Semaphore>) {
    let began = Instant::now();
    let mut pause = Duration::from_millis(25);
    loop {
        let removed = {
            let _permit = permits.acquire().await;
            job.leftover.remove(&*job.backend).await
        };
        match (removed, &job.leftover) {
            (Ok(true), _) | (Ok(false), Leftover::Container(_)) => return,
            (Ok(false), Leftover::Creation(..)) if began.elapsed() > TRIED => return,
            (Err(error), leftover) if began.elapsed() > TRIED => {
                tracing::error!(
                    container = %leftover, %error,
                    "a container may be left behind: remove it by hand"
                );
                return;
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
