//! Containers that go with their scope, on a real engine: run once, guarded, waited for.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerSpec, HealthCheck, HealthyOptions, ImageRef, RemoveOptions,
    RestartPolicy, RunOptions,
};
use catamaran::{
    AsyncEngine, CallContext, Config, ContainerBackend, ContainerBackendExt, Effect, ErrorKind,
    HybridBackend,
};
use common::peer::{Answer, Peer, Recorded};
use common::proxy::{Fault, Proxy};
use common::{config, exists, shell, unique, witness};

fn backend() -> Arc<dyn ContainerBackend> {
    Arc::new(HybridBackend::new(&config()).expect("a backend"))
}

/// Waits until no container bears that name, for at most so long.
async fn gone_within(name: &ContainerName, most: Duration) {
    let gone = async {
        while exists(name).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(most, gone)
        .await
        .unwrap_or_else(|_| panic!("{name} is still there"));
}

#[tokio::test]
async fn a_run_gives_code_and_output_and_leaves_nothing() {
    let name = unique("run");
    let spec = shell(&name, "echo out; echo err >&2; exit 3").await;
    let ran = backend().run(&spec).await.expect("a run");
    assert_eq!(
        (ran.exit_code, &ran.stdout[..], &ran.stderr[..]),
        (3, &b"out\n"[..], &b"err\n"[..])
    );
    assert!(!ran.success() && !ran.truncated && !ran.oom_killed);
    assert!(!exists(&name).await);

    let spec = shell(&name, "head -c 100000 /dev/zero").await;
    let brief = RunOptions::default().with_max_output(10usize);
    let ran = backend().run_with(&spec, &brief).await.expect("a run");
    assert_eq!((ran.stdout.len(), ran.truncated), (10, true));
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn a_run_that_fails_leaves_nothing() {
    let name = unique("failed-run");
    let mut spec = shell(&name, "").await.with_command(["/no/such/program"]);
    // An init process would start, and be the one to fail.
    spec.init = Some(false);
    let error = backend().run(&spec).await.expect_err("no program");
    assert_eq!(error.effect(), Effect::Rejected, "{error}");
    gone_within(&name, Duration::from_secs(20)).await;

    let again = shell(&name, "true").await;
    let again = again.with_restart_policy(RestartPolicy::Always);
    let error = backend().run(&again).await.expect_err("it never ends");
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("restart_policy"))
    );
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_nothing() {
    let name = unique("dropped-run");
    let spec = shell(&name, "sleep 600").await;
    let backend = backend();
    let run = tokio::spawn(async move { backend.run(&spec).await });
    let begun = async {
        while !exists(&name).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun)
        .await
        .expect("it begins");
    run.abort();
    gone_within(&name, Duration::from_secs(20)).await;
}

#[tokio::test]
async fn a_guard_removes_however_its_scope_ends() {
    let backend = backend();

    let name = unique("guard-removed");
    let guard = backend.scoped(&shell(&name, "sleep 600").await).await;
    let guard = guard.expect("a container");
    backend.start(&guard).await.expect("a start");
    assert!(exists(&name).await);
    guard.remove().await.expect("a removal");
    assert!(!exists(&name).await);

    let name = unique("guard-panic");
    let guard = backend.scoped(&shell(&name, "sleep 600").await).await;
    let guard = guard.expect("a container");
    let panicked = tokio::spawn(async move {
        let _guard = guard;
        panic!("on purpose");
    });
    assert!(panicked.await.expect_err("a panic").is_panic());
    gone_within(&name, Duration::from_secs(20)).await;

    let name = unique("guard-kept");
    let guard = backend.scoped(&shell(&name, "sleep 600").await).await;
    let id = guard.expect("a container").keep();
    let removed = witness().remove(&id, &RemoveOptions::force()).await;
    removed.expect("it was kept");
}

#[test]
fn the_shutdown_of_a_runtime_waits_for_the_removal() {
    let name = unique("shutdown");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let guard = backend().scoped(&shell(&name, "sleep 600").await).await;
        let guard = guard.expect("a container");
        assert!(exists(&name).await);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(guard);
        });
    });
    drop(runtime);
    let another = tokio::runtime::Runtime::new().expect("a runtime");
    assert!(!another.block_on(exists(&name)));
}

#[test]
fn a_drop_outside_of_a_runtime_waits_for_the_removal() {
    let name = unique("outside");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let guard = runtime.block_on(async {
        let spec = shell(&name, "sleep 600").await;
        backend().scoped(&spec).await.expect("a container")
    });
    drop(runtime);
    drop(guard);
    let another = tokio::runtime::Runtime::new().expect("a runtime");
    assert!(!another.block_on(exists(&name)));
}

