//! Stats as cgroup v1 and v2, Docker and Podman report them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::json;
use super::nullable::nullable;
use crate::error::Result;
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
    #[serde(default, deserialize_with = "nullable")]
    rx_bytes: u64,
    #[serde(default, deserialize_with = "nullable")]
    tx_bytes: u64,
}

#[derive(Deserialize)]
struct BlockEntry {
    #[serde(default, deserialize_with = "nullable")]
    op: String,
    #[serde(default, deserialize_with = "nullable")]
    value: u64,
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
    networks: Option<BTreeMap<String, Interface>>,
    blkio_stats: Option<Block>,
}

pub(crate) fn stats(body: &[u8]) -> Result<ContainerStats> {
    let stats: Stats = json(body)?;
    Ok(ContainerStats {
        read_at: parse_rfc3339(&stats.read),
        memory: stats.memory_stats.and_then(|memory| {
            // As `docker stats` has it: total_inactive_file on cgroup v1, inactive_file on v2.
            let Counters {
                total_inactive_file,
                inactive_file,
            } = memory.stats;
            let cache = total_inactive_file.or(inactive_file).unwrap_or(0);
            let usage = memory.usage?;
            Some(MemoryStats {
                usage: usage.saturating_sub(cache),
                limit: memory.limit,
            })
        }),
        cpu: stats.cpu_stats.and_then(|cpu| {
            Some(CpuStats {
                total: Duration::from_nanos(cpu.cpu_usage?.total_usage?),
                online_cpus: cpu.online_cpus,
                throttled_periods: cpu.throttling_data.and_then(|data| data.throttled_periods),
            })
        }),
        pids: stats.pids_stats.and_then(|pids| pids.current),
        network: stats.networks.map(|interfaces| IoTotals {
            input: sum(interfaces.values().map(|interface| interface.rx_bytes)),
            output: sum(interfaces.values().map(|interface| interface.tx_bytes)),
        }),
        block: stats
            .blkio_stats
            .and_then(|block| block.io_service_bytes_recursive)
            .map(|entries| {
                let of = |op: &str| {
                    sum(entries
                        .iter()
                        .filter(|e| e.op.eq_ignore_ascii_case(op))
                        .map(|e| e.value))
                };
                IoTotals {
                    input: of("read"),
                    output: of("write"),
                }
            }),
    })
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::saturating_add)
}
