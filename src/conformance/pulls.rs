//! Pulls, as far as they need no registry, and what makes sure of an image.

use super::images::unique_image;
use super::scratch::assert_refused;
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{EnsureOptions, ImageRef, PullOptions, PullPolicy};

/// An image of a registry that isn't there: nothing listens on port 1.
fn unreachable() -> ImageRef {
    ImageRef::new(format!("localhost:1/{}", unique_image())).expect("a reference")
}

async fn pull(backend: &dyn ContainerBackend, image: &ImageRef) -> Result<()> {
    let progress = backend.pull_image(image, &PullOptions::default()).await?;
    progress.finish().await
}

fn assert_unreachable(error: &Error) {
    assert_refused(error, &[ErrorKind::Engine], "a pull from nowhere");
    assert!(!error.message().is_empty(), "the engine says why: {error}");
}

/// A pull that fails says so, before its stream begins or in it, and leaves no image.
///
/// # Panics
/// Where it seems to succeed.
pub async fn pull_from_nowhere_fails(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let image = unreachable();
    assert_unreachable(&pull(backend, &image).await.expect_err("no registry"));
    assert!(!backend.image_exists(&image).await.expect("an answer"));
}

/// Nobody pulls an id: refused, and nothing is sent.
///
/// # Panics
/// Where it is taken.
pub async fn pull_needs_a_name(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let id = ImageRef::new("a".repeat(64)).expect("a reference");
    let error = pull(backend, &id).await.expect_err("an id");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::InvalidInput, Effect::NotSent),
        "a pull of an id: {error}"
    );
}

/// An image that is there needs no pull, unless one is asked for each time; one that isn't is pulled,
/// unless that is ruled out.
///
/// # Panics
/// Where it isn't so.
pub async fn ensure_image_by_policy(backend: &dyn ContainerBackend, image: &ImageRef) {
    let by = |policy| EnsureOptions::default().with_policy(policy);
    let shown = backend.inspect_image(image).await.expect("details");
    for policy in [PullPolicy::Never, PullPolicy::IfMissing] {
        let ensured = backend.ensure_image(image, &by(policy)).await;
        assert_eq!(ensured.expect("it is there").id, shown.id);
    }
    // There is nothing newer than what an id names.
    let ensured = backend
        .ensure_image(&shown.id, &by(PullPolicy::Always))
        .await;
    assert_eq!(ensured.expect("it is there").id, shown.id);

    let never = by(PullPolicy::Never);
    for (image, options) in [
        (unreachable(), never.clone()),
        (image.clone(), never.with_platform("plan9/mips")),
        (
            ImageRef::new("a".repeat(64)).expect("an id"),
            by(PullPolicy::IfMissing),
        ),
    ] {
        let error = backend.ensure_image(&image, &options).await;
        let error = error.expect_err("it isn't there");
        assert_refused(&error, &[ErrorKind::NotFound], "an image not to be pulled");
    }
    for policy in [PullPolicy::IfMissing, PullPolicy::Always] {
        let ensured = backend.ensure_image(&unreachable(), &by(policy)).await;
        assert_unreachable(&ensured.expect_err("no registry"));
    }
}
