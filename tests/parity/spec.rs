//! Strategies for everything that a container can be asked to be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catamaran::model::{
    ContainerSpec, DeviceCount, DeviceRequest, EnvVars, HealthCheck, HealthTest, LogConfig,
    MemorySwap, Mount, MountKind, NetworkMode, NetworkRef, PortMapping, Protocol, Resources,
    RestartPolicy, SeccompProfile, SecurityProfile, Tmpfs, Ulimit, VolumeName,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::words;

/// As many bytes as an engine can count.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1..1u64 << 40, Just(i64::MAX.unsigned_abs())]
}

fn ulimit() -> impl Strategy<Value = Ulimit> {
    ("[a-z]{1,8}", -1..i64::MAX, -1..i64::MAX).prop_map(|(name, soft, hard)| {
        let mut ulimit = Ulimit::new(name, soft);
        ulimit.hard = hard;
        ulimit
    })
}

/// Bounds on memory that don't contradict one another.
fn memory() -> impl Strategy<Value = (Option<u64>, Option<MemorySwap>, Option<u64>)> {
    let swap = option::of(option::of(0..1u64 << 40));
    (option::of(6u64 << 20..1 << 40), swap, option::of(size())).prop_map(
        |(memory, swap, reservation)| {
            let swap = match (memory, swap) {
                (_, None) => None,
                (Some(memory), Some(Some(extra))) => Some(MemorySwap::Total(memory + extra)),
                (_, Some(_)) => Some(MemorySwap::Unlimited),
            };
            let reservation = reservation.map(|bytes| memory.map_or(bytes, |m| bytes.min(m)));
            (memory, swap, reservation)
        },
    )
}

pub fn resources() -> impl Strategy<Value = Resources> {
    (
        memory(),
        option::of((1..65_536_000u32).prop_map(|thousandths| f64::from(thousandths) / 1e3)),
        option::of(2..=262_144u32),
        option::of("[0-9]{1,2}([,-][0-9]{1,2}){0,3}"),
        option::of(1..=u32::MAX),
        vec(ulimit(), 0..3),
        option::of(size()),
        option::of(size()),
    )
        .prop_map(
            |((memory, swap, reservation), cpus, shares, cpuset, pids, ulimits, shm, disk)| {
                let mut resources = Resources::default()
                    .with_memory(memory)
                    .with_memory_swap(swap)
                    .with_memory_reservation(reservation)
                    .with_cpus(cpus)
                    .with_cpu_shares(shares)
                    .with_pids(pids)
                    .with_shm_size(shm)
                    .with_disk(disk);
                resources.cpuset_cpus = cpuset;
                resources.ulimits = ulimits;
                resources
            },
        )
}

fn tmpfs() -> impl Strategy<Value = BTreeMap<String, Tmpfs>> {
    let one = (1..=i64::MAX as u64, 0..=0o7777u32, any::<bool>()).prop_map(|(size, mode, exec)| {
        let mut tmpfs = Tmpfs::new(size).with_mode(mode);
        tmpfs.exec = exec;
        tmpfs
    });
    btree_map("/[^\\x00\\n:,]{0,8}", one, 0..3)
}

fn seccomp() -> impl Strategy<Value = SeccompProfile> {
    prop_oneof![
        Just(SeccompProfile::Unconfined),
        words::text().prop_map(|text| {
            SeccompProfile::Json(serde_json::json!({ "defaultAction": text }).to_string())
        }),
    ]
}

fn network() -> impl Strategy<Value = NetworkMode> {
    prop_oneof![
        Just(NetworkMode::Default),
        Just(NetworkMode::None),
        Just(NetworkMode::Host),
        words::container().prop_map(NetworkMode::Container),
        "net[a-z0-9_.-]{0,2}[a-z]"
            .prop_filter("a name", |name| !name.contains(".."))
            .prop_map(|name| NetworkMode::Network(NetworkRef::new(name).expect("a network"))),
    ]
}

