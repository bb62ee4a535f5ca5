//! Our model to Docker's requests.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::query::{Filters, Query};
use super::{Body, Call};
use crate::endpoint::ApiVersion;
use crate::engine::bollard::models;
use crate::error::{Error, Result};
use crate::model::{
    ContainerRef, ContainerSpec, DeviceCount, DeviceRequest, DriverOptions, EnvVars, HealthCheck,
    HealthTest, ImageRef, ImportOptions, LabelKey, ListImagesOptions, ListOptions, LogsOptions,
    MemorySwap, Mount, MountKind, PortMapping, RemoveImageOptions, Resources, RestartPolicy,
    SeccompProfile, SecurityProfile, TarArchive, UpdateOptions, WaitOptions, format_unix,
};

/// The one path that is asked without a version: it is how the version is learnt.
pub(crate) fn ping() -> Call {
    Call::get("/_ping")
}

pub(crate) fn version() -> Call {
    Call::get("/version")
}

pub(crate) fn info() -> Call {
    Call::get("/info")
}

pub(crate) fn list_images(options: &ListImagesOptions) -> Call {
    let filters = Filters::default()
        .with("reference", &options.reference)
        .with_labels("label", &options.labels);
    Call::get(
        Query::new("/images/json")
            .with("all", options.all)
            .with_filters(&filters)
            .finish(),
    )
}

pub(crate) fn import_image(options: &ImportOptions, archive: TarArchive) -> Result<Call> {
    options.validate()?;
    // The repository goes in `repo` with its tag: Docker and Podman both take it so.
    let mut path = Query::new("/images/create")
        .with("fromSrc", "-")
        .with("repo", options.reference.with_default_tag())
        .with_some("message", options.message.as_ref())
        .with_some("platform", options.platform.as_ref());
    for change in &options.changes {
        path = path.with("changes", change);
    }
    let mut call = Call::post(path.finish());
    call.body = Body::Tar(archive);
    Ok(call)
}

pub(crate) fn remove_image(image: &ImageRef, options: &RemoveImageOptions) -> Call {
    let path = Query::new(format!("/images/{}", image.to_path()))
        .with("force", options.force)
        .with("noprune", options.keep_parents);
    Call::new(http::Method::DELETE, path.finish())
}

pub(crate) fn inspect(container: &ContainerRef) -> Call {
    Call::get(format!("/containers/{container}/json"))
}

pub(crate) fn list(options: &ListOptions) -> Call {
    // Docker's names of containers begin with a slash.
    let names = options
        .names
        .iter()
        .map(|name| literal("/?", name.as_str()));
    let filters = Filters::default()
        .with_labels("label", &options.labels)
        .with("status", &options.states)
        .with("name", names);
    // A state filter alone shows nothing but running containers unless all are asked for.
    let all = options.all || !options.states.is_empty();
    let path = Query::new("/containers/json")
        .with("all", all)
        .with_some("limit", options.limit);
    Call::get(path.with_filters(&filters).finish())
}

/// A name as the regular expression that Docker takes, after what may stand before it.
pub(super) fn literal(before: &str, name: &str) -> String {
    format!("^{before}{}$", name.replace('.', r"\."))
}

pub(crate) fn wait(container: &ContainerRef, options: &WaitOptions) -> Call {
    let path = Query::new(format!("/containers/{container}/wait"));
    Call::post(path.with("condition", options.condition.as_str()).finish())
}

pub(crate) fn logs(container: &ContainerRef, options: &LogsOptions) -> Result<Call> {
    options.validate()?;
    let path = Query::new(format!("/containers/{container}/logs"))
        .with("follow", options.follow)
        .with("stdout", options.stdout)
        .with("stderr", options.stderr)
        .with("timestamps", options.timestamps)
        .with_some("tail", options.tail)
        .with_some("since", options.since.map(format_unix))
        .with_some("until", options.until.map(format_unix));
    Ok(Call::get(path.finish()))
}

pub(crate) fn stats(container: &ContainerRef) -> Call {
    let path = Query::new(format!("/containers/{container}/stats"));
    Call::get(path.with("stream", false).with("one-shot", true).finish())
}

pub(crate) fn stats_stream(container: &ContainerRef) -> Call {
    let path = Query::new(format!("/containers/{container}/stats"));
    Call::get(path.with("stream", true).finish())
}

