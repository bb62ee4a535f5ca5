//! Exactly one effect? Callers ask a client at random while its way to the engine fails in every way that
//! [`Fault`](catamaran::testing::Fault) knows, and what became of it is looked at past the client, at the engine itself.
//!
//! `cargo run --release --features testing --example faults -- --ops 10000 --seed 7 --fault-rate 0.3 --engine fake --json`
//!
//! `--help` tells the options, and what is counted: see [`HELP`].

mod audit;
mod calls;
mod clients;
mod dice;
mod kill;
mod model;
mod naive;
mod options;
mod report;
mod restart;
mod sessions;
#[cfg(test)]
mod tests;
mod things;
mod weather;
mod wire;
mod witness;
mod worker;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use catamaran::model::{ImageRef, ImportOptions};
use catamaran::testing::{FakeEngine, FaultProxy};
use catamaran::{BlockingEngine, Config, ContainerBackend, Endpoint};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use calls::{Client, Setting};
use options::{ClientChoice, EngineChoice, Options};
use report::{Line, Report};
use weather::Weather;
use wire::Wire;
use witness::Witness;
use worker::{Common, Worker};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const IMAGE: &str = "catamaran/busybox:test";

const HELP: &str = "\
Workers create, start, stop, kill, pause, unpause, rename, update, remove, inspect, list and wait for containers, run
commands in them, make and remove networks and volumes, and now and then go away before the answer. In between stands a
proxy that lets requests and answers fail. Programs and commands write a token of their own, each time they run, to a
volume; that, and the engine's lists, are read past the proxy.

  ops                    calls asked
  faults                 requests that met a fault
  duplicates             effects that happened more often than they were asked for: a second container, network or volume
                         of one creation, a program that ran once more than it was started
  orphans                what is there though its caller was told no, got no answer, or had gone away; and what was done
                         to a container though its caller was told that it wasn't
  lost                   what isn't there, or isn't so, though its caller was told that it was done
  double_execs           commands that ran more than once
  foreign_deleted        somebody else's containers that are gone or changed
  invented_exit_codes    exit codes that are no program's
  unresolved             calls that change something and ended without saying whether they did. All that is asked here can
                         be looked at; signals that nobody can see are none of it
  retry_amplification    requests that reached the proxy for each call (an exec is three by nature)
  deadline_overshoot_ms  by how much a call outlasted its deadline, at most
  recovery_ms_p99        from the end of an outage to the first call that comes through
  seconds                how long all of it took

Requests and answers are held up for 0.4 of a call's deadline at most, looks for a tenth of that, so that a caller can find
out within its deadline what became of its call. What was only late may still come: who sends it again does it twice.
The exit status is 1 where any count from duplicates to unresolved isn't 0, or a deadline was overshot by over 50 ms,
and 2 where the harness itself failed.
";

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let lived = match (words.next().as_deref(), words.next()) {
        (Some(kill::CHILD), Some(life)) => Some(kill::child::live(&life).await),
        (Some(sessions::CHILD), Some(life)) => Some(sessions::child::live(&life).await),
        _ => None,
    };
    if let Some(lived) = lived {
        return told(lived.map(|()| ExitCode::SUCCESS));
    }
    let help = [HELP, kill::HELP, restart::HELP, sessions::HELP];
    let options = match Options::parse(std::env::args().skip(1), &help) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return told(Err(error)),
    };
    told(if options.sessions {
        let line = match options.kill_engine {
            0 => sessions::kill_host(&options).await,
            _ => sessions::kill_engine(&options).await,
        };
        line.and_then(|line| show(&line, line.is_good(), options.json))
    } else if options.kill_engine > 0 {
        let line = restart::kill_engine(&options).await;
        line.and_then(|line| show(&line, line.is_good(), options.json))
    } else if options.kill_host > 0 {
        let line = kill::kill_host(&options).await;
        line.and_then(|line| show(&line, line.is_good(), options.json))
    } else {
        let line = run(&options).await;
        line.and_then(|line| show(&line, line.is_good(), options.json))
    })
}

