//! A container's details, with the limits and privileges in force read back into the spec's own terms.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::nullable::nullable;
use super::{decode::id, decode::without_slash, json};
use crate::error::Result;
use crate::model::{
    ContainerDetails, ContainerState, EnvVars, Health, HealthStatus, MemorySwap, Mount, MountKind,
    NetworkAttachment, Protocol, PublishedPort, Resources, RestartPolicy, SeccompProfile,
    SecurityProfile, StateDetails, Tmpfs, Ulimit, VolumeName, parse_rfc3339,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthLog {
    #[serde(default, deserialize_with = "nullable")]
    output: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireHealth {
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    failing_streak: u64,
    #[serde(default, deserialize_with = "nullable")]
    log: Vec<HealthLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    pid: i64,
    exit_code: Option<i64>,
    #[serde(default, rename = "OOMKilled", deserialize_with = "nullable")]
    oom_killed: bool,
    #[serde(default, deserialize_with = "nullable")]
    error: String,
    #[serde(default, deserialize_with = "nullable")]
    started_at: String,
    #[serde(default, deserialize_with = "nullable")]
    finished_at: String,
    health: Option<WireHealth>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default, deserialize_with = "nullable")]
    image: String,
    #[serde(default, deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    tty: bool,
    #[serde(default, deserialize_with = "nullable")]
    user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireUlimit {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    soft: i64,
    #[serde(default, deserialize_with = "nullable")]
    hard: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Restart {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    maximum_retry_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Log {
    #[serde(rename = "Type")]
    driver: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    memory: Option<i64>,
    memory_swap: Option<i64>,
    memory_reservation: Option<i64>,
    nano_cpus: Option<i64>,
    cpu_quota: Option<i64>,
    cpu_period: Option<i64>,
    cpu_shares: Option<i64>,
    cpuset_cpus: Option<String>,
    pids_limit: Option<i64>,
    #[serde(default, deserialize_with = "nullable")]
    ulimits: Vec<WireUlimit>,
    shm_size: Option<i64>,
    #[serde(default, deserialize_with = "nullable")]
    storage_opt: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    cap_add: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    cap_drop: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    security_opt: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    readonly_rootfs: bool,
    #[serde(default, deserialize_with = "nullable")]
    tmpfs: BTreeMap<String, String>,
    runtime: Option<String>,
    network_mode: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    privileged: bool,
    #[serde(default, deserialize_with = "nullable")]
    restart_policy: Restart,
    log_config: Option<Log>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default, deserialize_with = "nullable")]
    host_ip: String,
    #[serde(default, deserialize_with = "nullable")]
    host_port: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(default, rename = "NetworkID", deserialize_with = "nullable")]
    network_id: String,
    #[serde(default, rename = "IPAddress", deserialize_with = "nullable")]
    ip_address: String,
    #[serde(default, deserialize_with = "nullable")]
    gateway: String,
    #[serde(default, deserialize_with = "nullable")]
    aliases: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default, deserialize_with = "nullable")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
    #[serde(default, deserialize_with = "nullable")]
    networks: BTreeMap<String, Option<Network>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireMount {
    #[serde(default, rename = "Type", deserialize_with = "nullable")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    source: String,
    #[serde(default, deserialize_with = "nullable")]
    destination: String,
    #[serde(default, rename = "RW", deserialize_with = "nullable")]
    writable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    image: String,
    #[serde(default, deserialize_with = "nullable")]
    created: String,
    state: State,
    #[serde(default, deserialize_with = "nullable")]
    restart_count: u64,
    #[serde(default, deserialize_with = "nullable")]
    path: String,
    #[serde(default, deserialize_with = "nullable")]
    args: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    config: Config,
    #[serde(default, deserialize_with = "nullable")]
    host_config: HostConfig,
    #[serde(default, deserialize_with = "nullable")]
    network_settings: NetworkSettings,
    #[serde(default, deserialize_with = "nullable")]
    mounts: Vec<WireMount>,
}

pub(crate) fn details(body: &[u8]) -> Result<ContainerDetails> {
    let details: Details = json(body)?;
    let Details {
        config,
        host_config: host,
        network_settings: network,
        ..
    } = details;
    Ok(ContainerDetails {
        id: id(&details.id)?,
        name: without_slash(&details.name),
        image: config.image,
        image_id: details.image,
        created: parse_rfc3339(&details.created),
        state: state(details.state),
        restart_count: details.restart_count,
        command: std::iter::once(details.path)
            .chain(details.args)
            .filter(|p| !p.is_empty())
            .collect(),
        env: env(&config.env),
        labels: config.labels,
        tty: config.tty,
        resources: resources(&host),
        restart_policy: restart_policy(&host.restart_policy),
        log_driver: host.log_config.as_ref().and_then(|log| log.driver.clone()),
        security: security(host, config.user),
        mounts: details.mounts.into_iter().filter_map(mount).collect(),
        ports: ports(network.ports),
        networks: network
            .networks
            .into_iter()
            .map(|(name, network)| (name, attachment(network.unwrap_or_default())))
            .collect(),
    })
}

fn state(state: State) -> StateDetails {
    let status = ContainerState::from(state.status);
    let started_at = parse_rfc3339(&state.started_at);
    // Engines write 0 for the exit code of what runs or never ran; that is no exit code.
    let ended = matches!(
        status,
        ContainerState::Exited
            | ContainerState::Dead
            | ContainerState::Removing
            | ContainerState::Restarting
    );
    StateDetails {
        pid: u32::try_from(state.pid).ok().filter(|pid| *pid > 0),
        exit_code: state.exit_code.filter(|_| ended && started_at.is_some()),
        oom_killed: state.oom_killed,
        error: some(state.error),
        started_at,
        finished_at: parse_rfc3339(&state.finished_at),
        // Without a check Docker leaves it out or says "none", Podman says "".
        health: state
            .health
            .filter(|h| !matches!(h.status.as_str(), "" | "none"))
            .map(|health| Health {
                status: HealthStatus::from(health.status.as_str()),
                failing_streak: health.failing_streak,
                last_output: health.log.into_iter().next_back().map(|log| log.output),
            }),
        status,
    }
}

