//! Containers that don't run, removed together.

use std::future::Future;
use std::time::UNIX_EPOCH;

use super::objects::{GROUP, pruned};
use super::scratch::{
    LABEL, assert_refused, bounded, concluded, idle, inspect, key, persistently, run, shell,
    unique_name,
};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{
    ContainerRef, ContainerSpec, ImageRef, PruneContainersOptions, RemoveOptions, WaitOptions,
};

fn of(group: &str) -> PruneContainersOptions {
    PruneContainersOptions::default().with_label(key(GROUP), group.to_owned())
}

fn member(spec: ContainerSpec, group: &str, role: &str) -> ContainerSpec {
    let spec = spec.with_label(GROUP, group);
    let spec = spec.and_then(|spec| spec.with_label("role", role));
    spec.expect("labels")
}

async fn gone(backend: &dyn ContainerBackend, id: &ContainerRef) {
    let error = backend.inspect(id).await.expect_err("it is gone");
    assert_refused(&error, &[ErrorKind::NotFound], "a look at what is gone");
}

/// Makes a container of each spec, as [`with_container`](super::with_container) makes one.
async fn with_each<const N: usize, F: Future<Output = ()>>(
    backend: &dyn ContainerBackend,
    specs: [ContainerSpec; N],
    check: impl FnOnce([ContainerRef; N]) -> F,
) {
    let names = specs.each_ref().map(|_| unique_name());
    let ids = names.clone().map(ContainerRef::from);
    let outcome = bounded(async {
        for (spec, name) in specs.into_iter().zip(names) {
            let mut spec = spec.with_name(name);
            spec.labels.insert(key(LABEL), run());
            backend.create(&spec).await.expect("create makes one");
        }
        check(ids.clone()).await;
    });
    let outcome = outcome.await;
    let mut removed = Ok(());
    for id in &ids {
        let force = RemoveOptions::force();
        removed = removed.and(persistently(|| backend.remove(id, &force)).await);
    }
    concluded(outcome, removed);
}

/// A prune takes the containers with the label that have ended or never ran, and says which; it spares those that
/// run, those with another label, and those without one.
///
/// # Panics
/// Where it doesn't.
pub async fn prune_takes_what_does_not_run_by_label(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    let group = unique_name().to_string();
    let spec = |role: &str| member(idle(image), &group, role);
    let mut ends = member(
        shell(image, "head -c 4096 /dev/zero > /bin/x"),
        &group,
        "ends",
    );
    ends.security = ends.security.with_read_only_root(false).with_user("0:0");
    let specs = [
        spec("runs"),
        spec("stays"),
        idle(image),
        spec("never runs"),
        ends,
    ];
    with_each(
        backend,
        specs,
        |[runs, stays, other, never, ends]| async move {
            backend.start(&runs).await.expect("it starts");
            backend.start(&ends).await.expect("it starts");
            let waited = backend.wait(&ends, &WaitOptions::default()).await;
            assert_eq!(waited.expect("it ends").exit_code, 0);
            let mut expected = Vec::new();
            for id in [&never, &ends] {
                expected.push(inspect(backend, id).await.id.to_string());
            }
            expected.sort_unstable();

            let options = of(&group).without_label(key("role"), "stays".to_owned());
            let mut report = pruned(|| backend.prune_containers(&options)).await;
            report.removed.sort_unstable();
            assert_eq!(report.removed, expected);
            assert!(report.reclaimed >= 4096, "what was written: {report:?}");
            gone(backend, &never).await;
            gone(backend, &ends).await;
            for id in [&stays, &other] {
                inspect(backend, id).await;
            }
            let running = inspect(backend, &runs).await.state;
            assert!(running.is_running(), "{running:?}");
        },
    )
    .await;
}

/// A prune takes those that were made before a moment, and spares those that were made after it.
///
/// # Panics
/// Where it doesn't.
pub async fn prune_takes_what_is_old(backend: &dyn ContainerBackend, image: &ImageRef) {
    let group = unique_name().to_string();
    let specs = ["old", "new"].map(|role| member(idle(image), &group, role));
    with_each(backend, specs, |[old, new]| async move {
        let ancient = of(&group).with_until(UNIX_EPOCH);
        let report = pruned(|| backend.prune_containers(&ancient)).await;
        assert!(report.removed.is_empty(), "none is so old: {report:?}");

        let (first, second) = (inspect(backend, &old).await, inspect(backend, &new).await);
        let made = first.created.expect("a time");
        let apart = second.created.expect("a time").duration_since(made);
        let between = made + apart.expect("one after the other") / 2;
        let options = of(&group).with_until(between);
        let report = pruned(|| backend.prune_containers(&options)).await;
        assert_eq!(report.removed, [first.id.to_string()]);
        gone(backend, &old).await;
        inspect(backend, &new).await;
    })
    .await;
}
