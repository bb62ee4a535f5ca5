//! What a container uses at the moment.

use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use serde::Serialize;

use crate::error::Result;

/// Memory, in bytes.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryStats {
    /// In use, without what the kernel can drop at once (inactive page cache), as `docker stats` counts.
    pub usage: u64,
    /// The limit in force; the host's memory where the container has none.
    pub limit: Option<u64>,
}

/// Processor time since the container started.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CpuStats {
    /// Time on all CPUs.
    pub total: Duration,
    /// The CPUs that the host has online.
    pub online_cpus: Option<u64>,
    /// How often the CPU limit held it back.
    pub throttled_periods: Option<u64>,
}

/// Bytes in and out.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IoTotals {
    /// Received, or read.
    pub input: u64,
    /// Sent, or written.
    pub output: u64,
}

/// One sample. What the engine didn't report is `None`, never 0: of a container that doesn't run, Docker
/// reports nothing at all.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerStats {
    /// When it was taken, by the engine's clock.
    pub read_at: Option<SystemTime>,
    /// Memory.
    pub memory: Option<MemoryStats>,
    /// Processor time.
    pub cpu: Option<CpuStats>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Network, all interfaces together; `None` where there is none, as on network `none`.
    pub network: Option<IoTotals>,
    /// Block devices, all together; `None` where none is listed: nothing was read or written, or the
    /// kernel doesn't count.
    pub block: Option<IoTotals>,
}

impl ContainerStats {
    /// How busy it kept the CPUs since an earlier sample, in percent of one CPU: 200 is two of them.
    ///
    /// By the engine's clock, so that it doesn't matter how long the samples were under way. `None` where
    /// a sample lacks its time or the CPU time, where no time has passed between them, and where the
    /// counter went back, as it does when a container starts anew.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::ContainerRef;
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let before = backend.stats(id).await?;
    /// tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    /// let now = backend.stats(id).await?;
    /// if let Some(percent) = now.cpu_percent_since(&before) {
    ///     println!("{percent:.1} % of one CPU");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cpu_percent_since(&self, earlier: &Self) -> Option<f64> {
        let used = self.cpu?.total.checked_sub(earlier.cpu?.total)?;
        let passed = self.read_at?.duration_since(earlier.read_at?).ok()?;
        (!passed.is_zero()).then(|| used.as_secs_f64() / passed.as_secs_f64() * 100.0)
    }
}

/// A sample, and what it says with the one before it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// The sample.
    pub stats: ContainerStats,
    /// How busy it kept the CPUs since the sample before, as
    /// [`cpu_percent_since`](ContainerStats::cpu_percent_since) has it; `None` for the first one.
    pub cpu_percent: Option<f64>,
}

/// Samples as the engine takes them, one about each second; dropping it ends the taking.
pub struct StatsStream(BoxStream<'static, Result<ContainerStats>>);

stream!(StatsStream of ContainerStats);

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// A sample at that moment, with so much CPU time used until then, both in milliseconds.
    fn sample(at: impl Into<Option<u64>>, used: impl Into<Option<u64>>) -> ContainerStats {
        ContainerStats {
            read_at: at.into().map(|ms| UNIX_EPOCH + Duration::from_millis(ms)),
            memory: None,
            cpu: used.into().map(|ms| CpuStats {
                total: Duration::from_millis(ms),
                online_cpus: None,
                throttled_periods: None,
            }),
            pids: None,
            network: None,
            block: None,
        }
    }

    #[test]
    fn a_percentage_is_of_one_cpu_over_the_engines_time() {
        let first = sample(1_000, 400);
        for (later, percent) in [
            (sample(3_000, 1_400), Some(50.0)),
            (sample(1_500, 1_400), Some(200.0)),
            (sample(3_000, 400), Some(0.0)),
            // No time has passed, or the clock was set back.
            (sample(1_000, 500), None),
            (sample(900, 500), None),
            // It was restarted.
            (sample(3_000, 399), None),
            (sample(None, 1_400), None),
            (sample(3_000, None), None),
        ] {
            assert_eq!(later.cpu_percent_since(&first), percent, "{later:?}");
        }
        for lacking in [sample(None, 400), sample(1_000, None)] {
            assert_eq!(sample(3_000, 1_400).cpu_percent_since(&lacking), None);
        }
    }
}
