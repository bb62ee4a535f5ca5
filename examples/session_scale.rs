//! How sessions scale: what it takes to open, look at, watch, adopt and close so many of them, on an engine that is faked and
//! so costs next to nothing itself. It runs in a process of its own, so that the memory is the manager's alone.
//!
//! `cargo run --release --all-features --example session_scale -- --sessions 100,1000,10000` prints a line of JSON for each.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::model::{ImageRef, KillOptions};
use catamaran::session::{
    Change, ReapOptions, SessionKey, SessionLimits, SessionManager, SessionNotice, SessionSpec,
    Shutdown,
};
use catamaran::testing::FakeEngine;
use catamaran::{Config, ContainerBackend, Endpoint, HybridBackend, LimitOptions};
use futures::StreamExt;
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Tells the process that measures where the engine is, and how many sessions it shall open.
const ENGINE: &str = "SESSION_SCALE_ENGINE";
const COUNT: &str = "SESSION_SCALE_COUNT";
/// Calls at once.
const CALLS: usize = 64;
/// So often the time of an event is taken.
const EVENTS: usize = 21;
const LONG: Duration = Duration::from_secs(3_600);

#[tokio::main]
async fn main() -> Result<()> {
    if let (Ok(engine), Ok(count)) = (std::env::var(ENGINE), std::env::var(COUNT)) {
        return measure(&engine, count.parse()?).await;
    }
    let mut counts = "100,1000".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--sessions", Some(value)) => counts = value,
            _ => return Err("usage: session_scale [--sessions 100,1000]".into()),
        }
    }
    for count in counts.split(',') {
        let engine = FakeEngine::start().await?;
        let Endpoint::Unix { path } = engine.endpoint() else {
            return Err("the fake engine is at a socket".into());
        };
        let mut measuring = tokio::process::Command::new(std::env::current_exe()?);
        measuring
            .env(ENGINE, path)
            .env(COUNT, count)
            .kill_on_drop(true);
        if !measuring.status().await?.success() {
            return Err(format!("{count} sessions: it failed").into());
        }
    }
    Ok(())
}

fn key(number: usize) -> Result<SessionKey> {
    // As a service has them: some owners, each with some sessions.
    Ok(SessionKey::new(
        format!("owner-{}", number / 8),
        format!("session-{number}"),
    )?)
}

async fn start(backend: &Arc<HybridBackend>, count: usize) -> Result<SessionManager> {
    let limits = SessionLimits::default()
        .with_sessions(count)
        .with_owner_sessions(None)
        .with_opens(CALLS)
        .with_queue(count)
        .with_queue_time(LONG);
    // What they use is asked for twenty times a second at most, whatever there is of them.
    let builder = SessionManager::builder("scale")?.with_limits(limits)?;
    let backend: Arc<dyn ContainerBackend> = backend.clone();
    Ok(builder.with_resource_watch(None).start(backend).await?)
}

async fn measure(engine: &str, count: usize) -> Result<()> {
    let limits = LimitOptions::default()
        .with_calls(CALLS)
        .with_queue(4 * count);
    let limits = limits.with_queue_time(LONG);
    let config = Config::builder()
        .endpoint(Endpoint::unix(engine))
        .limits(limits);
    let backend = Arc::new(HybridBackend::new(&config.build()?)?);
    let manager = start(&backend, count).await?;
    let spec = SessionSpec::new(ImageRef::new("busybox")?).with_command(["sleep", "6000"]);
    let spec = spec.with_idle_timeout(None);

    let (before, began) = (resident()?, Instant::now());
    let mut opening = tokio::task::JoinSet::new();
    for number in 0..count {
        let (manager, spec, key) = (manager.clone(), spec.clone(), key(number)?);
        opening.spawn(async move { manager.open(&key, &spec).await.map(drop) });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    let open = began.elapsed();
    let memory = resident()?.saturating_sub(before) / count as u64;

    let began = Instant::now();
    let listed = manager.sessions().len();
    let list = began.elapsed();
    let began = Instant::now();
    manager
        .reap(&ReapOptions::default().with_dry_run(true))
        .await?;
    let look = began.elapsed();

    let mut events = manager.subscribe();
    let mut told = Vec::new();
    for number in 0..EVENTS.min(count) {
        let key = key(number * (count / EVENTS.min(count)))?;
        let session = manager.get(&key).ok_or("it is there")?;
        let began = Instant::now();
        backend
            .kill(session.container(), &KillOptions::default())
            .await?;
        loop {
            match events.next().await.ok_or("the manager has ended")? {
                SessionNotice::Change(event)
                    if event.key == key && matches!(event.change, Change::Died { .. }) =>
                {
                    break;
                }
                _ => {}
            }
        }
        told.push(began.elapsed());
    }
    told.sort();

    manager.shutdown(Shutdown::LeaveRunning, LONG).await?;
    let heir = start(&backend, count).await?;
    let began = Instant::now();
    heir.recovered().await?;
    let adopt = began.elapsed();
    let adopted = heir.sessions().len();

    let began = Instant::now();
    heir.shutdown(Shutdown::CloseAll, LONG).await?;
    let close = began.elapsed();
    let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let rate = |time: Duration| (count as f64 / time.as_secs_f64()).round();
    let figures = json!({
        "sessions": listed,
        "open_per_s": rate(open),
        "list_ms": ms(list),
        "look_ms": ms(look),
        "event_p50_ms": told.get(told.len() / 2).copied().map(ms),
        "event_max_ms": told.last().copied().map(ms),
        "adopted": adopted,
        "adopt_ms": ms(adopt),
        "adopt_per_s": rate(adopt),
        "close_per_s": rate(close),
        "memory_per_session": memory,
    });
    println!("{figures}");
    Ok(())
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("a size")?
        .parse()?;
    Ok(kib << 10)
}
