//! Images: import, look, list, name, remove.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use bytes::Bytes;
use futures::FutureExt;

use super::scratch::{
    CONFLICT, assert_refused, eventually, idle, inspect, key, unique_name, with_container,
};
use crate::backend::ContainerBackend;
use crate::error::{Effect, ErrorKind};
use crate::model::{
    ImageRef, ImageRemoval, ImportOptions, ListImagesOptions, PruneImagesOptions,
    RemoveImageOptions, RemoveOptions, TarArchive,
};

/// A tar archive of one file.
fn archive(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(contents.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    let appended = archive.append_data(&mut header, name, contents);
    appended.expect("a vector takes any bytes");
    archive.into_inner().expect("a vector takes any bytes")
}

/// A name that no image has.
pub(super) fn unique_image() -> ImageRef {
    ImageRef::new(format!("catamaran/{}:1", unique_name())).expect("a reference")
}

/// Runs the check with a name for an image, and removes what it names however that ends.
async fn with_image_name<F: Future<Output = ()>>(
    backend: &dyn ContainerBackend,
    check: impl FnOnce(ImageRef) -> F,
) {
    let name = unique_image();
    let outcome = AssertUnwindSafe(check(name.clone())).catch_unwind().await;
    let force = RemoveImageOptions::default().with_force(true);
    drop(backend.remove_image(&name, &force).await);
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

/// An engine has the image that the suite runs on, by name and by id, and none of another name.
///
/// # Panics
/// Where it doesn't.
pub async fn image_exists(backend: &dyn ContainerBackend, image: &ImageRef) {
    let exists = async |image: &ImageRef| backend.image_exists(image).await.expect("an answer");
    assert!(exists(image).await, "the suite's own image");
    assert!(!exists(&unique_image()).await, "an image that isn't there");
    let id = with_container(backend, idle(image), |container| async move {
        inspect(backend, &container).await.image_id
    });
    let id = ImageRef::new(id.await).expect("an image's id");
    assert!(exists(&id).await, "by its id");
}

/// An archive becomes an image with what was asked for, whole or piece by piece; it is listed, and
/// gone after its removal.
///
/// # Panics
/// Where it isn't so.
pub async fn image_import_list_remove(backend: &dyn ContainerBackend, _image: &ImageRef) {
    for streamed in [false, true] {
        with_image_name(backend, |name| async move {
            // What is in the file makes the image one of its own.
            let tar = Bytes::from(archive("file", name.as_str().as_bytes()));
            let tar = if streamed {
                let pieces: Vec<_> = tar
                    .chunks(700)
                    .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                    .collect();
                TarArchive::stream(futures::stream::iter(pieces))
            } else {
                tar.into()
            };
            let options = ImportOptions::new(name.clone())
                .with_change("LABEL org.example.kind=\"a b\"")
                .with_change("CMD [\"/file\"]")
                .with_message("made by a test");
            let id = backend
                .import_image(&options, tar)
                .await
                .expect("an import");
            assert!(id.is_id(), "an import gives an id: {id}");
            assert!(backend.image_exists(&name).await.expect("an answer"));

            let by_name = ListImagesOptions::default().with_reference(name.clone());
            let by_label =
                ListImagesOptions::default().with_label(key("org.example.kind"), "a b".to_owned());
            for options in [by_name.clone(), by_label] {
                let listed = backend.list_images(&options).await.expect("a list");
                let shown = listed.iter().find(|one| one.id == id);
                let shown = shown.unwrap_or_else(|| panic!("{id} is listed: {listed:?}"));
                // Podman names a registry before it.
                assert!(shown.tags.iter().any(|tag| tag.ends_with(name.as_str())));
                assert_eq!(shown.labels["org.example.kind"], "a b");
            }
            let other =
                ListImagesOptions::default().with_label(key("org.example.kind"), "a".to_owned());
            let listed = backend.list_images(&other).await.expect("a list");
            assert!(listed.iter().all(|one| one.id != id), "by another label");

            let gentle = RemoveImageOptions::default();
            let removals = backend
                .remove_image(&name, &gentle)
                .await
                .expect("a removal");
            // Podman leaves the algorithm out.
            let deleted = removals.iter().any(|one| match one {
                ImageRemoval::Deleted(gone) => id.as_str().ends_with(gone.as_str()),
                ImageRemoval::Untagged(_) => false,
            });
            assert!(deleted, "the image is deleted: {removals:?}");
            assert!(!backend.image_exists(&id).await.expect("an answer"));
            let listed = backend.list_images(&by_name).await.expect("a list");
            assert!(listed.is_empty(), "it is gone: {listed:?}");
        })
        .await;
    }
}

/// What is no archive becomes no image.
///
/// # Panics
/// Where it does.
pub async fn broken_archive_makes_no_image(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_image_name(backend, |name| async move {
        let options = ImportOptions::new(name.clone());
        let error = backend
            .import_image(&options, vec![b'x'; 2048].into())
            .await
            .expect_err("no archive");
        let kinds = [ErrorKind::Refused, ErrorKind::Engine];
        assert_refused(&error, &kinds, "an import of what is no archive");
        assert!(!backend.image_exists(&name).await.expect("an answer"));
    })
    .await;
}

/// An id or a digest names no new image: refused, and nothing is sent.
///
/// # Panics
/// Where it is taken.
pub async fn import_needs_a_name(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let id = "a".repeat(64);
    for text in [id.clone(), format!("x/y@sha256:{id}")] {
        let options = ImportOptions::new(ImageRef::new(&text).expect("a reference"));
        let tar = archive("file", b"").into();
        let error = backend.import_image(&options, tar).await.expect_err(&text);
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::InvalidInput, Effect::NotSent),
            "an import as {text}: {error}"
        );
    }
}

