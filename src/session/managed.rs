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

/// Beyond the time that a stop may take: then whoever asked for it has failed to say so.
const FORGOTTEN: Duration = Duration::from_secs(60);

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

impl SessionState {
    /// The name as serde has it, for labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

/// Why it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// How often its host had been replaced when it came to be looked after: what came before is another's.
    pub(super) losses: u64,
    /// By the engine's clock where it was adopted.
    pub(super) created: SystemTime,
    key: OnceLock<SessionKey>,
    life: Mutex<Life>,
}

#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) state: SessionState,
    /// Counts its beginnings: what was seen before one says nothing of what is after it.
    epoch: u64,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
    /// Since when it has stopped.
    pub(super) stopped: Option<Instant>,
    pub(super) end: Option<End>,
    /// It was asked to end, so that its end is no news; until then, where nothing came of it.
    asked: Option<(End, Instant)>,
    /// Something happened to it that nobody looked at, since it was being started or was nobody's.
    passed_over: bool,
    /// It was started, and never became ready: it may run, and is to be stopped.
    pub(super) unready: bool,
    pub(super) last_used: Instant,
    /// What is being done in it: it isn't idle.
    active: usize,
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
    /// One that is being made.
    pub(super) fn new(
        container: ContainerRef,
        written: Written,
        (instance, losses): (String, u64),
        created: SystemTime,
    ) -> Self {
        let now = Instant::now();
        let life = Life {
            state: SessionState::Starting,
            epoch: 0,
            exit_code: None,
            oom_killed: false,
            stopped: None,
            end: None,
            asked: None,
            passed_over: false,
            unready: false,
            last_used: now,
            active: 0,
            expires: written.expires(created, now),
            failures: 0,
            running: now,
        };
        Self {
            container,
            written,
            instance,
            losses,
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

    /// It is asked to end for this reason, which takes so long at most.
    pub(super) fn ask_to_end(&self, why: End) {
        let most = self.written.what.lifecycle.stop_timeout + FORGOTTEN;
        self.life().asked = Some((why, Instant::now() + most));
    }

    /// It isn't to end any more.
    pub(super) fn let_be(&self) {
        self.life().asked = None;
    }

    /// Whether it can be used as it is.
    pub(super) fn is_up(&self) -> bool {
        let life = self.life();
        !life.is_asked(Instant::now())
            && matches!(
                life.state,
                SessionState::Ready | SessionState::Unhealthy | SessionState::Paused
            )
    }

    pub(super) fn is_known_to_run(&self) -> bool {
        matches!(self.state(), SessionState::Ready | SessionState::Unhealthy)
    }

    /// Whether there is something to stop.
    pub(super) fn runs(&self) -> bool {
        !matches!(self.state(), SessionState::Stopped | SessionState::Gone)
    }

    pub(super) fn touch(&self) {
        self.life().last_used = Instant::now();
    }

    /// It is about to be started again.
    pub(super) fn starts(&self) {
        self.life().begin(SessionState::Starting);
    }

    /// It is ready, where it was being started; false where it has ended since.
    pub(super) fn is_ready(&self) -> bool {
        let mut life = self.life();
        let starting = life.state == SessionState::Starting;
        if starting {
            life.begin(SessionState::Ready);
        }
        starting
    }

    /// Something happened to it: whether it is to be looked at now. While it is being started, whoever starts it is told later.
    pub(super) fn is_to_be_looked_at(&self) -> bool {
        let mut life = self.life();
        let later = life.state == SessionState::Starting;
        life.passed_over |= later;
        !later
    }

    /// Whether something happened to it that nobody has looked at.
    pub(super) fn was_passed_over(&self) -> bool {
        std::mem::take(&mut self.life().passed_over)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.life().epoch
    }

    /// Takes note of what was seen, and says what is new in it.
    pub(super) fn saw(&self, sight: Sight) -> Vec<Change> {
        self.life().saw(sight)
    }

    /// Takes note of how an inspect shows it that was asked for at that beginning; nothing where it has begun anew since.
    pub(super) fn saw_details(
        &self,
        epoch: u64,
        details: &ContainerDetails,
    ) -> Option<Vec<Change>> {
        let (state, mut life) = (&details.state, self.life());
        if life.epoch != epoch {
            return None;
        }
        let mut changes = match state.status {
            ContainerState::Running => life.saw(Sight::Runs),
            ContainerState::Paused => life.saw(Sight::Paused),
            ContainerState::Exited | ContainerState::Dead => life.saw(Sight::Died {
                exit_code: state.exit_code,
                oom_killed: state.oom_killed,
            }),
            _ => Vec::new(),
        };
        if let (ContainerState::Running, Some(health)) = (&state.status, &state.health) {
            changes.extend(life.saw(Sight::Health(health.status.clone())));
        }
        Some(changes)
    }
}

impl Life {
    fn begin(&mut self, state: SessionState) {
        let now = Instant::now();
        self.state = state;
        self.epoch += 1;
        self.exit_code = None;
        self.oom_killed = false;
        self.unready = false;
        (self.stopped, self.end, self.asked) = (None, None, None);
        (self.running, self.last_used) = (now, now);
    }

    fn saw(&mut self, sight: Sight) -> Vec<Change> {
        use SessionState as S;
        match (self.state, sight) {
            (S::Gone, _) => Vec::new(),
            (_, Sight::Gone) => {
                self.state = S::Gone;
                vec![match self.asked.map(|(why, _)| why) {
                    Some(End::Closed) => Change::Closed,
                    asked => Change::Removed {
                        by_others: asked != Some(End::Kept),
                    },
                }]
            }
            (_, Sight::OutOfMemory) => {
                // Whether its main program was killed, its end will tell.
                vec![Change::OutOfMemory]
            }
            // Whoever starts it sees to it.
            (S::Starting, _) => Vec::new(),
            (
                S::Stopped,
                Sight::Died {
                    exit_code,
                    oom_killed,
                },
            ) => {
                self.exit_code = exit_code.or(self.exit_code);
                self.oom_killed |= oom_killed;
                Vec::new()
            }
            (
                _,
                Sight::Died {
                    exit_code,
                    oom_killed,
                },
            ) => {
                (self.exit_code, self.oom_killed) = (exit_code, oom_killed);
                let end = self.asked.map_or(End::Itself, |(why, _)| why);
                self.rest(end);
                match end {
                    End::Itself => vec![Change::Died {
                        exit_code,
                        oom_killed,
                    }],
                    End::Idle => vec![Change::Idle],
                    End::Expired => vec![Change::Expired],
                    // It goes, which is told.
                    End::Closed | End::Kept => Vec::new(),
                }
            }
            (S::Paused, Sight::Runs) => {
                self.state = S::Ready;
                vec![Change::Unpaused]
            }
            (S::Ready | S::Unhealthy, Sight::Paused) => {
                self.state = S::Paused;
                vec![Change::Paused]
            }
            (S::Stopped, Sight::Runs) if !self.unready => {
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

    /// It has stopped, just now.
    pub(super) fn rest(&mut self, end: End) {
        self.state = SessionState::Stopped;
        self.epoch += 1;
        self.end = Some(end);
        self.stopped = Some(Instant::now());
    }

    /// Whether it is on its way to its end.
    pub(super) fn is_asked(&self, now: Instant) -> bool {
        self.asked.is_some_and(|(_, until)| now < until)
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
