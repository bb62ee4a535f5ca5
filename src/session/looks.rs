//! Looks at single containers: whatever was told or missed of one, how it is now is what counts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::belongings::Belongings;
use super::managed::{Managed, Sight};
use super::manager::Shared;
use crate::backend::{CallContext, ContainerBackend};
use crate::error::ErrorKind;
use crate::lock::lock;
use crate::model::ContainerRef;

/// Looks at once.
const AT_ONCE: usize = 8;
/// How long one may take.
const LONGEST: Duration = Duration::from_secs(5);
/// After so long one that has failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Containers that shall be looked at.
#[derive(Default)]
pub(super) struct Looks {
    wanted: Mutex<BTreeSet<ContainerRef>>,
    asked: Notify,
}

impl Looks {
    /// Has it looked at, once for all who ask until then.
    pub(super) fn ask(&self, container: &ContainerRef) {
        lock(&self.wanted).insert(container.clone());
        self.asked.notify_one();
    }

    /// The next that isn't being looked at.
    fn next(&self, under_way: &BTreeSet<ContainerRef>) -> Option<ContainerRef> {
        let mut wanted = lock(&self.wanted);
        let next = wanted
            .iter()
            .find(|one| !under_way.contains(*one))
            .cloned()?;
        wanted.remove(&next);
        Some(next)
    }
}

pub(super) async fn look(shared: Arc<Shared>) {
    let quick = CallContext::new().with_timeout(LONGEST);
    let quick = shared.backend.with_context(quick);
    let mut under_way = BTreeSet::new();
    let mut looks = FuturesUnordered::new();
    loop {
        while looks.len() < AT_ONCE
            && let Some(next) = shared.looks.next(&under_way)
        {
            under_way.insert(next.clone());
            looks.push(look_at(&shared, &*quick, next));
        }
        tokio::select! {
            () = shared.looks.asked.notified() => {}
            Some(done) = looks.next() => {
                let (container, again): (ContainerRef, bool) = done;
                under_way.remove(&container);
                if again {
                    shared.looks.ask(&container);
                }
            }
        }
    }
}

/// Whether it must be looked at again.
async fn look_at(
    shared: &Arc<Shared>,
    quick: &dyn ContainerBackend,
    container: ContainerRef,
) -> (ContainerRef, bool) {
    let Some(managed) = shared.roster.of_container(&container) else {
        return (container, false);
    };
    if !managed.is_to_be_looked_at() {
        return (container, false);
    }
    let epoch = managed.epoch();
    let quick = match managed.key() {
        Some(key) => &*quick.with_context(key.context()),
        None => quick,
    };
    let again = match quick.inspect(&container).await {
        Ok(details) => match managed.saw_details(epoch, &details) {
            Some(changes) => {
                shared.tell_all(&managed, changes);
                false
            }
            None => true,
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            gone(shared, &managed);
            false
        }
        Err(error) => {
            tracing::debug!(%error, %container, "a container couldn't be looked at: it is tried again");
            tokio::time::sleep(PAUSE).await;
            true
        }
    };
    (container, again)
}

/// It was removed, by whomever: its session is over.
fn gone(shared: &Shared, managed: &Managed) {
    let changes = managed.saw(Sight::Gone);
    match shared.roster.entry_of(managed) {
        Some(entry) => {
            shared.is_over(&entry, changes);
            // What it had for itself goes in the background.
            drop(Belongings::of(&shared.backend, &managed.written));
        }
        None => shared.roster.forget(&managed.container),
    }
}
