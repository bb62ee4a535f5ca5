//! How much memory the fake engine takes with 10,000 containers and 10,000 followed logs:
//! `cargo test --all-features --test scale -- --nocapture` prints it, for the engine and for its client.

use std::path::Path;
use std::process::Stdio;

use catamaran::model::{ContainerRef, ContainerSpec, ImageRef, LogStream, LogsOptions};
use catamaran::testing::FakeEngine;
use catamaran::{AsyncEngine, Config, ContainerBackend, Endpoint, LimitOptions};
use futures::{StreamExt, TryStreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

const CONTAINERS: u64 = 10_000;
const BOUND: u64 = 500_000_000;
/// Files for everything else that is open.
const SPARE: u64 = 300;
/// Tells the client's process where the engine is, and how many containers it shall make.
const ENGINE: &str = "CATAMARAN_TEST_SCALE_ENGINE";
const COUNT: &str = "CATAMARAN_TEST_SCALE_COUNT";

/// How many containers there can be: each log is a connection, which is a file in each of the two processes.
fn room() -> u64 {
    let wanted = CONTAINERS + SPARE;
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
    CONTAINERS.min(most.saturating_sub(SPARE))
}

/// Resident memory of a process now, in bytes.
fn resident(process: &str) -> u64 {
    let status = Path::new("/proc").join(process).join("status");
    let status = std::fs::read_to_string(status).expect("Linux");
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

/// Follows all logs, says so, and goes on until its input ends.
async fn client(engine: &str) {
    let count = std::env::var(COUNT).expect("how many");
    let count: u64 = count.parse().expect("a number");
    assert!(room() >= count, "as many files as the engine's process");
    let endpoint = Endpoint::unix(engine);
    let room = usize::try_from(count).expect("a size");
    let limits = LimitOptions::default()
        .with_calls(64usize)
        .with_streams(room);
    let config = Config::builder().endpoint(endpoint).limits(limits).build();
    let backend = AsyncEngine::new(&config.expect("a configuration")).expect("an engine");
    let image = ImageRef::new("busybox").expect("a reference");
    let all: Vec<_> = futures::stream::iter(0..count)
        .map(|_| followed(&backend, &image))
        .buffer_unordered(32)
        .collect()
        .await;
    // Not `println`, which the test harness keeps for itself.
    let mut out = tokio::io::stdout();
    out.write_all(b"followed\n").await.expect("a reader");
    out.flush().await.expect("a reader");
    let ended = tokio::io::stdin().read(&mut [0]).await;
    assert_eq!(ended.expect("an input"), 0);
    drop(all);
}

/// The client is this test again, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_containers_with_followed_logs_fit_into_500_mb() {
    if let Ok(engine) = std::env::var(ENGINE) {
        return client(&engine).await;
    }
    let count = room();
    let engine = FakeEngine::start().await.expect("a fake engine");
    let Endpoint::Unix { path } = engine.endpoint() else {
        panic!("{}", engine.endpoint())
    };
    let before = resident("self");
    let mut client = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "--nocapture"])
        .arg("ten_thousand_containers_with_followed_logs_fit_into_500_mb")
        .env(ENGINE, path)
        .env(COUNT, count.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut said = BufReader::new(client.stdout.take().expect("an output")).lines();
    loop {
        let line = said.next_line().await.expect("text");
        if line.expect("the client follows all logs") == "followed" {
            break;
        }
    }
    let (held, containers) = (resident("self") - before, engine.containers());
    let clients = resident(&client.id().expect("it runs").to_string());
    assert!(
        containers
            .iter()
            .all(|container| container.state == "running")
    );
    assert_eq!(containers.len() as u64, count);
    println!(
        "{count} containers with followed logs: {} MB in the engine, {} bytes each; {} MB in its client",
        held / 1_000_000,
        held / count,
        clients / 1_000_000
    );
    // Fewer where so many files can't be open: then the share.
    assert!(
        held < BOUND * count / CONTAINERS,
        "{held} bytes for {count}"
    );
    drop(client.stdin.take());
    assert!(client.wait().await.expect("an end").success());
}
