//! What has become of an attempt whose answer was lost: looks at the engine, never guesses.
//!
//! A look asks until it can tell, within the call's deadline. It says [`NotDone`](Seen::NotDone) where nothing of the
//! attempt is taken to be under way any more, or where a second effect isn't one; the call stays in doubt.

mod container;
mod create;
mod network;
mod volume;

use std::future::Future;
use std::time::Duration;

pub(crate) use container::Container;
pub(crate) use create::{Creation, hash};
pub(crate) use network::{Joined, Network, NetworkCreation};
pub(crate) use volume::{Volume, VolumeCreation};

use super::{Doubt, Seen};
use crate::error::{Effect, ErrorKind, Result};
use crate::operation::Operation;

/// How long a request whose connection broke may take to be seen: an engine reads what has arrived, and acts. Docker 20.10
/// does so within milliseconds.
const SETTLES: Duration = Duration::from_secs(2);
/// The same for a start, of which nothing is seen before its end: on two cores, 32 at once take Docker 20.10 up to 5 s.
const START_SETTLES: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What is told of a creation in place of the engine's own warnings.
const LOST: &str = "the engine's answer was lost, and its warnings with it";

/// Looks until it is told what it asks; `None` is to look again.
async fn until<T, F>(look: impl Fn() -> F) -> Result<Seen<T>>
where
    F: Future<Output = Result<Option<Seen<T>>>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Doubt {
    /// What follows where it isn't seen to have happened and a second effect would be one: the engine has answered, or
    /// nothing has come of the request for so long after its connection broke. A request that took too long may still be
    /// on its way, however long one waits.
    fn not_done<T>(&self, patience: Duration) -> Option<Seen<T>> {
        if self.is_answered() {
            return Some(Seen::NotDone);
        }
        if self.since.elapsed() < patience {
            return None;
        }
        Some(match (self.error.kind(), self.error.status()) {
            (ErrorKind::Timeout, _) | (_, Some(504)) => {
                Seen::Unclear("it hasn't been seen to happen, and may yet")
            }
            _ => Seen::NotDone,
        })
    }
}

/// What is there; `None` where it isn't.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A look that comes before the operation, and is a part of its attempt: where the path fails, nothing of the operation
/// was sent. What isn't there is left for the operation itself to meet.
fn before<T>(result: Result<T>, operation: Operation) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.with_effect(Effect::NotSent).while_at(operation)),
    }
}
