//! How the image of a session is come by.

use catamaran::ErrorKind;
use catamaran::model::{EnsureOptions, ImageRef, PullPolicy};
use catamaran::session::{OpenFailure, Phase, SessionSpec};
use catamaran::testing::{FakeEngine, RegistryImage};

use super::stage::*;

const APP: &str = "registry.example/team/app:1";

fn app() -> SessionSpec {
    SessionSpec::new(ImageRef::new(APP).expect("a reference"))
        .with_command(["sleep", "6000"])
        .with_volume("/work")
}

async fn registry() -> FakeEngine {
    let builder = FakeEngine::builder().registry_image(RegistryImage::new(APP));
    builder.start().await.expect("a fake engine")
}

/// Looks at images, and pulls.
fn asked(engine: &FakeEngine) -> (usize, usize) {
    let journal = engine.journal();
    (
        journal.count("GET", "/images/"),
        journal.count("POST", "/images/create"),
    )
}

#[tokio::test]
async fn nobody_looks_for_what_is_there() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let before = asked(&engine);
    let opened = manager.open(&key("alice", "demo"), &spec()).await;
    let timings = opened.expect("it opens").opening().timings;
    assert!(timings.image.is_zero() && !timings.create.is_zero());
    assert_eq!(asked(&engine), before);
}

#[tokio::test]
async fn what_is_missing_is_pulled_once_for_all_and_leaves_nothing_of_the_first_tries() {
    let engine = registry().await;
    let manager = manager(&engine).await;
    let (alice, bob) = (key("alice", "demo"), key("bob", "demo"));
    let (spec, before) = (app(), asked(&engine));
    let (one, other) = tokio::join!(manager.open(&alice, &spec), manager.open(&bob, &spec));
    for opened in [one, other] {
        let timings = opened.expect("it opens").opening().timings;
        assert!(!timings.image.is_zero() && !timings.create.is_zero());
    }
    assert_eq!(asked(&engine).1 - before.1, 1);
    until("a volume each", || volumes(&engine).len() == 2).await;
    manager
        .open(&key("carol", "demo"), &spec)
        .await
        .expect("it opens");
    assert_eq!(asked(&engine).1 - before.1, 1);
}

#[tokio::test]
async fn what_is_missing_and_mustnt_be_pulled_is_told_as_the_images_failure() {
    let engine = registry().await;
    let manager = manager(&engine).await;
    let before = asked(&engine);
    let never = app().with_image(EnsureOptions::default().with_policy(PullPolicy::Never));
    let refused = manager.open(&key("alice", "demo"), &never).await;
    let error = refused.expect_err("it isn't there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let failure = OpenFailure::of(&error).expect("an open's");
    assert_eq!(failure.phase(), Phase::Image, "{error:#}");
    assert_eq!(asked(&engine).1, before.1);
    until("nothing is left", || volumes(&engine).is_empty()).await;
}

#[tokio::test]
async fn what_must_be_new_or_of_a_platform_is_looked_for_before() {
    let engine = registry().await;
    let manager = manager(&engine).await;
    let always = EnsureOptions::default().with_policy(PullPolicy::Always);
    let platform = EnsureOptions::default().with_platform("linux/amd64");
    for (count, (owner, how)) in [("alice", always), ("bob", platform)]
        .into_iter()
        .enumerate()
    {
        let spec = app().with_image(how);
        let before = asked(&engine);
        let opened = manager.open(&key(owner, "demo"), &spec).await;
        let timings = opened.expect("it opens").opening().timings;
        assert!(!timings.image.is_zero());
        let after = asked(&engine);
        assert!(after.0 > before.0);
        // It is of that platform once it is there.
        assert_eq!(after.1 - before.1, 1 - count);
    }
}

#[tokio::test]
async fn how_it_is_come_by_is_checked_before_anything_is_sent() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let before = names(&engine);
    let wrong = spec().with_image(EnsureOptions::default().with_platform("no platform at all"));
    let refused = manager.open(&key("alice", "demo"), &wrong).await;
    assert_eq!(refused.expect_err("no").kind(), ErrorKind::InvalidInput);
    assert_eq!((names(&engine), asked(&engine).0), (before, 0));
}
