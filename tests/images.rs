//! Pulls, on a scripted peer: what is sent, what is read, and what is taken for the end.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use catamaran::blocking::Backend;
use catamaran::model::{
    EnsureOptions, ImageRef, PullEvent, PullOptions, PullPolicy, PullStatus, RegistryAuth,
};
use catamaran::{
    ApiVersion, CallContext, Config, ContainerBackend, ContainerBackendExt, Effect, Error,
    ErrorKind, Operation, Result,
};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Notify;

use common::backends;
use common::peer::{Answer, Peer, Recorded};

const DONE: &str = "{\"status\":\"Status: Downloaded newer image for x:latest\"}\r\n";
const SECRET: &str = "s3cret-canary";

/// Both engines and their hybrid.
fn all(peer: &Peer) -> [Arc<dyn ContainerBackend>; 3] {
    let config = Config::builder()
        .endpoint(peer.endpoint())
        .api_version(ApiVersion::NEWEST)
        .build()
        .expect("a configuration");
    backends(&config).map(|(_, backend)| backend)
}

/// Sends one piece of a pull, and the other when it is told to.
fn half_answering(peer: &Peer) -> Arc<Notify> {
    let held = Arc::new(Notify::new());
    let pieces = vec![Bytes::from(DONE), Bytes::from(DONE)];
    let answer = Answer::new(200).with_pieces(pieces).held_by(&held);
    answering(peer, answer, true);
    held
}

fn image(text: &str) -> ImageRef {
    ImageRef::new(text).expect("a reference")
}

fn is_pull(request: &Recorded) -> bool {
    request.method == http::Method::POST && request.path.ends_with("/images/create")
}

fn pulls(peer: &Peer) -> usize {
    peer.recorded().iter().filter(|one| is_pull(one)).count()
}

fn details() -> Answer {
    let id = "a".repeat(64);
    let image =
        serde_json::json!({"Id": format!("sha256:{id}"), "Os": "linux", "Architecture": "amd64"});
    Answer::new(200).with_body(image.to_string())
}

/// Answers a pull so; the image is there from then on, where it is `there` in the end.
fn answering(peer: &Peer, pull: Answer, there: bool) {
    let pulled = AtomicBool::new(false);
    peer.follow(Arc::new(move |_, request| {
        if is_pull(request) {
            pulled.store(there, Ordering::Relaxed);
            return pull.clone();
        }
        if pulled.load(Ordering::Relaxed) {
            return details();
        }
        Answer::new(404).with_body(r#"{"message":"No such image: x:latest"}"#)
    }));
}

fn streaming(text: impl Into<Bytes>) -> Answer {
    Answer::new(200).with_body(text)
}

async fn pull(backend: &dyn ContainerBackend) -> Result<Vec<PullEvent>> {
    let progress = backend
        .pull_image(&image("x"), &PullOptions::default())
        .await?;
    progress.try_collect().await
}

/// Waits for what another task is about to do.
async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting);
    waited.await.expect("within 20 s");
}

#[track_caller]
fn assert_failed(error: &Error, kind: ErrorKind, effect: Effect) {
    assert_eq!((error.kind(), error.effect()), (kind, effect), "{error}");
    assert_eq!(error.operation(), Some(Operation::PullImage));
    assert!(
        error.engine().is_some() && error.subject().is_some(),
        "{error}"
    );
}

#[tokio::test]
async fn progress_comes_as_it_is_made_and_the_end_is_confirmed() {
    let peer = Peer::start();
    for backend in all(&peer) {
        let held = Arc::new(Notify::new());
        let first = concat!(
            "{\"status\":\"Pulling from library/x\",\"id\":\"latest\"}\r\n",
            "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":9},\"id\":\"a1\"}\r\n{\"sta",
        );
        let rest = format!("tus\":\"Defragmenting\",\"id\":\"a1\"}}\r\n{DONE}");
        let pieces = vec![Bytes::from(first), Bytes::from(rest)];
        answering(
            &peer,
            Answer::new(200).with_pieces(pieces).held_by(&held),
            true,
        );
        let options = PullOptions::default().with_platform("linux/arm64");
        let name = image("[::1]:5000/team/x:1.2");
        let mut progress = backend.pull_image(&name, &options).await.expect("a pull");
        let begun = progress.next().await.expect("an event").expect("progress");
        assert_eq!(begun.id.as_deref(), Some("latest"));
        let event = progress.next().await.expect("an event").expect("progress");
        assert_eq!(event.status, PullStatus::Downloading);
        assert_eq!(
            (event.id.as_deref(), event.current, event.total),
            (Some("a1"), Some(5), Some(9))
        );
        assert_eq!(peer.recorded().len(), 1, "nothing is confirmed yet");
        held.notify_one();
        let rest: Vec<_> = progress.try_collect().await.expect("the rest");
        assert_eq!(
            rest[0].status,
            PullStatus::Other("Defragmenting".to_owned())
        );
        assert_eq!(rest.len(), 2);
        let recorded = peer.recorded();
        let query = "fromImage=%5B%3A%3A1%5D%3A5000%2Fteam%2Fx&tag=1.2&platform=linux%2Farm64";
        assert_eq!(recorded[0].query.as_deref(), Some(query));
        assert!(!recorded[0].headers.contains_key("x-registry-auth"));
        assert!(recorded[0].body.is_empty());
        assert!(
            recorded[1]
                .path
                .ends_with("/images/%5B::1%5D:5000/team/x:1.2/json")
        );
        assert_eq!(recorded.len(), 2);
    }
}

