//! The engine itself is killed under load, and comes back: calls, streams and containers outlive it.

pub mod dockerd;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::{Config, ContainerBackend, HybridBackend};
use serde::Serialize;

use crate::dice::Dice;
use crate::options::Options;
use crate::report::{Bad, Line as Counts, Report};
use crate::wire::Wire;
use crate::witness::Witness;
use crate::worker::Common;
use crate::{Ground, Outcome, client, look, work};
use dockerd::Dockerd;
use streams::{Streamed, Streams};

pub const HELP: &str = "\
With --kill-engine a Docker daemon of our own, in namespaces of its own and with live-restore, is killed (SIGKILL) every few
seconds while the workers ask, and starts anew; a log is followed and events are watched all the while. Counted as above, and:

  kills, log_lines, events, gaps
                         what was done, and came through the streams
  missing                lines of the log, as the engine has it in the end, that didn't come; events that the engine told
                         others in a time for which no gap was told; a stream that ended before its time
  told_twice             lines and events that came twice
  forgotten              commands and starts in doubt, and exit codes (255), of which the daemon itself forgot all when it was
                         killed. Not bad

The exit status is 1 where any other count from duplicates on isn't 0.
";

/// How long a daemon may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last line.
#[derive(Debug, Serialize)]
pub struct Line {
    kills: u64,
    log_lines: u64,
    events: u64,
    gaps: u64,
    missing: u64,
    told_twice: u64,
    forgotten: u64,
    #[serde(flatten)]
    counts: Counts,
}

impl Line {
    pub fn is_good(&self) -> bool {
        self.missing + self.told_twice == 0 && self.counts.is_good()
    }
}

pub async fn kill_engine(options: &Options) -> Outcome<Line> {
    let began = Instant::now();
    let dockerd = Dockerd::start(true)?;
    let wire = Wire {
        endpoint: dockerd.endpoint(),
        patient: true,
    };
    if let Err(error) = serves(&wire).await {
        return Err(format!("{error}; the daemon's last words: {}", dockerd.last_words()).into());
    }
    let config = Config::builder().endpoint(dockerd.endpoint()).build()?;
    let ground = Ground::on(None, config).await?;
    let setting = ground.setting.clone();
    let common = Arc::new(Common {
        client: client(options, &dockerd.endpoint(), &setting)?,
        witness: Witness::set_up(wire, setting.clone()).await?,
        report: Arc::new(Report::of_one_that_forgets()),
        options: options.clone(),
        run: setting.run,
    });
    // Where it fails, what is left behind goes with the daemon.
    tokio::select! {
        ended = storm(&common, dockerd, &ground.config, began) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

pub async fn serves(wire: &Wire) -> Outcome<()> {
    let patience = Instant::now() + PATIENCE;
    loop {
        match wire.ask("GET", "/_ping", None).await {
            Ok(reply) if reply.status == 200 => return Ok(()),
            _ if Instant::now() > patience => return Err("the daemon doesn't serve".into()),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn storm(
    common: &Arc<Common>,
    dockerd: Dockerd,
    config: &Config,
    began: Instant,
) -> Outcome<Line> {
    let (report, witness) = (&common.report, &common.witness);
    let backend: Arc<dyn ContainerBackend> = Arc::new(HybridBackend::new(config)?);
    let streams = Streams::begin(backend, witness, &dockerd.endpoint(), &common.run).await?;
    let killing = tokio::spawn(kill(dockerd, Arc::clone(common)));
    let mut workers = work(common).await?;
    // To the end: with it the daemon goes.
    let dockerd = killing.await??;
    let Streamed {
        lines,
        events,
        gaps,
    } = streams.end(witness, report).await?;
    look(common, &mut workers).await?;
    witness.clean_up().await?;
    drop(dockerd);
    Ok(Line {
        kills: common.options.kill_engine,
        log_lines: lines,
        events,
        gaps,
        missing: report.count(Bad::Missing),
        told_twice: report.count(Bad::ToldTwice),
        forgotten: report.count(Bad::Forgotten),
        counts: report.line(0, 0, began.elapsed()),
    })
}

/// Kills it at random, each time once a call has come through again.
async fn kill(mut dockerd: Dockerd, common: Arc<Common>) -> Outcome<Dockerd> {
    let killed = kill_all(&mut dockerd, &common).await;
    common.report.stop();
    killed.map(|()| dockerd)
}

async fn kill_all(dockerd: &mut Dockerd, common: &Common) -> Outcome<()> {
    let (options, report) = (&common.options, &common.report);
    let mut dice = Dice::new(options.seed, u64::MAX);
    let wire = Wire {
        endpoint: dockerd.endpoint(),
        patient: true,
    };
    for killed in 1..=options.kill_engine {
        tokio::time::sleep(dice.between(Duration::from_secs(2), Duration::from_secs(6))).await;
        let at = Instant::now();
        dockerd.kill()?;
        // Else the one that is about to die would be asked.
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Err(error) = serves(&wire).await {
            return Err(format!("{error} again; its last words: {}", dockerd.last_words()).into());
        }
        eprintln!(
            "{killed} of {} killed, after {} calls; back after {:.1?}",
            options.kill_engine,
            report.asked(),
            at.elapsed()
        );
        report.reconnected();
        let patience = Instant::now() + options.deadline;
        while !report.has_recovered() && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}
