//! How much memory the fake engine takes with 10,000 containers and 10,000 followed logs, client and connections
//! included: `cargo test --all-features --test scale -- --nocapture` prints it.

use std::sync::Arc;

use catamaran::model::{ContainerRef, ContainerSpec, ImageRef, LogStream, LogsOptions};
use catamaran::testing::FakeEngine;
use catamaran::{AsyncEngine, Config, ContainerBackend};
use futures::{StreamExt, TryStreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CONTAINERS: u64 = 10_000;
const BOUND: u64 = 500 << 20;
/// Files for everything else that is open.
const SPARE: u64 = 500;

/// How many containers there can be: each log is a connection, which is two files in one process.
fn room() -> u64 {
    let wanted = CONTAINERS * 2 + SPARE;
    let limit = getrlimit(Resource::Nofile);
    let raise = |current: u64, maximum: u64| {
        let (current, maximum) = (Some(current), Some(maximum));
        setrlimit(Resource::Nofile, Rlimit { current, maximum })
    };
    // Root may raise what is allowed, too.
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most >= wanted || raise(wanted, wanted).is_err() {
        raise(wanted.min(most), most).expect("a limit within what is allowed");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    CONTAINERS.min(most.saturating_sub(SPARE) / 2)
}

/// Resident memory now, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a size");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .expect("a number");
    kib << 10
}

/// A container that runs, and its log, of which the first line has been read.
async fn followed(backend: &dyn ContainerBackend, image: &ImageRef) -> (ContainerRef, LogStream) {
    let spec = ContainerSpec::untrusted(image.clone()).with_command([
        "sh",
        "-c",
        "echo ready; exec sleep 600",
    ]);
    let id = backend.create(&spec).await.expect("a container").id;
    backend.start(&id).await.expect("a start");
    let options = LogsOptions::default().with_follow(true);
    let mut log = backend.logs(&id, &options).await.expect("a log");
    let first = log
        .try_next()
        .await
        .expect("it can be read")
        .expect("a line");
    assert_eq!(&first.bytes[..], b"ready\n");
    (id, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_containers_with_followed_logs_fit_into_500_mb() {
    let count = room();
    let engine = FakeEngine::start().await.expect("a fake engine");
    let config = Config::builder()
        .endpoint(engine.endpoint().clone())
        .pool_size(64)
        .build();
    let backend: Arc<dyn ContainerBackend> =
        Arc::new(AsyncEngine::new(&config.expect("a configuration")).expect("an engine"));
    let image = ImageRef::new("busybox").expect("a reference");
    let before = resident();
    let all: Vec<_> = futures::stream::iter(0..count)
        .map(|_| followed(&*backend, &image))
        .buffer_unordered(32)
        .collect()
        .await;
    let (held, containers) = (resident() - before, engine.containers());
    assert!(
        containers
            .iter()
            .all(|container| container.state == "running")
    );
    assert_eq!(containers.len() as u64, count);
    println!(
        "{count} containers with followed logs: {} MiB, {} bytes each",
        held >> 20,
        held / count
    );
    // Fewer where so many files can't be open: then the share.
    assert!(
        held < BOUND * count / CONTAINERS,
        "{held} bytes for {count}"
    );
    drop(all);
}
