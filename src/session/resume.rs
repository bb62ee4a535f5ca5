//! Starts a session that has stopped.

use std::sync::Arc;

use tokio::time::Instant;

use super::failure::{OpenFailure, Phase, container_failed};
use super::making::{last_log, not_ready, wait_ready};
use super::managed::{End, Managed, SessionState};
use super::manager::Shared;
use super::opening::Timings;
use super::roster::Entry;
use crate::backend::ContainerBackend;

/// Starts it, and waits until it is ready. Whoever calls this has its turn.
///
/// # Cancel safety
/// Dropped, it is stopped in the background.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    entry: &Entry,
    timings: &mut Timings,
) -> std::result::Result<(), OpenFailure> {
    let (managed, began) = (&entry.managed, Instant::now());
    managed.starts();
    let _unready = Unready(managed);
    let started = backend.start(&managed.container).await;
    started.map_err(|error| OpenFailure::new(Phase::Start, error))?;
    timings.start = began.elapsed();
    let began = Instant::now();
    if let Err(why) = wait_ready(shared, backend, managed).await {
        let (exit_code, oom_killed) = (why.exit_code, why.oom_killed);
        let log = last_log(&**backend, &managed.container).await;
        let cause = not_ready(why);
        return Err(OpenFailure::with_end(
            Phase::Ready,
            cause,
            exit_code,
            oom_killed,
            log,
        ));
    }
    timings.ready = began.elapsed();
    if !managed.is_ready() {
        let cause = container_failed("it was removed while it started".to_owned());
        return Err(OpenFailure::new(Phase::Ready, cause));
    }
    if managed.was_passed_over() {
        shared.looks.ask(&managed.container);
    }
    Ok(())
}

/// A start that doesn't come to its end: whatever runs is to be stopped.
struct Unready<'a>(&'a Managed);

impl Drop for Unready<'_> {
    fn drop(&mut self) {
        let mut life = self.0.life();
        if life.state == SessionState::Starting {
            life.rest(End::Itself);
            life.unready = true;
        }
    }
}
