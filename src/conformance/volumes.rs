//! Volumes: create, look, list, mount, remove, prune.

use super::objects::{GROUP, labelled, pruned, volume_name, with_volume};
use super::scratch::{
    CONFLICT, LABEL, assert_refused, bounded, concluded, exec, idle, key, persistently, run,
    unique_name, with_container, with_running,
};
use crate::backend::ContainerBackend;
use crate::error::{Effect, ErrorKind};
use crate::model::{
    ContainerSpec, ImageRef, ListVolumesOptions, Mount, PruneVolumesOptions, RemoveVolumeOptions,
    VolumeName, VolumeSpec,
};

fn unique() -> String {
    unique_name().to_string()
}

/// A container with the volume at `/data`, whose owner is root.
fn having(volume: &VolumeName, image: &ImageRef) -> ContainerSpec {
    let mut spec = idle(image).with_mount(Mount::volume(volume.clone(), "/data"));
    spec.security.user = Some("0:0".to_owned());
    spec
}

async fn names(backend: &dyn ContainerBackend, options: &ListVolumesOptions) -> Vec<String> {
    let listed = backend.list_volumes(options).await.expect("a list");
    assert!(listed.warnings.is_empty(), "{:?}", listed.warnings);
    listed.volumes.into_iter().map(|one| one.name).collect()
}

/// A volume is made, shown, listed by what it is, and gone after its removal.
///
/// # Panics
/// Where it isn't so.
pub async fn volume_from_creation_to_removal(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_volume(backend, &unique(), |name| async move {
        let details = backend.inspect_volume(&name).await.expect("it is shown");
        assert_eq!(details.reference().expect("a name"), name);
        assert_eq!(
            (details.driver.as_str(), details.scope.as_str()),
            ("local", "local")
        );
        assert!(details.mountpoint.starts_with('/') && details.created.is_some());
        assert_eq!(details.labels[LABEL], run());
        assert!(details.options.is_empty(), "{details:?}");

        let named = |name: &VolumeName| ListVolumesOptions::default().with_name(name.clone());
        let by = || named(&name);
        let label = |value: &str| by().with_label(key(LABEL), value.to_owned());
        let beginning = VolumeName::new(&name.as_str()[..name.as_str().len() - 1]).expect("a name");
        for (what, options, found) in [
            ("its name", by(), true),
            ("its name's beginning", named(&beginning), false),
            ("a label's key", by().with_label(key(LABEL), None), true),
            ("a label's value", label(&run()), true),
            ("another value", label("other"), false),
            ("its driver", by().with_driver("local"), true),
            ("another driver", by().with_driver("other"), false),
            ("that nothing has it", by().with_dangling(true), true),
            ("that something has it", by().with_dangling(false), false),
        ] {
            let found = found.then(|| name.to_string());
            let expected: Vec<_> = found.into_iter().collect();
            assert_eq!(names(backend, &options).await, expected, "a list by {what}");
        }
        let listed = backend.list_volumes(&by()).await.expect("a list");
        assert_eq!(listed.volumes, [details], "a list shows the same");

        let gently = RemoveVolumeOptions::default();
        let removed = backend.remove_volume(&name, &gently).await;
        removed.expect("a removal");
        let error = backend.inspect_volume(&name).await.expect_err("it is gone");
        assert_refused(&error, &[ErrorKind::NotFound], "a look at what is gone");
        assert!(names(backend, &by()).await.is_empty(), "it is gone");
    })
    .await;
}

/// Volumes that are asked for without a name get one each.
///
/// # Panics
/// Where they don't.
pub async fn volume_without_a_name_gets_one(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let group = unique();
    let spec = VolumeSpec::new()
        .with_label(LABEL, run())
        .and_then(|spec| spec.with_label(GROUP, &group))
        .expect("labels");
    let of_group = ListVolumesOptions::default().with_label(key(GROUP), group.clone());
    let outcome = bounded(async {
        let first = backend.create_volume(&spec).await.expect("a volume");
        let second = backend.create_volume(&spec).await.expect("a volume");
        assert_ne!(first.name, second.name, "each has a name of its own");
        assert_eq!(first.labels[GROUP], group);
        let mut made = [first.name, second.name];
        let mut listed = names(backend, &of_group).await;
        made.sort();
        listed.sort();
        assert_eq!(listed, made);
    });
    let outcome = outcome.await;
    let gently = RemoveVolumeOptions::default();
    for name in names(backend, &of_group).await {
        let name = VolumeName::new(name).expect("a name");
        let removed = persistently(|| backend.remove_volume(&name, &gently)).await;
        removed.expect("a removal");
    }
    concluded(outcome, Ok(()));
}

/// Creating a volume that exists shows the one that is there, and changes nothing of it.
///
/// # Panics
/// Where it does.
pub async fn volume_that_exists_stays_as_it_is(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_volume(backend, &unique(), |name| async move {
        let before = backend.inspect_volume(&name).await.expect("it is shown");
        let spec = labelled(name.clone()).with_label("new", "label");
        let again = backend.create_volume(&spec.expect("a label's key")).await;
        assert_eq!(again.expect("no error"), before, "what is shown");
        let after = backend.inspect_volume(&name).await.expect("it is shown");
        assert_eq!(after, before, "what is there");
    })
    .await;
}

