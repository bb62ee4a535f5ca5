//! Specs and limits that can't be right, by the field at fault.

use std::time::Duration;

use catamaran::model::{
    ContainerSpec, DeviceCount, DeviceRequest, HealthCheck, ImageRef, LogConfig, MemorySwap, Mount,
    Resources, SeccompProfile, SecurityProfile, Tmpfs, Ulimit,
};

use crate::huge;

pub fn spec() -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("a reference"))
}

pub fn limits(change: impl FnOnce(Resources) -> Resources) -> ContainerSpec {
    spec().with_resources(change(Resources::untrusted()))
}

pub fn profile(change: impl FnOnce(SecurityProfile) -> SecurityProfile) -> ContainerSpec {
    spec().with_security(change(SecurityProfile::untrusted()))
}

pub fn bad_limits() -> Vec<(&'static str, Resources)> {
    let limits = || Resources::default().with_memory_and_no_swap(256 << 20);
    vec![
        ("resources.memory", limits().with_memory(0u64)),
        ("resources.memory", limits().with_memory(1u64)),
        ("resources.memory", limits().with_memory(u64::MAX)),
        (
            "resources.memory_swap",
            limits().with_memory_swap(MemorySwap::Total(0)),
        ),
        (
            "resources.memory_swap",
            limits().with_memory_swap(MemorySwap::Total(u64::MAX)),
        ),
        (
            "resources.memory_reservation",
            limits().with_memory_reservation(0u64),
        ),
        ("resources.cpus", limits().with_cpus(0.0)),
        ("resources.cpus", limits().with_cpus(-1.0)),
        ("resources.cpus", limits().with_cpus(f64::NAN)),
        ("resources.cpus", limits().with_cpus(f64::INFINITY)),
        ("resources.cpus", limits().with_cpus(1e300)),
        ("resources.cpu_shares", limits().with_cpu_shares(0u32)),
        ("resources.cpu_shares", limits().with_cpu_shares(u32::MAX)),
        ("resources.pids", limits().with_pids(0u32)),
        ("resources.cpuset_cpus", limits().with_cpuset_cpus("")),
        ("resources.cpuset_cpus", limits().with_cpuset_cpus("0-?")),
        (
            "resources.cpuset_cpus",
            limits().with_cpuset_cpus("1".repeat(10 << 20)),
        ),
    ]
}

pub fn bad_env() -> Vec<(String, String)> {
    let text = str::to_owned;
    vec![
        (text(""), text("x")),
        (text("A=B"), text("x")),
        (text("A\0"), text("x")),
        (text("A\nB"), text("x")),
        (huge(), text("x")),
        (text("A"), text("\0")),
        (text("A"), huge()),
    ]
}