fn security() -> impl Strategy<Value = SecurityProfile> {
    let capabilities = || vec("[A-Z_]{1,12}", 0..3);
    let word = || option::of("[!-~]{1,12}");
    (
        (capabilities(), capabilities(), any::<bool>()),
        (any::<bool>(), any::<bool>()),
        tmpfs(),
        (word(), word(), word()),
        option::of(seccomp()),
        option::of(network()),
    )
        .prop_map(
            |(
                (cap_add, cap_drop, no_new_privileges),
                (read_only_root, privileged),
                tmpfs,
                (user, apparmor, runtime),
                seccomp,
                network,
            )| {
                let mut profile = SecurityProfile::default()
                    .with_read_only_root(read_only_root)
                    .with_seccomp(seccomp)
                    .with_network(network);
                profile.cap_add = cap_add;
                // Privileged contradicts these two.
                if privileged {
                    profile.privileged = true;
                } else {
                    profile.cap_drop = cap_drop;
                    profile.no_new_privileges = no_new_privileges;
                }
                profile.tmpfs = tmpfs;
                profile.user = user;
                profile.apparmor = apparmor;
                profile.runtime = runtime;
                profile
            },
        )
}

fn mount() -> impl Strategy<Value = Mount> {
    let kind = prop_oneof![
        words::path().prop_map(MountKind::Bind),
        words::name().prop_map(|name| {
            MountKind::Volume(VolumeName::new(name.as_str()).expect("a volume"))
        }),
        option::of(1..=i64::MAX as u64).prop_map(MountKind::Tmpfs),
    ];
    (kind, words::path(), any::<bool>()).prop_map(|(kind, target, read_only)| {
        let mut mount = Mount::tmpfs(1, target);
        mount.kind = kind;
        mount.read_only = read_only;
        mount
    })
}

fn port() -> impl Strategy<Value = PortMapping> {
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    (
        // Few, so that one port is published several times.
        prop_oneof![1..4u16, 1..=u16::MAX],
        protocol,
        option::of(any::<std::net::IpAddr>()),
        option::of(1..=u16::MAX),
    )
        .prop_map(|(container_port, protocol, host_ip, host_port)| {
            let mut port = PortMapping::new(container_port, protocol);
            port.host_ip = host_ip;
            port.host_port = host_port;
            port
        })
}

fn health_check() -> impl Strategy<Value = HealthCheck> {
    let test = prop_oneof![
        vec(words::text(), 1..4).prop_map(HealthTest::Command),
        "[^\\x00]{1,8}".prop_map(HealthTest::Shell),
        Just(HealthTest::Disabled),
    ];
    let time = || {
        let year = 86_400 * 365 * 1_000_000_000u64;
        option::of((1_000_000..=year).prop_map(Duration::from_nanos))
    };
    let times = (time(), time(), time(), option::weighted(0.2, time()));
    (test, times, option::of(any::<u32>())).prop_map(
        |(test, (interval, timeout, start, start_interval), retries)| {
            let mut check = HealthCheck::disabled()
                .with_interval(interval)
                .with_timeout(timeout)
                .with_start_period(start)
                .with_start_interval(start_interval.flatten())
                .with_retries(retries);
            check.test = test;
            check
        },
    )
}

fn log() -> impl Strategy<Value = LogConfig> {
    ("[!-~]{1,12}", words::options()).prop_map(|(driver, options)| {
        let mut log = LogConfig::new(driver);
        log.options = options;
        log
    })
}

pub fn restart_policy() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![
        Just(RestartPolicy::No),
        Just(RestartPolicy::Always),
        Just(RestartPolicy::UnlessStopped),
        any::<u32>().prop_map(RestartPolicy::OnFailure),
    ]
}

