//! What is known of a session.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use super::key::SessionKey;
use super::managed::SessionState;
use super::opening::{Origin, seconds};
use super::roster::Entry;
use crate::model::ContainerRef;

/// What is known of a session, as it is now. Serialised, spans are in seconds, and a time is as RFC 3339 has it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionInfo {
    /// By what it is found.
    pub key: SessionKey,
    /// Its container's id.
    pub container: ContainerRef,
    /// How it is.
    pub state: SessionState,
    /// How it was come by when it was first opened here.
    pub origin: Origin,
    /// When its container was made.
    #[serde(with = "humantime_serde")]
    pub created: SystemTime,
    /// For how long nothing has been done in it.
    #[serde(serialize_with = "seconds")]
    pub idle: Duration,
    /// In how long it is too old.
    #[serde(serialize_with = "maybe_seconds")]
    pub expires_in: Option<Duration>,
    /// The exit code of its program, where that has ended.
    pub exit_code: Option<i64>,
    /// Whether its program was killed for want of memory.
    pub oom_killed: bool,
    /// How often in a row its program has failed and was started again.
    pub failures: u32,
    /// Its memory limit, in bytes.
    pub memory: Option<u64>,
    /// Its CPU limit, in CPUs.
    pub cpus: Option<f64>,
}

impl SessionInfo {
    pub(super) fn of(entry: &Entry) -> Self {
        let (now, managed) = (Instant::now(), &entry.managed);
        let life = managed.life().clone();
        let limits = managed.written.what.limits;
        Self {
            key: entry.key.clone(),
            container: managed.container.clone(),
            state: life.state,
            origin: entry.opening.origin,
            created: managed.created,
            idle: life.idle(now),
            expires_in: life.expires.map(|at| at.saturating_duration_since(now)),
            exit_code: life.exit_code,
            oom_killed: life.oom_killed,
            failures: life.failures,
            memory: limits.memory,
            cpus: limits.cpus,
        }
    }
}

fn maybe_seconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(to)
}
