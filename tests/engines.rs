//! The container life on a real engine, through both of ours, with the same answers from each.
//!
//! The environment names the engine (`DOCKER_HOST` and its kin), `CATAMARAN_TEST_ROOTFS` the root
//! file system of the test image; `scripts/test` sets what is needed.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ContainerState, ExecOptions, HealthCheck, ImageRef,
    ImportOptions, KillOptions, LabelKey, ListOptions, LogSource, LogsOptions, MemorySwap,
    RemoveOptions, Resources, Signal, StartOutcome, StopOptions, StopOutcome, UpdateOptions,
    WaitOptions,
};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, Effect, Endpoint,
    EngineKind, ErrorKind,
};
use futures::TryStreamExt;

type Backend = Arc<dyn ContainerBackend>;

fn endpoint() -> Endpoint {
    Config::from_env()
        .expect("a configuration")
        .endpoint()
        .clone()
}

fn engines() -> [(EngineKind, Backend); 2] {
    [
        (
            EngineKind::Async,
            Arc::new(AsyncEngine::connect(endpoint()).expect("an engine")),
        ),
        (
            EngineKind::Blocking,
            Arc::new(BlockingEngine::connect(endpoint()).expect("an engine")),
        ),
    ]
}

async fn image(backend: &Backend) -> ImageRef {
    let image = ImageRef::new("catamaran/busybox:test").expect("a reference");
    if !backend.image_exists(&image).await.expect("an answer") {
        let path = std::env::var("CATAMARAN_TEST_ROOTFS")
            .expect("CATAMARAN_TEST_ROOTFS: run scripts/test");
        let rootfs = std::fs::read(path).expect("the root file system");
        backend
            .import_image(&ImportOptions::new(image.clone()), rootfs.into())
            .await
            .expect("an import");
    }
    image
}

