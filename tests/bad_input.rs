//! Input that can't be right never reaches the wire: it is refused when a reference is made, or by the call
//! before anything is sent, by its field's name and in a message that fits a log.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use catamaran::model::{
    Cidr, ConnectOptions, ContainerName, ContainerRef, ContainerSpec, ContainerState, DeviceCount,
    DeviceRequest, ExecId, ExecOptions, HealthCheck, ImageRef, ImportOptions, LabelKey,
    ListImagesOptions, ListNetworksOptions, ListOptions, ListVolumesOptions, LogConfig,
    LogsOptions, MemorySwap, Mount, NetworkMode, NetworkRef, NetworkSpec, PruneImagesOptions,
    PruneNetworksOptions, PruneVolumesOptions, PullOptions, RegistryAuth, Resources,
    SeccompProfile, SecurityProfile, Signal, Subnet, Tmpfs, TopOptions, Ulimit, UpdateOptions,
    VolumeName, VolumeSpec,
};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, Effect, Endpoint, Error,
    ErrorKind, HybridBackend, Result,
};

/// What a log line has room for.
const BRIEF: usize = 1024;

fn huge() -> String {
    "a".repeat(10 << 20)
}

/// Texts that no reference may be.
fn bad_texts() -> Vec<String> {
    let mut texts = vec![huge(), "é".repeat(5 << 20), "../".repeat(1 << 20)];
    texts.extend(
        [
            "",
            " ",
            ".",
            "..",
            "../volumes/x",
            "/a",
            "a/../b",
            "a?force=1",
            "a?force=1&v=1#",
            "a#b",
            "a b",
            "a\n",
            "\na",
            "a\r\nHost: x",
            "a\0",
            "\0",
            "a\u{7f}",
            "naïve",
            "容器",
            "\u{202e}a",
            "%2e%2e",
            "a%00",
            "a&b",
            "a;b",
            "a\\b",
            "a\"b",
            "http://a/b",
            "-a",
            "a:b:c",
            "a@b",
            "{}",
        ]
        .map(str::to_owned),
    );
    texts
}

/// Fails unless it is the refusal of bad input, said briefly.
#[track_caller]
fn assert_refused(what: &str, error: &Error) {
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::InvalidInput, Effect::NotSent),
        "{what:.60?}: {error:.300}"
    );
    assert!(error.field().is_some(), "{what:.60?}: {error:.300}");
    for said in [
        error.to_string(),
        format!("{error:#}"),
        format!("{error:?}"),
    ] {
        assert!(
            said.len() < BRIEF && !said.contains(['\n', '\0', '\r']),
            "{what:.60?}: {} bytes, {said:.300}",
            said.len()
        );
    }
}

/// Fails unless every way to make the type of a text refuses it.
macro_rules! assert_refuses {
    ($type:ty, $text:expr) => {{
        let text: &str = $text;
        let what = concat!(stringify!($type), " of a bad text");
        assert_refused(what, &text.parse::<$type>().map(|_| ()).expect_err(text));
        assert_refused(
            what,
            &<$type>::try_from(text.to_owned())
                .map(|_| ())
                .expect_err(text),
        );
        let json = serde_json::Value::from(text);
        let error = serde_json::from_value::<$type>(json)
            .map(|_| ())
            .expect_err(text);
        assert!(error.to_string().len() < BRIEF, "{what}: {error:.300}");
    }};
}

#[test]
fn no_reference_is_made_of_a_bad_text() {
    for text in bad_texts() {
        assert_refuses!(ContainerRef, &text);
        assert_refuses!(ContainerName, &text);
        assert_refuses!(ExecId, &text);
        assert_refuses!(NetworkRef, &text);
        assert_refuses!(VolumeName, &text);
        assert_refuses!(Cidr, &text);
        assert_refuses!(Cidr, &format!("10.0.0.0/{text}"));
        assert_refuses!(Cidr, &format!("{text}/8"));
        assert_refuses!(LabelKey, &text);
        assert_refuses!(Signal, &text);
        assert_refuses!(NetworkMode, &text);
        assert_refuses!(NetworkMode, &format!("container:{text}"));
        let label = spec().with_label(&text, "x").expect_err(&text);
        assert_refused(&text, &label);
        // An image may have a registry's name before it, and a tag behind it.
        assert_refuses!(ImageRef, &text);
    }
}

