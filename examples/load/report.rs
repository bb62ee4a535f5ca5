//! What is told.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::args::Options;
use crate::drive::Tally;
use crate::lag::Lags;
use crate::usage::Usage;

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut times = times.to_vec();
        times.sort_unstable();
        let sum: Duration = times.iter().sum();
        let mean = sum.checked_div(u32::try_from(times.len()).ok()?)?;
        let at = |share| Some(milliseconds(percentile(&times, share)?));
        Some(Self {
            mean: milliseconds(mean),
            p50: at(0.50)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
        })
    }
}

/// The least of them that this share of them doesn't exceed (the nearest rank).
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// To a hundredth: a claim takes a few of them.
pub fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3, 2)
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lag {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// The last line.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub mode: &'static str,
    pub users: u64,
    pub sessions: u64,
    pub warm: u64,
    pub ok: u64,
    pub failed: u64,
    pub open_ms: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_ms: Option<Spread>,
    pub cold_ms: Option<Spread>,
    pub close_ms: Option<Spread>,
    /// What the parts of an opening took on average, where nothing stood by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub phases_ms: BTreeMap<&'static str, f64>,
    pub warm_hits: u64,
    pub sessions_per_min: f64,
    pub seconds: f64,
    pub loop_lag_ms: Lag,
    pub threads_peak: u64,
    pub rss_peak_mb: f64,
    pub left_over: u64,
    pub engine: String,
    pub engine_delay_ms: u64,
    pub hold_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
}

impl Line {
    pub fn new(
        options: &Options,
        tally: &Tally,
        lags: &Lags,
        usage: Usage,
        left_over: usize,
        engine: String,
    ) -> Self {
        let opens = [&tally.warm[..], &tally.cold].concat();
        let minutes = tally.elapsed.as_secs_f64() / 60.0;
        let cold = u32::try_from(tally.cold.len()).unwrap_or(u32::MAX).max(1);
        let phases = tally.phases.iter();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            mode: options.mode.as_str(),
            users: options.users,
            sessions: options.sessions,
            warm: options.warm,
            ok: tally.ok,
            failed: tally.failed,
            open_ms: Spread::of(&opens),
            claim_ms: Spread::of(&tally.warm),
            cold_ms: Spread::of(&tally.cold),
            close_ms: Spread::of(&tally.closes),
            phases_ms: phases
                .map(|(name, sum)| (*name, milliseconds(*sum / cold)))
                .collect(),
            warm_hits: tally.warm.len() as u64,
            sessions_per_min: rounded(tally.ok as f64 / minutes.max(f64::MIN_POSITIVE), 1),
            seconds: rounded(tally.elapsed.as_secs_f64(), 2),
            loop_lag_ms: Lag {
                p50: milliseconds(lags.percentile(0.50)),
                p99: milliseconds(lags.percentile(0.99)),
                max: milliseconds(lags.max()),
            },
            threads_peak: usage.threads_peak,
            rss_peak_mb: rounded(usage.rss_peak_bytes as f64 / f64::from(1 << 20), 1),
            left_over: left_over as u64,
            engine,
            engine_delay_ms: ms(options.engine_delay),
            hold_ms: ms(options.hold),
            in_flight: options.in_flight.filter(|_| options.mode.manages()),
        }
    }

    pub fn is_good(&self) -> bool {
        self.ok == self.sessions && self.left_over == 0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warm = if self.warm > 0 { " with a pool" } else { "" };
        writeln!(
            f,
            "{}{warm}, {} users, on {}",
            self.mode, self.users, self.engine
        )?;
        let mut row = |name: &str, value: String| writeln!(f, "  {name:14} {value}");
        let (ok, failed) = (self.ok, self.failed);
        row(
            "sessions",
            format!("{ok} of {}, {failed} failed", self.sessions),
        )?;
        row(
            "rate",
            format!("{} a minute, in {} s", self.sessions_per_min, self.seconds),
        )?;
        for (name, spread) in [
            ("open", self.open_ms),
            ("warm ones", self.claim_ms),
            ("cold ones", self.cold_ms),
            ("close", self.close_ms),
        ] {
            if let Some(Spread {
                mean,
                p50,
                p95,
                p99,
            }) = spread
            {
                row(
                    name,
                    format!("mean {mean} ms, p50 {p50}, p95 {p95}, p99 {p99}"),
                )?;
            }
        }
        if !self.phases_ms.is_empty() {
            let phases = self
                .phases_ms
                .iter()
                .map(|(name, ms)| format!("{name} {ms}"));
            row("  of it, in ms", phases.collect::<Vec<_>>().join(", "))?;
        }
        let Lag { p50, p99, max } = self.loop_lag_ms;
        row("loop lag", format!("p50 {p50} ms, p99 {p99}, max {max}"))?;
        row("threads", format!("{} at most", self.threads_peak))?;
        row("memory", format!("{} MiB at most", self.rss_peak_mb))?;
        row("left over", self.left_over.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let spread = Spread::of(&ms((1..=100).rev())).unwrap();
        let expected = Spread {
            mean: 50.5,
            p50: 50.0,
            p95: 95.0,
            p99: 99.0,
        };
        assert_eq!(spread, expected);
        let one = Spread::of(&ms([7])).unwrap();
        assert_eq!((one.mean, one.p50, one.p95, one.p99), (7.0, 7.0, 7.0, 7.0));
        let two = Spread::of(&ms([10, 20])).unwrap();
        assert_eq!((two.mean, two.p50, two.p95), (15.0, 10.0, 20.0));
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(milliseconds(Duration::from_micros(1_234_567)), 1234.57);
    }

    fn line(tally: &Tally, left_over: usize) -> Line {
        let options = Options {
            sessions: 4,
            warm: 2,
            ..Options::default()
        };
        let usage = Usage {
            threads_peak: 5,
            rss_peak_bytes: 3 << 19,
        };
        Line::new(
            &options,
            tally,
            &Lags::default(),
            usage,
            left_over,
            "toy".to_owned(),
        )
    }

    #[test]
    fn a_line_is_made_of_what_was_counted() {
        let tally = Tally {
            ok: 4,
            warm: ms([1, 3]),
            cold: ms([100, 200]),
            phases: [("start", Duration::from_millis(150))].into(),
            elapsed: Duration::from_secs(8),
            ..Tally::default()
        };
        let good = line(&tally, 0);
        assert_eq!((good.warm_hits, good.sessions_per_min), (2, 30.0));
        assert_eq!(good.open_ms.unwrap().mean, 76.0);
        assert_eq!(good.claim_ms.unwrap().p50, 1.0);
        assert_eq!(good.cold_ms.unwrap().p99, 200.0);
        assert_eq!((good.phases_ms["start"], good.rss_peak_mb), (75.0, 1.5));
        assert!(good.is_good());
        assert!(!line(&tally, 1).is_good());
        let mut failed = tally;
        (failed.ok, failed.failed) = (3, 1);
        assert!(!line(&failed, 0).is_good());
    }

    #[test]
    fn a_run_without_a_pool_has_no_claims() {
        let json = serde_json::to_value(line(&Tally::default(), 0)).unwrap();
        assert!(json.get("claim_ms").is_none() && json["open_ms"].is_null());
        assert_eq!(json["sessions_per_min"], 0.0);
    }
}
