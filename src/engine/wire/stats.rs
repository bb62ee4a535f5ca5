//! Stats as cgroup v1 and v2, Docker and Podman report them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use serde::Deserialize;

use super::lines::Lines;
use super::nullable::nullable;
use super::{fault, json};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{ContainerStats, CpuStats, IoTotals, MemoryStats, parse_rfc3339};

/// The kernel's own counters: those that are needed, since a new one may be no number.
#[derive(Default, Deserialize)]
struct Counters {
    total_inactive_file: Option<u64>,
    inactive_file: Option<u64>,
}

#[derive(Deserialize)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    #[serde(default, deserialize_with = "nullable")]
    stats: Counters,
}

#[derive(Deserialize)]
struct CpuUsage {
    total_usage: Option<u64>,
}

#[derive(Deserialize)]
struct Throttling {
    throttled_periods: Option<u64>,
}

#[derive(Deserialize)]
struct Cpu {
    cpu_usage: Option<CpuUsage>,
    online_cpus: Option<u64>,
    throttling_data: Option<Throttling>,
}

#[derive(Deserialize)]
struct Interface {
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct BlockEntry {
    #[serde(default, deserialize_with = "nullable")]
    op: String,
    value: Option<u64>,
}

#[derive(Deserialize)]
struct Block {
    io_service_bytes_recursive: Option<Vec<BlockEntry>>,
}

#[derive(Deserialize)]
struct Pids {
    current: Option<u64>,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(default, deserialize_with = "nullable")]
    read: String,
    memory_stats: Option<Memory>,
    cpu_stats: Option<Cpu>,
    pids_stats: Option<Pids>,
    networks: Option<BTreeMap<String, Option<Interface>>>,
    blkio_stats: Option<Block>,
}

pub(crate) fn stats(body: &[u8]) -> Result<ContainerStats> {
    if body.trim_ascii().is_empty() {
        return Err(not_running());
    }
    let stats: Stats = json(body)?;
    let read_at = parse_rfc3339(&stats.read);
    // An error has none of a sample's fields, all of which may be missing.
    if let (None, Some(error)) = (read_at, fault::told(body)) {
        return Err(error);
    }
    Ok(ContainerStats {
        read_at,
        memory: stats.memory_stats.and_then(|memory| {
            // As `docker stats` has it: total_inactive_file on cgroup v1, inactive_file on v2.
            let Counters {
                total_inactive_file,
                inactive_file,
            } = memory.stats;
            let cache = total_inactive_file.or(inactive_file).unwrap_or(0);
            let usage = memory.usage?;
            Some(MemoryStats {
                // The two are read one after the other, and may not go together.
                usage: usage.checked_sub(cache).unwrap_or(usage),
                limit: memory.limit,
            })
        }),
        cpu: stats.cpu_stats.and_then(|cpu| {
            // Of what doesn't run Docker writes a sample of zeros, taken at no time.
            let total = cpu.cpu_usage?.total_usage;
            let total = total.filter(|total| *total > 0 || read_at.is_some())?;
            Some(CpuStats {
                total: Duration::from_nanos(total),
                online_cpus: cpu.online_cpus,
                throttled_periods: cpu.throttling_data.and_then(|data| data.throttled_periods),
            })
        }),
        pids: stats.pids_stats.and_then(|pids| pids.current),
        network: stats.networks.and_then(|interfaces| {
            let of = |bytes: fn(&Interface) -> Option<u64>| {
                sum(interfaces
                    .values()
                    .map(|known| known.as_ref().and_then(bytes)))
            };
            Some(IoTotals {
                input: of(|interface| interface.rx_bytes)?,
                output: of(|interface| interface.tx_bytes)?,
            })
            .filter(|_| !interfaces.is_empty())
        }),
        block: stats
            .blkio_stats
            .and_then(|block| block.io_service_bytes_recursive)
            .and_then(|entries| {
                let of = |op: &str| {
                    let entries = entries.iter();
                    sum(entries
                        .filter(|entry| entry.op.eq_ignore_ascii_case(op))
                        .map(|entry| entry.value))
                };
                Some(IoTotals {
                    input: of("read")?,
                    output: of("write")?,
                })
                .filter(|_| !entries.is_empty())
            }),
    })
}

/// Podman up to 5.3 says nothing, under status 200, of a container that doesn't run.
fn not_running() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the engine gave no sample: the container doesn't run",
    )
    .with_effect(Effect::Rejected)
}

/// The sum, where each part of it is told.
fn sum(mut values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.try_fold(0, |sum: u64, value| Some(sum.saturating_add(value?)))
}

/// Takes a body apart into samples; it ends after the first error. At most one line is held.
pub(crate) fn samples(
    body: BoxStream<'static, Result<Bytes>>,
) -> impl Stream<Item = Result<ContainerStats>> + Send + 'static {
    futures::stream::unfold(Some(Lines::new(body)), |lines| async move {
        let mut lines = lines?;
        let sample = match lines.next().await.transpose()? {
            Ok(line) => stats(&line),
            Err(error) => Err(error),
        };
        let rest = sample.is_ok().then_some(lines);
        Some((sample, rest))
    })
}

#[cfg(test)]
mod tests;
