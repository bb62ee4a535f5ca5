//! The hybrid on a real engine, with async paths that are dead, silent, or well.

mod common;

use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catamaran::model::{
    ContainerRef, ImageArchive, ImageRef, ImportOptions, ListOptions, RemoveOptions,
};
use catamaran::{
    ApiVersion, AsyncEngine, BlockingEngine, CallContext, CallReport, Config, ContainerBackend,
    Effect, Endpoint, EngineKind, ErrorKind, HybridBackend, LastCall, Mode, Operation, Reason,
};
use common::{config, exists, shell, unique, witness};

/// A hybrid whose async path leads to that place, and whose blocking path leads to the real engine.
fn hybrid_over(endpoint: Endpoint) -> HybridBackend {
    let config = Config::builder()
        .endpoint(endpoint)
        // Pinned, so that the operation itself is the first thing sent.
        .api_version(ApiVersion::OLDEST)
        .build()
        .expect("a configuration");
    let path = AsyncEngine::new(&config).expect("an engine");
    HybridBackend::over(Arc::new(path), witness())
}

fn dead() -> HybridBackend {
    hybrid_over(Endpoint::unix("/nonexistent/docker.sock"))
}

/// A place that takes connections and never answers.
struct Silent {
    directory: tempfile::TempDir,
    _listener: UnixListener,
}

impl Silent {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("a socket");
        Self {
            directory,
            _listener: listener,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("sock"))
    }
}

fn nobody() -> ContainerRef {
    ContainerRef::new("catamaran-test-nobody").expect("a name")
}

#[tokio::test]
async fn a_dead_path_falls_back_and_says_so() {
    let last = Arc::new(LastCall::default());
    let hybrid = dead().with_observer(last.clone());
    hybrid.ping().await.expect("a pong");
    let report = last.get().expect("a report");
    assert_eq!(
        (report.operation, report.engine, report.failure),
        (Operation::Ping, EngineKind::Blocking, None)
    );
    let Reason::Fallback {
        kind,
        effect,
        message,
    } = report.reason
    else {
        panic!("no fallback: {report:?}");
    };
    assert_eq!(
        (kind, effect),
        (ErrorKind::Connect, Effect::NotSent),
        "{message}"
    );
    assert!(
        message.contains("unix:///nonexistent/docker.sock"),
        "{message}"
    );
}

#[tokio::test]
async fn what_was_never_sent_is_created_once() {
    let (name, witness) = (unique("hybrid"), witness());
    let spec = shell(&name, "true").await;
    let created = dead().create(&spec).await.expect("a container");
    let found = witness
        .list(&ListOptions::all().with_name(&name))
        .await
        .expect("a list");
    witness
        .remove(&created.id, &RemoveOptions::force())
        .await
        .expect("a removal");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, created.id);
}

#[tokio::test]
async fn an_answer_is_the_callers() {
    let last = Arc::new(LastCall::default());
    let hybrid = HybridBackend::new(&config())
        .expect("a backend")
        .with_observer(last.clone());
    assert_eq!(hybrid.mode(), Mode::Auto);
    let error = hybrid.start(&nobody()).await.expect_err("nobody is there");
    assert_eq!(
        (error.kind(), error.engine()),
        (ErrorKind::NotFound, Some(EngineKind::Async))
    );
    assert!(error.first_failure().is_none());
    let report = last.get().expect("a report");
    assert_eq!(
        (report.engine, report.reason, report.failure),
        (EngineKind::Async, Reason::Mode, Some(ErrorKind::NotFound))
    );
}

#[tokio::test]
async fn a_silent_path_leaves_time_for_what_may_be_repeated() {
    let silent = Silent::new();
    let last = Arc::new(LastCall::default());
    let hybrid = hybrid_over(silent.endpoint())
        .with_operation_timeout(Duration::from_secs(3))
        .with_observer(last.clone());
    let found = hybrid.list(&ListOptions::all()).await;
    let report = last.get().expect("a report");
    assert!(found.is_ok(), "{found:?}");
    assert!(report.elapsed < Duration::from_secs(3), "{report:?}");
    assert!(
        matches!(
            report.reason,
            Reason::Fallback {
                kind: ErrorKind::Timeout,
                effect: Effect::Unknown,
                ..
            }
        ),
        "{report:?}"
    );
}

