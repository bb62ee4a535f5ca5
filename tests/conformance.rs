//! The conformance suite on every backend of the crate, on the engine that the environment names
//! (`DOCKER_HOST` and its kin): each check on each backend is a test, `async_engine::stop_twice`.
//!
//! `CATAMARAN_TEST_ROOTFS` names the root file system of the test image; `scripts/test` sets what is
//! needed.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catamaran::conformance::{self, Check, LABEL};
use catamaran::model::{ContainerRef, ContainerSpec};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, ContainerBackend, EngineKind, ErrorKind,
    HybridBackend, Mode, conformance_tests,
};
use common::{config, image, witness};

conformance_tests!(async_engine, |check| on(check, &async_engine()));
conformance_tests!(blocking_engine, |check| on(check, &blocking_engine()));
conformance_tests!(hybrid_async, |check| on(check, &hybrid(Mode::Async)));
conformance_tests!(hybrid_blocking, |check| on(check, &hybrid(Mode::Blocking)));
conformance_tests!(hybrid_auto, |check| on(check, &hybrid(Mode::Auto)));
// As hosts hold them: behind an `Arc`, and with a context that they gave.
conformance_tests!(async_handle, |check| on(check, &*handle(async_engine())));
conformance_tests!(blocking_handle, |check| on(
    check,
    &*handle(blocking_engine())
));

fn async_engine() -> AsyncEngine {
    AsyncEngine::new(&config()).expect("an engine")
}

fn blocking_engine() -> BlockingEngine {
    BlockingEngine::new(&config()).expect("an engine")
}

/// Switched while it lives, as a host would.
fn hybrid(mode: Mode) -> HybridBackend {
    let backend = HybridBackend::new(&config()).expect("both engines");
    backend.set_mode(mode);
    backend
}

fn handle(backend: impl ContainerBackend) -> Arc<dyn ContainerBackend> {
    let backend: Arc<dyn ContainerBackend> = Arc::new(backend);
    backend.with_context(CallContext::new().with_timeout(Duration::from_secs(60)))
}

/// Runs a check on a backend, and asks the engine itself whether anything was left.
fn on(check: &'static Check, backend: &dyn ContainerBackend) {
    block_on(async {
        let image = image().await;
        let run = run_id();
        conformance::in_run(&run, check.run(backend, &image)).await;
        let left = witness::labelled(config().endpoint(), LABEL, &run);
        assert!(left.is_empty(), "{} left {left:?}", check.name());
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// A run of its own for each test, so that those beside it don't count.
fn run_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}", std::process::id())
}

async fn hardened() -> ContainerSpec {
    ContainerSpec::untrusted(image().await).with_command(["true"])
}

fn engines() -> [(EngineKind, Box<dyn ContainerBackend>); 2] {
    [
        (EngineKind::Async, Box::new(async_engine())),
        (EngineKind::Blocking, Box::new(blocking_engine())),
    ]
}

#[test]
fn the_hardened_limits_are_in_force_by_the_engines_own_word() {
    block_on(async {
        for (kind, backend) in engines() {
            let spec = hardened().await;
            let inspect = |id: ContainerRef| async move {
                let path = format!("/containers/{id}/json");
                witness::get(config().endpoint(), &path)
            };
            let details = conformance::with_container(&*backend, spec, inspect).await;
            let host = &details["HostConfig"];
            for (field, expected) in [
                ("Memory", serde_json::json!(256 << 20)),
                ("MemorySwap", serde_json::json!(256 << 20)),
                ("NanoCpus", serde_json::json!(1_000_000_000)),
                ("PidsLimit", serde_json::json!(128)),
                ("ReadonlyRootfs", serde_json::json!(true)),
                ("Privileged", serde_json::json!(false)),
                ("NetworkMode", serde_json::json!("none")),
                ("Init", serde_json::json!(true)),
            ] {
                assert_eq!(host[field], expected, "{field}, through the {kind} engine");
            }
            let options = host["SecurityOpt"].as_array().expect("security options");
            assert!(
                options.iter().any(|option| option
                    .as_str()
                    .is_some_and(|o| o.starts_with("no-new-privileges"))),
                "{options:?}"
            );
            assert!(
                host["CapDrop"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
            );
            assert_eq!(host["LogConfig"]["Config"]["max-file"], "3");
            assert_eq!(details["Config"]["User"], "65534:65534");
        }
    });
}

#[test]
fn what_a_check_leaves_behind_would_be_seen() {
    block_on(async {
        let run = run_id();
        let endpoint = config().endpoint().clone();
        let backend = async_engine();
        let spec = hardened().await;
        let seen = |_| async { witness::labelled(&endpoint, LABEL, &run).len() };
        let within = conformance::in_run(&run, conformance::with_container(&backend, spec, seen));
        assert_eq!(within.await, 1, "while it is there");
        assert!(witness::labelled(&endpoint, LABEL, &run).is_empty());
    });
}

#[test]
fn a_container_goes_though_its_check_panics() {
    block_on(async {
        let run = run_id();
        let spec = hardened().await;
        let panicking = tokio::spawn({
            let run = run.clone();
            async move {
                let backend = async_engine();
                let panics = |_| async { panic!("on purpose") };
                conformance::in_run(
                    run,
                    conformance::with_container::<(), _>(&backend, spec, panics),
                )
                .await;
            }
        });
        assert!(panicking.await.expect_err("it panics").is_panic());
        assert!(witness::labelled(config().endpoint(), LABEL, &run).is_empty());
    });
}

#[test]
fn both_engines_answer_alike_and_sign_their_errors() {
    block_on(async {
        let [(_, first), (_, second)] = engines();
        let (one, other) = (first.version().await, second.version().await);
        assert_eq!(one.expect("a version"), other.expect("a version"));
        let nobody = ContainerRef::from(conformance::unique_name());
        for (kind, backend) in engines() {
            let error = backend.inspect(&nobody).await.expect_err("nobody is there");
            assert_eq!(
                (error.kind(), error.status(), error.engine()),
                (ErrorKind::NotFound, Some(404), Some(kind))
            );
            assert_eq!(error.endpoint(), Some(&*config().endpoint().to_string()));
        }
    });
}
