//! What is due with time: what is idle or too old is stopped, what has been kept for long enough is removed, what has failed is
//! started again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};

use super::close::remove_held;
use super::key::SessionKey;
use super::lifecycle::Restart;
use super::managed::{End, Life, Managed, SessionState};
use super::manager::Shared;
use super::notice::Change;
use super::opening::Timings;
use super::pulse;
use super::resume::resume;
use super::roster::{Entry, KeyTurn};
use super::strays;
use crate::backend::ContainerBackend;
use crate::deadline::Deadline;
use crate::error::{Effect, ErrorKind, Result};
use crate::model::{StopOptions, setters};

/// Sessions that are seen to at once, and how many of them may be started, or be one owner's.
const AT_ONCE: usize = 16;
const STARTS: usize = 8;
const OF_ONE: usize = 4;
/// A session that has run for so long didn't fail at once.
const STEADY: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Stop(End),
    /// It was started, and never became ready.
    Halt,
    Remove,
    Restart {
        attempt: u32,
    },
}

/// What [`reap`](super::SessionManager::reap) does.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReapOptions {
    /// Says what is due, and does nothing.
    pub dry_run: bool,
}

impl ReapOptions {
    setters! {
        /// Sets whether it only says what is due.
        with_dry_run(dry_run: bool);
    }
}

/// What was due, and was done where it wasn't a dry run.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReapReport {
    /// Stopped for being idle.
    pub idle: Vec<SessionKey>,
    /// Stopped for being too old.
    pub expired: Vec<SessionKey>,
    /// Removed since they had been stopped for long enough.
    pub removed: Vec<SessionKey>,
    /// Containers, volumes and networks of sessions that aren't there any more, as far as that can be told at one look: they
    /// are removed when they have been so for two minutes.
    pub strays: Vec<String>,
    /// What couldn't be done, and why.
    pub failed: Vec<(SessionKey, String)>,
}

/// What is due of a session.
fn due(managed: &Managed, now: Instant) -> Option<Due> {
    let (lifecycle, life) = (&managed.written.what.lifecycle, managed.life().clone());
    match life.state {
        SessionState::Gone | SessionState::Starting => None,
        SessionState::Stopped if life.unready => Some(Due::Halt),
        SessionState::Stopped => {
            let kept = life
                .stopped
                .map_or(Duration::ZERO, |at| now.duration_since(at));
            match restart_in(&life, lifecycle.restart).filter(|_| !life.is_expired(now)) {
                Some((attempt, pause)) => (kept >= pause).then_some(Due::Restart { attempt }),
                None => (kept >= lifecycle.retention).then_some(Due::Remove),
            }
        }
        // It is on its way.
        _ if life.is_asked(now) => None,
        _ if life.is_expired(now) => Some(Due::Stop(End::Expired)),
        _ => {
            let idle = lifecycle.idle_timeout;
            let idle = idle.is_some_and(|most| life.idle(now) >= most);
            idle.then_some(Due::Stop(End::Idle))
        }
    }
}

/// The how-manieth restart is due after which pause; nothing where none is.
fn restart_in(life: &Life, restart: Restart) -> Option<(u32, Duration)> {
    let Restart::OnFailure { most } = restart else {
        return None;
    };
    let failed = life.oom_killed || life.exit_code != Some(0);
    if life.end != Some(End::Itself) || !failed || life.failures >= most {
        return None;
    }
    Some((life.failures + 1, pause_after(life.failures)))
}

fn pause_after(failures: u32) -> Duration {
    (SHORTEST * 2u32.saturating_pow(failures.min(6))).min(LONGEST)
}

/// How much is being done.
#[derive(Default)]
struct Doing {
    all: usize,
    starts: usize,
    of: HashMap<Arc<str>, usize>,
}

impl Doing {
    fn may(&self, owner: &Arc<str>, due: Due) -> bool {
        let starts = matches!(due, Due::Restart { .. });
        self.all < AT_ONCE
            && (!starts || self.starts < STARTS)
            && self.of.get(owner).is_none_or(|count| *count < OF_ONE)
    }

