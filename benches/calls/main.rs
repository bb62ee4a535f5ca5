//! What a call costs on the engine that the environment names, beside what it costs through each client as
//! it comes: `cargo bench --bench calls`.
//!
//! Criterion measures each client by itself. Since machines are noisy, what is promised is then judged by
//! ratios of samples taken in turn.

mod clients;
mod fixture;
mod ratios;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend, Endpoint, HybridBackend};
use criterion::Criterion;
use tokio::runtime::{Builder, Runtime};

use clients::{Bollard, Client, Floor, Operation, Shiplift};
use fixture::Fixture;

/// This crate's own: one line each.
fn backends(config: &Config) -> catamaran::Result<Vec<(&'static str, Arc<dyn ContainerBackend>)>> {
    Ok(vec![
        ("async", Arc::new(AsyncEngine::new(config)?)),
        ("blocking", Arc::new(BlockingEngine::new(config)?)),
        ("hybrid", Arc::new(HybridBackend::new(config)?)),
    ])
}

/// Who is measured, by name.
type Clients = Vec<(&'static str, Arc<dyn Client>)>;

/// The time that so many calls take, one after the other, inside a task: where a web handler runs. Calls
/// from the main thread would add the wake-ups between it and the workers, which no host pays.
fn sample(runtime: &Runtime, client: &Arc<dyn Client>, of: Operation, calls: u64) -> Duration {
    let client = Arc::clone(client);
    let task = runtime.spawn(async move {
        let start = Instant::now();
        for _ in 0..calls {
            client.call(of).await;
        }
        start.elapsed()
    });
    runtime.block_on(task).expect("every call is answered")
}

/// Whether criterion measures, by the same flags: `cargo test` leaves `--bench` out, and only tries.
fn measures() -> bool {
    let given = |flag: &str| std::env::args().any(|argument| argument.starts_with(flag));
    given("--bench") && !given("--test") && !given("--profile-time")
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_env()?;
    let Endpoint::Unix { path } = config.endpoint() else {
        let endpoint = config.endpoint();
        return Err(format!("{endpoint} is no unix socket, over which alone this measures").into());
    };
    let socket = path.to_str().ok_or("the socket's path is no UTF-8")?;
    let runtime = Runtime::new()?;
    // For shiplift's connections, as a host has to make one; one worker, as few as it can do with.
    let driver = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let backends = backends(&config)?;
    let (_, backend) = &backends[0];
    runtime.block_on(backend.ping())?;
    let fixture = Fixture::new(&runtime, Arc::clone(backend))?;

    let target = &fixture.target;
    let floor = runtime.block_on(Floor::new(socket, target))?;
    let mut clients: Clients = vec![
        ("floor", Arc::new(floor)),
        ("bollard", Arc::new(Bollard::new(socket, target)?)),
        (
            "shiplift",
            Arc::new(Shiplift::new(socket, target, driver.handle())),
        ),
    ];
    for (name, backend) in backends {
        clients.push((name, Arc::new((backend, target.clone()))));
    }

    let mut criterion = Criterion::default().configure_from_args();
    for operation in Operation::ALL {
        let mut ran = BTreeSet::new();
        let mut group = criterion.benchmark_group(format!("{}/unix", operation.name()));
        for (name, client) in &clients {
            // Criterion calls this only where the filter fits.
            group.bench_function(*name, |bencher| {
                ran.insert(*name);
                bencher.iter_custom(|calls| sample(&runtime, client, operation, calls));
            });
        }
        group.finish();
        if measures() {
            let mut clients = clients.clone();
            clients.retain(|(name, _)| ran.contains(name));
            ratios::judge(operation, &clients, |client, calls| {
                sample(&runtime, client, operation, calls)
            });
        }
    }
    criterion.final_summary();
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("calls: {error}");
            ExitCode::FAILURE
        }
    }
}
