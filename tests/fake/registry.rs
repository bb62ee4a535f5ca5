//! Pulls from the fake's registry: progress, credentials, and all the ways in which they go wrong.

use std::time::Duration;

use catamaran::model::{EnsureOptions, ImageRef, PullOptions, RegistryAuth};
use catamaran::testing::{FakeEngine, Personality, PullFault, RegistryImage};
use catamaran::{ContainerBackendExt, ErrorKind};
use futures::TryStreamExt;

use super::{Make, async_engine, blocking_engine, hybrid};

const APP: &str = "registry.example/team/app:1";

const BACKENDS: [Make; 3] = [async_engine, blocking_engine, hybrid];

fn app() -> ImageRef {
    ImageRef::new(APP).expect("a reference")
}

async fn with(image: RegistryImage, personality: Personality) -> FakeEngine {
    let builder = FakeEngine::builder()
        .personality(personality)
        .registry_image(image);
    builder.start().await.expect("a fake engine")
}

#[tokio::test]
async fn a_pull_tells_how_far_it_is() {
    for make in BACKENDS {
        for personality in Personality::ALL {
            let engine = with(
                RegistryImage::new(APP).with_layers([40_000, 2_000]),
                personality,
            )
            .await;
            let backend = make(&engine.config().expect("a configuration"));
            let mut pull = backend
                .pull_image(&app(), &PullOptions::default())
                .await
                .expect("it begins");
            let mut total = 0;
            while let Some(event) = pull.try_next().await.expect("it goes on") {
                total = total.max(event.total.unwrap_or(0));
            }
            assert_eq!(total, 40_000, "{personality:?}");
            let details = backend.inspect_image(&app()).await.expect("it is there");
            assert!(
                details
                    .digests
                    .iter()
                    .any(|digest| digest.starts_with("registry.example/team/app@sha256:"))
            );
        }
    }
}

#[tokio::test]
async fn many_who_ask_for_one_image_share_a_pull() {
    for make in BACKENDS {
        let slow = RegistryImage::new(APP).with_pace(Duration::from_millis(2));
        let engine = with(slow, Personality::default()).await;
        let backend = make(&engine.config().expect("a configuration"));
        let (image, options) = (app(), EnsureOptions::default());
        let asks = (0..20).map(|_| backend.ensure_image(&image, &options));
        for ensured in futures::future::join_all(asks).await {
            ensured.expect("it is there");
        }
        assert_eq!(engine.journal().count("POST", "/images/create"), 1);
    }
}

#[tokio::test]
async fn credentials_open_what_is_shut() {
    let canary = "c4nary-password";
    for make in BACKENDS {
        let shut = RegistryImage::new(APP).with_credentials("robot", canary);
        let engine = with(shut, Personality::default()).await;
        let backend = make(&engine.config().expect("a configuration"));
        let pull = async |auth: Option<RegistryAuth>| {
            let options = PullOptions::default();
            let options = match auth {
                Some(auth) => options.with_auth(auth),
                None => options,
            };
            match backend.pull_image(&app(), &options).await {
                Ok(pull) => pull.finish().await,
                Err(error) => Err(error),
            }
        };
        let refused = pull(None).await.expect_err("nobody may");
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
        let wrong = pull(Some(RegistryAuth::password("robot", "other"))).await;
        let wrong = wrong.expect_err("a wrong password");
        assert!(wrong.to_string().contains("unauthorized"), "{wrong}");
        pull(Some(RegistryAuth::password("robot", canary)))
            .await
            .expect("it may");
        assert!(backend.image_exists(&app()).await.expect("an answer"));
        let journal = format!("{:?}", engine.journal());
        assert!(!journal.contains(canary), "no secret in what a test prints");
    }
}

#[tokio::test]
async fn a_pull_that_fails_says_why_and_leaves_nothing() {
    let faults = [
        (PullFault::RateLimit, "toomanyrequests"),
        (
            PullFault::Error(1, "layer is broken".to_owned()),
            "layer is broken",
        ),
        (
            PullFault::PlainError(0, "by error alone".to_owned()),
            "by error alone",
        ),
        (PullFault::Ends(1), ""),
    ];
    for make in BACKENDS {
        for (fault, words) in &faults {
            let broken = RegistryImage::new(APP)
                .with_layers([10, 20])
                .with_fault(fault.clone());
            let engine = with(broken, Personality::default()).await;
            let backend = make(&engine.config().expect("a configuration"));
            let ensured = backend
                .ensure_image(&app(), &EnsureOptions::default())
                .await;
            let error = ensured.expect_err("it fails");
            assert!(error.to_string().contains(words), "{fault:?}: {error}");
            assert!(engine.images().is_empty(), "{fault:?}");
            // Once it is mended, it works.
            engine.publish(RegistryImage::new(APP));
            let ensured = backend
                .ensure_image(&app(), &EnsureOptions::default())
                .await;
            ensured.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn who_goes_away_ends_the_pull() {
    let slow = RegistryImage::new(APP).with_pace(Duration::from_secs(3600));
    let engine = with(slow, Personality::default()).await;
    let backend = async_engine(&engine.config().expect("a configuration"));
    let (image, options) = (app(), EnsureOptions::default());
    let journal = engine.journal();
    tokio::select! {
        ensured = backend.ensure_image(&image, &options) => panic!("an hour hasn't passed: {ensured:?}"),
        () = journal.until("POST", "/images/create", 1) => {}
    }
    assert!(engine.images().is_empty());
    let other = ImageRef::new("registry.example/team/other:1").expect("a reference");
    let error = backend
        .ensure_image(&other, &EnsureOptions::default())
        .await;
    assert_eq!(
        error.expect_err("it isn't there").kind(),
        ErrorKind::NotFound
    );
}
