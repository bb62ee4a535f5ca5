//! The hybrid on a real engine, with async paths that are dead, silent, or well.

mod common;

use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catamaran::model::{
    ContainerPath, ContainerRef, ImageRef, ImportOptions, KillOptions, LabelKey, ListOptions,
    ListVolumesOptions, LogsOptions, RemoveOptions, Signal, StartOutcome, TarArchive, VolumeName,
    VolumeSpec, WaitCondition, WaitOptions,
};
use catamaran::{
    ApiVersion, AsyncEngine, BlockingEngine, CallContext, CallReport, Config, ContainerBackend,
    Effect, Endpoint, EngineKind, ErrorKind, HybridBackend, LastCall, Mode, Operation, Reason,
};
use common::proxy::{Fault, Proxy};
use common::{config, shell, unique, witness};

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
async fn a_silent_path_leaves_time_for_a_stream_of_samples() {
    let silent = Silent::new();
    let hybrid = hybrid_over(silent.endpoint()).with_operation_timeout(Duration::from_secs(3));
    let error = hybrid.stats_stream(&nobody()).await.expect_err("nobody");
    assert_eq!(
        (error.kind(), error.engine()),
        (ErrorKind::NotFound, Some(EngineKind::Blocking)),
        "{error}"
    );
}

#[tokio::test]
async fn a_signal_that_may_have_been_sent_is_not_sent_again() {
    let silent = Silent::new();
    let last = Arc::new(LastCall::default());
    let hurried = hybrid_over(silent.endpoint())
        .with_observer(last.clone())
        .with_context(CallContext::new().with_timeout(Duration::from_millis(500)));
    let signal = KillOptions::default().with_signal(Signal::new("USR1").expect("a signal"));
    let error = hurried.kill(&nobody(), &signal).await.expect_err("silence");
    assert_eq!(
        (error.kind(), error.effect(), error.engine()),
        (ErrorKind::Timeout, Effect::Unknown, Some(EngineKind::Async))
    );
    let report = last.get().expect("a report");
    assert_eq!((report.engine, report.attempts), (EngineKind::Async, 1));
}

#[tokio::test]
async fn a_creation_that_meets_silence_is_made_once_by_the_other_path() {
    let silent = Silent::new();
    let hybrid = hybrid_over(silent.endpoint()).with_operation_timeout(Duration::from_secs(6));
    let name = unique("once");
    let created = hybrid.create(&shell(&name, "true").await).await;
    let found = witness().list(&ListOptions::all().with_name(&name)).await;
    let found = found.expect("a list");
    let id = created.expect("a container").id;
    let removed = witness().remove(&id, &RemoveOptions::force()).await;
    removed.expect("a removal");
    assert_eq!(found.iter().map(|one| &one.id).collect::<Vec<_>>(), [&id]);
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
    let archive = TarArchive::stream(futures::stream::iter([Ok(bytes::Bytes::new())]));
    let options = ImportOptions::new(ImageRef::new("catamaran/never:test").expect("an image"));
    let error = dead()
        .import_image(&options, archive)
        .await
        .expect_err("no engine");
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.first_failure().is_none());

    let (path, options) = (ContainerPath::new("/").expect("a path"), Default::default());
    let archive = TarArchive::stream(futures::stream::iter([Ok(bytes::Bytes::new())]));
    let put = dead()
        .put_archive(&nobody(), &path, &options, archive)
        .await;
    assert!(put.expect_err("no engine").first_failure().is_none());
    // What is in memory is.
    let put = dead()
        .put_archive(&nobody(), &path, &options, "tar".into())
        .await;
    assert!(put.expect_err("no engine").first_failure().is_some());
}

/// Loses, after so many bytes, the answers to requests that contain this.
fn losing(part: &'static str, after: usize) -> Proxy {
    Proxy::start(move |request| {
        if request.contains(part) {
            Fault::Cut(after)
        } else {
            Fault::None
        }
    })
}

#[tokio::test]
async fn a_program_is_not_run_twice() {
    let proxy = losing("/start", 0);
    let name = unique("charged");
    let spec = shell(&name, "echo charged").await;
    let created = witness().create(&spec).await.expect("a container").id;
    let started = hybrid_over(proxy.endpoint()).start(&created).await;
    let ended = witness().wait(&created, &WaitOptions::default()).await;
    let log = witness().logs(&created, &LogsOptions::default()).await;
    let log = log.expect("a log").output(1024).await;
    let removed = witness().remove(&created, &RemoveOptions::force()).await;
    assert_eq!(started.expect("a look shows it"), StartOutcome::Started);
    assert_eq!(ended.expect("an end").exit_code, 0);
    assert_eq!(&log.expect("output").stdout[..], b"charged\n");
    removed.expect("a removal");
}