    fn begin(&mut self, owner: &Arc<str>, due: Due) {
        self.all += 1;
        self.starts += usize::from(matches!(due, Due::Restart { .. }));
        *self.of.entry(Arc::clone(owner)).or_default() += 1;
    }

    fn end(&mut self, owner: &Arc<str>, due: Due) {
        self.all -= 1;
        self.starts -= usize::from(matches!(due, Due::Restart { .. }));
        if let Some(count) = self.of.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(owner);
            }
        }
    }
}

pub(super) async fn go_on(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.settings.upkeep);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut doing, mut running) = (Doing::default(), FuturesUnordered::new());
    let mut due_then: std::vec::IntoIter<Arc<Entry>> = Vec::new().into_iter();
    loop {
        // Those that were due at the last look, as far as there is room; the next look begins when all have had their turn.
        while doing.all < AT_ONCE
            && let Some(entry) = due_then.next()
        {
            let owner = entry.key.shared_owner();
            let now = Instant::now();
            let may = due(&entry.managed, now).is_some_and(|due| doing.may(owner, due));
            if may && let Some((turn, due)) = take(&shared, &entry, now) {
                doing.begin(owner, due);
                running.push(see_to(&shared, entry, due, turn));
            }
        }
        tokio::select! {
            _ = ticks.tick() => {
                pulse::show(&shared);
                let now = Instant::now();
                let is_due = |entry: &Arc<Entry>| {
                    forgive(&entry.managed, now);
                    due(&entry.managed, now).is_some()
                };
                if due_then.as_slice().is_empty() {
                    let mut entries = shared.roster.sessions();
                    entries.retain(is_due);
                    due_then = entries.into_iter();
                }
            }
            Some((owner, due)) = running.next() => doing.end(&owner, due),
        }
    }
}

async fn see_to(
    shared: &Arc<Shared>,
    entry: Arc<Entry>,
    due: Due,
    turn: KeyTurn,
) -> (Arc<str>, Due) {
    if let Err(error) = act(shared, &entry, due, turn).await {
        tracing::warn!(%error, session = %entry.key, "what is due couldn't be done: it is tried again");
    }
    (Arc::clone(entry.key.shared_owner()), due)
}

/// One that has run for long enough has no failures.
fn forgive(managed: &Managed, now: Instant) {
    let mut life = managed.life();
    let steady = pause_after(life.failures).max(STEADY);
    if life.state == SessionState::Ready && now.duration_since(life.running) >= steady {
        life.failures = 0;
    }
}

/// What is due, where nobody else does anything to the session.
fn take(shared: &Shared, entry: &Arc<Entry>, now: Instant) -> Option<(KeyTurn, Due)> {
    let turn = shared.roster.try_turn(&entry.key)?;
    // It may have been opened, or closed, since.
    shared.roster.entry_of(&entry.managed)?;
    Some((turn, due(&entry.managed, now)?))
}

async fn act(shared: &Arc<Shared>, entry: &Arc<Entry>, due: Due, _turn: KeyTurn) -> Result<()> {
    // Whoever may have been replaced does nothing to what may be another's.
    shared.holds(&entry.managed)?;
    let backend = shared.backend_for(&entry.key, None);
    match due {
        Due::Stop(why) => stop(shared, &*backend, &entry.managed, why).await,
        Due::Halt => halt(shared, &*backend, &entry.managed).await,
        Due::Remove => remove_held(shared, &backend, entry, End::Kept).await,
        Due::Restart { attempt } => restart(shared, &backend, entry, attempt).await,
    }
}

/// What was asked to end is let be, unless it does.
struct Asked<'a>(Option<&'a Managed>);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(managed) = self.0 {
            managed.let_be();
        }
    }
}

