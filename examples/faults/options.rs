//! What the harness is asked to do.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    Fake,
    Real,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientChoice {
    Hybrid,
    Async,
    Blocking,
    NaiveRetry,
    /// The hybrid, but no host.
    Naive,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub ops: u64,
    pub seed: u64,
    pub fault_rate: f64,
    pub cancel_rate: f64,
    pub engine: EngineChoice,
    pub client: ClientChoice,
    pub workers: u64,
    pub outages: u64,
    /// How long a call may take.
    pub deadline: Duration,
    /// How long what runs in the background may take to end what it does, once nothing fails any more.
    pub settle: Duration,
    pub json: bool,
    /// How often a process that embeds the crate is killed; 0 for calls under faults.
    pub kill_host: u64,
    /// How often an engine of our own is killed.
    pub kill_engine: u64,
    /// Whether what is killed has sessions.
    pub sessions: bool,
    /// Whether containers go on when an engine of our own is killed.
    pub live_restore: bool,
    /// What a host's lease is.
    pub lease: Duration,
}

const USAGE: &str = "\
cargo run --release --features testing --example faults -- [OPTIONS]

  --ops N              calls to ask (1000)
  --seed N             what all chances are decided by (7)
  --fault-rate X       the share of requests that meet a fault (0.3)
  --cancel-rate X      the share of calls whose caller goes away (0.05)
  --engine fake|real   in this process, or the one that the environment names (fake)
  --client hybrid|async|blocking|naive-retry
                       what is under test; naive-retry is plain retry on bollard, which must fail (hybrid)
  --workers N          callers at once (16 on the fake engine, 4 on a real one)
  --outages N          short total outages (one for 2000 calls, and one at least)
  --deadline-ms N      how long a call may take (30000)
  --settle-s N         how long the background may take afterwards (45)
  --kill-host N        instead of all that: kill N processes that embed the crate, one after the other; of the options above
                       --seed, --engine and --client count, and the client that must fail is naive, which has no host
  --kill-engine N      the same calls, but no faults: a Docker daemon of our own is killed and started anew N times; it takes
                       root, and --engine and --ops don't count
  --sessions           with one of the two: a session manager is at work; --client doesn't count
  --no-live-restore    with --kill-engine and --sessions: its containers stop with it
  --lease TIME         how long a host may be silent (6s)
  --json               one JSON object as the last line on stdout, instead of a table
";

impl Options {
    /// `None` where only help was asked for.
    pub fn parse(words: impl Iterator<Item = String>, help: &[&str]) -> Outcome<Option<Self>> {
        let mut options = Self {
            ops: 1000,
            seed: 7,
            fault_rate: 0.3,
            cancel_rate: 0.05,
            engine: EngineChoice::Fake,
            client: ClientChoice::Hybrid,
            workers: 0,
            outages: u64::MAX,
            deadline: Duration::ZERO,
            settle: Duration::from_secs(45),
            json: false,
            kill_host: 0,
            kill_engine: 0,
            sessions: false,
            live_restore: true,
            lease: Duration::from_secs(6),
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => {
                    println!("{USAGE}\n{}", help.join("\n"));
                    return Ok(None);
                }
                "--json" => options.json = true,
                "--sessions" => options.sessions = true,
                "--no-live-restore" => options.live_restore = false,
                "--ops" => options.ops = number(&word, &value()?)?,
                "--seed" => options.seed = number(&word, &value()?)?,
                "--fault-rate" => options.fault_rate = rate(&word, &value()?)?,
                "--cancel-rate" => options.cancel_rate = rate(&word, &value()?)?,
                "--workers" => options.workers = number(&word, &value()?)?,
                "--outages" => options.outages = number(&word, &value()?)?,
                "--deadline-ms" => {
                    options.deadline = Duration::from_millis(number(&word, &value()?)?);
                }
                "--settle-s" => options.settle = Duration::from_secs(number(&word, &value()?)?),
                "--kill-host" => options.kill_host = number(&word, &value()?)?,
                "--kill-engine" => options.kill_engine = number(&word, &value()?)?,
                "--lease" => options.lease = humantime::parse_duration(&value()?)?,
                "--engine" => {
                    options.engine = match value()?.as_str() {
                        "fake" => EngineChoice::Fake,
                        "real" => EngineChoice::Real,
                        other => return Err(format!("--engine {other}: fake or real").into()),
                    }
                }
                "--client" => {
                    options.client = match value()?.as_str() {
                        "hybrid" => ClientChoice::Hybrid,
                        "async" => ClientChoice::Async,
                        "blocking" => ClientChoice::Blocking,
                        "naive-retry" => ClientChoice::NaiveRetry,
                        "naive" => ClientChoice::Naive,
                        other => return Err(format!("--client {other}: see --help").into()),
                    }
                }
                other => return Err(format!("{other}: see --help").into()),
            }
        }
        if options.client == ClientChoice::Naive && options.kill_host == 0 {
            return Err("--client naive is one for --kill-host alone".into());
        }
        if options.sessions && (options.kill_host > 0) == (options.kill_engine > 0) {
            return Err("--sessions goes with --kill-host, or with --kill-engine".into());
        }
        if !(options.live_restore || options.sessions && options.kill_engine > 0) {
            return Err("--no-live-restore goes with --kill-engine and --sessions".into());
        }
        if options.kill_engine > 0 {
            options.engine = EngineChoice::Real;
            options.ops = u64::MAX;
            (options.fault_rate, options.outages) = (0.0, 0);
        }
        let fake = options.engine == EngineChoice::Fake;
        if options.workers == 0 {
            options.workers = if fake { 16 } else { 4 };
        }
        if options.outages == u64::MAX {
            options.outages = (options.ops / 2000).max(1);
        }
        if options.deadline.is_zero() {
            options.deadline = Duration::from_secs(30);
        }
        Ok(Some(options))
    }

    /// The longest that a request or an answer is held up: short enough that a caller who looks can still find out,
    /// within its deadline, what became of its call.
    pub fn longest_delay(&self) -> Duration {
        self.deadline.mul_f64(0.4).min(Duration::from_secs(3))
    }

    /// How long after a call that ended in doubt it may still have its effect.
    pub fn doubt(&self) -> Duration {
        self.longest_delay() + Duration::from_millis(500)
    }
}

fn number<T: FromStr>(word: &str, text: &str) -> Outcome<T> {
    text.parse()
        .map_err(|_| format!("{word} {text}: a number is wanted").into())
}

fn rate(word: &str, text: &str) -> Outcome<f64> {
    let rate: f64 = number(word, text)?;
    match (0.0..=1.0).contains(&rate) {
        true => Ok(rate),
        false => Err(format!("{word} {text}: from 0 to 1").into()),
    }
}