pub(super) fn env(pairs: &[String]) -> EnvVars {
    pairs
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .collect()
}

fn resources(host: &HostConfig) -> Resources {
    // 0 means "no limit" for all of these, -1 for some.
    let positive =
        |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    let small = |value: Option<i64>| positive(value).and_then(|v| u32::try_from(v).ok());
    #[allow(clippy::cast_precision_loss)] // far below 2^52 in practice, and a display value
    let cpus = match (positive(host.nano_cpus), positive(host.cpu_quota)) {
        (Some(nano), _) => Some(nano as f64 / 1e9),
        // Podman keeps the quota; the kernel's default period is 100 ms.
        (None, Some(quota)) => {
            Some(quota as f64 / positive(host.cpu_period).unwrap_or(100_000) as f64)
        }
        (None, None) => None,
    };
    Resources {
        memory: positive(host.memory),
        memory_swap: match host.memory_swap {
            Some(-1) => Some(MemorySwap::Unlimited),
            swap => positive(swap).map(MemorySwap::Total),
        },
        memory_reservation: positive(host.memory_reservation),
        cpus,
        cpu_shares: small(host.cpu_shares),
        cpuset_cpus: host.cpuset_cpus.clone().and_then(some),
        pids: small(host.pids_limit),
        ulimits: host
            .ulimits
            .iter()
            .map(|u| Ulimit {
                name: u.name.clone(),
                soft: u.soft,
                hard: u.hard,
            })
            .collect(),
        shm_size: positive(host.shm_size),
        disk: host
            .storage_opt
            .get("size")
            .and_then(|size| size.parse().ok()),
    }
}

fn security(host: HostConfig, user: String) -> SecurityProfile {
    let mut profile = SecurityProfile {
        cap_add: host.cap_add,
        cap_drop: host.cap_drop,
        read_only_root: host.readonly_rootfs,
        tmpfs: host
            .tmpfs
            .into_iter()
            .map(|(path, options)| (path, tmpfs(&options)))
            .collect(),
        user: some(user),
        runtime: host.runtime.and_then(some),
        network: host.network_mode.and_then(|mode| mode.parse().ok()),
        privileged: host.privileged,
        ..SecurityProfile::default()
    };
    for option in &host.security_opt {
        // Docker takes and keeps both separators.
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
        match (key, value) {
            ("no-new-privileges", value) => profile.no_new_privileges = value == "true",
            ("seccomp", "unconfined") => profile.seccomp = Some(SeccompProfile::Unconfined),
            ("seccomp", json) => profile.seccomp = Some(SeccompProfile::Json(json.to_owned())),
            ("apparmor", name) => profile.apparmor = Some(name.to_owned()),
            _ => {}
        }
    }
    profile
}

fn tmpfs(options: &str) -> Tmpfs {
    // What isn't said is the kernel's default: half the memory (0 here), 1777, executable.
    let mut tmpfs = Tmpfs::new(0).with_exec();
    for option in options.split(',') {
        match option.split_once('=').unwrap_or((option, "")) {
            ("noexec", _) => tmpfs.exec = false,
            ("size", size) => tmpfs.size = size_in_bytes(size).unwrap_or(0),
            ("mode", mode) => tmpfs.mode = u32::from_str_radix(mode, 8).unwrap_or(tmpfs.mode),
            _ => {}
        }
    }
    tmpfs
}

/// A number with the kernel's suffixes.
fn size_in_bytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    number.parse::<u64>().ok()?.checked_shl(shift)
}

fn restart_policy(policy: &Restart) -> RestartPolicy {
    match policy.name.as_str() {
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure(policy.maximum_retry_count),
        _ => RestartPolicy::No,
    }
}

fn ports(ports: BTreeMap<String, Option<Vec<Binding>>>) -> Vec<PublishedPort> {
    let mut published = Vec::new();
    for (key, bindings) in ports {
        let (port, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        let (Ok(container_port), Some(protocol)) = (port.parse(), protocol_of(protocol)) else {
            continue;
        };
        for binding in bindings.into_iter().flatten() {
            if let Ok(host_port) = binding.host_port.parse() {
                let host_ip = binding.host_ip.parse().ok();
                published.push(PublishedPort {
                    container_port,
                    protocol,
                    host_ip,
                    host_port,
                });
            }
        }
    }
    published
}

fn protocol_of(name: &str) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|p| p.as_str() == name)
}

/// A mount in the spec's terms; there may be kinds that it has no word for.
fn mount(mount: WireMount) -> Option<Mount> {
    let kind = match mount.kind.as_str() {
        "bind" => MountKind::Bind(mount.source),
        "volume" => MountKind::Volume(VolumeName::new(mount.name).ok()?),
        "tmpfs" => MountKind::Tmpfs(None),
        _ => return None,
    };
    Some(Mount {
        kind,
        target: mount.destination,
        read_only: !mount.writable,
    })
}

fn attachment(network: Network) -> NetworkAttachment {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    NetworkAttachment {
        ip_address: address(&network.ip_address),
        gateway: address(&network.gateway),
        network_id: some(network.network_id),
        aliases: network.aliases,
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
