//! Adopts what earlier hosts had acknowledged, and removes what they hadn't.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use tokio::time::Instant;

use super::belongings::Belongings;
use super::key::SessionKey;
use super::managed::{End, Managed};
use super::manager::Shared;
use super::notice::Change;
use super::opening::{Opening, Origin, Timings};
use super::roster::Entry;
use super::written::{self, Written};
use crate::backend::ContainerBackend;
use crate::backend::leftover::removed;
use crate::error::{ErrorKind, Result};
use crate::host::Orphan;
use crate::model::{ContainerDetails, RemoveOptions, StopOptions, UpdateOptions};

/// Orphans that are seen to at once.
const AT_ONCE: usize = 8;
/// Between two tries, where one has failed.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn adopt(shared: Arc<Shared>) {
    let (mut offers, mut losses) = (shared.host.offers(), shared.host.losses());
    loop {
        // A loss is told even while there is much to adopt.
        if losses.has_changed().unwrap_or(false) {
            let count = *losses.borrow_and_update();
            lose(&shared, count);
        }
        let recovered = offers.borrow_and_update().is_recovered();
        let all = tokio::select! {
            all = take_over(&shared) => all,
            _ = losses.changed() => {
                losses.mark_changed();
                continue;
            }
        };
        if recovered && all {
            shared.recovered.send_replace(true);
        }
        tokio::select! {
            changed = offers.changed() => if changed.is_err() {
                return;
            },
            _ = losses.changed() => losses.mark_changed(),
            () = tokio::time::sleep(PAUSE), if !all => {}
        }
    }
}

/// Another instance has taken this one's place: what it had until then is that one's.
fn lose(shared: &Shared, losses: u64) {
    for entry in shared.roster.lose(losses) {
        shared.tell_each(&entry, vec![Change::Lost]);
    }
    shared.pools.lose(losses);
}

/// Whether all that is offered has been seen to.
async fn take_over(shared: &Arc<Shared>) -> bool {
    let Ok(orphans) = shared.host.offered() else {
        return false;
    };
    let seen_to = orphans.into_iter().filter_map(|orphan| {
        let written = Written::read(&orphan.container.labels)?;
        let names = &orphan.container.names;
        let key = names
            .iter()
            .find_map(|name| SessionKey::read(&shared.name, name));
        let pending = names.iter().any(|name| written::is_pending(name));
        match key {
            Some(key) => Some((orphan, written, Some(key))),
            None if pending => Some((orphan, written, None)),
            // It says that it is a session, and isn't called one: somebody else has renamed it.
            None => None,
        }
    });
    let seen_to = seen_to.map(|(orphan, written, key)| async move {
        let seen_to = match &key {
            Some(key) => adopt_one(shared, &orphan, written, key).await,
            None => sweep(shared, &orphan, &written).await,
        };
        if let Err(error) = &seen_to {
            tracing::warn!(%error, container = %orphan.container.id, "what a dead host has left couldn't be seen to: it is tried again");
        }
        seen_to.is_ok()
    });
    let seen_to = futures::stream::iter(seen_to.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let seen_to: Vec<bool> = seen_to.collect().await;
    if !seen_to.is_empty() {
        // What happened to them before their events were anybody's: one list shows it of all.
        shared.compare.notify_one();
    }
    seen_to.into_iter().all(|seen_to| seen_to)
}

/// It was never acknowledged: an open that nobody got the answer of, or one of the warm pool.
async fn sweep(shared: &Shared, orphan: &Orphan, written: &Written) -> Result<()> {
    let container = &orphan.container.id;
    let force = RemoveOptions::force();
    // As long as it can't be removed it is tried again, and told of.
    shared.pulse.inherited(container);
    removed(shared.backend.remove(container, &force).await)?;
    tracing::info!(%container, "what a dead host had made for nobody yet is removed");
    Belongings::of(&shared.backend, written)?.remove().await;
    shared.host.take(container).map(drop)
}

async fn adopt_one(
    shared: &Arc<Shared>,
    orphan: &Orphan,
    written: Written,
    key: &SessionKey,
) -> Result<()> {
    let began = Instant::now();
    let losses = shared.host.lost_so_far();
    let backend = shared.backend_for(key, None);
    let details = match backend.inspect(&orphan.container.id).await {
        Ok(details) => details,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !shared.host.take(&details.id)? {
        // It isn't offered any more.
        return Ok(());
    }
    let weakened = hold_to_limits(&*backend, &written, &details).await;
    let created = details.created.unwrap_or_else(SystemTime::now);
    let needs = written.what.limits.needs();
    let whose = (orphan.instance.clone(), losses);
    let managed = Managed::new(details.id.clone(), written, whose, created);
    managed.name(key);
    match details.state.is_running() {
        true => {
            managed.is_ready();
        }
        // Why it has stopped nobody knows: it isn't started again unless it is opened.
        false => managed.life().rest(End::Idle),
    }
    managed.saw_details(managed.epoch(), &details);
    let timings = Timings {
        total: began.elapsed(),
        ..Timings::default()
    };
    let opening = Opening {
        origin: Origin::Adopted,
        timings,
    };
    let place = shared.admission.readmit(key.shared_owner(), needs);
    let entry = Arc::new(Entry::new(key, Arc::new(managed), opening, place));
    shared.roster.insert(Arc::clone(&entry));
    shared.tell_each(&entry, vec![Change::Adopted]);
    if !weakened.is_empty() {
        let fields = weakened.into_iter().map(str::to_owned).collect();
        shared.tell_each(&entry, vec![Change::Weakened { fields }]);
    }
    Ok(())
}

/// Whoever may update containers may have raised its limits while nobody looked after it: it is held to them again, or stopped.
async fn hold_to_limits(
    backend: &dyn ContainerBackend,
    written: &Written,
    details: &ContainerDetails,
) -> Vec<&'static str> {
    let limits = written.what.limits;
    let weakened = limits.weakened(&details.resources);
    if weakened.is_empty() {
        return weakened;
    }
    let update = UpdateOptions::default().with_resources(limits.resources());
    if let Err(error) = backend.update(&details.id, &update).await {
        tracing::error!(%error, container = %details.id, "a session's limits were raised and can't be set again: it is stopped");
        let options = StopOptions::default().with_timeout(written.what.lifecycle.stop_timeout);
        if let Err(error) = backend.stop(&details.id, &options).await {
            tracing::error!(%error, container = %details.id, "and it can't be stopped: stop it by hand");
        }
    }
    weakened
}