#[tokio::test]
async fn a_creation_whose_answer_was_cut_is_found_again() {
    for after in [0, 1, 12] {
        let proxy = losing("/create", after);
        let name = unique(&format!("cut-{after}"));
        let mut spec = shell(&name, "true").await;
        // Without a name of the caller's the engine would not refuse the second.
        spec.name = None;
        let spec = spec.with_label("catamaran.test", name.as_str());
        let created = hybrid_over(proxy.endpoint())
            .create(&spec.expect("a label"))
            .await;
        let key = LabelKey::new("catamaran.test").expect("a key");
        let bearing = ListOptions::all().with_label(key, name.to_string());
        let made = witness().list(&bearing).await.expect("a list");
        for container in &made {
            let removed = witness()
                .remove(&container.id, &RemoveOptions::force())
                .await;
            removed.expect("a removal");
        }
        let created = created.expect("it is found again");
        assert_eq!(
            made.iter().map(|one| &one.id).collect::<Vec<_>>(),
            [&created.id]
        );
        assert!(created.warnings[0].contains("lost"), "{created:?}");
    }
}

#[tokio::test]
async fn a_name_that_another_holds_stays_the_others() {
    let proxy = losing("/create", 0);
    let (name, witness) = (unique("foreign"), witness());
    let foreign = witness.create(&shell(&name, "true").await).await;
    let foreign = foreign.expect("a container").id;
    let error = hybrid_over(proxy.endpoint())
        .create(&shell(&name, "true").await)
        .await;
    let there = witness.inspect(&foreign).await;
    let removed = witness.remove(&foreign, &RemoveOptions::force()).await;
    let error = error.expect_err("the name is taken");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Conflict, Effect::Rejected),
        "{error}"
    );
    assert!(there.is_ok(), "{there:?}");
    removed.expect("a removal");
}

/// By its name a second creation shows the volume of the first; without, its label tells.
#[tokio::test]
async fn a_volume_whose_answer_was_cut_is_found_again() {
    let proxy = losing("/volumes/create", 0);
    let label = LabelKey::new("catamaran.test").expect("a key");
    let group = unique("volume");
    let spec = VolumeSpec::new().with_label(&label, group.as_str());
    let mut spec = spec.expect("a label");
    let hybrid = hybrid_over(proxy.endpoint());
    let nameless = hybrid.create_volume(&spec).await;
    spec.name = Some(VolumeName::new(&group).expect("a name"));
    let named = hybrid.create_volume(&spec).await;
    let bearing = ListVolumesOptions::default().with_label(label, group.to_string());
    let made = witness()
        .list_volumes(&bearing)
        .await
        .expect("a list")
        .volumes;
    for volume in &made {
        let name = volume.reference().expect("a name");
        let removed = witness().remove_volume(&name, &Default::default()).await;
        removed.expect("a removal");
    }
    let (nameless, named) = (nameless.expect("by its label"), named.expect("by its name"));
    assert_eq!(named.name, group.as_str());
    assert_eq!(made.len(), 2);
    for volume in [nameless, named] {
        assert!(made.iter().any(|one| one.name == volume.name), "{volume:?}");
    }
}

#[tokio::test]
async fn a_wait_for_the_next_exit_is_not_begun_again() {
    let proxy = losing("condition=next-exit", 0);
    let name = unique("next-exit");
    let spec = shell(&name, "true").await;
    let created = witness().create(&spec).await.expect("a container").id;
    let next = WaitOptions::default().with_condition(WaitCondition::NextExit);
    let hybrid = hybrid_over(proxy.endpoint());
    let waited = tokio::time::timeout(Duration::from_secs(20), hybrid.wait(&created, &next)).await;
    let removed = witness().remove(&created, &RemoveOptions::force()).await;
    let error = waited.expect("no endless wait").expect_err("it was cut");
    assert_eq!(error.engine(), Some(EngineKind::Async));
    removed.expect("a removal");
}

#[tokio::test]
async fn waiting_for_a_turn_is_no_failure_of_the_path() {
    let proxy = Proxy::start(|_| Fault::Late(Duration::from_millis(1800)));
    let config = Config::builder()
        .endpoint(proxy.endpoint())
        .pool_size(1)
        .operation_timeout(Duration::from_secs(9))
        .build()
        .expect("a configuration");
    let served = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&served);
    let hybrid = HybridBackend::new(&config)
        .expect("a backend")
        .with_observer(Arc::new(move |report: &CallReport| {
            kept.lock().expect("reports").push(report.engine);
        }));
    // The last one's turn comes when two thirds of its time are nearly over.
    let pings = futures::future::join_all((0..4).map(|_| hybrid.ping())).await;
    for ping in pings {
        ping.expect("a pong");
    }
    assert_eq!(*served.lock().expect("reports"), [EngineKind::Async; 4]);
}

#[tokio::test]
async fn its_own_timeout_holds_for_every_call() {
    let silent = Silent::new();
    let hybrid = hybrid_over(silent.endpoint()).with_operation_timeout(Duration::from_millis(100));
    let spec = shell(&unique("timeout"), "true").await;
    for mode in [Mode::Async, Mode::Auto] {
        hybrid.set_mode(mode);
        let create = tokio::time::timeout(Duration::from_secs(10), hybrid.create(&spec));
        let error = create.await.expect("in time").expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
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
        (ErrorKind::Saturated, Effect::NotSent)
    );
    assert!(error.to_string().contains("ASYNC_POOL_SIZE"), "{error}");
}