/// An image that isn't there can't be removed.
///
/// # Panics
/// Where the engine says that it was.
pub async fn remove_of_a_missing_image(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let options = RemoveImageOptions::default();
    let error = backend.remove_image(&unique_image(), &options).await;
    let error = error.expect_err("no such image");
    assert_refused(&error, &[ErrorKind::NotFound], "the removal of no image");
}

/// An image that a container uses stays, unless force is asked for.
///
/// # Panics
/// Where it is removed.
pub async fn image_in_use_conflicts(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_image_name(backend, |name| async move {
        let tar = archive("file", name.as_str().as_bytes());
        let options = ImportOptions::new(name.clone());
        backend
            .import_image(&options, tar.into())
            .await
            .expect("an import");
        let spec = idle(&name);
        with_container(backend, spec, |_| async move {
            let gentle = RemoveImageOptions::default();
            let error = backend.remove_image(&name, &gentle).await;
            assert_refused(
                &error.expect_err("it is used"),
                CONFLICT,
                "the removal of a used image",
            );
            assert!(backend.image_exists(&name).await.expect("an answer"));
        })
        .await;
    })
    .await;
}

/// Imports an image of one file that nobody else has, with these instructions.
async fn import(backend: &dyn ContainerBackend, name: &ImageRef, changes: &[String]) -> ImageRef {
    let mut options = ImportOptions::new(name.clone());
    options.changes = changes.to_vec();
    let tar = archive("file", name.as_str().as_bytes());
    let imported = backend.import_image(&options, tar.into()).await;
    imported.expect("an import")
}

/// An inspect shows what an image was made with.
///
/// # Panics
/// Where it doesn't.
pub async fn image_inspect(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_image_name(backend, |name| async move {
        let changes = [
            "LABEL org.example.kind=\"a b\"",
            "ENV KIND=a=b",
            "ENTRYPOINT [\"/file\", \"-x\"]",
            "CMD [\"a b\"]",
            "WORKDIR /srv",
            "USER 1000",
            "EXPOSE 80/tcp",
            "VOLUME /data",
        ];
        let id = import(backend, &name, &changes.map(str::to_owned)).await;
        for reference in [&name, &id] {
            let details = backend.inspect_image(reference).await.expect("details");
            // Podman leaves the algorithm out.
            assert!(id.as_str().ends_with(details.id.as_str()), "{details:?}");
            let named = |tag: &String| tag.ends_with(name.as_str());
            assert!(details.tags.iter().any(named), "{details:?}");
            assert_eq!(details.labels["org.example.kind"], "a b");
            assert_eq!(details.env.get("KIND"), Some("a=b"));
            assert_eq!(details.entrypoint, ["/file", "-x"]);
            assert_eq!(details.command, ["a b"]);
            assert_eq!(details.working_dir.as_deref(), Some("/srv"));
            assert_eq!(details.user.as_deref(), Some("1000"));
            assert_eq!(details.exposed_ports, ["80/tcp"]);
            assert_eq!(details.volumes, ["/data"]);
            assert_eq!(details.os, "linux");
            assert_eq!(details.layers.len(), 1, "{:?}", details.layers);
            assert!(details.size > 0 && details.created.is_some());
        }
    })
    .await;
    let error = backend.inspect_image(&unique_image()).await;
    let error = error.expect_err("no such image");
    assert_refused(&error, &[ErrorKind::NotFound], "the inspect of no image");
}

