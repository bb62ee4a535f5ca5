//! A container's details, with the limits and privileges in force read back into the spec's own terms.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::host::{self, AskedMount, Bindings, Device, Point, WireCheck, WireDevices};
use super::nullable::nullable;
use super::{decode::id, decode::without_slash, json};
use crate::error::Result;
use crate::model::{
    ContainerDetails, ContainerState, DriverOptions, EnvVars, Health, HealthStatus, HostAccess,
    MemorySwap, NetworkAttachment, Resources, RestartPolicy, SeccompProfile, SecurityProfile,
    StateDetails, Tmpfs, Ulimit, parse_rfc3339,
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
    open_stdin: bool,
    #[serde(default, deserialize_with = "nullable")]
    stdin_once: bool,
    #[serde(default, deserialize_with = "nullable")]
    user: String,
    #[serde(default, deserialize_with = "nullable")]
    hostname: String,
    #[serde(default, deserialize_with = "nullable")]
    working_dir: String,
    #[serde(default, deserialize_with = "nullable")]
    stop_signal: String,
    stop_timeout: Option<i64>,
    healthcheck: Option<WireCheck>,
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

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Log {
    #[serde(rename = "Type")]
    driver: Option<String>,
    /// A new one may be no text.
    #[serde(default, deserialize_with = "nullable")]
    config: BTreeMap<String, serde_json::Value>,
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
    #[serde(default, deserialize_with = "nullable")]
    log_config: Log,
    init: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    mounts: Vec<AskedMount>,
    #[serde(default, deserialize_with = "nullable")]
    port_bindings: Bindings,
    #[serde(default, deserialize_with = "nullable")]
    device_requests: Vec<WireDevices>,
    #[serde(default, deserialize_with = "nullable")]
    pid_mode: String,
    #[serde(default, deserialize_with = "nullable")]
    ipc_mode: String,
    #[serde(default, rename = "UTSMode", deserialize_with = "nullable")]
    uts_mode: String,
    #[serde(default, deserialize_with = "nullable")]
    userns_mode: String,
    #[serde(default, deserialize_with = "nullable")]
    devices: Vec<Device>,
    #[serde(default, deserialize_with = "nullable")]
    device_cgroup_rules: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    group_add: Vec<String>,
    masked_paths: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    publish_all_ports: bool,
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
    ports: Bindings,
    #[serde(default, deserialize_with = "nullable")]
    networks: BTreeMap<String, Option<Network>>,
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
    mounts: Vec<Point>,
}

pub(crate) fn details(body: &[u8]) -> Result<ContainerDetails> {
    let details: Details = json(body)?;
    let Details {
        config,
        host_config: mut host,
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
        command: some(details.path).into_iter().chain(details.args).collect(),
        env: env(&config.env),
        labels: config.labels,
        working_dir: some(config.working_dir),
        hostname: some(config.hostname),
        tty: config.tty,
        stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        resources: resources(&host),
        restart_policy: restart_policy(&host.restart_policy),
        init: host.init,
        stop_signal: signal_name(config.stop_signal),
        stop_timeout: config
            .stop_timeout
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs),
        health_check: config.healthcheck.and_then(WireCheck::read),
        log_driver: host.log_config.driver.take(),
        log_options: texts(std::mem::take(&mut host.log_config.config)),
        mounts: host::mounts(details.mounts, &host.mounts),
        devices: std::mem::take(&mut host.device_requests)
            .into_iter()
            .map(Into::into)
            .collect(),
        port_bindings: host::asked_ports(std::mem::take(&mut host.port_bindings)),
        host_access: host_access(&mut host),
        security: security(host, config.user),
        ports: host::published(network.ports),
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
                name: limit_name(&u.name),
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

/// Whether a [`SecurityProfile`] has a field for the option.
fn is_of_profile(option: &str) -> bool {
    let key = option.split(['=', ':']).next();
    matches!(key, Some("no-new-privileges" | "seccomp" | "apparmor"))
}

fn host_access(host: &mut HostConfig) -> HostAccess {
    let of = |mode: &mut String| some(std::mem::take(mode));
    let options = host.security_opt.iter();
    HostAccess {
        pid_mode: of(&mut host.pid_mode),
        ipc_mode: of(&mut host.ipc_mode),
        uts_mode: of(&mut host.uts_mode),
        userns_mode: of(&mut host.userns_mode),
        security_options: options.filter(|o| !is_of_profile(o)).cloned().collect(),
        devices: std::mem::take(&mut host.devices)
            .into_iter()
            .map(|device| device.path_on_host)
            .collect(),
        device_rules: std::mem::take(&mut host.device_cgroup_rules),
        groups: std::mem::take(&mut host.group_add),
        // Engines that don't tell leave it out.
        unmasked: host.masked_paths.as_ref().is_some_and(Vec::is_empty),
        publishes_all_ports: host.publish_all_ports,
    }
}

fn texts(options: BTreeMap<String, serde_json::Value>) -> DriverOptions {
    options
        .into_iter()
        .filter_map(|(key, value)| match value {
            serde_json::Value::String(text) => Some((key, text)),
            _ => None,
        })
        .collect()
}

/// As it was asked for: Podman writes `RLIMIT_NOFILE`.
fn limit_name(name: &str) -> String {
    let plain = name.to_ascii_lowercase();
    plain.strip_prefix("rlimit_").unwrap_or(name).to_owned()
}

/// A signal's name where it is told by its number, as Podman keeps it.
pub(crate) fn signal_name(text: String) -> Option<String> {
    const NAMES: &[&str] = &[
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let number = text.parse::<usize>().ok();
    let name = number.and_then(|number| NAMES.get(number.checked_sub(1)?));
    some(name.map_or(text, |name| format!("SIG{name}")))
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
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn restart_policy(policy: &Restart) -> Option<RestartPolicy> {
    Some(match policy.name.as_str() {
        "" | "no" => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure(policy.maximum_retry_count),
        _ => return None,
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

#[cfg(test)]
mod tests;
