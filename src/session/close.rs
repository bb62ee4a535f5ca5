//! Closes a session: its container goes, and what it has for itself.

use std::sync::Arc;

use super::belongings::Belongings;
use super::find::find;
use super::key::SessionKey;
use super::managed::{End, Sight};
use super::manager::Shared;
use super::roster::Entry;
use crate::backend::leftover::{Leftover, removed};
use crate::backend::{ContainerBackend, janitor};
use crate::error::{ErrorKind, Result};
use crate::model::{RemoveOptions, StopOptions};

pub(super) async fn close(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    key: &SessionKey,
) -> Result<bool> {
    let _turn = shared.roster.wait_turn(key).await;
    match find(shared, backend, key).await? {
        Some(entry) => close_held(shared, backend, &entry).await.map(|()| true),
        None => Ok(false),
    }
}

/// Closes it; whoever calls this has its turn.
pub(super) async fn close_held(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    entry: &Arc<Entry>,
) -> Result<()> {
    remove_held(shared, backend, entry, End::Closed).await
}

/// Removes it, for that reason.
pub(super) async fn remove_held(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    entry: &Arc<Entry>,
    why: End,
) -> Result<()> {
    // Whoever may have been replaced does nothing to what may be another's.
    shared.holds(&entry.managed)?;
    let closing = Closing::begin(shared, backend, entry, why);
    if let Err(error) = closing.stop_and_remove().await {
        closing.give_up();
        return Err(error);
    }
    closing.end().await;
    Ok(())
}

/// Once it is asked to end a session can't be used any more: dropped before its end, it is removed in the background.
struct Closing<'a> {
    shared: &'a Arc<Shared>,
    backend: &'a Arc<dyn ContainerBackend>,
    entry: &'a Arc<Entry>,
    armed: bool,
}

impl<'a> Closing<'a> {
    fn begin(
        shared: &'a Arc<Shared>,
        backend: &'a Arc<dyn ContainerBackend>,
        entry: &'a Arc<Entry>,
        why: End,
    ) -> Self {
        entry.managed.ask_to_end(why);
        Self {
            shared,
            backend,
            entry,
            armed: true,
        }
    }

    async fn stop_and_remove(&self) -> Result<()> {
        let managed = &self.entry.managed;
        let timeout = managed.written.what.lifecycle.stop_timeout;
        if managed.runs() && !timeout.is_zero() {
            let options = StopOptions::default().with_timeout(timeout);
            match self.backend.stop(&managed.container, &options).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                // The removal kills it.
                Err(error) => {
                    tracing::debug!(%error, "a session couldn't be stopped before its removal");
                }
            }
            self.shared.holds(managed)?;
        }
        let force = RemoveOptions::force();
        removed(self.backend.remove(&managed.container, &force).await).map(drop)
    }

    async fn end(mut self) {
        let belongings = Belongings::of(self.backend, &self.entry.managed.written);
        self.armed = false;
        gone(self.shared, self.entry);
        if let Ok(belongings) = belongings {
            belongings.remove().await;
        }
    }

    /// It is there still.
    fn give_up(mut self) {
        self.armed = false;
        self.entry.managed.let_be();
        self.shared.looks.ask(&self.entry.managed.container);
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if self.armed {
            abandon(self.shared, self.backend, self.entry);
        }
    }
}

fn gone(shared: &Shared, entry: &Entry) {
    let changes = entry.managed.saw(Sight::Gone);
    match shared.roster.entry_of(&entry.managed) {
        Some(there) => shared.is_over(&there, changes),
        None => shared.roster.remove(entry),
    }
}

/// Has it removed in the background, unless it may be another instance's by now.
pub(super) fn abandon(shared: &Shared, backend: &Arc<dyn ContainerBackend>, entry: &Entry) {
    let managed = &entry.managed;
    managed.ask_to_end(End::Closed);
    gone(shared, entry);
    if shared.holds(managed).is_err() {
        return;
    }
    janitor::remove(
        backend.detached(),
        Leftover::Container(managed.container.clone()),
    );
    // Dropped, they go after it.
    drop(Belongings::of(backend, &managed.written));
}