#[tokio::test]
async fn a_creation_that_is_dropped_leaves_nothing() {
    let backend = backend();
    for millis in 0..12u64 {
        let name = unique(&format!("dropped-{millis}"));
        let spec = shell(&name, "true").await;
        // Cut off before, within or after the engine's work.
        let creation = backend.scoped(&spec);
        drop(tokio::time::timeout(Duration::from_millis(millis), creation).await);
        // The engine reserves a name when a creation begins: once somebody else gets it, nothing of the
        // first one is there or under way.
        let witness = witness();
        let taken = async {
            loop {
                match witness.create(&spec).await {
                    Ok(created) => return created.id,
                    Err(error) => assert_eq!(error.effect(), Effect::Rejected, "{error}"),
                }
                tokio::task::yield_now().await;
            }
        };
        let id = tokio::time::timeout(Duration::from_secs(20), taken)
            .await
            .expect("the name becomes free");
        let removed = witness.remove(&id, &RemoveOptions::force()).await;
        removed.expect("it is the witness's own");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_in_doubt_leaves_nothing() {
    // The answer is lost whole, or its head is cut.
    for after in [0, 12] {
        let proxy = Proxy::start(move |request| {
            if request.contains("/containers/create") {
                Fault::Cut(after)
            } else {
                Fault::None
            }
        });
        let backend = AsyncEngine::connect(proxy.endpoint()).expect("an engine");
        let name = unique(&format!("doubt-{after}"));
        let created = backend.scoped(&shell(&name, "true").await).await;
        let error = created.expect_err("no answer");
        assert_eq!(error.effect(), Effect::Unknown, "{error}");
        gone_within(&name, Duration::from_secs(20)).await;
    }
}

#[tokio::test]
async fn a_removal_by_somebody_else_is_waited_for() {
    let peer = Peer::start();
    peer.follow(Arc::new(|count, request: &Recorded| match count {
        0 => Answer::new(200).with_header("Api-Version", "1.41"),
        1 => Answer::new(201).with_body(r#"{"Id":"0123456789ab"}"#),
        2..5 => Answer::new(409).with_body(r#"{"message":"removal is already in progress"}"#),
        _ => {
            assert_eq!(request.method, "DELETE");
            Answer::new(404).with_body(r#"{"message":"No such container"}"#)
        }
    }));
    let backend = AsyncEngine::connect(peer.endpoint()).expect("an engine");
    let spec = ContainerSpec::new(ImageRef::new("x").expect("an image"));
    let guard = backend.scoped(&spec).await.expect("a container");
    guard.remove().await.expect("it is gone in the end");
    assert_eq!(peer.recorded().len(), 6);
}

#[test]
fn an_engine_that_hangs_does_not_take_the_hosts_threads() {
    let host = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    // The road lives on when the host ends.
    let road = tokio::runtime::Runtime::new().expect("a runtime");
    let hangs = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&hangs);
    let proxy = road.block_on(async {
        Proxy::start(move |request| {
            if request.starts_with("DELETE") && told.load(Ordering::Relaxed) {
                Fault::Silent
            } else {
                Fault::None
            }
        })
    });
    let config = Config::builder()
        .endpoint(proxy.endpoint())
        .operation_timeout(Duration::from_millis(500))
        .build()
        .expect("a configuration");
    let names: Vec<_> = (0..4)
        .map(|count| unique(&format!("hang-{count}")))
        .collect();
    host.block_on(async {
        let backend = AsyncEngine::new(&config).expect("an engine");
        let patient = CallContext::new().with_timeout(Duration::from_secs(20));
        let backend = backend.with_context(patient);
        for name in &names {
            let guard = backend.scoped(&shell(name, "true").await).await;
            hangs.store(true, Ordering::Relaxed);
            drop(guard.expect("a container"));
            hangs.store(false, Ordering::Relaxed);
        }
        hangs.store(true, Ordering::Relaxed);
        let free = tokio::task::spawn_blocking(|| ());
        let free = tokio::time::timeout(Duration::from_secs(5), free).await;
        free.expect("a thread is free").expect("it ran");
        hangs.store(false, Ordering::Relaxed);
    });
    drop(host);
    let another = tokio::runtime::Runtime::new().expect("a runtime");
    for name in &names {
        assert!(!another.block_on(exists(name)), "{name}");
    }
}

#[tokio::test]
async fn health_is_waited_for() {
    let backend = backend();
    let every_second = |line: &str| {
        HealthCheck::shell(line)
            .with_interval(Duration::from_secs(1))
            .with_retries(1u32)
    };
    let options = HealthyOptions::default();
    for (test, line, check, expected) in [
        ("well", "sleep 600", Some("true"), Ok(())),
        (
            "unwell",
            "sleep 600",
            Some("echo sorry; false"),
            Err("unhealthy; its last check printed \"sorry"),
        ),
        ("unchecked", "sleep 600", None, Err("no health check")),
        ("ended", "exit 9", Some("true"), Err("exit code 9")),
    ] {
        let name = unique(test);
        let mut spec = shell(&name, line).await;
        spec.health_check = check.map(every_second);
        let guard = backend.scoped(&spec).await.expect("a container");
        let early = backend.wait_healthy(&guard, &options).await;
        let early = early.expect_err("it hasn't been started");
        assert_eq!(early.kind(), ErrorKind::Container, "{early}");
        backend.start(&guard).await.expect("a start");
        if test == "ended" {
            backend
                .wait(&guard, &Default::default())
                .await
                .expect("an end");
        }
        let waited = backend.wait_healthy(&guard, &options).await;
        match (waited, expected) {
            (Ok(details), Ok(())) => assert_eq!(details.name, name.as_str()),
            (Err(error), Err(text)) => {
                assert_eq!(error.kind(), ErrorKind::Container);
                assert!(error.to_string().contains(text), "{error}");
            }
            (waited, _) => panic!("{test}: {waited:?}"),
        }
        guard.remove().await.expect("a removal");
    }
}

#[tokio::test]
async fn health_is_not_waited_for_without_end() {
    let backend = backend();
    let name = unique("slow");
    let check = HealthCheck::shell("true").with_interval(Duration::from_secs(600));
    let spec = shell(&name, "sleep 600").await.with_health_check(check);
    let guard = backend.scoped(&spec).await.expect("a container");
    backend.start(&guard).await.expect("a start");
    let brief = HealthyOptions::default()
        .with_timeout(Duration::from_millis(200))
        .with_interval(Duration::MAX);
    let error = backend.wait_healthy(&guard, &brief).await;
    let error = error.expect_err("its first check is far away");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    guard.remove().await.expect("a removal");
}
