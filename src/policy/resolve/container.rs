//! Start, stop, restart, kill, pause, unpause, rename and remove.

use std::time::{Duration, SystemTime};

use tokio::sync::OnceCell;

use super::{SETTLES, START_SETTLES, before, found, until};
use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    ContainerDetails, ContainerName, ContainerRef, ContainerState, StartOutcome, StopOutcome,
};
use crate::operation::Operation;
use crate::policy::{Doubt, Seen};

/// A container that something is done to, and how it was before: seen once, in the first attempt.
pub(crate) struct Container<'a> {
    asked: &'a ContainerRef,
    before: OnceCell<Option<Before>>,
}

#[derive(Debug)]
struct Before {
    id: ContainerRef,
    name: String,
    status: ContainerState,
    runs: bool,
    started: Option<SystemTime>,
}

/// Sixty-four hexadecimal digits are no other container's, ever.
fn is_id(container: &ContainerRef) -> bool {
    let text = container.as_str();
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl<'a> Container<'a> {
    pub(crate) fn new(asked: &'a ContainerRef) -> Self {
        Self {
            asked,
            before: OnceCell::new(),
        }
    }

    /// Looks how it is, once, and gives back what to call it: its id, so that each attempt means the same one.
    pub(crate) async fn seen(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<ContainerRef> {
        let look = || async {
            let details = before(engine.inspect(self.asked).await, operation)?;
            Ok(details.map(|details| Before {
                runs: details.state.is_running(),
                started: details.state.started_at,
                status: details.state.status,
                name: details.name,
                id: details.id,
            }))
        };
        let before = self.before.get_or_try_init(look).await?;
        Ok(before
            .as_ref()
            .map_or_else(|| self.asked.clone(), |before| before.id.clone()))
    }

    /// As [`seen`](Self::seen), with no look where it is called by its id anyway.
    pub(crate) async fn pinned(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<ContainerRef> {
        match is_id(self.asked) {
            true => Ok(self.asked.clone()),
            false => self.seen(engine, operation).await,
        }
    }

    /// As [`seen`](Self::seen); each time but the first, it must be the same run still.
    pub(crate) async fn same_run(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<ContainerRef> {
        let Some(known) = self.known() else {
            return self.seen(engine, operation).await;
        };
        let now = before(engine.inspect(&known.id).await, operation)?;
        // One that hadn't run has begun the run that is waited for.
        let anew = now.is_some_and(|now| known.started.is_some() && self.began_anew(&now));
        if anew {
            let message = "it was started anew meanwhile: how the run before it ended isn't known";
            return Err(Error::new(ErrorKind::Container, message));
        }
        Ok(known.id.clone())
    }

    fn known(&self) -> Option<&Before> {
        self.before.get().and_then(Option::as_ref)
    }

    fn id(&self) -> &ContainerRef {
        self.known().map_or(self.asked, |before| &before.id)
    }

    async fn look(&self, by: &dyn ContainerBackend) -> Result<Option<ContainerDetails>> {
        found(by.inspect(self.id()).await)
    }

    fn began_anew(&self, now: &ContainerDetails) -> bool {
        let before = self.known().and_then(|before| before.started);
        now.state.started_at.is_some() && now.state.started_at != before
    }

    pub(crate) async fn started(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
    ) -> Result<Seen<StartOutcome>> {
        until(|| async {
            let Some(now) = self.look(by).await? else {
                return Ok(Some(Seen::Unclear(GONE)));
            };
            let Some(before) = self.known() else {
                // It came to be after the first look: nothing to compare with.
                return Ok(Some(Seen::Unclear(UNKNOWN)));
            };
            let paused = |status: &ContainerState| *status == ContainerState::Paused;
            Ok(match () {
                () if self.began_anew(&now) => Some(Seen::Done(StartOutcome::Started)),
                // Of one that is paused it is refused, by Podman with 500.
                () if before.runs && doubt.is_answered() => Some(Seen::Refused),
                () if paused(&before.status) && paused(&now.state.status) => Some(Seen::Refused),
                () if before.runs && now.state.is_running() => {
                    Some(Seen::Done(StartOutcome::AlreadyRunning))
                }
                () => doubt.not_done(START_SETTLES),
            })
        })
        .await
    }

    /// What a start in doubt has found: it ran already since an attempt before had started it.
    pub(crate) fn start_in_doubt(&self, found: StartOutcome) -> StartOutcome {
        match self.known() {
            Some(before) if !before.runs => StartOutcome::Started,
            _ => found,
        }
    }

    pub(crate) async fn stopped(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
        patience: Duration,
    ) -> Result<Seen<StopOutcome>> {
        until(|| async {
            let Some(now) = self.look(by).await? else {
                return Ok(Some(Seen::Unclear(GONE)));
            };
            let runs = now.state.is_running() || now.state.status == ContainerState::Restarting;
            // A second stop after the first has had its time is none too many.
            let over =
                doubt.is_answered() || doubt.since.elapsed() > patience.saturating_add(SETTLES);
            Ok(match () {
                () if !runs => Some(Seen::Done(match self.known() {
                    Some(before) if !before.runs => StopOutcome::AlreadyStopped,
                    _ => StopOutcome::Stopped,
                })),
                () if over => Some(Seen::NotDone),
                () => None,
            })
        })
        .await
    }

    pub(crate) async fn restarted(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
        patience: Duration,
    ) -> Result<Seen<()>> {
        until(|| async {
            let Some(now) = self.look(by).await? else {
                return Ok(Some(Seen::Unclear(GONE)));
            };
            Ok(match self.known() {
                None => Some(Seen::Unclear(UNKNOWN)),
                Some(_) if self.began_anew(&now) => Some(Seen::Done(())),
                Some(_) => doubt.not_done(patience.saturating_add(START_SETTLES)),
            })
        })
        .await
    }

    pub(crate) async fn killed(&self, by: &dyn ContainerBackend, doubt: Doubt) -> Result<Seen<()>> {
        until(|| async {
            let Some(now) = self.look(by).await? else {
                return Ok(Some(Seen::Unclear(GONE)));
            };
            let Some(before) = self.known() else {
                return Ok(Some(Seen::Unclear(UNKNOWN)));
            };
            let ended = !now.state.is_running() || self.began_anew(&now);
            Ok(match before.runs {
                false if self.began_anew(&now) => Some(Seen::Unclear(ANOTHER)),
                // The engine refuses that, now as before.
                false => Some(Seen::Refused),
                true if ended => Some(Seen::Done(())),
                true => doubt.not_done(SETTLES),
            })
        })
        .await
    }

    /// Whether it is paused, or not any more, as was asked.
    pub(crate) async fn paused(
        &self,
        by: &dyn ContainerBackend,
        _doubt: Doubt,
        wanted: bool,
    ) -> Result<Seen<()>> {
        let Some(now) = self.look(by).await? else {
            return Ok(Seen::Unclear(GONE));
        };
        let Some(before) = self.known() else {
            return Ok(Seen::Unclear(UNKNOWN));
        };
        let is = |status: &ContainerState| (*status == ContainerState::Paused) == wanted;
        let anew = self.began_anew(&now);
        Ok(match () {
            () if is(&before.status) && anew => Seen::Unclear(ANOTHER),
            () if is(&before.status) => Seen::Refused,
            () if now.state.is_running() && is(&now.state.status) => Seen::Done(()),
            () if !before.runs && !anew => Seen::Refused,
            () if !now.state.is_running() => Seen::Unclear("it runs no more"),
            // A second one is refused where the first still comes.
            () => Seen::NotDone,
        })
    }

    pub(crate) async fn renamed(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
        name: &ContainerName,
    ) -> Result<Seen<()>> {
        let Some(now) = self.look(by).await? else {
            return Ok(Seen::Unclear(GONE));
        };
        let Some(before) = self.known() else {
            return Ok(Seen::Unclear(UNKNOWN));
        };
        // While another has the name, none of the attempts can have come to anything.
        let taken = doubt.error.kind() == ErrorKind::Conflict && now.name == before.name;
        let taken = taken
            && found(by.inspect(&name.into()).await)?.is_some_and(|holder| holder.id != now.id);
        Ok(match () {
            () if taken => Seen::Refused,
            () if before.name == name.as_str() => Seen::Refused,
            () if now.name == name.as_str() => Seen::Done(()),
            () if now.name == before.name => Seen::NotDone,
            () => Seen::Unclear("somebody else has renamed it"),
        })
    }

    pub(crate) async fn removed(
        &self,
        by: &dyn ContainerBackend,
        _doubt: Doubt,
    ) -> Result<Seen<()>> {
        until(|| async {
            Ok(match self.look(by).await? {
                // Nobody was there before: the engine says so, too.
                None if matches!(self.before.get(), Some(None)) => Some(Seen::Refused),
                None => Some(Seen::Done(())),
                Some(now) if now.state.status == ContainerState::Removing => None,
                // Removing it twice is removing it once: it is called by its id.
                Some(_) => Some(Seen::NotDone),
            })
        })
        .await
    }
}

const GONE: &str = "the container is gone";
/// What was refused before may have been done since.
const ANOTHER: &str = "somebody else has started the container meanwhile";
const UNKNOWN: &str = "nobody has seen how the container was before";
