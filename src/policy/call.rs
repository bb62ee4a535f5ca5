//! What is asked, and what is known of how it has gone so far.

use std::time::Duration;

use tokio::time::Instant;

use super::table::Nature;
use crate::deadline::Deadline;
use crate::error::{Effect, Error};
use crate::operation::Operation;

/// What the pipeline knows of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) nature: Nature,
    /// The time that it takes by its own nature, beyond the usual.
    pub(crate) patience: Duration,
}

impl From<Operation> for Call {
    fn from(operation: Operation) -> Self {
        Self {
            operation,
            nature: Nature::of(operation),
            patience: Duration::ZERO,
        }
    }
}

impl Call {
    /// A call that takes so much time by its own nature.
    pub(crate) fn taking(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn of_nature(self, nature: Nature) -> Self {
        Self { nature, ..self }
    }

    /// The time of one attempt: two thirds of what is left beyond its own nature, so that there is time to look, or to try
    /// the other way. Where neither can follow, or it takes as long as it takes, all of it.
    pub(super) fn attempt(self, deadline: Deadline) -> Option<Duration> {
        let leaves_time = self.nature != Nature::Once
            && !self.operation.is_open_ended()
            && !self.operation.has_all_the_time();
        let left = deadline.left().filter(|_| leaves_time)?;
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