pub fn bad_specs() -> Vec<(&'static str, ContainerSpec)> {
    let label = |value: &str| spec().with_label("a", value).expect("a key");
    let log = |log| spec().with_log(LogConfig::clone(&log));
    let device = |change: fn(&mut DeviceRequest)| {
        let mut request = DeviceRequest::gpus(DeviceCount::All);
        change(&mut request);
        spec().with_devices(request)
    };
    let mut bad = vec![
        ("command", spec().with_command([huge()])),
        ("command", spec().with_command(["a\0b"])),
        ("entrypoint", spec().with_entrypoint([huge()])),
        ("entrypoint", spec().with_entrypoint(["\0"])),
        ("labels", label(&huge())),
        ("labels", label("a\0")),
        ("working_dir", spec().with_working_dir("relative")),
        ("working_dir", spec().with_working_dir("")),
        ("working_dir", spec().with_working_dir("/a\0")),
        (
            "working_dir",
            spec().with_working_dir(format!("/{}", huge())),
        ),
        ("stdin_once", spec().with_stdin_once(true)),
        ("hostname", spec().with_hostname("")),
        ("hostname", spec().with_hostname("a b")),
        ("hostname", spec().with_hostname("a\n")),
        ("hostname", spec().with_hostname("naïve")),
        ("hostname", spec().with_hostname(huge())),
        ("platform", spec().with_platform("../x")),
        ("platform", spec().with_platform("linux?force=1")),
        ("platform", spec().with_platform(huge())),
        ("stop_timeout", spec().with_stop_timeout(Duration::MAX)),
        ("resources.shm_size", limits(|l| l.with_shm_size(0u64))),
        ("resources.disk", limits(|l| l.with_disk(0u64))),
        ("resources.disk", limits(|l| l.with_disk(u64::MAX))),
        (
            "resources.ulimits",
            limits(|l| l.with_ulimit(Ulimit::new("", 1))),
        ),
        (
            "resources.ulimits",
            limits(|l| l.with_ulimit(Ulimit::new("no file", 1))),
        ),
        (
            "resources.ulimits",
            limits(|l| l.with_ulimit(Ulimit::new(huge(), 1))),
        ),
        (
            "resources.ulimits",
            limits(|l| l.with_ulimit(Ulimit::new("nofile", -2))),
        ),
        ("security.cap_add", profile(|p| p.with_cap_add(""))),
        ("security.cap_add", profile(|p| p.with_cap_add(huge()))),
        ("security.cap_drop", profile(|p| p.with_cap_drop("NET RAW"))),
        ("security.user", profile(|p| p.with_user(""))),
        ("security.user", profile(|p| p.with_user("0\n"))),
        ("security.user", profile(|p| p.with_user(huge()))),
        ("security.apparmor", profile(|p| p.with_apparmor("a b"))),
        ("security.runtime", profile(|p| p.with_runtime(huge()))),
        (
            "security.seccomp",
            profile(|p| p.with_seccomp(SeccompProfile::Json("{".into()))),
        ),
        (
            "security.seccomp",
            profile(|p| p.with_seccomp(SeccompProfile::Json(huge()))),
        ),
        (
            "security.tmpfs",
            profile(|p| p.with_tmpfs("a", Tmpfs::new(1))),
        ),
        (
            "security.tmpfs",
            profile(|p| p.with_tmpfs("/a:exec", Tmpfs::new(1))),
        ),
        (
            "security.tmpfs",
            profile(|p| p.with_tmpfs("/a", Tmpfs::new(0))),
        ),
        (
            "security.tmpfs",
            profile(|p| p.with_tmpfs("/a", Tmpfs::new(u64::MAX))),
        ),
        (
            "security.tmpfs",
            profile(|p| p.with_tmpfs("/a", Tmpfs::new(1).with_mode(0o10000))),
        ),
        ("security.privileged", profile(|p| p.with_privileged(true))),
        ("mounts.target", spec().with_mount(Mount::bind("/a", "b"))),
        (
            "mounts.target",
            spec().with_mount(Mount::bind("/a", format!("/{}", huge()))),
        ),
        ("mounts.source", spec().with_mount(Mount::bind("a", "/b"))),
        (
            "mounts.source",
            spec().with_mount(Mount::bind("/a\0", "/b")),
        ),
        ("mounts.size", spec().with_mount(Mount::tmpfs(0, "/a"))),
        (
            "mounts.size",
            spec().with_mount(Mount::tmpfs(u64::MAX, "/a")),
        ),
        (
            "ports",
            spec().with_port(catamaran::model::PortMapping::tcp(0)),
        ),
        (
            "health_check.test",
            spec().with_health_check(HealthCheck::shell("")),
        ),
        (
            "health_check.test",
            spec().with_health_check(HealthCheck::shell("a\0")),
        ),
        (
            "health_check.test",
            spec().with_health_check(HealthCheck::command(Vec::<String>::new())),
        ),
        (
            "health_check.test",
            spec().with_health_check(HealthCheck::command([huge()])),
        ),
        (
            "health_check.interval",
            spec().with_health_check(HealthCheck::shell("true").with_interval(Duration::ZERO)),
        ),
        (
            "health_check.timeout",
            spec().with_health_check(HealthCheck::shell("true").with_timeout(Duration::MAX)),
        ),
        ("log", log(LogConfig::new(""))),
        ("log", log(LogConfig::new("json file"))),
        ("log", log(LogConfig::new(huge()))),
        ("log", log(LogConfig::new("local").with_option("", "x"))),
        ("log", log(LogConfig::new("local").with_option("a\0", "x"))),
        ("log", log(LogConfig::new("local").with_option("a", huge()))),
        (
            "devices",
            device(|request| request.count = DeviceCount::Ids(vec![huge()])),
        ),
        (
            "devices",
            device(|request| request.count = DeviceCount::Ids(vec!["a\0".into()])),
        ),
        (
            "devices",
            device(|request| request.count = DeviceCount::Count(0)),
        ),
        ("devices", device(|request| request.driver = Some(huge()))),
        (
            "devices",
            device(|request| request.capabilities = vec![vec![huge()]]),
        ),
        (
            "devices",
            device(|request| {
                request.options.insert("a".into(), huge());
            }),
        ),
    ];
    bad.extend(
        bad_limits()
            .into_iter()
            .map(|(field, limits)| (field, spec().with_resources(limits))),
    );
    bad.extend(
        bad_env()
            .into_iter()
            .map(|(key, value)| ("env", spec().with_env(key, value))),
    );
    bad
}