/// Removes the container however the test ends, out of band.
struct Cleanup(ContainerRef);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let id = self.0.clone();
        let remove = async move {
            let backend = AsyncEngine::connect(endpoint()).expect("an engine");
            drop(backend.remove(&id, &RemoveOptions::force()).await);
        };
        let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
        std::thread::spawn(move || runtime().block_on(remove))
            .join()
            .expect("a clean-up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_lives_through_each_engine() {
    for (kind, backend) in engines() {
        let name = ContainerName::new(format!("catamaran-test-life-{kind}-{}", std::process::id()))
            .expect("a name");
        let spec = ContainerSpec::untrusted(image(&backend).await)
            .with_name(name.clone())
            .with_command([
                "sh",
                "-c",
                "echo out; echo err >&2; trap 'exit 7' TERM; while :; do sleep 0.05; done",
            ])
            .with_env("SECRET", "canary")
            .with_label("catamaran.test", name.as_str())
            .expect("a label")
            .with_stop_signal(Signal::TERM)
            .with_health_check(
                HealthCheck::command(["true"]).with_interval(Duration::from_secs(1)),
            );
        let created = backend.create(&spec).await.expect("a container");
        let id = created.id;
        let _cleanup = Cleanup(id.clone());

        let taken = backend.create(&spec).await.expect_err("the name is taken");
        assert_eq!(
            (taken.effect(), taken.engine()),
            (Effect::Rejected, Some(kind))
        );
        assert!(!format!("{taken} {taken:?} {spec:?}").contains("canary"));

        assert_eq!(
            backend.start(&id).await.expect("a start"),
            StartOutcome::Started
        );
        assert_eq!(
            backend.start(&id).await.expect("a start"),
            StartOutcome::AlreadyRunning
        );

        // The limits in force are those that were asked for.
        let details = backend.inspect(&id).await.expect("details");
        assert_eq!(details.name, name.as_str());
        assert!(
            details.state.is_running()
                && details.state.exit_code.is_none()
                && details.state.health.is_some()
        );
        assert_eq!(details.resources.memory, Some(256 << 20));
        assert_eq!(
            details.resources.memory_swap,
            Some(MemorySwap::Total(256 << 20))
        );
        assert_eq!(
            (details.resources.pids, details.resources.cpus),
            (Some(128), Some(1.0))
        );
        assert_eq!(details.security.tmpfs, spec.security.tmpfs);
        assert_eq!(details.security.network, spec.security.network);
        assert!(details.security.no_new_privileges && details.security.read_only_root);
        assert_eq!(details.env.get("SECRET"), Some("canary"));

        let exec =
            ExecOptions::new(["sh", "-c", "echo $WHO; id -u >&2; exit 3"]).with_env("WHO", "me");
        let ran = backend.exec(&id, &exec).await.expect("an exec");
        assert_eq!(
            (ran.exit_code, &ran.stdout[..], &ran.stderr[..]),
            (3, &b"me\n"[..], &b"65534\n"[..])
        );
        let big =
            ExecOptions::new(["head", "-c", "300000", "/dev/zero"]).with_max_output(1000usize);
        let ran = backend.exec(&id, &big).await.expect("an exec");
        assert!(ran.truncated && ran.stdout.len() == 1000 && ran.success());

        let chunks: Vec<_> = backend
            .logs(&id, &LogsOptions::default())
            .await
            .expect("logs")
            .try_collect()
            .await
            .expect("frames");
        let of = |source| {
            chunks
                .iter()
                .filter(|c| c.source == source)
                .flat_map(|c| c.bytes.to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (of(LogSource::Stdout), of(LogSource::Stderr)),
            (b"out\n".to_vec(), b"err\n".to_vec())
        );

        let stats = backend.stats(&id).await.expect("stats");
        assert!(
            stats
                .memory
                .is_some_and(|m| m.usage > 0 && m.limit == Some(256 << 20))
        );
        assert!(stats.network.is_none(), "there is no network");

        backend.pause(&id).await.expect("a pause");
        assert_eq!(
            backend.inspect(&id).await.expect("details").state.status,
            ContainerState::Paused
        );
        assert_eq!(
            backend.start(&id).await.expect_err("paused").kind(),
            ErrorKind::Conflict
        );
        backend.unpause(&id).await.expect("an unpause");

        let smaller = Resources::default()
            .with_memory_and_no_swap(128 << 20)
            .with_pids(64u32);
        backend
            .update(&id, &UpdateOptions::default().with_resources(smaller))
            .await
            .expect("an update");
        let limits = backend.inspect(&id).await.expect("details").resources;
        assert_eq!((limits.memory, limits.pids), (Some(128 << 20), Some(64)));

        let renamed = ContainerName::new(format!("{name}-b")).expect("a name");
        backend.rename(&id, &renamed).await.expect("a rename");
        let label = LabelKey::new("catamaran.test").expect("a key");
        let filter = ListOptions::default()
            .with_label(label, name.to_string())
            .with_state(ContainerState::Running)
            .with_name(&renamed);
        let listed = backend.list(&filter).await.expect("a list");
        assert_eq!(
            (listed.len(), &listed[0].id, &listed[0].names),
            (1, &id, &vec![renamed.to_string()])
        );

        let follow = backend
            .logs(&id, &LogsOptions::default().with_follow(true))
            .await
            .expect("logs");
        let waiting = {
            let (backend, id) = (backend.clone(), id.clone());
            tokio::spawn(async move { backend.wait(&id, &WaitOptions::default()).await })
        };
        let brief = StopOptions::default().with_timeout(Duration::from_secs(5));
        assert_eq!(
            backend.stop(&id, &brief).await.expect("a stop"),
            StopOutcome::Stopped
        );
        assert_eq!(
            backend.stop(&id, &brief).await.expect("a stop"),
            StopOutcome::AlreadyStopped
        );
        assert_eq!(
            waiting
                .await
                .expect("a task")
                .expect("an outcome")
                .exit_code,
            7
        );
        let followed: Vec<_> = follow.try_collect().await.expect("frames up to the end");
        assert_eq!(followed.iter().map(|c| c.bytes.len()).sum::<usize>(), 8);

        let dead = backend
            .kill(&id, &KillOptions::default())
            .await
            .expect_err("it doesn't run");
        assert_eq!(dead.kind(), ErrorKind::Conflict);
        backend
            .remove(&id, &RemoveOptions::force())
            .await
            .expect("a removal");
        let gone = backend.inspect(&id).await.expect_err("it is gone");
        assert_eq!(
            (gone.kind(), gone.status()),
            (ErrorKind::NotFound, Some(404))
        );
    }
}

#[tokio::test]
async fn both_engines_tell_the_same_of_the_engine() {
    let [(_, first), (_, second)] = engines();
    assert_eq!(
        first.ping().await.expect("a pong"),
        second.ping().await.expect("a pong")
    );
    assert_eq!(
        first.version().await.expect("a version"),
        second.version().await.expect("a version")
    );
    assert_eq!(
        first.info().await.expect("info").id,
        second.info().await.expect("info").id
    );
}

#[tokio::test]
async fn a_dead_socket_says_that_nothing_was_sent() {
    let nowhere = || Endpoint::unix("/nonexistent/docker.sock");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(nowhere()).expect("an engine")),
        Arc::new(BlockingEngine::connect(nowhere()).expect("an engine")),
    ];
    for backend in engines {
        let error = backend
            .start(&ContainerRef::new("x").expect("a name"))
            .await
            .expect_err("no engine");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Connect, Effect::NotSent)
        );
        assert!(
            error
                .to_string()
                .contains("unix:///nonexistent/docker.sock"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_stop_may_be_given_any_time() {
    let nowhere = || Endpoint::unix("/nonexistent/docker.sock");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(nowhere()).expect("an engine")),
        Arc::new(BlockingEngine::connect(nowhere()).expect("an engine")),
    ];
    for backend in engines {
        let forever = StopOptions::default().with_timeout(Duration::MAX);
        let error = backend
            .stop(&ContainerRef::new("x").expect("a name"), &forever)
            .await
            .expect_err("no engine");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
}

#[tokio::test]
async fn a_deadline_covers_an_answer_that_never_comes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("silent.sock");
    // Connections wait in the backlog and are never answered.
    let _silent = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(Endpoint::unix(&path)).expect("an engine")),
        Arc::new(BlockingEngine::connect(Endpoint::unix(&path)).expect("an engine")),
    ];
    for backend in engines {
        let hurried =
            backend.with_context(CallContext::new().with_timeout(Duration::from_millis(50)));
        let error = hurried.ping().await.expect_err("silence");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::Unknown)
        );
        // The version is asked for first, so the operation itself can't have been sent.
        let error = hurried
            .list(&ListOptions::all())
            .await
            .expect_err("silence");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::NotSent)
        );
    }
}

