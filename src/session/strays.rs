//! What nobody has: containers, volumes and networks of sessions that aren't there any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::manager::Shared;
use super::{belongings, written};
use crate::backend::janitor;
use crate::backend::leftover::Leftover;
use crate::error::Result;
use crate::host::INSTANCE_LABEL;
use crate::model::ContainerSummary;

/// Between making what a session has for itself and making its container nobody takes longer: what is seen without a container
/// for so long belongs to nobody.
const GRACE: Duration = Duration::from_secs(120);

/// Since when it is seen that nobody has them.
#[derive(Default)]
pub(super) struct Strays(BTreeMap<String, Instant>);

impl Strays {
    /// Removes what nobody has had for long enough; `all` is what there is of this host.
    pub(super) async fn look(&mut self, shared: &Shared, all: &[ContainerSummary]) -> Result<()> {
        let (now, found) = (Instant::now(), find(shared, all).await?);
        let names: BTreeSet<_> = found.iter().map(|(stray, _)| stray.to_string()).collect();
        self.0.retain(|name, _| names.contains(name));
        for (stray, of_dead) in found {
            let name = stray.to_string();
            let since = *self.0.entry(name.clone()).or_insert(now);
            if !of_dead && now.duration_since(since) < GRACE {
                continue;
            }
            tracing::info!(stray = %name, "what was made for a session that isn't there any more is removed");
            shared.pulse.found(&name);
            self.0.remove(&name);
            janitor::remove(shared.backend.detached(), stray);
        }
        Ok(())
    }
}

/// What nobody has, as it seems just now, and whether whoever made it is dead: else it may belong to a session that is being made.
pub(super) async fn find(
    shared: &Shared,
    all: &[ContainerSummary],
) -> Result<Vec<(Leftover, bool)>> {
    let ids: BTreeSet<Uuid> = all
        .iter()
        .filter_map(|container| written::read_id(&container.labels))
        .collect();
    let own = shared.host.instance();
    let mut found = Vec::new();
    for container in all {
        // Those of other instances their heirs see to.
        let of_this = container.labels.get(INSTANCE_LABEL) == Some(&own)
            || shared.host.has_adopted(&container.id);
        let known = || shared.roster.of_container(&container.id).is_some();
        let readable = written::Written::read(&container.labels).is_some();
        if of_this && readable && !known() {
            found.push((Leftover::Container(container.id.clone()), false));
        }
    }
    for (id, by, leftover) in belongings::all(&*shared.backend, &shared.name).await? {
        if !ids.contains(&id) {
            let of_dead = by.is_some_and(|by| shared.host.stands_for(&by));
            found.push((leftover, of_dead));
        }
    }
    Ok(found)
}