async fn stop(
    shared: &Shared,
    backend: &dyn ContainerBackend,
    managed: &Managed,
    why: End,
) -> Result<()> {
    managed.ask_to_end(why);
    let mut asked = Asked(Some(managed));
    let timeout = managed.written.what.lifecycle.stop_timeout;
    let options = StopOptions::default().with_timeout(timeout);
    let stopped = backend.stop(&managed.container, &options).await;
    let stopped = match stopped {
        Ok(_) => {
            asked.0 = None;
            let (exit_code, oom_killed) = (None, false);
            let changes = managed.saw(super::managed::Sight::Died {
                exit_code,
                oom_killed,
            });
            shared.tell_all(managed, changes);
            Ok(())
        }
        // The look tells.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => {
            if error.effect() == Effect::Unknown {
                asked.0 = None;
            }
            Err(error)
        }
    };
    // How it ended.
    shared.looks.ask(&managed.container);
    stopped
}

async fn halt(shared: &Shared, backend: &dyn ContainerBackend, managed: &Managed) -> Result<()> {
    let timeout = managed.written.what.lifecycle.stop_timeout;
    let options = StopOptions::default().with_timeout(timeout);
    match backend.stop(&managed.container, &options).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    managed.life().unready = false;
    shared.looks.ask(&managed.container);
    Ok(())
}

async fn restart(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    entry: &Entry,
    attempt: u32,
) -> Result<()> {
    let managed = &entry.managed;
    let turn = shared
        .admission
        .turn(entry.key.shared_owner(), Deadline::none());
    let _turn = turn.await?;
    shared.tell_all(managed, vec![Change::Restarting { attempt }]);
    let resumed = resume(shared, backend, entry, &mut Timings::default()).await;
    managed.life().failures = attempt;
    match resumed {
        Ok(()) => shared.tell_all(managed, vec![Change::Restarted]),
        Err(failure) => {
            tracing::debug!(session = %entry.key, ?failure, "a session couldn't be started again");
        }
    }
    let most = match managed.written.what.lifecycle.restart {
        Restart::OnFailure { most } => most,
        Restart::Never => 0,
    };
    if managed.state() == SessionState::Stopped && attempt >= most {
        shared.tell_all(managed, vec![Change::GaveUp { attempts: attempt }]);
    }
    Ok(())
}

pub(super) async fn reap(shared: &Arc<Shared>, options: &ReapOptions) -> Result<ReapReport> {
    let (dry_run, now) = (options.dry_run, Instant::now());
    let done = shared
        .roster
        .sessions()
        .into_iter()
        .map(|entry| async move {
            let taken = match dry_run {
                true => due(&entry.managed, now).map(|due| (None, due)),
                false => take(shared, &entry, now).map(|(turn, due)| (Some(turn), due)),
            };
            let (turn, due) = taken.filter(|(_, due)| !matches!(due, Due::Restart { .. }))?;
            let done = match turn {
                Some(turn) => act(shared, &entry, due, turn).await,
                None => Ok(()),
            };
            Some((entry.key.clone(), due, done))
        });
    let done = futures::stream::iter(done).buffer_unordered(AT_ONCE);
    let mut done: Vec<_> = done.filter_map(std::future::ready).collect().await;
    done.sort_by(|one, other| one.0.cmp(&other.0));
    let mut report = ReapReport::default();
    for (key, due, done) in done {
        match (done, due) {
            (Err(error), _) => report.failed.push((key, error.to_string())),
            (Ok(()), Due::Stop(End::Expired)) => report.expired.push(key),
            (Ok(()), Due::Stop(_)) => report.idle.push(key),
            (Ok(()), Due::Remove) => report.removed.push(key),
            (Ok(()), Due::Halt | Due::Restart { .. }) => {}
        }
    }
    let all = shared.containers().await?;
    let strays = strays::find(shared, &all).await?;
    report.strays = strays.iter().map(|(stray, _)| stray.to_string()).collect();
    Ok(report)
}
