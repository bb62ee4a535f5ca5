//! What a container uses, once and every second.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};

use super::Container;
use super::config::limits;
use crate::testing::fake::request::{Answer, Answered, Request};
use crate::testing::fake::time::{NEVER, Time};

/// One sample, with the processor's part of the one before.
fn sample(container: &Container, before: Option<&Value>) -> Value {
    let name = format!("/{}", container.name());
    let Some(machine) = container.running() else {
        return json!({
            "read": NEVER, "preread": NEVER, "id": container.id, "name": name, "pids_stats": {},
            "blkio_stats": {}, "num_procs": 0, "storage_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}, "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}},
            "precpu_stats": {"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}, "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}}, "memory_stats": {},
        });
    };
    let usage = machine.usage();
    let host = &container.config()["HostConfig"];
    let limit = limits(host).memory.unwrap_or(8 << 30);
    // As a host's two processors would have passed it.
    let total = u64::try_from(usage.cpu.as_nanos()).unwrap_or(u64::MAX);
    let system = Time::now().nanos().saturating_mul(2);
    let cpu = json!({
        "cpu_usage": {"total_usage": total, "usage_in_kernelmode": 0, "usage_in_usermode": total},
        "system_cpu_usage": system, "online_cpus": 2,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    });
    let none = json!({"cpu_usage": {"total_usage": 0}});
    let networks = container
        .inner()
        .networks
        .keys()
        .any(|name| name != "none" && name != "host");
    let mut value = json!({
        "read": Time::now().text(), "preread": before.map_or_else(|| json!(NEVER), |before| before["read"].clone()),
        "id": container.id, "name": name, "pids_stats": {"current": usage.pids},
        "blkio_stats": {"io_service_bytes_recursive": []}, "num_procs": 0, "storage_stats": {},
        "cpu_stats": cpu, "precpu_stats": before.map_or(none, |before| before["cpu_stats"].clone()),
        "memory_stats": {"usage": usage.memory, "max_usage": usage.memory, "stats": {"cache": 0}, "limit": limit},
    });
    if networks {
        let nothing = json!({
            "rx_bytes": 0, "rx_packets": 0, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": 0, "tx_packets": 0, "tx_errors": 0, "tx_dropped": 0,
        });
        value["networks"] = json!({"eth0": nothing});
    }
    value
}

pub(in super::super) fn stats(container: &Arc<Container>, request: &Request) -> Answered {
    let streams = request.query.get("stream").is_none() || request.query.is("stream");
    if !streams {
        return Ok(Answer::json(200, &sample(container, None)));
    }
    let life = container.life.subscribe();
    let samples = stream::unfold(
        (Arc::clone(container), None::<Value>, life),
        |(container, before, mut life)| async move {
            if before.is_some() {
                let removed = life.wait_for(|life| life.status == super::Status::Removing);
                tokio::select! {
                    _ = removed => return None,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
            let value = sample(&container, before.as_ref());
            let line = Bytes::from(format!("{value}\n"));
            Some((Ok(line), (container, Some(value), life)))
        },
    );
    Ok(Answer::stream(200, samples).with_header("content-type", "application/json"))
}
