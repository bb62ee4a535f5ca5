//! Making sure of an image, with one pull for all who ask for it at the same time.

use super::{BackendId, CallContext, ContainerBackend};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::flight::{Flight, Flights};
use crate::model::{EnsureOptions, ImageDetails, ImageRef, PullOptions, PullPolicy};
use crate::operation::Operation;

/// What makes two pulls the same. Other credentials may get another answer.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    backend: BackendId,
    image: ImageRef,
    policy: PullPolicy,
    options: PullOptions,
}

static FLIGHTS: Flights<Key, ImageDetails> = Flights::new();

pub(super) async fn ensure<B: ContainerBackend + ?Sized>(
    backend: &B,
    image: &ImageRef,
    options: &EnsureOptions,
) -> Result<ImageDetails> {
    let named = |error: Error| {
        error
            .with_operation(Operation::PullImage)
            .with_subject(image.to_string())
    };
    let pull = options.pull();
    if !image.is_id() {
        pull.validate(image).map_err(named)?;
    }
    let deadline = backend.context().own_deadline();
    // One time for all its calls; without the caller's own, each has its usual one.
    let within = CallContext::new().with_deadline(deadline.moment());
    let backend_id = backend.identity();
    let backend = backend.with_context(within);
    let image = image.with_default_tag();

    // An id names what it holds: there is nothing newer, and nobody to ask for it.
    let policy = if image.is_id() {
        PullPolicy::Never
    } else {
        options.policy
    };
    if policy != PullPolicy::Always
        && let Some(found) = present(&*backend, &image, options).await?
    {
        return Ok(found);
    }
    if policy == PullPolicy::Never {
        return Err(named(absent(options)));
    }
    let work = async {
        // Another's pull may have ended since this one looked.
        if policy == PullPolicy::IfMissing
            && let Some(found) = present(&*backend, &image, options).await?
        {
            return Ok(found);
        }
        backend.pull_image(&image, &pull).await?.finish().await?;
        backend.inspect_image(&image).await
    };
    let Some(id) = backend_id else {
        return work.await;
    };
    let key = Key {
        backend: id,
        image: image.clone(),
        policy,
        options: pull.clone(),
    };
    let flight = Flight::join(&FLIGHTS, key);
    // The turn may be another's for long; the work keeps the deadline itself.
    deadline.bound(flight.outcome(work)).await.map_err(named)?
}

async fn present(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
    options: &EnsureOptions,
) -> Result<Option<ImageDetails>> {
    match backend.inspect_image(image).await {
        Ok(found) => {
            let asked = options.platform.as_deref();
            Ok(Some(found).filter(|found| asked.is_none_or(|platform| found.is_for(platform))))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn absent(options: &EnsureOptions) -> Error {
    let message = match &options.platform {
        Some(platform) => format!("the engine has no such image for {platform}"),
        None => "the engine has no such image".to_owned(),
    };
    Error::new(ErrorKind::NotFound, message)
        .with_effect(Effect::Rejected)
        .with_advice("it wasn't to be pulled: pull or import it before")
}
