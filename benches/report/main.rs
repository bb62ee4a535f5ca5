//! The report on speed, which `scripts/bench` runs.
//!
//! All that it tells is of one run on one machine, taken in turn; what couldn't be measured it names.

mod apart;
mod bounds;
mod cell;
mod cells;
mod claims;
#[allow(dead_code, reason = "each bench takes what it needs")]
#[path = "../common/mod.rs"]
mod common;
mod ground;
mod machine;
mod noise;
mod options;
mod page;
mod plots;
mod programs;
mod promises;
#[path = "../../tests/common/prompt.rs"]
mod prompt;
mod tables;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use catamaran::{AsyncEngine, Config, ContainerBackend, Endpoint};
use tokio::runtime::{Builder, Runtime};

use cell::Run;
use common::canned;
use common::fixture::Fixture;
use ground::Ground;
use machine::Machine;
use options::{Options, USAGE};
use page::Report;
use programs::Programs;

fn main() -> ExitCode {
    if canned::run_as_child() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    let ended = match words.split_first() {
        Some((word, rest)) if word == apart::CHILD => apart::serve(rest),
        Some((word, _)) if word == cells::scale::CHILD => cells::scale::serve(),
        // `cargo test` only tries, and `cargo bench` has no hours to spend.
        _ if words.iter().all(|word| word == "--bench") => {
            println!("the report is made by scripts/bench");
            Ok(())
        }
        _ => match Options::parse(words.into_iter()) {
            Ok(Some(options)) => report(options),
            Ok(None) => {
                println!("{USAGE}");
                Ok(())
            }
            Err(error) => Err(error.into()),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(options: Options) -> Result<(), Box<dyn Error>> {
    let config = Config::from_env()?;
    let Endpoint::Unix { path: socket } = config.endpoint().clone() else {
        let endpoint = config.endpoint();
        return Err(format!("{endpoint} is no unix socket, over which alone this measures").into());
    };
    socket.to_str().ok_or("the socket's path is no UTF-8")?;
    let programs = Programs::read(&options.programs)?;
    let runtime = Runtime::new()?;
    let driver = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let backend: Arc<dyn ContainerBackend> = Arc::new(AsyncEngine::new(&config)?);
    let version = runtime.block_on(backend.version())?;
    let report = Report::begin(Machine::look(version.version.clone()));
    let fixture = Fixture::new(&runtime, backend)?;
    let ground = Ground {
        runtime: &runtime,
        driver: &driver,
        endpoint: config.endpoint().clone(),
        socket,
        target: fixture.target.clone(),
    };
    let mut run = Run::new(options);
    // Written after each kind, too: a run of hours that was interrupted isn't lost.
    cells::calls::measure(&mut run, &ground);
    #[cfg(feature = "tls")]
    cells::tls::measure(&mut run, &ground);
    cells::list::measure(&mut run, &ground, &programs);
    cells::memory::measure(&mut run, &ground, &programs);
    cells::fallback::measure(&mut run, &ground);
    cells::scale::measure(&mut run, &programs);
    report.write(&run)?;
    cells::sessions::measure(&mut run, &ground, &programs, |run| report.write(run));
    cells::pipeline::measure(&mut run, &runtime);
    cells::pipeline::measure_all_on(&mut run, &runtime);
    run.finished = true;
    report.write(&run)?;
    println!("written: {}", run.options.out.join("README.md").display());
    Ok(())
}
