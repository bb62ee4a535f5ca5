//! What a container uses at the moment.

use std::time::{Duration, SystemTime};

use serde::Serialize;

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

/// One sample. What the engine didn't report is `None`, never 0.
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
    /// Network, all interfaces together; `None` on network `none`.
    pub network: Option<IoTotals>,
    /// Block devices, all together.
    pub block: Option<IoTotals>,
}
