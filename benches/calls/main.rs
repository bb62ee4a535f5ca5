//! What a call costs on the engine that the environment names, beside what it costs through each client as
//! it comes: `cargo bench --all-features --bench calls`. With the feature `tls`, a ping over TLS as well.
//!
//! Criterion measures each client by itself. Since machines are noisy, what is promised is then judged by
//! ratios of samples taken in turn.

#[allow(dead_code, reason = "each bench takes what it needs")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "tls")]
mod over_tls;
mod ratios;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use catamaran::{Config, Endpoint};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use common::clients::{Bollard, Client, Floor, Operation, Shiplift};
use common::fixture::Fixture;
use common::{Clients, backends, samples};
use ratios::Plan;

/// The time that so many calls take.
fn sample(
    runtime: &Runtime,
    client: &Arc<dyn Client>,
    of: Operation,
    callers: u64,
    calls: u64,
) -> Duration {
    let sample = samples::sample(runtime, client, of, callers, calls);
    sample.expect("every call is answered").elapsed
}

/// Measures each client by criterion, where its filter fits, and judges those. They are asked for once one
/// is wanted.
fn compare<'a>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    title: &str,
    names: &[&'static str],
    clients: impl Fn() -> &'a Clients,
    plan: &Plan,
    sample: impl Fn(&Arc<dyn Client>, u64) -> Duration,
) {
    let mut ran = Clients::new();
    for name in names {
        // Criterion calls this only where the filter fits.
        group.bench_function(*name, |bencher| {
            let found = clients().iter().find(|(client, _)| client == name);
            let (_, client) = found.expect("every client is there");
            if ran.last().is_none_or(|(last, _)| last != name) {
                ran.push((*name, Arc::clone(client)));
            }
            bencher.iter_custom(|calls| sample(client, calls));
        });
    }
    if measures() {
        ratios::judge(title, plan, &ran, sample);
    }
}

/// What this crate promises of one caller over a unix socket.
const UNIX: Plan = Plan {
    rounds: 61,
    calls: |_| 60,
    ratios: &[
        ("async", "bollard", false, Some(0.6)),
        ("blocking", "shiplift", false, Some(0.6)),
        ("hybrid", "async", false, Some(1.05)),
        ("blocking", "async", false, None),
        ("async", "floor", false, None),
        ("blocking", "floor", false, None),
        // How far down the engine itself lets such a ratio go, and how it is without the engine's share.
        ("floor", "bollard", false, None),
        ("async", "bollard", true, None),
        ("blocking", "shiplift", true, None),
    ],
};

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
    let connection = runtime.block_on(UnixStream::connect(socket))?;
    let mut clients: Clients = vec![
        ("floor", Arc::new(Floor::new([connection], target))),
        ("bollard", Arc::new(Bollard::unix(socket, target)?)),
        (
            "shiplift",
            Arc::new(Shiplift::new(socket, target, driver.handle())),
        ),
    ];
    for (name, backend) in backends {
        clients.push((name, Arc::new((backend, target.clone()))));
    }
    let names: Vec<_> = clients.iter().map(|(name, _)| *name).collect();

    let mut criterion = Criterion::default().configure_from_args();
    for operation in Operation::ALL {
        let title = format!("{}/unix", operation.name());
        let mut group = criterion.benchmark_group(&title);
        let sample = |client: &_, calls| sample(&runtime, client, operation, 1, calls);
        compare(&mut group, &title, &names, || &clients, &UNIX, sample);
        group.finish();
    }
    #[cfg(feature = "tls")]
    over_tls::compare_all(&mut criterion, &runtime, config.endpoint(), target);
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