#[tokio::test]
async fn an_error_in_the_stream_is_the_pulls() {
    let peer = Peer::start();
    for backend in all(&peer) {
        for (message, kind) in [
            (
                r#"{"errorDetail":{"message":"no space left"},"error":"no space left"}"#,
                ErrorKind::Engine,
            ),
            (r#"{"error":"no space left"}"#, ErrorKind::Engine),
            (
                r#"{"errorDetail":{"code":403,"message":"no"}}"#,
                ErrorKind::Denied,
            ),
            (
                r#"{"error":"unauthorized: authentication required"}"#,
                ErrorKind::Denied,
            ),
            (
                r#"{"error":"manifest for x:latest not found"}"#,
                ErrorKind::NotFound,
            ),
        ] {
            let body = format!("{{\"status\":\"Downloading\"}}\n{message}\n{DONE}");
            answering(&peer, streaming(body), true);
            let (name, options) = (image("x"), PullOptions::default());
            let progress = backend.pull_image(&name, &options).await;
            let events: Vec<_> = progress.expect("a stream").collect().await;
            assert_eq!(events.len(), 2, "the error is the last: {events:?}");
            assert_failed(
                events[1].as_ref().expect_err(message),
                kind,
                Effect::Rejected,
            );
            assert_eq!(peer.recorded().len(), 1, "nothing to confirm");
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_stream_has_its_kind() {
    let peer = Peer::start();
    for backend in all(&peer) {
        for (status, message, kind) in [
            (404, "pull access denied for x", ErrorKind::NotFound),
            (403, "no", ErrorKind::Denied),
            (
                500,
                "Get https://x/v2/: unauthorized: no",
                ErrorKind::Denied,
            ),
            (500, "dial tcp: connection refused", ErrorKind::Engine),
        ] {
            let body = serde_json::json!({ "message": message }).to_string();
            answering(&peer, Answer::new(status).with_body(body), true);
            let error = pull(&*backend).await.expect_err(message);
            assert_failed(&error, kind, Effect::Rejected);
            assert_eq!((error.status(), error.message()), (Some(status), message));
            assert_eq!(peer.recorded().len(), 1, "an answer is the caller's");
        }
    }
}

#[tokio::test]
async fn an_end_without_the_image_is_no_end() {
    let peer = Peer::start();
    for backend in all(&peer) {
        for body in ["", DONE] {
            answering(&peer, streaming(body), false);
            let error = pull(&*backend).await.expect_err("no image");
            assert_failed(&error, ErrorKind::Engine, Effect::Rejected);
            assert!(error.to_string().contains("isn't there"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_pulls_no_second_time() {
    let peer = Peer::start();
    let whole = format!("{{\"status\":\"Downloading\"}}\n{DONE}");
    let endless: Vec<_> = std::iter::repeat_n(Bytes::from(vec![b'x'; 1 << 16]), 64).collect();
    for backend in all(&peer) {
        for (answer, kind) in [
            (streaming(whole[..40].to_owned()), ErrorKind::Decode),
            (streaming("<html>"), ErrorKind::Decode),
            (
                Answer::new(200).with_pieces(endless.clone()),
                ErrorKind::TooLarge,
            ),
        ] {
            answering(&peer, answer, true);
            let error = pull(&*backend).await.expect_err("half a pull");
            assert_failed(&error, kind, Effect::Unknown);
            assert_eq!(peer.recorded().len(), 1, "{error}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_is_no_end() {
    let peer = Peer::start();
    let event = "{\"status\":\"Downloading\"}\n";
    for backend in all(&peer) {
        let held = Arc::new(Notify::new());
        // Promises more than comes: the connection ends within the body, between two lines.
        let answer = Answer::new(200)
            .with_header("content-length", "4096")
            .with_pieces(vec![Bytes::from(event), Bytes::from(DONE)])
            .held_by(&held);
        answering(&peer, answer, true);
        let (name, options) = (image("x"), PullOptions::default());
        let progress = backend.pull_image(&name, &options).await;
        let mut progress = progress.expect("a stream");
        progress.next().await.expect("an event").expect("progress");
        held.notify_one();
        let rest: Result<Vec<_>> = progress.try_collect().await;
        let error = rest.expect_err("half a pull");
        assert_failed(&error, ErrorKind::Transport, Effect::Unknown);
        assert_eq!(peer.recorded().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn the_callers_deadline_covers_the_stream() {
    let peer = Peer::start();
    for backend in all(&peer) {
        let _held = half_answering(&peer);
        let hurried = CallContext::new().with_timeout(Duration::from_millis(300));
        let error = pull(&*backend.with_context(hurried)).await;
        assert_failed(
            &error.expect_err("too slow"),
            ErrorKind::Timeout,
            Effect::Unknown,
        );
    }
}

#[tokio::test]
async fn a_pull_of_which_nothing_is_heard_is_given_up() {
    let peer = Peer::start();
    for backend in all(&peer) {
        let _held = half_answering(&peer);
        let options = PullOptions::default().with_stall_timeout(Duration::from_millis(300));
        let progress = backend.pull_image(&image("x"), &options).await;
        let mut progress = progress.expect("it begins");
        assert!(progress.next().await.is_some_and(|event| event.is_ok()));
        let error = progress.next().await.expect("an end").expect_err("silence");
        assert_failed(&error, ErrorKind::Timeout, Effect::Unknown);
        assert!(error.to_string().contains("300ms"), "{error}");
        assert!(progress.next().await.is_none());
    }
}

/// Everything that this thread's subscriber is told, at every level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl tracing::Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl tracing::field::Visit for Everything {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let mut all = self.0.lock().expect("the records");
        all.push_str(&format!("{field}={value:?}\n"));
    }
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let seen = Everything::default();
    // The blocking engine's threads too: for the whole process, and this is its one subscriber.
    tracing::subscriber::set_global_default(seen.clone()).expect("the only one");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let auth = RegistryAuth::password("me", SECRET).with_server_address("registry.example");
    let options = PullOptions::default().with_auth(auth);
    let mut said = format!("{options:?}");
    let mut header = None;
    runtime.block_on(async {
        let peer = Peer::start();
        for backend in all(&peer) {
            answering(&peer, Answer::new(500).with_body("no"), true);
            let refused = backend.pull_image(&image("x"), &options).await;
            let error = refused.expect_err("a refusal");
            said.push_str(&format!("{error} {error:#} {error:?}"));
            let sent = peer.recorded()[0].headers["x-registry-auth"].clone();
            header = Some(sent.to_str().expect("text").to_owned());
            answering(&peer, streaming(DONE), true);
            let ensure = EnsureOptions::default().with_auth(options.auth.clone());
            let ensured = backend.ensure_image(&image("x"), &ensure).await;
            said.push_str(&format!("{ensure:?} {ensured:?}"));
        }
    });
    let header = header.expect("a header");
    use base64::Engine as _;
    let json = base64::engine::general_purpose::URL_SAFE.decode(&header);
    let json: serde_json::Value = serde_json::from_slice(&json.expect("base64url")).expect("JSON");
    let expected = serde_json::json!({"username": "me", "password": SECRET, "serveraddress": "registry.example"});
    assert_eq!(json, expected);
    said.push_str(&seen.0.lock().expect("the records"));
    assert!(!said.contains(SECRET) && !said.contains(&header));
}

#[tokio::test]
async fn ten_who_ask_at_once_share_one_pull() {
    let peer = Peer::start();
    for backend in all(&peer) {
        for policy in [PullPolicy::IfMissing, PullPolicy::Always] {
            answering(&peer, streaming(DONE), true);
            let options = EnsureOptions::default().with_policy(policy);
            let name = image("x");
            let asked = (0..10).map(|_| {
                // Each by a handle of its own, as hosts have them.
                let handle = backend.with_context(CallContext::new());
                let (name, options) = (&name, &options);
                async move { handle.ensure_image(name, options).await }
            });
            for ensured in join_all(asked).await {
                assert_eq!(ensured.expect("an image").os, "linux");
            }
            assert_eq!(pulls(&peer), 1, "{policy:?}");
        }
        answering(&peer, streaming(r#"{"error":"no space left"}"#), false);
        let name = image("x");
        let asked = (0..10).map(|_| {
            let (backend, name) = (&backend, &name);
            let options = EnsureOptions::default().with_policy(PullPolicy::Always);
            async move { backend.ensure_image(name, &options).await }
        });
        for ensured in join_all(asked).await {
            assert_failed(
                &ensured.expect_err("a failed pull"),
                ErrorKind::Engine,
                Effect::Rejected,
            );
        }
        assert_eq!(pulls(&peer), 1, "the failure is shared too");
    }
}

#[tokio::test]
async fn the_next_takes_over_from_one_who_goes_away() {
    let peer = Peer::start();
    for backend in all(&peer) {
        let held = half_answering(&peer);
        let ask = || {
            let backend = Arc::clone(&backend);
            let options = EnsureOptions::default().with_policy(PullPolicy::Always);
            async move { backend.ensure_image(&image("x"), &options).await }
        };
        let first = tokio::spawn(ask());
        until(|| pulls(&peer) == 1).await;
        let second = tokio::spawn(ask());
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.expect_err("it was ended").is_cancelled());
        until(|| pulls(&peer) == 2).await;
        // The one that went away may have waited for it too.
        held.notify_waiters();
        let ended = async {
            while !second.is_finished() {
                held.notify_one();
                tokio::task::yield_now().await;
            }
            second.await.expect("it ends")
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        assert_eq!(ended.expect("in time").expect("an image").os, "linux");
        assert_eq!(pulls(&peer), 2);
    }
}

#[tokio::test]
async fn another_platform_counts_as_missing() {
    let peer = Peer::start();
    let [backend, ..] = all(&peer);
    answering(&peer, streaming(DONE), true);
    pull(&*backend).await.expect("a pull");
    for (platform, expected) in [("linux/amd64", 1), ("linux/x86_64", 1), ("linux/arm64", 2)] {
        let options = EnsureOptions::default().with_platform(platform);
        let ensured = backend.ensure_image(&image("x"), &options).await;
        ensured.expect("an image");
        assert_eq!(pulls(&peer), expected, "{platform}");
    }
}

#[tokio::test]
async fn who_waits_for_anothers_pull_keeps_to_its_own_deadline() {
    let peer = Peer::start();
    for backend in all(&peer) {
        let held = half_answering(&peer);
        let options = EnsureOptions::default().with_policy(PullPolicy::Always);
        let first = tokio::spawn({
            let (backend, options) = (Arc::clone(&backend), options.clone());
            async move { backend.ensure_image(&image("x"), &options).await }
        });
        until(|| pulls(&peer) == 1).await;
        let hurried = CallContext::new().with_timeout(Duration::from_millis(50));
        let hurried = backend.with_context(hurried);
        let error = hurried.ensure_image(&image("x"), &options).await;
        assert_eq!(error.expect_err("too slow").kind(), ErrorKind::Timeout);
        held.notify_one();
        first.await.expect("it ends").expect("an image");
        assert_eq!(pulls(&peer), 1, "the other's went on");
    }
}

#[test]
fn without_a_runtime_a_pull_is_an_iterator() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime for the peer");
    let peer = runtime.block_on(async { Peer::start() });
    for backend in all(&peer) {
        let backend = Backend::over(backend).expect("a driver");
        let pull = || backend.pull_image(&image("x"), &PullOptions::default());
        answering(&peer, streaming(DONE), true);
        let events: Result<Vec<_>> = pull().expect("a stream").collect();
        assert_eq!(events.expect("progress").len(), 1);
        answering(&peer, streaming(DONE), false);
        let failed = pull().expect("a stream").finish();
        assert_failed(
            &failed.expect_err("no image"),
            ErrorKind::Engine,
            Effect::Rejected,
        );
        answering(&peer, streaming(DONE), true);
        let ensured = backend.ensure_image(&image("x"), &EnsureOptions::default());
        assert_eq!(ensured.expect("an image").os, "linux");
        assert_eq!(pulls(&peer), 1);
    }
}
