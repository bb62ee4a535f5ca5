//! Samples in the shapes that engines have. *Recorded* are answers of Docker 20.10 on cgroup v1, with some of the
//! kernel's many counters left out; the others are derived from them by what moby's and Podman's sources write.

use std::time::{Duration, UNIX_EPOCH};

use futures::StreamExt;

use super::*;
use crate::error::ErrorKind;

/// Recorded: a busy loop on a bridge network, limited to half a CPU.
const V1: &str = r#"{"read":"2026-11-24T15:35:45.328958013Z","preread":"0001-01-01T00:00:00Z","pids_stats":{"current":1},"blkio_stats":{"io_service_bytes_recursive":[],"io_serviced_recursive":[]},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":223084681,"percpu_usage":[80814868,142269813],"usage_in_kernelmode":10000000,"usage_in_usermode":200000000},"system_cpu_usage":3587510000000,"online_cpus":2,"throttling_data":{"periods":5,"throttled_periods":3,"throttled_time":100173114}},"precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{"usage":2359296,"max_usage":4087808,"stats":{"cache":1605632,"hierarchical_memory_limit":9223372036854771712,"inactive_file":1600000,"total_inactive_file":1605632,"total_rss":61440},"limit":25276063744},"name":"/a","id":"58e61607411a","networks":{"eth0":{"rx_bytes":376,"rx_packets":4,"rx_errors":0,"rx_dropped":0,"tx_bytes":0,"tx_packets":0,"tx_errors":0,"tx_dropped":0}}}"#;

/// Recorded: the same loop on network `none`, which leaves `networks` out.
const V1_NO_NETWORK: &str = r#"{"read":"2026-11-24T15:35:46.333427256Z","preread":"0001-01-01T00:00:00Z","pids_stats":{"current":1},"blkio_stats":{"io_service_bytes_recursive":[]},"cpu_stats":{"cpu_usage":{"total_usage":557238800,"percpu_usage":[527471807,29766993]},"system_cpu_usage":3589560000000,"online_cpus":2,"throttling_data":{"periods":12,"throttled_periods":10,"throttled_time":467602803}},"memory_stats":{"usage":2359296,"stats":{"total_inactive_file":1605632},"limit":25276063744},"name":"/b","id":"5747f4665ab3"}"#;

/// Recorded: the first one after its end; one that was never started is shown the same.
const STOPPED: &str = r#"{"read":"0001-01-01T00:00:00Z","preread":"0001-01-01T00:00:00Z","pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null,"io_serviced_recursive":null},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{},"name":"/a","id":"58e61607411a"}"#;

/// Derived: cgroup v2 has no counters of the hierarchy, none by CPU, a limit on processes of 2^64 - 1 for none, and
/// operations in lower case.
const V2: &str = r#"{"read":"2026-11-24T15:35:45.5Z","pids_stats":{"current":3,"limit":18446744073709551615},"blkio_stats":{"io_service_bytes_recursive":[{"major":254,"minor":0,"op":"read","value":4096},{"major":254,"minor":0,"op":"write","value":512},{"major":8,"minor":0,"op":"read","value":1}],"io_serviced_recursive":null},"cpu_stats":{"cpu_usage":{"total_usage":31000000,"usage_in_kernelmode":1000000,"usage_in_usermode":30000000},"system_cpu_usage":9000000000,"online_cpus":4,"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{"usage":8192,"stats":{"anon":4096,"file":4096,"inactive_anon":0,"inactive_file":2048},"limit":268435456},"networks":{"eth0":{"rx_bytes":10,"tx_bytes":20},"eth1":{"rx_bytes":1,"tx_bytes":2}}}"#;

/// Recorded: Podman 5.4, of a container that doesn't run, under status 200.
const ERROR: &str =
    r#"{"cause":"container is stopped","message":"container is stopped","response":500}"#;

/// Derived: everything that may be `null` is.
const NULLS: &str = r#"{"read":null,"pids_stats":{"current":null},"blkio_stats":{"io_service_bytes_recursive":null},"cpu_stats":{"cpu_usage":{"total_usage":null},"online_cpus":null,"throttling_data":null},"memory_stats":{"usage":null,"stats":null,"limit":null},"networks":null}"#;

fn read(text: &str) -> ContainerStats {
    stats(text.as_bytes()).expect("a sample")
}

fn cpu(nanoseconds: u64, online: u64, throttled: u64) -> Option<CpuStats> {
    Some(CpuStats {
        total: Duration::from_nanos(nanoseconds),
        online_cpus: Some(online),
        throttled_periods: Some(throttled),
    })
}

fn memory(usage: u64, limit: u64) -> Option<MemoryStats> {
    Some(MemoryStats {
        usage,
        limit: Some(limit),
    })
}

