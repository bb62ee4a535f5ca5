//! A container that is looked after: how it is, and what was made of what happened to it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use super::key::SessionKey;
use super::notice::Change;
use super::written::Written;
use crate::lock::lock;
use crate::model::{ContainerDetails, ContainerRef, ContainerState, HealthStatus};

/// How a session is.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It is being started, and isn't ready yet.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It runs, and its health check fails.
    Unhealthy,
    /// Its processes are frozen.
    Paused,
    /// Its program has ended. It is kept for its retention, and starts again when it is opened, unless it is too old.
    Stopped,
    /// It is gone.
    Gone,
}

/// Why it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Idle,
    Expired,
    /// It ended by itself, or others ended it.
    Itself,
    /// It is closed.
    Closed,
    /// It was kept for long enough.
    Kept,
}

/// A container that was made or adopted: a session's, or one of a pool that is nobody's yet.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) container: ContainerRef,
    pub(super) written: Written,
    /// Whose labels it bears.
    pub(super) instance: String,
    /// By the engine's clock where it was adopted.
    pub(super) created: SystemTime,
    key: OnceLock<SessionKey>,
    life: Mutex<Life>,
}

#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) state: SessionState,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
    /// Since when it has stopped.
    pub(super) stopped: Option<Instant>,
    pub(super) end: Option<End>,
    /// It was asked to end, so that its end is no news.
    pub(super) asked: Option<End>,
    pub(super) last_used: Instant,
    /// What is being done in it: it isn't idle.
    pub(super) active: usize,
    pub(super) expires: Option<Instant>,
    /// Failures in a row, and since when it runs.
    pub(super) failures: u32,
    pub(super) running: Instant,
}

/// What was seen of a container.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    Runs,
    Paused,
    Health(HealthStatus),
    Died {
        exit_code: Option<i64>,
        oom_killed: bool,
    },
    OutOfMemory,
    Gone,
}

impl Managed {
    pub(super) fn new(
        container: ContainerRef,
        written: Written,
        instance: String,
        created: SystemTime,
    ) -> Self {
        let now = Instant::now();
        let max_age = written.what.lifecycle.max_age;
        let age = SystemTime::now()
            .duration_since(created)
            .unwrap_or_default();
        let life = Life {
            state: SessionState::Starting,
            exit_code: None,
            oom_killed: false,
            stopped: None,
            end: None,
            asked: None,
            last_used: now,
            active: 0,
            expires: max_age.and_then(|most| now.checked_add(most.saturating_sub(age))),
            failures: 0,
            running: now,
        };
        Self {
            container,
            written,
            instance,
            created,
            key: OnceLock::new(),
            life: Mutex::new(life),
        }
    }

    /// Whose it is, once it is somebody's.
    pub(super) fn key(&self) -> Option<&SessionKey> {
        self.key.get()
    }

    /// Makes it somebody's: its age counts from now.
    pub(super) fn give(&self, key: &SessionKey) {
        let now = Instant::now();
        let max_age = self.written.what.lifecycle.max_age;
        let mut life = self.life();
        life.last_used = now;
        life.expires = max_age.and_then(|most| now.checked_add(most));
        drop(life);
        self.name(key);
    }

    /// Says whose it is.
    pub(super) fn name(&self, key: &SessionKey) {
        // It is given once: a container that was claimed never comes back to its pool.
        let _ = self.key.set(key.clone());
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }

    pub(super) fn state(&self) -> SessionState {
        self.life().state
    }

    /// It is asked to end for this reason, or isn't any more.
    pub(super) fn ask_to_end(&self, why: Option<End>) {
        self.life().asked = why;
    }

    /// Whether it can be used as it is.
    pub(super) fn is_up(&self) -> bool {
        let life = self.life();
        life.asked.is_none()
            && matches!(
                life.state,
                SessionState::Ready | SessionState::Unhealthy | SessionState::Paused
            )
    }

    pub(super) fn is_known_to_run(&self) -> bool {
        matches!(self.state(), SessionState::Ready | SessionState::Unhealthy)
    }

    /// Whether whoever starts it sees to it.
    pub(super) fn is_in_the_making(&self) -> bool {
        self.state() == SessionState::Starting
    }

    /// Whether there is something to stop.
    pub(super) fn runs(&self) -> bool {
        !matches!(self.state(), SessionState::Stopped | SessionState::Gone)
    }

    pub(super) fn touch(&self) {
        self.life().last_used = Instant::now();
    }

    /// It is ready: what came before is over. Whether that is news.
    pub(super) fn is_ready(&self) -> bool {
        let mut life = self.life();
        if !matches!(life.state, SessionState::Starting | SessionState::Stopped) {
            return false;
        }
        life.begin(SessionState::Ready);
        true
    }