fn spec() -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("a reference"))
}

fn limits(change: impl FnOnce(Resources) -> Resources) -> ContainerSpec {
    spec().with_resources(change(Resources::untrusted()))
}

fn profile(change: impl FnOnce(SecurityProfile) -> SecurityProfile) -> ContainerSpec {
    spec().with_security(change(SecurityProfile::untrusted()))
}

fn bad_limits() -> Vec<(&'static str, Resources)> {
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

fn bad_env() -> Vec<(String, String)> {
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

fn bad_specs() -> Vec<(&'static str, ContainerSpec)> {
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

fn bad_execs() -> Vec<(&'static str, ExecOptions)> {
    let run = || ExecOptions::new(["true"]);
    let mut bad = vec![
        ("exec.command", ExecOptions::new(Vec::<String>::new())),
        ("exec.command", ExecOptions::new([""])),
        ("exec.command", ExecOptions::new(["a\0"])),
        ("exec.command", ExecOptions::new([huge()])),
        ("exec.user", run().with_user("")),
        ("exec.user", run().with_user("a b")),
        ("exec.user", run().with_user("0\n")),
        ("exec.user", run().with_user("0\0")),
        ("exec.user", run().with_user("naïve")),
        ("exec.user", run().with_user(huge())),
        ("exec.working_dir", run().with_working_dir("tmp")),
        ("exec.working_dir", run().with_working_dir("/tmp\0")),
    ];
    bad.extend(
        bad_env()
            .into_iter()
            .map(|(key, value)| ("env", run().with_env(key, value))),
    );
    bad
}

fn bad_lists() -> Vec<(&'static str, ListOptions)> {
    let label =
        |value: String| ListOptions::all().with_label(LabelKey::new("a").expect("a key"), value);
    let state = |name: &str| ListOptions::all().with_state(ContainerState::from(name));
    vec![
        ("labels", label(huge())),
        ("labels", label("a\0".to_owned())),
        ("states", state("")),
        ("states", state("a b")),
        ("states", state(&huge())),
        ("limit", ListOptions::all().with_limit(0u32)),
    ]
}

fn bad_imports() -> Vec<(&'static str, ImportOptions)> {
    let hex = "a".repeat(64);
    let named = |name: &str| ImportOptions::new(ImageRef::new(name).expect("a reference"));
    vec![
        ("image", named(&hex)),
        ("image", named(&format!("x@sha256:{hex}"))),
        ("changes", named("x").with_change(huge())),
        ("changes", named("x").with_change("CMD a\0")),
        ("message", named("x").with_message(huge())),
        ("message", named("x").with_message("\0")),
        ("platform", named("x").with_platform("linux/../x")),
        ("platform", named("x").with_platform(huge())),
    ]
}

fn bad_networks() -> Vec<(&'static str, NetworkSpec)> {
    let spec = || NetworkSpec::new(NetworkRef::new("net").expect("a name"));
    let cidr = |text: &str| Cidr::new(text).expect("a block");
    let block = |text: &str| Subnet::new(cidr(text));
    let label = |value: &str| spec().with_label("a", value).expect("a key");
    vec![
        ("driver", spec().with_driver("")),
        ("driver", spec().with_driver("a b")),
        ("driver", spec().with_driver(huge())),
        ("labels", label("a\0")),
        ("labels", label(&huge())),
        ("options", spec().with_option("", "x")),
        ("options", spec().with_option("a\0", "x")),
        ("options", spec().with_option(huge(), "x")),
        ("options", spec().with_option("a", huge())),
        ("subnets.subnet", spec().with_subnet(block("10.0.0.1/24"))),
        (
            "subnets.gateway",
            spec().with_subnet(block("10.0.0.0/24").with_gateway(Ipv4Addr::new(10, 0, 1, 1))),
        ),
        (
            "subnets.gateway",
            spec().with_subnet(block("10.0.0.0/24").with_gateway(Ipv6Addr::LOCALHOST)),
        ),
        (
            "subnets.ip_range",
            spec().with_subnet(block("10.0.0.0/24").with_ip_range(cidr("10.0.1.0/25"))),
        ),
        (
            "subnets.ip_range",
            spec().with_subnet(block("10.0.0.0/24").with_ip_range(cidr("10.0.0.0/16"))),
        ),
        ("ipv6", spec().with_subnet(block("fd00::/64"))),
    ]
}

fn bad_connections() -> Vec<(&'static str, ConnectOptions)> {
    let options = ConnectOptions::default;
    vec![
        ("aliases", options().with_alias("")),
        ("aliases", options().with_alias("a b")),
        ("aliases", options().with_alias("a\n")),
        ("aliases", options().with_alias("naïve")),
        ("aliases", options().with_alias("ok").with_alias(huge())),
        (
            "ipv4_address",
            options().with_ipv4_address(Ipv4Addr::UNSPECIFIED),
        ),
        (
            "ipv4_address",
            options().with_ipv4_address(Ipv4Addr::new(224, 0, 0, 1)),
        ),
        (
            "ipv6_address",
            options().with_ipv6_address(Ipv6Addr::UNSPECIFIED),
        ),
    ]
}

fn bad_volumes() -> Vec<(&'static str, VolumeSpec)> {
    let label = |value: &str| VolumeSpec::new().with_label("a", value).expect("a key");
    vec![
        ("driver", VolumeSpec::new().with_driver("")),
        ("driver", VolumeSpec::new().with_driver(huge())),
        ("options", VolumeSpec::new().with_option("", "x")),
        ("options", VolumeSpec::new().with_option("a", "\0")),
        ("options", VolumeSpec::new().with_option("a", huge())),
        ("labels", label("a\0")),
        ("labels", label(&huge())),
    ]
}

fn bad_pulls() -> Vec<(&'static str, ImageRef, PullOptions)> {
    let named = |name: &str| ImageRef::new(name).expect("a reference");
    let by = |auth: RegistryAuth| ("auth", named("x"), PullOptions::default().with_auth(auth));
    let on = |platform: &str| {
        let options = PullOptions::default().with_platform(platform);
        ("platform", named("x"), options)
    };
    vec![
        ("image", named(&"a".repeat(64)), PullOptions::default()),
        on(""),
        on("linux/../x"),
        on("a b"),
        on(&huge()),
        by(RegistryAuth::password("", "x")),
        by(RegistryAuth::password("x", "")),
        by(RegistryAuth::password("x", huge())),
        by(RegistryAuth::identity_token("a\0")),
        by(RegistryAuth::registry_token("x").with_server_address(huge())),
    ]
}

fn hybrid(endpoint: Endpoint) -> HybridBackend {
    let config = Config::builder().endpoint(endpoint).build();
    HybridBackend::new(&config.expect("a configuration")).expect("both engines")
}

/// A socket that nobody may touch.
struct Untouched {
    socket: UnixListener,
    _directory: tempfile::TempDir,
    engines: [Box<dyn ContainerBackend>; 3],
}

impl Untouched {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("engine.sock");
        let socket = UnixListener::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let endpoint = || Endpoint::unix(&path);
        Self {
            socket,
            engines: [
                Box::new(AsyncEngine::connect(endpoint()).expect("an engine")),
                Box::new(BlockingEngine::connect(endpoint()).expect("an engine")),
                Box::new(hybrid(endpoint())),
            ],
            _directory: directory,
        }
    }

    /// Makes the call through both engines and their hybrid, which refuse it by the field's name without a connection.
    async fn refuses<T>(
        &self,
        field: &str,
        call: impl AsyncFn(&dyn ContainerBackend) -> Result<T>,
    ) {
        for engine in &self.engines {
            // What is sent after all gets no answer.
            let hurried =
                engine.with_context(CallContext::new().with_timeout(Duration::from_secs(1)));
            let refused = call(&*hurried).await.map(|_| ()).expect_err(field);
            assert_refused(field, &refused);
            assert_eq!(refused.field(), Some(field), "{refused}");
            assert!(refused.operation().is_some() && refused.engine().is_some());
            let connection = self.socket.accept();
            assert!(connection.is_err(), "somebody connected for a bad {field}");
        }
    }
}

#[tokio::test]
async fn what_the_call_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    let id = &ContainerRef::new("abc").expect("a name");
    for (field, spec) in &bad_specs() {
        untouched
            .refuses(field, async |engine| engine.create(spec).await)
            .await;
    }
    for (field, options) in &bad_execs() {
        untouched
            .refuses(field, async |engine| engine.exec(id, options).await)
            .await;
    }
    for (field, limits) in bad_limits() {
        let options = &UpdateOptions::default().with_resources(limits);
        untouched
            .refuses(field, async |engine| engine.update(id, options).await)
            .await;
    }
    for (field, options) in &bad_lists() {
        untouched
            .refuses(field, async |engine| engine.list(options).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = LabelKey::new("a").expect("a key");
        let options = &ListImagesOptions::default().with_label(label, value);
        untouched
            .refuses("labels", async |engine| engine.list_images(options).await)
            .await;
    }
    for (field, options) in &bad_imports() {
        let import =
            async |engine: &dyn ContainerBackend| engine.import_image(options, "tar".into()).await;
        untouched.refuses(field, import).await;
    }
    for args in [huge(), "-o\npid".to_owned(), "\0".to_owned()] {
        let options = &TopOptions::default().with_ps_args(args);
        untouched
            .refuses("top.ps_args", async |engine| engine.top(id, options).await)
            .await;
    }
    for (field, image, options) in &bad_pulls() {
        untouched
            .refuses(field, async |engine| {
                engine.pull_image(image, options).await
            })
            .await;
    }
    let image = &ImageRef::new("x").expect("a reference");
    for name in ["a".repeat(64), format!("x@sha256:{}", "a".repeat(64))] {
        let name = &ImageRef::new(name).expect("a reference");
        untouched
            .refuses("name", async |engine| engine.tag_image(image, name).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = LabelKey::new("a").expect("a key");
        let options = &PruneImagesOptions::default().with_label(label, value);
        untouched
            .refuses("labels", async |engine| engine.prune_images(options).await)
            .await;
    }
    let nothing = &LogsOptions::default().with_stdout(false).with_stderr(false);
    untouched
        .refuses("logs", async |engine| engine.logs(id, nothing).await)
        .await;
}

#[tokio::test]
async fn what_a_call_on_networks_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    let id = &ContainerRef::new("abc").expect("a name");
    let network = &NetworkRef::new("net").expect("a name");
    for (field, spec) in &bad_networks() {
        untouched
            .refuses(field, async |engine| engine.create_network(spec).await)
            .await;
    }
    for (field, options) in &bad_connections() {
        let connect = async |engine: &dyn ContainerBackend| {
            engine.connect_network(network, id, options).await
        };
        untouched.refuses(field, connect).await;
    }
    for (field, options) in [
        ("driver", ListNetworksOptions::default().with_driver("a b")),
        ("driver", ListNetworksOptions::default().with_driver(huge())),
    ] {
        let options = &options;
        untouched
            .refuses(field, async |engine| engine.list_networks(options).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = || LabelKey::new("a").expect("a key");
        let list = &ListNetworksOptions::default().with_label(label(), value.clone());
        let prune = &PruneNetworksOptions::default().with_label(label(), value.clone());
        let spare = &PruneNetworksOptions::default().without_label(label(), value);
        untouched
            .refuses("labels", async |engine| engine.list_networks(list).await)
            .await;
        for options in [prune, spare] {
            let prune = async |engine: &dyn ContainerBackend| engine.prune_networks(options).await;
            untouched.refuses("labels", prune).await;
        }
    }
}

#[tokio::test]
async fn what_a_call_on_volumes_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    for (field, spec) in &bad_volumes() {
        untouched
            .refuses(field, async |engine| engine.create_volume(spec).await)
            .await;
    }
    let options = &ListVolumesOptions::default().with_driver("");
    untouched
        .refuses("driver", async |engine| engine.list_volumes(options).await)
        .await;
    for value in [huge(), "a\0".to_owned()] {
        let label = || LabelKey::new("a").expect("a key");
        let list = &ListVolumesOptions::default().with_label(label(), value.clone());
        let prune = &PruneVolumesOptions::default().with_label(label(), value.clone());
        let spare = &PruneVolumesOptions::default().without_label(label(), value);
        untouched
            .refuses("labels", async |engine| engine.list_volumes(list).await)
            .await;
        for options in [prune, spare] {
            let prune = async |engine: &dyn ContainerBackend| engine.prune_volumes(options).await;
            untouched.refuses("labels", prune).await;
        }
    }
}