pub(crate) fn create(spec: &ContainerSpec, version: ApiVersion) -> Result<Call> {
    spec.validate()?;
    if let Some(check) = &spec.health_check
        && check.start_interval.is_some()
    {
        needs(
            version,
            ApiVersion::new(1, 44),
            "health_check.start_interval",
        )?;
    }
    let path = Query::new("/containers/create")
        .with_some("name", spec.name.as_ref())
        .with_some("platform", spec.platform.as_ref());
    let body = models::ContainerCreateBody {
        image: Some(spec.image.with_default_tag().to_string()),
        cmd: non_empty(&spec.command),
        entrypoint: spec.entrypoint.clone(),
        env: env(&spec.env),
        labels: labels(&spec.labels),
        working_dir: spec.working_dir.clone(),
        hostname: spec.hostname.clone(),
        user: spec.security.user.clone(),
        tty: spec.tty.then_some(true),
        open_stdin: spec.stdin.then_some(true),
        stdin_once: spec.stdin_once.then_some(true),
        exposed_ports: non_empty(&spec.ports.iter().map(port_key).collect::<Vec<_>>()),
        healthcheck: spec.health_check.as_ref().map(health_check),
        stop_signal: spec.stop_signal.as_ref().map(ToString::to_string),
        stop_timeout: spec.stop_timeout.map(whole_seconds).map(i64::from),
        host_config: Some(host_config(spec)),
        ..Default::default()
    };
    Call::post(path.finish()).with_json(&body)
}

pub(crate) fn update(container: &ContainerRef, options: &UpdateOptions) -> Result<Call> {
    options.validate()?;
    let limits = &options.resources;
    let body = models::ContainerUpdateBody {
        memory: bytes(limits.memory),
        memory_swap: limits.memory_swap.map(memory_swap),
        memory_reservation: bytes(limits.memory_reservation),
        nano_cpus: nano_cpus(limits),
        cpu_shares: limits.cpu_shares.map(i64::from),
        cpuset_cpus: limits.cpuset_cpus.clone(),
        pids_limit: limits.pids.map(i64::from),
        restart_policy: options.restart_policy.map(restart_policy),
        ..Default::default()
    };
    Call::post(format!("/containers/{container}/update")).with_json(&body)
}

fn host_config(spec: &ContainerSpec) -> models::HostConfig {
    let ContainerSpec {
        resources: limits,
        security,
        ..
    } = spec;
    let storage = limits
        .disk
        .map(|size| HashMap::from([("size".to_owned(), size.to_string())]));
    let tmpfs = security
        .tmpfs
        .iter()
        .map(|(path, tmpfs)| (path.clone(), tmpfs.mount_options()));
    models::HostConfig {
        memory: bytes(limits.memory),
        memory_swap: limits.memory_swap.map(memory_swap),
        memory_reservation: bytes(limits.memory_reservation),
        nano_cpus: nano_cpus(limits),
        cpu_shares: limits.cpu_shares.map(i64::from),
        cpuset_cpus: limits.cpuset_cpus.clone(),
        pids_limit: limits.pids.map(i64::from),
        ulimits: non_empty(&limits.ulimits.iter().map(ulimit).collect::<Vec<_>>()),
        shm_size: bytes(limits.shm_size),
        storage_opt: storage,
        cap_add: non_empty(&security.cap_add),
        cap_drop: non_empty(&security.cap_drop),
        security_opt: non_empty(&security_options(security)),
        readonly_rootfs: security.read_only_root.then_some(true),
        tmpfs: (!security.tmpfs.is_empty()).then(|| tmpfs.collect()),
        runtime: security.runtime.clone(),
        network_mode: security.network.as_ref().map(ToString::to_string),
        privileged: security.privileged.then_some(true),
        mounts: non_empty(&spec.mounts.iter().map(mount).collect::<Vec<_>>()),
        port_bindings: port_bindings(&spec.ports),
        log_config: spec.log.as_ref().map(|log| models::HostConfigLogConfig {
            typ: Some(log.driver.clone()),
            config: Some(log.options.clone().into_iter().collect()),
        }),
        restart_policy: match spec.restart_policy {
            RestartPolicy::No => None,
            policy => Some(restart_policy(policy)),
        },
        device_requests: non_empty(&spec.devices.iter().map(device_request).collect::<Vec<_>>()),
        init: spec.init,
        ..Default::default()
    }
}

fn needs(version: ApiVersion, least: ApiVersion, field: &'static str) -> Result<()> {
    if version >= least {
        return Ok(());
    }
    Err(Error::unsupported(
        field,
        format!("needs API {least}; this engine speaks {version}"),
    ))
}

fn non_empty<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

pub(super) fn env(env: &EnvVars) -> Option<Vec<String>> {
    let pairs: Vec<_> = env
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    non_empty(&pairs)
}

pub(super) fn labels(labels: &BTreeMap<LabelKey, String>) -> Option<HashMap<String, String>> {
    let pairs = labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()));
    (!labels.is_empty()).then(|| pairs.collect())
}

pub(super) fn options(options: &DriverOptions) -> Option<HashMap<String, String>> {
    let pairs = options
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    (!options.is_empty()).then(|| pairs.collect())
}