fn devices() -> impl Strategy<Value = DeviceRequest> {
    let count = prop_oneof![
        Just(DeviceCount::All),
        (1..=u32::MAX).prop_map(DeviceCount::Count),
        words::texts().prop_map(DeviceCount::Ids),
    ];
    (
        option::of(words::text()),
        count,
        vec(words::texts(), 0..3),
        words::options(),
    )
        .prop_map(|(driver, count, capabilities, options)| {
            let mut request = DeviceRequest::gpus(count);
            request.driver = driver;
            request.capabilities = capabilities;
            request.options = options;
            request
        })
}

pub fn env() -> impl Strategy<Value = EnvVars> {
    btree_map("[^=\\x00\\n]{1,8}", words::text(), 0..3)
        .prop_map(|pairs| pairs.into_iter().collect())
}

/// Any container that the crate holds to be valid.
pub fn spec() -> impl Strategy<Value = ContainerSpec> {
    let process = (
        words::texts(),
        option::of(words::texts()),
        env(),
        option::of(words::path()),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    );
    let identity = (
        words::image(),
        option::of(words::name()),
        btree_map(words::label(), words::text(), 0..3),
        option::of("[a-zA-Z0-9][a-zA-Z0-9.-]{0,12}"),
        option::of(words::platform()),
    );
    let environs = (
        resources(),
        security(),
        vec(mount(), 0..3),
        vec(port(), 0..4),
        vec(devices(), 0..2),
    );
    let day = Duration::from_secs(86_400);
    let life = (
        option::of(health_check()),
        option::of(log()),
        restart_policy(),
        option::of(any::<bool>()),
        option::of(words::signal()),
        option::of((0..=86_400_000u64).prop_map(move |ms| Duration::from_millis(ms).min(day))),
        any::<bool>(),
    );
    (process, identity, environs, life).prop_map(|(process, identity, environs, life)| {
        let mut spec = ContainerSpec::new(identity.0);
        (spec.name, spec.labels) = (identity.1, identity.2);
        (spec.hostname, spec.platform) = (identity.3, identity.4);
        (spec.command, spec.entrypoint, spec.env) = (process.0, process.1, process.2);
        let (tty, stdin, once) = process.4;
        (spec.working_dir, spec.tty) = (process.3, tty);
        (spec.stdin, spec.stdin_once) = (stdin, stdin && once);
        (spec.resources, spec.security) = (environs.0, environs.1);
        (spec.mounts, spec.ports, spec.devices) = (environs.2, environs.3, environs.4);
        (spec.health_check, spec.log, spec.restart_policy) = (life.0, life.1, life.2);
        (spec.init, spec.stop_signal, spec.stop_timeout) = (life.3, life.4, life.5);
        spec.strict = life.6;
        spec
    })
}

/// What stands for the value of what has parts.
const PARTS: &str = "…";

/// Notes each leaf's values; what is keyed by the caller's own words is one leaf.
fn leaves(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let ours = ["env", "labels", "options", "tmpfs"];
    let shown = match value {
        Value::Object(fields) if !ours.iter().any(|key| path.ends_with(key)) => {
            for (key, value) in fields {
                leaves(value, &format!("{path}.{key}"), found);
            }
            PARTS.to_owned()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                leaves(item, &format!("{path}[]"), found);
            }
            PARTS.to_owned()
        }
        leaf => leaf.to_string(),
    };
    found.entry(path.to_owned()).or_default().insert(shown);
}

#[test]
fn every_field_of_a_spec_is_filled_and_valid() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::new();
    for _ in 0..256 {
        let spec = spec().new_tree(&mut runner).expect("a spec").current();
        spec.validate().expect("a valid spec");
        leaves(
            &serde_json::to_value(&spec).expect("JSON"),
            "spec",
            &mut found,
        );
    }
    // A field that the strategy forgets keeps its one default.
    for (path, values) in found {
        let varies = values.len() > 1 || values.contains(PARTS);
        assert!(varies, "{path} is always {values:?}");
    }
}