#[tokio::test]
async fn what_may_have_happened_is_not_done_again() {
    let silent = Silent::new();
    let last = Arc::new(LastCall::default());
    let hurried = hybrid_over(silent.endpoint())
        .with_observer(last.clone())
        .with_context(CallContext::new().with_timeout(Duration::from_millis(100)));
    let name = unique("once");
    let spec = shell(&name, "true").await;
    let error = hurried.create(&spec).await.expect_err("silence");
    assert_eq!(
        (error.kind(), error.effect(), error.engine()),
        (ErrorKind::Timeout, Effect::Unknown, Some(EngineKind::Async))
    );
    assert_eq!(last.get().expect("a report").engine, EngineKind::Async);
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn the_async_mode_alone_does_not_fall_back() {
    let hybrid = dead().with_mode(Mode::Async);
    let error = hybrid.ping().await.expect_err("no engine");
    assert_eq!(
        (error.kind(), error.engine()),
        (ErrorKind::Connect, Some(EngineKind::Async))
    );
    assert_eq!(hybrid.set_mode(Mode::Auto), Mode::Async);
    hybrid.ping().await.expect("a pong");
}

#[tokio::test]
async fn when_both_paths_fail_the_error_tells_of_both() {
    let engine = |path: &str| Endpoint::unix(path);
    let hybrid = HybridBackend::over(
        Arc::new(AsyncEngine::connect(engine("/nonexistent/a.sock")).expect("an engine")),
        Arc::new(BlockingEngine::connect(engine("/nonexistent/b.sock")).expect("an engine")),
    );
    let error = hybrid.start(&nobody()).await.expect_err("no engine");
    assert_eq!(
        (error.engine(), error.effect()),
        (Some(EngineKind::Blocking), Effect::NotSent)
    );
    let first = error.first_failure().expect("the first failure");
    assert_eq!(first.engine(), Some(EngineKind::Async));
    let text = error.to_string();
    assert!(text.contains("a.sock") && text.contains("b.sock"), "{text}");
}

#[tokio::test]
async fn a_stream_is_not_sent_twice() {
    let archive = ImageArchive::stream(futures::stream::iter([Ok(bytes::Bytes::new())]));
    let options = ImportOptions::new(ImageRef::new("catamaran/never:test").expect("an image"));
    let error = dead()
        .import_image(&options, archive)
        .await
        .expect_err("no engine");
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_switch_loses_no_call_under_way() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let hybrid = HybridBackend::new(&config()).expect("a backend");
    let observed = hybrid.with_observer(Arc::new(move |report: &CallReport| {
        kept.lock()
            .expect("reports")
            .push((report.engine, report.reason.clone(), report.failure));
    }));
    let callers = (0..8).map(|_| {
        let observed = observed.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                observed.info().await.expect("an answer");
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    // Each switch waits for some calls, so that each mode serves.
    let count = || seen.lock().expect("reports").len();
    for turn in 0..6 {
        let mode = [Mode::Blocking, Mode::Async, Mode::Auto][turn % 3];
        hybrid.set_mode(mode);
        while count() < (turn + 1) * 50 {
            tokio::task::yield_now().await;
        }
    }
    futures::future::try_join_all(callers)
        .await
        .expect("no call failed");
    let seen = seen.lock().expect("reports");
    assert_eq!(seen.len(), 400);
    assert!(
        seen.iter()
            .all(|(_, reason, failure)| (reason, failure) == (&Reason::Mode, &None))
    );
    for kind in [EngineKind::Async, EngineKind::Blocking] {
        assert!(
            seen.iter().any(|(engine, ..)| *engine == kind),
            "{kind} never served"
        );
    }
}

#[tokio::test]
async fn both_engines_share_the_permits() {
    let silent = Silent::new();
    let config = Config::builder()
        .endpoint(silent.endpoint())
        .pool_size(1)
        .build()
        .expect("a configuration");
    let hybrid = HybridBackend::new(&config)
        .expect("a backend")
        .with_mode(Mode::Async);
    // Holds the only permit: nobody answers.
    let mut holder = std::pin::pin!(hybrid.ping());
    assert!(futures::poll!(&mut holder).is_pending());
    hybrid.set_mode(Mode::Blocking);
    let hurried = hybrid.with_context(CallContext::new().with_timeout(Duration::from_millis(50)));
    let error = hurried.ping().await.expect_err("no permit");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Timeout, Effect::NotSent)
    );
}
