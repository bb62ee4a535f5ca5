//! Whether a container has ended.

use std::sync::Arc;

use super::NotReady;
use super::board::Board;
use super::pauses::Pauses;
use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind};
use crate::model::{ContainerDetails, ContainerRef, ContainerState, WaitOptions};

/// Looks until it is seen to run, or to have ended.
pub(super) async fn alive(
    backend: &Arc<dyn ContainerBackend>,
    container: &ContainerRef,
    board: &Board,
) -> Result<ContainerDetails, NotReady> {
    let place = board.place("the container");
    let mut pauses = Pauses::default();
    loop {
        match backend.inspect(container).await {
            Ok(details) if details.state.is_running() => {
                place.done();
                return Ok(details);
            }
            Ok(details) => match verdict(&details) {
                Some(why) => return Err(why),
                None => place.found(format!("it is {}", details.state.status)),
            },
            Err(error) => place.found(passing(error)?),
        }
        pauses.quick().await;
    }
}

/// Waits until it has ended, and says how.
pub(super) async fn of(backend: &Arc<dyn ContainerBackend>, container: &ContainerRef) -> NotReady {
    let ended = match backend.wait(container, &WaitOptions::default()).await {
        Ok(ended) => ended,
        Err(error) if error.kind() == ErrorKind::NotFound => return gone(),
        // Nobody holds the stream open: its end is looked for.
        Err(_) => return looked_for(backend, container).await,
    };
    let mut why = match backend.inspect(container).await {
        Ok(details) => verdict(&details).unwrap_or_else(|| dead(Some(ended.exit_code), false)),
        // That it ended is known, whether or not for want of memory isn't.
        Err(_) => dead(Some(ended.exit_code), false),
    };
    why.exit_code = why.exit_code.or(Some(ended.exit_code));
    why
}

async fn looked_for(backend: &Arc<dyn ContainerBackend>, container: &ContainerRef) -> NotReady {
    let mut pauses = Pauses::default();
    loop {
        pauses.slow().await;
        match backend.inspect(container).await {
            Ok(details) => {
                if let Some(why) = verdict(&details) {
                    return why;
                }
            }
            Err(error) => {
                if let Err(why) = passing(error) {
                    return why;
                }
            }
        }
    }
}

/// What a failed look means: nothing yet, or the end.
fn passing(error: Error) -> Result<String, NotReady> {
    match error.kind() {
        ErrorKind::NotFound => Err(gone()),
        _ if is_final(&error) => Err(NotReady::refused(error)),
        _ => Ok(error.kind().to_string()),
    }
}

/// Whether asking again can't help.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::Denied | ErrorKind::Config
    )
}

fn verdict(details: &ContainerDetails) -> Option<NotReady> {
    let state = &details.state;
    match state.status {
        ContainerState::Exited | ContainerState::Dead | ContainerState::Removing => {
            Some(dead(state.exit_code, state.oom_killed))
        }
        ContainerState::Created => Some(NotReady::new("it hasn't been started")),
        // It runs, or is about to.
        _ => None,
    }
}

fn gone() -> NotReady {
    let mut why = NotReady::new("it was removed");
    why.died = true;
    why
}

fn dead(exit_code: Option<i64>, oom_killed: bool) -> NotReady {
    let code = exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"));
    let oom = if oom_killed { ", out of memory" } else { "" };
    NotReady {
        exit_code,
        oom_killed,
        died: true,
        ..NotReady::new(format!("it ended{code}{oom}"))
    }
}
