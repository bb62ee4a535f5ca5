//! Finds out who serves a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::key::SessionKey;
use super::manager::Shared;
use super::roster::Entry;
use super::written::Written;
use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::host::{HOST_LABEL, INSTANCE_LABEL};
use crate::model::{ContainerDetails, ContainerRef};

/// From one look at who serves a session to the next.
const PAUSE: Duration = Duration::from_millis(100);
/// How long it is waited at least until nobody can say.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// The session, where this manager has one or may come to have it; as [`find`], without a look where nothing is left to adopt:
/// should another instance serve it, its name is taken.
pub(super) async fn find_own(
    shared: &Shared,
    backend: &Arc<dyn ContainerBackend>,
    key: &SessionKey,
) -> Result<Option<Arc<Entry>>> {
    match (shared.roster.get(key), *shared.recovered.borrow()) {
        (Some(entry), _) => return Ok(Some(entry)),
        (None, true) => return Ok(None),
        (None, false) => {}
    }
    find(shared, backend, key).await
}

/// The session, where there is one; after a death it is waited until that is known. Whoever calls this has its turn.
///
/// # Errors
/// `Conflict` where another instance that lives serves it, or a container that is no session has its name; `Unavailable` where
/// nobody can say.
pub(super) async fn find(
    shared: &Shared,
    backend: &Arc<dyn ContainerBackend>,
    key: &SessionKey,
) -> Result<Option<Arc<Entry>>> {
    let name = ContainerRef::from(key.container_name(&shared.name)?);
    // Nobody shows what it has after a death in less than some leases' time; a busy engine makes it longer.
    let until = Instant::now() + (4 * shared.settings.lease).max(LONG_ENOUGH);
    loop {
        if let Some(entry) = shared.roster.get(key) {
            return Ok(Some(entry));
        }
        let holder = match backend.inspect(&name).await {
            Ok(holder) => holder,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        may_be_ours(shared, key, &holder)?;
        if Instant::now() > until {
            let message = format!("who serves session {key} isn't known yet");
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(error.with_advice(
                "an instance that had it is dead and isn't replaced yet, or what is left of one that was closed is being removed: ask again",
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the container that has its name may come to be this manager's.
fn may_be_ours(shared: &Shared, key: &SessionKey, holder: &ContainerDetails) -> Result<()> {
    let conflict = |message: String, advice: &str| {
        Error::new(ErrorKind::Conflict, message)
            .with_effect(Effect::NotSent)
            .with_subject(holder.id.to_string())
            .with_advice(advice)
    };
    let of_this = holder.labels.get(HOST_LABEL) == Some(&shared.name);
    let (written, instance) = (
        Written::read(&holder.labels),
        holder.labels.get(INSTANCE_LABEL),
    );
    let (Some(_), Some(instance), true) = (written, instance, of_this) else {
        let message = format!(
            "a container that is no session has the name {}",
            holder.name
        );
        return Err(conflict(message, "rename or remove it"));
    };
    if !shared.host.is_anothers(instance) {
        return Ok(());
    }
    let message = format!(
        "session {key} is served by another instance of this host, {instance}, which lives"
    );
    let advice = "ask that one: route a session's calls to the process that has it";
    Err(conflict(message, advice))
}