fn told(ended: Outcome<ExitCode>) -> ExitCode {
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn show(line: &impl Serialize, is_good: bool, json: bool) -> Outcome<ExitCode> {
    let shown = match json {
        true => serde_json::to_string(line),
        false => serde_json::to_string_pretty(line),
    };
    println!("{}", shown?);
    Ok(ExitCode::from(u8::from(!is_good)))
}

/// What a run needs before it begins.
struct Ground {
    /// It lives as long as this.
    fake: Option<FakeEngine>,
    config: Config,
    setting: Setting,
}

impl Ground {
    async fn prepare(engine: EngineChoice) -> Outcome<Self> {
        let fake = match engine {
            EngineChoice::Fake => Some(FakeEngine::builder().image(IMAGE).start().await?),
            EngineChoice::Real => None,
        };
        let config = match &fake {
            Some(engine) => engine.config()?,
            None => Config::from_env()?,
        };
        Self::on(fake, config).await
    }

    async fn on(fake: Option<FakeEngine>, config: Config) -> Outcome<Self> {
        ensure_image(&config).await?;
        let id = dice::Dice::new(now(), std::process::id().into()).roll() >> 32;
        let run = format!("catamaran-faults-{id:08x}");
        let setting = Setting {
            tally: format!("{run}-tally"),
            run,
            image: IMAGE.to_owned(),
        };
        Ok(Self {
            fake,
            config,
            setting,
        })
    }

    fn wire(&self) -> Wire {
        Wire {
            endpoint: self.config.endpoint().clone(),
            patient: false,
        }
    }
}

async fn run(options: &Options) -> Outcome<Line> {
    let began = Instant::now();
    let ground = Ground::prepare(options.engine).await?;
    let setting = ground.setting.clone();
    let proxy = FaultProxy::start(ground.config.endpoint()).await?;
    let client = client(options, proxy.endpoint(), &setting)?;
    let common = Common {
        client,
        witness: Witness::set_up(ground.wire(), setting.clone()).await?,
        report: Arc::new(Report::default()),
        options: options.clone(),
        run: setting.run,
    };
    let common = Arc::new(common);
    let ended = tokio::select! {
        ended = storm(&common, proxy, began) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    if ended.is_err() {
        // What was still on its way arrives, and goes with the rest.
        eprintln!("cleaning up");
        tokio::time::sleep(options.doubt()).await;
    }
    common.witness.clean_up().await?;
    ended
}

/// All calls under faults, and the look at the engine after them.
async fn storm(common: &Arc<Common>, proxy: FaultProxy, began: Instant) -> Outcome<Line> {
    let (options, report) = (&common.options, &common.report);
    let (end, ended) = watch::channel(false);
    let weather = Weather::new(proxy, options);
    let weather = tokio::spawn(weather.blow(Arc::clone(report), ended));
    let mut workers = work(common).await?;
    end.send_replace(true);
    let mut weather = weather.await??;
    let requests = weather.requests();
    look(common, &mut workers).await?;
    Ok(report.line(requests.faulted, requests.all, began.elapsed()))
}

/// All calls.
async fn work(common: &Arc<Common>) -> Outcome<Vec<Worker>> {
    let (options, report) = (&common.options, &common.report);
    let latest = Arc::new(AtomicU64::new(0));
    let watching = tokio::spawn(watch_timer(Arc::clone(&latest)));
    let mut working = JoinSet::new();
    for number in 0..options.workers {
        working.spawn(Worker::new(number, Arc::clone(common)).work());
    }
    let mut workers = Vec::new();
    let mut told = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            worker = working.join_next() => match worker {
                Some(worker) => workers.push(worker??),
                None => break,
            },
            _ = told.tick() => eprintln!("{} calls", report.asked()),
        }
    }
    watching.abort();
    let latest = latest.load(Ordering::Relaxed);
    eprintln!("this process's own timers were late by up to {latest} ms");
    Ok(workers)
}

/// What has become of it all.
async fn look(common: &Common, workers: &mut [Worker]) -> Outcome<()> {
    let options = &common.options;
    audit::quiet(&common.witness, workers, options.doubt(), options.settle).await?;
    audit::audit(&common.witness, workers, &common.report).await?;
    eprintln!("{}", common.report.table());
    Ok(())
}

/// How late a timer is where no call is meant: what a deadline's overshoot owes to a busy machine.
async fn watch_timer(latest: Arc<AtomicU64>) {
    let nap = Duration::from_millis(5);
    loop {
        let began = Instant::now();
        tokio::time::sleep(nap).await;
        let late = began.elapsed().saturating_sub(nap).as_millis();
        latest.fetch_max(late.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_nanos() as u64
}

/// The image, imported where it isn't there yet.
async fn ensure_image(config: &Config) -> Outcome<()> {
    let (backend, image) = (BlockingEngine::new(config)?, ImageRef::new(IMAGE)?);
    if backend.image_exists(&image).await? {
        return Ok(());
    }
    let path = std::env::var("CATAMARAN_TEST_ROOTFS").map_err(|_| {
        format!("the image {image} isn't there: run scripts/quickstart once, which makes it")
    })?;
    let rootfs = tokio::fs::read(path).await?;
    let options = ImportOptions::new(image);
    backend.import_image(&options, rootfs.into()).await?;
    Ok(())
}

fn client(options: &Options, way: &Endpoint, setting: &Setting) -> Outcome<Box<dyn Client>> {
    let (deadline, setting) = (options.deadline, setting.clone());
    if options.client == ClientChoice::NaiveRetry {
        let client = naive::NaiveRetry::new(way, deadline, setting)?;
        return Ok(Box::new(client));
    }
    let config = Config::builder()
        .endpoint(way.clone())
        .operation_timeout(deadline)
        .build()?;
    let client = clients::Crate::new(options.client, &config, deadline, setting)?;
    Ok(Box::new(client))
}