/// What one container wrote into a volume, the next one reads.
///
/// # Panics
/// Where it doesn't.
pub async fn volume_keeps_what_was_written(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_volume(backend, &unique(), |name| async move {
        let name = &name;
        with_running(backend, having(name, image), |writer| async move {
            let wrote = exec(backend, &writer, "echo kept > /data/file").await;
            assert!(wrote.success(), "{wrote:?}");
        })
        .await;
        let mut spec = idle(image);
        let mount = Mount::volume(name.clone(), "/elsewhere").read_only();
        spec.mounts.push(mount);
        with_running(backend, spec, |reader| async move {
            let read = exec(backend, &reader, "cat /elsewhere/file").await;
            assert_eq!(read.stdout, "kept\n", "{read:?}");
            let wrote = exec(backend, &reader, "touch /elsewhere/other").await;
            assert!(!wrote.success(), "it may only read");
        })
        .await;
    })
    .await;
}

/// A volume that a container has stays, though the container doesn't run.
///
/// # Panics
/// Where it is removed or pruned.
pub async fn volume_in_use_stays(backend: &dyn ContainerBackend, image: &ImageRef) {
    let group = &unique();
    with_volume(backend, group, |name| async move {
        with_container(backend, having(&name, image), |_| async move {
            let gently = RemoveVolumeOptions::default();
            let error = backend.remove_volume(&name, &gently).await;
            let error = error.expect_err("it is used");
            assert_refused(&error, CONFLICT, "the removal of a used volume");
            let options = PruneVolumesOptions::default().with_all(true);
            let options = options.with_label(key(GROUP), group.clone());
            let report = pruned(|| backend.prune_volumes(&options)).await;
            assert!(report.removed.is_empty(), "{report:?}");
            let used = ListVolumesOptions::default().with_name(name.clone());
            let used = used.with_dangling(false);
            assert_eq!(names(backend, &used).await, [name.as_str()]);
        })
        .await;
    })
    .await;
}

/// A prune takes the unused volumes that bear the label, with what is in them, and spares those that
/// bear another.
///
/// # Panics
/// Where it doesn't.
pub async fn prune_takes_unused_volumes_by_label(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_volume(backend, &unique(), |stays| async move {
        let stays = &stays;
        let name = volume_name();
        let group = unique();
        let spec = labelled(name.clone()).with_label(GROUP, &group);
        let spec = &spec.expect("a label's key");
        let outcome = bounded(async {
            backend.create_volume(spec).await.expect("a volume");
            with_running(backend, having(&name, image), |writer| async move {
                let wrote = exec(backend, &writer, "echo kept > /data/file").await;
                assert!(wrote.success(), "{wrote:?}");
            })
            .await;
            let by = |value: &str| {
                let options = PruneVolumesOptions::default().with_all(true);
                options.with_label(key(GROUP), value.to_owned())
            };
            let other = by("other");
            let report = pruned(|| backend.prune_volumes(&other)).await;
            assert!(report.removed.is_empty(), "{report:?}");
            // An engine that can't spare some of those that bear the label isn't asked.
            let spared = by(&group).without_label(key(LABEL), None);
            match backend.prune_volumes(&spared).await {
                Ok(report) => assert!(report.removed.is_empty(), "{report:?}"),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => assert_eq!(
                    (error.kind(), error.effect(), error.field()),
                    (
                        ErrorKind::Unsupported,
                        Effect::NotSent,
                        Some("without_labels")
                    ),
                    "{error}"
                ),
            }
            backend.inspect_volume(&name).await.expect("it is spared");
            let options = by(&group);
            let report = pruned(|| backend.prune_volumes(&options)).await;
            assert_eq!(report.removed, [name.as_str()]);
            assert!(report.reclaimed >= 5, "what was in it: {report:?}");
            let error = backend.inspect_volume(&name).await.expect_err("gone");
            assert_refused(&error, &[ErrorKind::NotFound], "a look at what is gone");
            backend.inspect_volume(stays).await.expect("it is there");
        });
        let outcome = outcome.await;
        let gently = RemoveVolumeOptions::default();
        let removed = persistently(|| backend.remove_volume(&name, &gently)).await;
        concluded(outcome, removed);
    })
    .await;
}

/// A volume that was given a name outlives a prune that doesn't ask for all: the engine spares it, or the
/// prune is refused before it is sent.
///
/// # Panics
/// Where it is gone.
pub async fn prune_spares_volumes_with_a_name(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let group = &unique();
    with_volume(backend, group, |name| async move {
        let options = PruneVolumesOptions::default().with_label(key(GROUP), group.clone());
        // Where the engine has its turn for something else, it spares it all the same.
        match backend.prune_volumes(&options).await {
            Ok(report) => assert!(report.removed.is_empty(), "{report:?}"),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => assert_eq!(
                (error.kind(), error.effect(), error.field()),
                (ErrorKind::Unsupported, Effect::NotSent, Some("all")),
                "{error}"
            ),
        }
        backend.inspect_volume(&name).await.expect("it is there");
    })
    .await;
}

/// A volume that isn't there can't be shown or removed.
///
/// # Panics
/// Where it can.
pub async fn absent_volume_is_not_found(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let none = volume_name();
    let gently = RemoveVolumeOptions::default();
    let looked = backend.inspect_volume(&none).await.map(drop);
    let removed = backend.remove_volume(&none, &gently).await;
    for (what, outcome) in [("a look", looked), ("a removal", removed)] {
        let error = outcome.expect_err("it isn't there");
        assert_refused(&error, &[ErrorKind::NotFound], what);
        assert_eq!(error.subject(), Some(none.as_str()), "{error}");
    }
}
