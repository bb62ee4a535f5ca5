//! A service under load: users open sessions at once, hold them and close them, on one event loop. How long do they wait,
//! how late is the loop for everybody else, and what does it take?
//!
//! `cargo run --release --all-features --example load -- --users 50 --sessions 200 --mode hybrid --warm 20 --json`
//!
//! The service is a tokio runtime with [`WORKERS`] workers. All that measures is outside of it: the clock and the
//! progress are the main thread's, a simulated delay or a fake engine are another process's. `--help` tells the options.

mod args;
mod body;
mod compare;
mod delay;
mod drive;
mod ground;
mod lag;
mod modes;
mod report;
mod usage;
mod wire;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use args::{Options, USAGE};
use delay::Engine;
use drive::Tally;
use lag::{Lags, Probes};
use report::Line;
use usage::Watch;
use wire::Wire;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const IMAGE: &str = "catamaran/busybox:test";

/// The threads of the service's event loop.
const WORKERS: usize = 2;
/// Tasks that find out how late it is.
const PROBES: usize = 2 * WORKERS;
/// How long the engine may take for one call, in every mode: a busy one isn't a failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many kinds of failures are told.
const TOLD: usize = 5;
/// How long the service's own threads may take to end.
const ENDING: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let ended = match &words[..] {
        [word, kind, delay] if word == delay::CHILD => {
            delay::serve(kind, delay).map(|()| ExitCode::SUCCESS)
        }
        _ => Options::parse(words.into_iter()).and_then(|options| match options {
            None => {
                println!("{USAGE}");
                Ok(ExitCode::SUCCESS)
            }
            Some(options) if options.compare => compare::compare(&options),
            Some(options) => run(&options).and_then(|line| show(&line, options.json)),
        }),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn show(line: &Line, json: bool) -> Outcome<ExitCode> {
    match json {
        true => println!("{}", serde_json::to_string(line)?),
        false => print!("{line}"),
    }
    Ok(ExitCode::from(u8::from(!line.is_good())))
}

/// A run, and the look at what it has left behind. Nothing is left at its end, however it ends.
fn run(options: &Options) -> Outcome<Line> {
    let engine = Engine::prepare(options)?;
    let wire = Wire::new(engine.endpoint.clone());
    ground::ensure_image(&wire)?;
    let run = format!("load-{}", uuid::Uuid::new_v4().simple());
    let watch = Watch::start()?;
    let service = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    let control = Builder::new_current_thread().enable_all().build()?;
    let measured = control.block_on(measure(options, &engine, &run, service.handle()));
    service.shutdown_timeout(ENDING);
    let usage = watch.finish();
    // Counted before anything is done about it.
    let left = ground::left_over(&wire, &run)?;
    for (kind, name) in &left {
        eprintln!("left over: {kind:?} {name}");
    }
    ground::sweep(&wire, &run)?;
    let (tally, lags) = measured?;
    for (error, count) in tally.errors.iter().take(TOLD) {
        eprintln!("{count} × {error}");
    }
    let engine = engine.name.clone();
    Ok(Line::new(options, &tally, &lags, usage, left.len(), engine))
}

/// All sessions, on the service's runtime.
async fn measure(
    options: &Options,
    engine: &Engine,
    run: &str,
    service: &Handle,
) -> Outcome<(Tally, Lags)> {
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                eprintln!("cleaning up");
                stop.cancel();
            }
        }
    });
    let (asked, way, name) = (options.clone(), engine.endpoint.clone(), run.to_owned());
    let opener = service.spawn(async move { modes::opener(&asked, &way, &name).await });
    let opener = tokio::select! {
        opener = opener => opener??,
        () = stop.cancelled() => return Err("interrupted".into()),
    };
    let probes = Probes::start(service, PROBES);
    let tally = drive::drive(options, Arc::clone(&opener), service, &stop).await;
    let lags = probes.finish().await;
    let ended = service.spawn(async move { opener.end().await });
    ended.await??;
    match stop.is_cancelled() {
        true => Err("interrupted".into()),
        false => Ok((tally?, lags)),
    }
}
