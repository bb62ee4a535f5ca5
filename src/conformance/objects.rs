//! Networks and volumes for checks, under names of their own, which go however a check ends.

use std::future::Future;

use super::scratch::{LABEL, bounded, concluded, persistently, run, unique_name};
use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    NetworkRef, NetworkSpec, PruneReport, RemoveVolumeOptions, VolumeName, VolumeSpec,
};

/// A name for a network.
pub(super) fn network_name() -> NetworkRef {
    NetworkRef::new(unique_name()).expect("a name")
}

/// A name for a volume.
pub(super) fn volume_name() -> VolumeName {
    VolumeName::new(unique_name()).expect("a name")
}

/// A label of one check's own, for its lists and prunes to see nothing else.
pub(super) const GROUP: &str = "catamaran.group";

/// A network that leads nowhere, with the suite's label.
pub(super) fn internal() -> NetworkSpec {
    let spec = NetworkSpec::new(network_name()).with_internal(true);
    spec.with_label(LABEL, run()).expect("a label's key")
}

/// A volume of that name, with the suite's label.
pub(super) fn labelled(name: VolumeName) -> VolumeSpec {
    let spec = VolumeSpec::named(name);
    spec.with_label(LABEL, run()).expect("a label's key")
}

/// Makes a network and runs the check with its id; the network goes however that ends.
pub(super) async fn with_network<T, F: Future<Output = T>>(
    backend: &dyn ContainerBackend,
    spec: NetworkSpec,
    check: impl FnOnce(NetworkRef) -> F,
) -> T {
    with_first_of(backend, &[spec], |_, id| check(id)).await
}

/// As [`with_network`], of the first of some wishes for one name that the engine takes.
pub(super) async fn with_first_of<T, F: Future<Output = T>>(
    backend: &dyn ContainerBackend,
    wishes: &[NetworkSpec],
    check: impl FnOnce(NetworkSpec, NetworkRef) -> F,
) -> T {
    let outcome = bounded(async {
        let mut last = None;
        for spec in wishes {
            assert_eq!(spec.name, wishes[0].name, "there is one to remove");
            match backend.create_network(spec).await {
                Ok(created) => return check(spec.clone(), created.id).await,
                Err(error) => last = Some(error),
            }
        }
        no_network(last)
    });
    let outcome = outcome.await;
    // A container that has just gone is on it for a moment.
    let removed = persistently(|| backend.remove_network(&wishes[0].name)).await;
    concluded(outcome, removed)
}

/// Not every machine lets its engine make one, and that isn't the backend's fault.
fn no_network(error: Option<Error>) -> ! {
    let error = error.map_or_else(String::new, |error| error.to_string());
    panic!(
        "the engine makes a network; without one (it may lack iptables, or free addresses), nothing can be said \
         of what it does with them: {error}"
    )
}

/// Makes a volume under a unique name, with the suite's label and this one of a group, and runs the check with its
/// name; the volume goes however that ends.
pub(super) async fn with_volume<T, F: Future<Output = T>>(
    backend: &dyn ContainerBackend,
    group: &str,
    check: impl FnOnce(VolumeName) -> F,
) -> T {
    let name = volume_name();
    let outcome = bounded(async {
        let spec = labelled(name.clone()).with_label(GROUP, group);
        let spec = spec.expect("a label's key");
        backend.create_volume(&spec).await.expect("a volume");
        check(name.clone()).await
    });
    let outcome = outcome.await;
    let gently = RemoveVolumeOptions::default();
    let removed = persistently(|| backend.remove_volume(&name, &gently)).await;
    concluded(outcome, removed)
}

/// Prunes; an engine does so once at a time.
pub(super) async fn pruned<F: Future<Output = Result<PruneReport>>>(
    mut prune: impl FnMut() -> F,
) -> PruneReport {
    super::scratch::eventually("a prune has its turn", || {
        let pruned = prune();
        async {
            match pruned.await {
                Err(error) if error.kind() == ErrorKind::Conflict => None,
                other => Some(other.expect("a prune")),
            }
        }
    })
    .await
}