/// Whole seconds, rounded up: 500 ms must not become "kill at once".
pub(crate) fn whole_seconds(time: Duration) -> i32 {
    let begun = u64::from(time.subsec_nanos() > 0);
    i32::try_from(time.as_secs().saturating_add(begun)).unwrap_or(i32::MAX)
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn bytes(bytes: Option<u64>) -> Option<i64> {
    bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn memory_swap(swap: MemorySwap) -> i64 {
    match swap {
        MemorySwap::Total(bytes) => i64::try_from(bytes).unwrap_or(i64::MAX),
        MemorySwap::Unlimited => -1,
    }
}

#[allow(clippy::cast_possible_truncation)] // validated to at most 65536 CPUs
fn nano_cpus(limits: &Resources) -> Option<i64> {
    limits.cpus.map(|cpus| (cpus * 1e9).round() as i64)
}

fn ulimit(ulimit: &crate::model::Ulimit) -> models::ResourcesUlimits {
    models::ResourcesUlimits {
        name: Some(ulimit.name.clone()),
        soft: Some(ulimit.soft),
        hard: Some(ulimit.hard),
    }
}

fn security_options(security: &SecurityProfile) -> Vec<String> {
    let mut options = Vec::new();
    if security.no_new_privileges {
        // Bare: every engine takes it so.
        options.push("no-new-privileges".to_owned());
    }
    match &security.seccomp {
        None => {}
        Some(SeccompProfile::Unconfined) => options.push("seccomp=unconfined".to_owned()),
        Some(SeccompProfile::Json(profile)) => options.push(format!("seccomp={profile}")),
    }
    if let Some(profile) = &security.apparmor {
        options.push(format!("apparmor={profile}"));
    }
    options
}

fn mount(mount: &Mount) -> models::Mount {
    let (typ, source, tmpfs_options) = match &mount.kind {
        MountKind::Bind(path) => (models::MountType::BIND, Some(path.clone()), None),
        MountKind::Volume(name) => (models::MountType::VOLUME, Some(name.to_string()), None),
        MountKind::Tmpfs(size) => {
            let options = models::MountTmpfsOptions {
                size_bytes: bytes(*size),
                // Docker's own; Podman would let nobody but root in.
                mode: Some(0o1777),
                ..Default::default()
            };
            (models::MountType::TMPFS, None, Some(options))
        }
    };
    models::Mount {
        target: Some(mount.target.clone()),
        source,
        typ: Some(typ),
        read_only: mount.read_only.then_some(true),
        tmpfs_options,
        ..Default::default()
    }
}

fn port_key(port: &PortMapping) -> String {
    format!("{}/{}", port.container_port, port.protocol.as_str())
}

fn port_bindings(ports: &[PortMapping]) -> Option<models::PortMap> {
    let mut map = models::PortMap::new();
    for port in ports {
        let binding = models::PortBinding {
            host_ip: Some(
                port.host_ip
                    .map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string()),
            ),
            host_port: port.host_port.map(|port| port.to_string()),
        };
        map.entry(port_key(port))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    (!map.is_empty()).then_some(map)
}

fn restart_policy(policy: RestartPolicy) -> models::RestartPolicy {
    use models::RestartPolicyNameEnum as Name;
    let (name, retries) = match policy {
        RestartPolicy::No => (Name::NO, None),
        RestartPolicy::Always => (Name::ALWAYS, None),
        RestartPolicy::UnlessStopped => (Name::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(times) => (Name::ON_FAILURE, Some(i64::from(times))),
    };
    models::RestartPolicy {
        name: Some(name),
        maximum_retry_count: retries,
    }
}

fn device_request(request: &DeviceRequest) -> models::DeviceRequest {
    let (count, ids) = match &request.count {
        DeviceCount::All => (Some(-1), None),
        DeviceCount::Count(count) => (Some(i64::from(*count)), None),
        DeviceCount::Ids(ids) => (None, Some(ids.clone())),
    };
    models::DeviceRequest {
        driver: request.driver.clone(),
        count,
        device_ids: ids,
        capabilities: Some(request.capabilities.clone()),
        options: (!request.options.is_empty())
            .then(|| request.options.clone().into_iter().collect()),
    }
}

fn health_check(check: &HealthCheck) -> models::HealthConfig {
    let test = match &check.test {
        HealthTest::Command(command) => std::iter::once("CMD".to_owned())
            .chain(command.iter().cloned())
            .collect(),
        HealthTest::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        HealthTest::Disabled => vec!["NONE".to_owned()],
    };
    models::HealthConfig {
        test: Some(test),
        interval: check.interval.map(nanoseconds),
        timeout: check.timeout.map(nanoseconds),
        start_period: check.start_period.map(nanoseconds),
        start_interval: check.start_interval.map(nanoseconds),
        retries: check.retries.map(i64::from),
    }
}