#[tokio::test]
async fn tls_is_refused_rather_than_spoken_to_in_plaintext() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let endpoint = Endpoint::parse(&format!("https://127.0.0.1:{port}")).expect("an endpoint");
    for refused in [
        AsyncEngine::connect(endpoint.clone()).map(drop),
        BlockingEngine::connect(endpoint).map(drop),
    ] {
        assert_eq!(refused.expect_err("TLS").kind(), ErrorKind::Unsupported);
    }
    listener.set_nonblocking(true).expect("a socket");
    assert!(listener.accept().is_err(), "somebody connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_streams_may_race() {
    let nobody = ContainerRef::new("catamaran-test-nobody").expect("a name");
    for _ in 0..20 {
        let backend: Backend = Arc::new(BlockingEngine::connect(endpoint()).expect("an engine"));
        backend.version().await.expect("a version");
        let together = Arc::new(tokio::sync::Barrier::new(8));
        let streams = (0..8).map(|_| {
            let (backend, nobody, together) = (backend.clone(), nobody.clone(), together.clone());
            tokio::spawn(async move {
                together.wait().await;
                backend.logs(&nobody, &LogsOptions::default()).await
            })
        });
        for stream in futures::future::join_all(streams).await {
            let refused = stream.expect("no panic").expect_err("nobody is there");
            assert_eq!(refused.kind(), ErrorKind::NotFound);
        }
    }
}
