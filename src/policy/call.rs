//! What is asked, and what is known of how it has gone so far.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use super::table::Nature;
use crate::backend::ContainerBackend;
use crate::config::Mode;
use crate::deadline::Deadline;
use crate::error::{Effect, Error};
use crate::model::{ContainerDetails, ContainerRef};
use crate::operation::Operation;

/// By which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) mode: Mode,
    /// It would be the async engine's turn, if the rollout were further.
    pub(crate) left_out: bool,
}

impl From<Mode> for Route {
    fn from(mode: Mode) -> Self {
        Self {
            mode,
            left_out: false,
        }
    }
}

/// What a look for the audit's sake may add to a call.
const LOOKS: Duration = Duration::from_secs(1);

/// What a call makes, for the audit: asked for before, and seen after.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// A hash of what was asked for.
    pub(crate) spec: Option<String>,
    pub(crate) seen: OnceLock<ContainerDetails>,
    /// What the engine has called it, where nobody else has.
    pub(crate) name: OnceLock<String>,
}

impl Made {
    pub(crate) fn of(spec: &str) -> Self {
        Self {
            spec: Some(spec.to_owned()),
            ..Self::default()
        }
    }

    /// Looks at what it has become. Where that isn't shown, or not soon, it is no fault of the call.
    pub(crate) async fn see(&self, engine: &dyn ContainerBackend, container: &ContainerRef) {
        let look = engine.inspect(container);
        if let Ok(Ok(details)) = tokio::time::timeout(LOOKS, look).await {
            let _ = self.seen.set(details);
        }
    }
}

/// What the pipeline knows of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) nature: Nature,
    /// The time that it takes by its own nature, beyond the usual.
    pub(crate) patience: Duration,
    /// What it is about: a container, an image, a network, a volume, an exec.
    pub(crate) subject: Option<&'a str>,
    /// What else: the network that a container joins, the name that it gets.
    pub(crate) object: Option<&'a str>,
    pub(crate) made: Option<&'a Made>,
}

impl From<Operation> for Call<'_> {
    fn from(operation: Operation) -> Self {
        Self {
            operation,
            nature: Nature::of(operation),
            patience: Duration::ZERO,
            subject: None,
            object: None,
            made: None,
        }
    }
}

impl<'a> Call<'a> {
    /// A call about something.
    pub(crate) fn on(operation: Operation, subject: &'a impl AsRef<str>) -> Self {
        Self {
            subject: Some(subject.as_ref()),
            ..operation.into()
        }
    }

    /// And about something else.
    pub(crate) fn with(self, object: &'a impl AsRef<str>) -> Self {
        Self {
            object: Some(object.as_ref()),
            ..self
        }
    }

    pub(crate) fn making(self, made: &'a Made) -> Self {
        Self {
            made: Some(made),
            ..self
        }
    }

    /// Whether how long it takes says something of the engine, rather than of a container, an archive or a registry.
    pub(crate) fn is_usual(&self) -> bool {
        use Operation as Op;
        let takes_its_time = matches!(self.operation, Op::Exec | Op::ImportImage | Op::Stats);
        self.patience.is_zero()
            && !takes_its_time
            && !self.operation.is_open_ended()
            && !self.operation.has_all_the_time()
    }

    /// A call that takes so much time by its own nature.
    pub(crate) fn taking(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn of_nature(self, nature: Nature) -> Self {
        Self { nature, ..self }
    }

    /// The time of one attempt: two thirds of what is left beyond its own nature, so that there is time to look, or to try
    /// the other way. Where neither can follow, or it takes as long as it takes, all of it.
    pub(super) fn attempt(self, deadline: Deadline, now: Instant) -> Option<Duration> {
        let leaves_time = self.nature != Nature::Once
            && !self.operation.is_open_ended()
            && !self.operation.has_all_the_time();
        let left = deadline.left_at(now).filter(|_| leaves_time)?;
        let own = self.patience.min(left);
        Some(own + (left - own) * 2 / 3)
    }
}

/// What a look has found.
#[derive(Debug)]
pub(crate) enum Seen<T> {
    /// It has happened.
    Done(T),
    /// It hasn't as yet, and may be tried again: what was sent has come to nothing, or a second one does no harm.
    NotDone,
    /// It hasn't and can't, as things were before or are now: the engine refuses it, now as ever.
    Refused,
    /// Nobody can say.
    Unclear(&'static str),
}

/// What is known of the attempts that may have happened.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    /// The failure that asks for the look.
    pub(crate) error: Error,
    /// When it came.
    pub(crate) since: Instant,
    /// By when the call is done.
    pub(crate) deadline: Deadline,
    /// Whether an attempt before it may have happened.
    pub(crate) earlier: bool,
}

impl Doubt {
    /// Whether the engine has answered this attempt, so that nothing of it is under way.
    pub(crate) fn is_answered(&self) -> bool {
        self.error.effect() == Effect::Rejected
    }
}
