//! What is due with time: what is idle or too old is stopped, what has been kept for long enough is removed, what has failed is
//! started again.

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
use super::open::resume;
use super::opening::Timings;
use super::roster::{Entry, KeyTurn};
use super::strays;
use crate::error::{ErrorKind, Result};
use crate::host::HOST_LABEL;
use crate::model::{LabelKey, ListOptions, StopOptions, setters};

/// Sessions that are seen to at once.
const AT_ONCE: usize = 8;
/// A session that has run for so long didn't fail at once.
const STEADY: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Due {
    Stop(End),
    Remove,
    Restart { attempt: u32 },
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
        SessionState::Stopped => {
            let kept = life
                .stopped
                .map_or(Duration::ZERO, |at| now.duration_since(at));
            match restart_in(&life, lifecycle.restart) {
                Some((attempt, pause)) if kept >= pause && !life.is_expired(now) => {
                    Some(Due::Restart { attempt })
                }
                Some(_) if !life.is_expired(now) => None,
                _ => (kept >= lifecycle.retention).then_some(Due::Remove),
            }
        }
        // It is on its way.
        _ if life.asked.is_some() => None,
        _ if life.is_expired(now) => Some(Due::Stop(End::Expired)),
        _ => {
            let idle = lifecycle
                .idle_timeout
                .is_some_and(|most| life.idle(now) >= most);
            idle.then_some(Due::Stop(End::Idle))
        }
    }
}

/// The how-manieth restart is due after which pause; nothing where none is.
pub(super) fn restart_in(life: &Life, restart: Restart) -> Option<(u32, Duration)> {
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

pub(super) async fn go_on(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.settings.upkeep);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(()) = running.next() => continue,
        }
        let now = Instant::now();
        for entry in shared.roster.sessions() {
            if running.len() >= AT_ONCE {
                break;
            }
            forgive(&entry.managed, now);
            if let Some((turn, due)) = take(&shared, &entry, now) {
                let shared = Arc::clone(&shared);
                running.push(async move {
                    if let Err(error) = act(&shared, &entry, due, turn).await {
                        tracing::warn!(%error, session = %entry.key, "what is due couldn't be done: it is tried again");
                    }
                });
            }
        }
    }
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
    due(&entry.managed, now)?;
    let turn = shared.roster.try_turn(&entry.key)?;
    // It may have been opened, or closed, since.
    shared.roster.entry_of(&entry.managed)?;
    Some((turn, due(&entry.managed, now)?))
}

async fn act(shared: &Arc<Shared>, entry: &Arc<Entry>, due: Due, _turn: KeyTurn) -> Result<()> {
    // Whoever may have been replaced does nothing to what may be another's.
    shared
        .host
        .holds(&entry.managed.container, &entry.managed.instance)?;
    match due {
        Due::Stop(why) => stop(shared, entry, why).await,
        Due::Remove => remove_held(shared, entry, End::Kept).await,
        Due::Restart { attempt } => restart(shared, entry, attempt).await,
    }
}

async fn stop(shared: &Arc<Shared>, entry: &Entry, why: End) -> Result<()> {
    let (managed, backend) = (&entry.managed, shared.backend_for(entry.key.shared_owner()));
    managed.ask_to_end(Some(why));
    let options = StopOptions::default().with_timeout(managed.written.what.lifecycle.stop_timeout);
    let stopped = async {
        backend.stop(&managed.container, &options).await?;
        backend.inspect(&managed.container).await
    };
    match stopped.await {
        Ok(details) => {
            let changes = managed.saw_details(&details);
            shared.tell_all(managed, changes);
            Ok(())
        }
        Err(error) => {
            managed.ask_to_end(None);
            match error.kind() {
                // The watch tells of it.
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }
        }
    }
}

async fn restart(shared: &Arc<Shared>, entry: &Entry, attempt: u32) -> Result<()> {
    let managed = &entry.managed;
    shared.tell_all(managed, vec![Change::Restarting { attempt }]);
    let backend = shared.backend_for(entry.key.shared_owner());
    let resumed = resume(shared, &backend, entry, &mut Timings::default()).await;
    managed.life().failures = attempt;
    match resumed {
        Ok(()) => shared.tell_all(managed, vec![Change::Restarted]),
        Err(failure) => {
            tracing::debug!(session = %entry.key, ?failure, "a session couldn't be started again");
            let Restart::OnFailure { most } = managed.written.what.lifecycle.restart else {
                return Ok(());
            };
            if attempt >= most {
                shared.tell_all(managed, vec![Change::GaveUp { attempts: attempt }]);
            }
            // It wasn't there to be started, or runs without being ready: it is as stopped as one that never began.
            managed.life().rest();
        }
    }
    Ok(())
}

pub(super) async fn reap(shared: &Arc<Shared>, options: &ReapOptions) -> Result<ReapReport> {
    let (mut report, now) = (ReapReport::default(), Instant::now());
    for entry in shared.roster.sessions() {
        let key = entry.key.clone();
        let due = match options.dry_run {
            true => due(&entry.managed, now),
            false => match take(shared, &entry, now) {
                Some((turn, due)) => match act(shared, &entry, due, turn).await {
                    Ok(()) => Some(due),
                    Err(error) => {
                        report.failed.push((key, error.to_string()));
                        continue;
                    }
                },
                None => None,
            },
        };
        match due {
            Some(Due::Stop(End::Expired)) => report.expired.push(key),
            Some(Due::Stop(_)) => report.idle.push(key),
            Some(Due::Remove) => report.removed.push(key),
            Some(Due::Restart { .. }) | None => {}
        }
    }
    let of_this = ListOptions::all().with_label(LabelKey::new(HOST_LABEL)?, shared.name.clone());
    let all = shared.backend.list(&of_this).await?;
    let strays = strays::find(shared, &*shared.backend, &all).await?;
    report.strays = strays.iter().map(ToString::to_string).collect();
    Ok(report)
}
