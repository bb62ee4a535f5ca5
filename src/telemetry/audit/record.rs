//! What a record says. There is no place in it for a secret.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize};

use super::head::{AuditHash, AuditHead};
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind};
use crate::model::{MemorySwap, Resources, setters};
use crate::operation::Operation;

/// What the log is told of one call. [`HybridBackend`](crate::HybridBackend) tells it of its own; a service may add what it
/// does past it.
///
/// Texts are cut after 256 characters. They are for names and ids: whatever is given as an actor is written as it is, so
/// give who it is, never the token by which it is known.
///
/// ```
/// use std::time::Duration;
/// use catamaran::telemetry::audit::AuditEntry;
/// use catamaran::{EngineKind, Operation};
///
/// let entry = AuditEntry::new(Operation::Remove, EngineKind::Async)
///     .with_actor("user-17".to_owned())
///     .with_subject("notebook-17".to_owned())
///     .with_elapsed(Duration::from_millis(12));
/// # let _ = entry;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    pub(super) actor: Option<String>,
    pub(super) session: Option<String>,
    pub(super) operation: Operation,
    pub(super) subject: Option<String>,
    pub(super) object: Option<String>,
    pub(super) engine: EngineKind,
    pub(super) reason: AuditReason,
    pub(super) attempts: u32,
    pub(super) spec: Option<String>,
    pub(super) image: Option<String>,
    pub(super) limits: Option<AuditLimits>,
    pub(super) outcome: AuditOutcome,
    pub(super) elapsed: Duration,
}

impl AuditEntry {
    /// A call by this engine that the mode gave to it, that was attempted once and went well.
    #[must_use]
    pub fn new(operation: Operation, engine: EngineKind) -> Self {
        Self {
            actor: None,
            session: None,
            operation,
            subject: None,
            object: None,
            engine,
            reason: AuditReason::Mode,
            attempts: 1,
            spec: None,
            image: None,
            limits: None,
            outcome: AuditOutcome::Ok,
            elapsed: Duration::ZERO,
        }
    }

    setters! {
        /// Says on whose behalf it was done.
        with_actor(actor: Option<String>);
        /// Names the session that it was done for.
        with_session(session: Option<String>);
        /// Names the container, image, network, volume or exec that it was done to.
        with_subject(subject: Option<String>);
        /// Names what else it was about: the network that a container joined or left, the name that something got.
        with_object(object: Option<String>);
        /// Says why this engine.
        with_reason(reason: AuditReason);
        /// Says how often an engine was asked.
        with_attempts(attempts: u32);
        /// Gives the hash of the spec that was asked for.
        with_spec(spec: Option<String>);
        /// Gives the digest of the image.
        with_image(image: Option<String>);
        /// Gives the limits that hold.
        with_limits(limits: Option<AuditLimits>);
        /// Says how it ended.
        with_outcome(outcome: AuditOutcome);
        /// Says how long it took.
        with_elapsed(elapsed: Duration);
    }
}

/// Why an engine was asked.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditReason {
    /// The mode says so.
    Mode,
    /// The rollout gives this call to it.
    Rollout,
    /// The other path has failed before and is left alone for a while.
    Breaker,
    /// The other path failed first.
    Fallback {
        /// What failed there.
        kind: ErrorKind,
        /// What was known of its effect.
        effect: Effect,
    },
}

/// How a call ended.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Ok,
    /// It failed.
    Failed {
        /// How.
        kind: ErrorKind,
        /// What is known of its effect.
        effect: Effect,
        /// The HTTP status that the engine answered with, where it did.
        status: Option<u16>,
    },
    /// Its caller went away before it had ended: it may have happened.
    Abandoned,
}

impl AuditOutcome {
    /// The outcome of a call that ended so. The error's message isn't kept.
    ///
    /// ```
    /// use catamaran::telemetry::audit::AuditOutcome;
    /// use catamaran::{Error, ErrorKind};
    ///
    /// assert_eq!(AuditOutcome::of(&Ok(7)), AuditOutcome::Ok);
    /// let failed = AuditOutcome::of(&Err::<(), _>(Error::new(ErrorKind::Connect, "gone")));
    /// assert!(matches!(failed, AuditOutcome::Failed { kind: ErrorKind::Connect, .. }));
    /// ```
    #[must_use]
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(error) => Self::Failed {
                kind: error.kind(),
                effect: error.effect(),
                status: error.status(),
            },
        }
    }
}

/// The limits on a container, as far as an audit is concerned. `None` is none of its own.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditLimits {
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Memory and swap together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<MemorySwap>,
    /// Processor time, in CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// How many processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// The size of the writable layer in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
}

impl From<&Resources> for AuditLimits {
    fn from(resources: &Resources) -> Self {
        Self {
            memory: resources.memory,
            memory_swap: resources.memory_swap,
            cpus: resources.cpus,
            pids: resources.pids,
            disk: resources.disk,
        }
    }
}

/// A record as it stands in a log. What is a choice of this crate's types is text here: a newer version may have written it.
///
/// [`read`](super::read) gives them.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AuditRecord {
    /// The version of the format; 1.
    pub v: u32,
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When the call ended, by the writer's clock.
    #[serde(deserialize_with = "time")]
    pub time: SystemTime,
    /// How many records were dropped just before this one.
    #[serde(default)]
    pub lost: u64,
    /// On whose behalf.
    pub actor: Option<String>,
    /// For which session.
    pub session: Option<String>,
    /// What was done, as [`Operation::as_str`] says it.
    pub operation: String,
    /// To which container, image, network, volume or exec.
    pub subject: Option<String>,
    /// What else it was about: the network that a container joined or left, the name that something got.
    pub object: Option<String>,
    /// By which engine: `async` or `blocking`.
    pub engine: String,
    /// Why by that one: `mode`, `rollout`, `breaker` or `fallback`.
    pub reason: String,
    /// With `fallback`, the kind of failure of the other path, as in `connect`.
    pub path_failure: Option<String>,
    /// With `fallback`, what was known of its effect, as in `not_sent`.
    pub path_effect: Option<String>,
    /// How often an engine was asked.
    pub attempts: u32,
    /// The hash of the spec that was asked for.
    pub spec: Option<String>,
    /// The digest of the image.
    pub image: Option<String>,
    /// The limits that hold.
    pub limits: Option<AuditLimits>,
    /// `ok`, `failed`, or `abandoned` where the caller went away before the end.
    pub outcome: String,
    /// With `failed`, the kind of failure, as in `not_found`.
    pub failure: Option<String>,
    /// With `failed`, what is known of its effect, as in `rejected`.
    pub effect: Option<String>,
    /// With `failed`, the HTTP status that the engine answered with.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
    /// The hash of the record before it; zeros in the first.
    pub prev: AuditHash,
    /// Its own hash.
    pub hash: AuditHash,
}

impl AuditRecord {
    /// Its number and hash.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        AuditHead {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
}
