//! Names, labels and lists.

use super::scratch::{
    assert_refused, idle, inspect, key, unique_name, with_container, with_running,
};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{
    ContainerName, ContainerRef, ContainerState, ContainerSummary, ImageRef, ListOptions,
};

/// A name is borne by one container; who asks for it again learns nothing secret, and changes nothing.
///
/// # Panics
/// Where it isn't so.
pub async fn names_conflict(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let before = inspect(backend, &id).await;
        let name = ContainerName::new(&before.name).expect("a name");
        let spec = idle(image).with_name(name).with_env("TOKEN", "canary-7f3a");
        let error = backend.create(&spec).await.expect_err("the name is taken");
        assert_refused(&error, &[ErrorKind::Conflict], "a second create of a name");
        assert!(
            !format!("{error} {error:#} {error:?} {spec:?}").contains("canary-7f3a"),
            "neither the error nor the spec shows a variable's value"
        );
        assert_eq!(
            inspect(backend, &id).await,
            before,
            "the first is as it was"
        );
    })
    .await;
}

/// A renamed container answers to the new name alone.
///
/// # Panics
/// Where it doesn't.
pub async fn rename(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let old = ContainerRef::new(inspect(backend, &id).await.name).expect("a name");
        let new = unique_name();
        backend.rename(&id, &new).await.expect("a rename");
        assert_eq!(inspect(backend, &id).await.name, new.as_str());
        assert_eq!(inspect(backend, &ContainerRef::from(new)).await.id, id);
        let error = backend
            .inspect(&old)
            .await
            .expect_err("the old name is free");
        assert_refused(&error, &[ErrorKind::NotFound], "inspect by the old name");
    })
    .await;
}

/// A name that another bears can't be taken by a rename.
///
/// # Panics
/// Where it can.
pub async fn rename_to_a_taken_name_conflicts(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |holder| async move {
        let taken = ContainerName::new(inspect(backend, &holder).await.name).expect("a name");
        with_container(backend, idle(image), |other| async move {
            let name = inspect(backend, &other).await.name;
            let error = backend
                .rename(&other, &taken)
                .await
                .expect_err("it is taken");
            assert_refused(&error, &[ErrorKind::Conflict], "a rename to a taken name");
            assert_eq!(
                inspect(backend, &other).await.name,
                name,
                "it kept its name"
            );
        })
        .await;
    })
    .await;
}

/// A list shows what bears the labels, is in the state and has the name that were asked for, and all
/// of each; and tells name, image, labels and state.
///
/// # Panics
/// Where it doesn't.
pub async fn labels_and_filters(backend: &dyn ContainerBackend, image: &ImageRef) {
    let group = unique_name().to_string();
    let member = |role: &str| {
        idle(image)
            .with_label("catamaran.group", &group)
            .and_then(|spec| spec.with_label("role", role))
            .expect("labels")
    };
    let of_group = |options: ListOptions| options.with_label(key("catamaran.group"), group.clone());
    let (first, second) = (member("a=b"), member("c"));
    with_container(backend, first, |made| async move {
        with_running(backend, second, |runs| async move {
            let list = async |options: ListOptions| {
                let listed = backend.list(&options).await.expect("list answers");
                let mut ids: Vec<_> = listed.into_iter().map(|one| one.id).collect();
                ids.sort();
                ids
            };
            let (running, created) = (ContainerState::Running, ContainerState::Created);
            let mut both = vec![made.clone(), runs.clone()];
            both.sort();
            let role = key("role");
            let all = || of_group(ListOptions::all());
            for (what, options, expected) in [
                ("all", all(), both.clone()),
                (
                    "by default what runs",
                    of_group(ListOptions::default()),
                    vec![runs.clone()],
                ),
                (
                    "a label's value",
                    all().with_label(role.clone(), "a=b".to_owned()),
                    vec![made.clone()],
                ),
                (
                    "a label's key",
                    all().with_label(role.clone(), None),
                    both.clone(),
                ),
                (
                    "another value",
                    all().with_label(role, "a".to_owned()),
                    vec![],
                ),
                (
                    "a state",
                    all().with_state(running.clone()),
                    vec![runs.clone()],
                ),
                (
                    "a state of what doesn't run",
                    of_group(ListOptions::default()).with_state(created.clone()),
                    vec![made.clone()],
                ),
                (
                    "one of two states",
                    all().with_state(running).with_state(created),
                    both,
                ),
                ("the newest", all().with_limit(1u32), vec![runs.clone()]),
            ] {
                assert_eq!(list(options).await, expected, "a list by {what}");
            }
            let shown = backend.list(&all()).await.expect("list answers");
            let shown: &ContainerSummary = shown
                .iter()
                .find(|one| one.id == runs)
                .expect("it is listed");
            assert_eq!(shown.names, [inspect(backend, &runs).await.name]);
            // Podman names a registry before it.
            assert!(shown.image.ends_with(image.as_str()), "{}", shown.image);
            assert_eq!(shown.labels["role"], "c");
            assert_eq!(shown.state, ContainerState::Running);
            assert!(shown.created.is_some() && !shown.status.is_empty());
        })
        .await;
    })
    .await;
}

/// A list by name shows that name alone, not those that contain it.
///
/// # Panics
/// Where it shows others.
pub async fn list_takes_names_exactly(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |first| async move {
        with_container(backend, idle(image), |second| async move {
            let plain = unique_name();
            let name =
                |suffix: &str| ContainerName::new(format!("{plain}{suffix}")).expect("a name");
            backend.rename(&first, &name(".x")).await.expect("a rename");
            backend
                .rename(&second, &name(".xy"))
                .await
                .expect("a rename");
            let list = async |options: ListOptions| {
                let listed = backend.list(&options).await.expect("list answers");
                listed.into_iter().map(|one| one.id).collect::<Vec<_>>()
            };
            let by = |suffix: &str| ListOptions::all().with_name(name(suffix));
            let named = list(by(".x")).await;
            assert_eq!(named, std::slice::from_ref(&first), "the name");
            assert_eq!(list(by("")).await, [], "its beginning");
            assert_eq!(list(by("-x")).await, [], "a dot is a dot");
            let either = by(".x").with_name(name(".xy"));
            assert_eq!(list(either).await.len(), 2, "one of two names");
        })
        .await;
    })
    .await;
}