    /// It is about to be started again.
    pub(super) fn starts(&self) {
        self.life().begin(SessionState::Starting);
    }

    /// Takes note of what was seen, and says what is new in it.
    pub(super) fn saw(&self, sight: Sight) -> Vec<Change> {
        self.life().saw(sight)
    }

    /// Takes note of how an inspect shows it.
    pub(super) fn saw_details(&self, details: &ContainerDetails) -> Vec<Change> {
        let state = &details.state;
        let mut changes = match state.status {
            ContainerState::Running => self.saw(Sight::Runs),
            ContainerState::Paused => self.saw(Sight::Paused),
            ContainerState::Exited | ContainerState::Dead => self.saw(Sight::Died {
                exit_code: state.exit_code,
                oom_killed: state.oom_killed,
            }),
            _ => Vec::new(),
        };
        if let (ContainerState::Running, Some(health)) = (&state.status, &state.health) {
            changes.extend(self.saw(Sight::Health(health.status.clone())));
        }
        changes
    }
}

impl Life {
    fn begin(&mut self, state: SessionState) {
        let now = Instant::now();
        self.state = state;
        self.exit_code = None;
        self.oom_killed = false;
        (self.stopped, self.end, self.asked) = (None, None, None);
        (self.running, self.last_used) = (now, now);
    }

    fn saw(&mut self, sight: Sight) -> Vec<Change> {
        use SessionState as S;
        match (self.state, sight) {
            (S::Gone, _) => Vec::new(),
            (_, Sight::Gone) => {
                self.state = S::Gone;
                vec![match self.asked {
                    Some(End::Closed) => Change::Closed,
                    asked => Change::Removed {
                        by_others: asked != Some(End::Kept),
                    },
                }]
            }
            (S::Stopped, Sight::Died { .. }) => Vec::new(),
            (
                _,
                Sight::Died {
                    exit_code,
                    oom_killed,
                },
            ) => {
                self.state = S::Stopped;
                self.exit_code = exit_code;
                self.oom_killed |= oom_killed;
                self.stopped = Some(Instant::now());
                let end = self.asked.unwrap_or(End::Itself);
                self.end = Some(end);
                match end {
                    End::Itself => vec![Change::Died {
                        exit_code,
                        oom_killed: self.oom_killed,
                    }],
                    End::Idle => vec![Change::Idle],
                    End::Expired => vec![Change::Expired],
                    // It goes, which is told.
                    End::Closed | End::Kept => Vec::new(),
                }
            }
            (_, Sight::OutOfMemory) => {
                // Whether its main program was killed, its end will tell.
                vec![Change::OutOfMemory]
            }
            (S::Paused, Sight::Runs) => {
                self.state = S::Ready;
                vec![Change::Unpaused]
            }
            (S::Ready | S::Unhealthy, Sight::Paused) => {
                self.state = S::Paused;
                vec![Change::Paused]
            }
            (S::Stopped, Sight::Runs) => {
                // Others have started it.
                self.begin(S::Ready);
                vec![Change::Restarted]
            }
            (S::Ready, Sight::Health(HealthStatus::Unhealthy)) => {
                self.state = S::Unhealthy;
                vec![Change::Unhealthy]
            }
            (S::Unhealthy, Sight::Health(HealthStatus::Healthy)) => {
                self.state = S::Ready;
                vec![Change::Healthy]
            }
            _ => Vec::new(),
        }
    }

    /// It is as stopped as one that has ended by itself.
    pub(super) fn rest(&mut self) {
        self.state = SessionState::Stopped;
        self.end = Some(End::Itself);
        self.stopped = Some(Instant::now());
    }

    /// Whether it may be started again when it is opened.
    pub(super) fn is_resumable(&self, now: Instant) -> bool {
        self.state == SessionState::Stopped
            && !self.is_expired(now)
            && !matches!(self.end, Some(End::Expired | End::Closed))
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// For how long nothing has been done in it.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        match self.active {
            0 => now.saturating_duration_since(self.last_used),
            _ => Duration::ZERO,
        }
    }
}

/// Something is being done in a container: it isn't idle until this is dropped.
#[derive(Debug)]
pub(super) struct InUse(Arc<Managed>);

impl InUse {
    pub(super) fn begin(managed: &Arc<Managed>) -> Self {
        let mut life = managed.life();
        life.active += 1;
        life.last_used = Instant::now();
        drop(life);
        Self(Arc::clone(managed))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut life = self.0.life();
        life.active = life.active.saturating_sub(1);
        life.last_used = Instant::now();
    }
}
