//! What the engine says of itself, and how long a call may take.

use std::time::{Duration, Instant};

use super::scratch::{idle, with_running};
use crate::backend::{CallContext, ContainerBackend};
use crate::error::{Effect, ErrorKind};
use crate::model::{ImageRef, ListOptions, WaitOptions};

/// A ping says which API the engine speaks.
///
/// # Panics
/// Where it doesn't.
pub async fn ping_names_the_api(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let pong = backend.ping().await.expect("ping answers");
    assert!(pong.api_version.is_some(), "a ping names the API's version");
}

/// The version names the engine, the API that the ping named, and the platform.
///
/// # Panics
/// Where it doesn't.
pub async fn version_names_the_engine(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let version = backend.version().await.expect("version answers");
    let pong = backend.ping().await.expect("ping answers");
    assert!(!version.version.is_empty(), "the engine has a version");
    assert_eq!(
        version.api_version, pong.api_version,
        "version and ping name the same API"
    );
    assert!(
        version.min_api_version <= version.api_version,
        "the oldest API isn't newer than the newest"
    );
    assert_eq!(version.os, "linux", "the containers' operating system");
    assert!(!version.arch.is_empty(), "the engine has an architecture");
}

/// The engine's account of itself goes with its version, and counts a container that runs.
///
/// # Panics
/// Where it doesn't.
pub async fn info_counts_what_runs(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |_| async move {
        let info = backend.info().await.expect("info answers");
        let version = backend.version().await.expect("version answers");
        assert_eq!(
            info.version.as_deref(),
            Some(version.version.as_str()),
            "info and version name the same engine"
        );
        assert!(info.containers_running >= Some(1), "one runs: {info:?}");
        assert!(info.containers >= info.containers_running, "{info:?}");
        assert!(info.images >= Some(1), "the image is there: {info:?}");
        assert!(info.cpus >= Some(1) && info.memory > Some(0), "{info:?}");
    })
    .await;
}

/// The sums of what is on disk count a container and its image.
///
/// # Panics
/// Where they don't.
pub async fn disk_usage_counts_what_is_there(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |_| async move {
        let usage = backend.disk_usage().await.expect("disk usage answers");
        let containers = usage.containers;
        assert!(containers.count >= Some(1), "one is there: {containers:?}");
        assert!(containers.active >= Some(1), "it runs: {containers:?}");
        assert!(usage.images.count >= Some(1), "{:?}", usage.images);
        assert!(usage.images.size > Some(0), "{:?}", usage.images);
    })
    .await;
}

/// A handle whose deadline has passed fails as `Timeout` with nothing sent; the one that it was made
/// from, and a handle made from it with a later deadline, are as they were.
///
/// # Panics
/// Where that isn't so.
pub async fn deadline_that_passed_sends_nothing(backend: &dyn ContainerBackend, _image: &ImageRef) {
    // So that no other question comes before the operation itself.
    backend
        .list(&ListOptions::all())
        .await
        .expect("list answers");
    let passed = CallContext::new().with_deadline(tokio::time::Instant::now());
    let late = backend.with_context(passed);
    let extended = late.with_context(CallContext::new().with_timeout(Duration::from_secs(60)));
    for handle in [late, extended] {
        let began = Instant::now();
        let error = handle
            .list(&ListOptions::all())
            .await
            .expect_err("the deadline has passed");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::NotSent),
            "a deadline that has passed: {error}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "it fails without waiting"
        );
    }
    backend
        .list(&ListOptions::all())
        .await
        .expect("the first handle has no deadline");
}

/// A wait ends when the caller's own time is up, as `Timeout`, and the container runs on.
///
/// # Panics
/// Where it doesn't.
pub async fn wait_ends_at_the_callers_deadline(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let hurried =
            backend.with_context(CallContext::new().with_timeout(Duration::from_millis(300)));
        let began = Instant::now();
        let error = hurried
            .wait(&id, &WaitOptions::default())
            .await
            .expect_err("it doesn't end");
        assert_eq!(
            error.kind(),
            ErrorKind::Timeout,
            "a wait cut short: {error}"
        );
        let took = began.elapsed();
        assert!(
            (Duration::from_millis(300)..Duration::from_secs(10)).contains(&took),
            "a wait of 300 ms took {took:?}"
        );
        let details = backend.inspect(&id).await.expect("inspect shows it");
        assert!(details.state.is_running(), "only the waiting has ended");
    })
    .await;
}