fn nothing() -> ContainerStats {
    ContainerStats {
        read_at: None,
        memory: None,
        cpu: None,
        pids: None,
        network: None,
        block: None,
    }
}

#[test]
fn cgroup_v1() {
    let expected = ContainerStats {
        read_at: Some(UNIX_EPOCH + Duration::new(1_795_534_545, 328_958_013)),
        memory: memory(2_359_296 - 1_605_632, 25_276_063_744),
        cpu: cpu(223_084_681, 2, 3),
        pids: Some(1),
        network: Some(IoTotals {
            input: 376,
            output: 0,
        }),
        block: None,
    };
    assert_eq!(read(V1), expected);
    let without = read(V1_NO_NETWORK);
    assert_eq!(without.network, None);
    let percent = without.cpu_percent_since(&read(V1)).expect("two samples");
    // Of two containers, in truth, but as one would have it.
    assert!((33.2..33.3).contains(&percent), "{percent}");
}

#[test]
fn cgroup_v2() {
    let expected = ContainerStats {
        read_at: Some(UNIX_EPOCH + Duration::new(1_795_534_545, 500_000_000)),
        memory: memory(8192 - 2048, 268_435_456),
        cpu: cpu(31_000_000, 4, 0),
        pids: Some(3),
        network: Some(IoTotals {
            input: 11,
            output: 22,
        }),
        block: Some(IoTotals {
            input: 4097,
            output: 512,
        }),
    };
    assert_eq!(read(V2), expected);
}

#[test]
fn what_is_not_reported_is_none() {
    for text in [STOPPED, NULLS, "{}"] {
        assert_eq!(read(text), nothing(), "{text}");
    }
    assert_eq!(read(V1).cpu_percent_since(&read(STOPPED)), None);
    assert_eq!(read(STOPPED).cpu_percent_since(&read(V1)), None);
    // Derived: what a sum lacks a part of is no sum, and no interface is no traffic of 0.
    for text in [
        r#"{"networks":{}}"#,
        r#"{"networks":{"eth0":{"rx_bytes":1}}}"#,
        r#"{"networks":{"a":{"rx_bytes":1,"tx_bytes":1},"b":{"rx_bytes":null,"tx_bytes":1}}}"#,
        r#"{"blkio_stats":{"io_service_bytes_recursive":[{"op":"read"}]}}"#,
    ] {
        assert_eq!(read(text), nothing(), "{text}");
    }
}

/// Podman's words, or that it has none, under status 200.
#[test]
fn an_error_is_no_empty_sample() {
    for text in [ERROR, "", " \n"] {
        let error = stats(text.as_bytes()).expect_err(text);
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Conflict, Effect::Rejected),
            "{text:?}: {error}"
        );
    }
    // A sample that says something more is one.
    let more = V1.replacen('{', r#"{"message":"m","response":500,"#, 1);
    assert_eq!(read(&more), read(V1));
}

/// Derived: what isn't told of one interface leaves the sum untold, and the rest is read.
#[test]
fn an_interface_may_be_null() {
    let stats = read(
        r#"{"pids_stats":{"current":3},"networks":{"eth0":null,"eth1":{"rx_bytes":1,"tx_bytes":2}}}"#,
    );
    assert_eq!((stats.pids, stats.network), (Some(3), None));
}

/// Derived: a cache that has grown since the usage was read takes nothing off.
#[test]
fn memory_is_never_less_than_nothing() {
    let text = r#"{"memory_stats":{"usage":100,"stats":{"inactive_file":200}}}"#;
    let memory = read(text).memory.expect("memory");
    assert_eq!((memory.usage, memory.limit), (100, None));
}

#[tokio::test]
async fn a_stream_is_samples_up_to_the_first_that_is_none() {
    let take = |text: String| async {
        let body = futures::stream::iter([Ok(Bytes::from(text))]);
        samples(body.boxed()).collect::<Vec<_>>().await
    };
    let all = take(format!("{V1}\n{STOPPED}\n{V2}")).await;
    let all: Result<Vec<_>> = all.into_iter().collect();
    assert_eq!(all.expect("samples"), [read(V1), nothing(), read(V2)]);
    let stopped = take(format!("{V2}\n{ERROR}\n{V2}")).await;
    let error = stopped[1].as_ref().expect_err("no sample");
    assert_eq!((stopped.len(), error.kind()), (2, ErrorKind::Conflict));
    let cut = &V1[..200];
    for broken in [format!("{V2}\n{cut}"), format!("{V2}\n[1]\n{V2}\n")] {
        let samples = take(broken).await;
        assert_eq!(samples.len(), 2, "nothing follows an error");
        let error = samples[1].as_ref().expect_err("no sample");
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}