/// What could begin an id is a name like any other: no image is looked at, named, removed or run by it.
///
/// # Panics
/// Where one is.
pub async fn digits_of_an_id_are_a_name(backend: &dyn ContainerBackend, _image: &ImageRef) {
    with_image_name(backend, |name| async move {
        let id = import(backend, &name, &[]).await;
        let digits = id.as_str().trim_start_matches("sha256:");
        let digits = ImageRef::new(&digits[..12]).expect("a name");
        let shown = backend.inspect_image(&digits).await.map(drop);
        let named = backend.tag_image(&digits, &unique_image()).await;
        let options = RemoveImageOptions::default().with_force(true);
        let removed = backend.remove_image(&digits, &options).await.map(drop);
        let created = backend
            .create(&idle(&digits).with_name(unique_name()))
            .await;
        if let Ok(container) = &created {
            drop(backend.remove(&container.id, &RemoveOptions::force()).await);
        }
        for (what, outcome) in [
            ("an inspect", shown),
            ("a name", named),
            ("a removal", removed),
            ("a creation", created.map(drop)),
        ] {
            let error = outcome.expect_err(what);
            assert_refused(&error, &[ErrorKind::NotFound], what);
        }
        assert!(backend.image_exists(&id).await.expect("an answer"));
    })
    .await;
}

/// An image bears the names that it is given, and a name is the latest image's.
///
/// # Panics
/// Where it isn't so.
pub async fn image_tag(backend: &dyn ContainerBackend, image: &ImageRef) {
    let id = async |image: &ImageRef| backend.inspect_image(image).await.map(|shown| shown.id);
    with_image_name(backend, |name| async move {
        let first = id(image).await.expect("the suite's own image");
        // Twice is as once.
        for _ in 0..2 {
            backend.tag_image(image, &name).await.expect("a name");
        }
        assert_eq!(id(&name).await.expect("details"), first);
        with_image_name(backend, |other| async move {
            let second = import(backend, &other, &[]).await;
            backend.tag_image(&second, &name).await.expect("a name");
            let shown = id(&name).await.expect("details");
            assert!(second.as_str().ends_with(shown.as_str()), "the name moved");
        })
        .await;
    })
    .await;
    assert!(id(image).await.is_ok(), "the suite's own image stays");
    let error = backend.tag_image(&unique_image(), &unique_image()).await;
    let error = error.expect_err("no such image");
    assert_refused(&error, &[ErrorKind::NotFound], "a name for no image");
    let hex = "a".repeat(64);
    for text in [hex.clone(), format!("x/y@sha256:{hex}")] {
        let name = ImageRef::new(&text).expect("a reference");
        let error = backend.tag_image(image, &name).await.expect_err(&text);
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::InvalidInput, Effect::NotSent),
            "the name {text}: {error}"
        );
    }
}

/// A prune removes unused images that bear the label asked for, named ones only where all are asked for.
///
/// # Panics
/// Where it does otherwise.
pub async fn prune_images_by_label(backend: &dyn ContainerBackend, image: &ImageRef) {
    let prune = async |options: &PruneImagesOptions| {
        eventually("no other prune is under way", async || {
            match backend.prune_images(options).await {
                Err(error) if error.kind() == ErrorKind::Conflict => None,
                pruned => Some(pruned.expect("a prune")),
            }
        })
        .await
    };
    with_image_name(backend, |name| async move {
        let mine = name.to_string();
        let id = import(backend, &name, &[format!("LABEL org.example.mine={mine}")]).await;
        let nameless = PruneImagesOptions::default().with_label(key("org.example.mine"), mine);
        let report = prune(&nameless).await;
        assert_eq!(report.removals, [], "a named one stays");
        let all = nameless.with_all(true);
        let report = prune(&all).await;
        let deleted = report.removals.iter().any(|one| match one {
            ImageRemoval::Deleted(gone) => id.as_str().ends_with(gone.as_str()),
            ImageRemoval::Untagged(_) => false,
        });
        assert!(deleted, "the image is deleted: {report:?}");
        assert!(!backend.image_exists(&id).await.expect("an answer"));
        assert!(backend.image_exists(image).await.expect("an answer"));
    })
    .await;
}
