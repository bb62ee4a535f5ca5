//! Requests: text that is taken into one says what it said, and nothing beside it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::told;
use crate::endpoint::ApiVersion;
use crate::engine;
use crate::engine::wire::{self, Body, Call, Command};
use crate::error::Result;
use crate::model::{
    AttachOptions, ConnectOptions, ContainerName, ContainerPath, ContainerRef, ContainerSpec,
    DeviceCount, DeviceRequest, DisconnectOptions, EventsOptions, ExecId, ExecOptions, HealthCheck,
    ImageRef, ImportOptions, LabelKey, ListImagesOptions, ListNetworksOptions, ListOptions,
    ListVolumesOptions, LogConfig, LogsOptions, Mount, MountKind, NetworkRef, NetworkSpec,
    PruneContainersOptions, PruneVolumesOptions, PullOptions, PutArchiveOptions,
    RemoveImageOptions, RemoveVolumeOptions, SeccompProfile, Signal, TerminalSize, Tmpfs,
    TopOptions, Ulimit, UpdateOptions, VolumeName, VolumeSpec, WaitOptions,
};

/// A request that holds a text.
#[derive(Debug)]
pub struct Asked {
    /// Its path, with the query.
    pub path: String,
    /// How many parts the path must have without it.
    pub parts: usize,
    /// What the query must say, among other things.
    pub query: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct Requests(Vec<Asked>);

impl Requests {
    fn add(&mut self, parts: usize, call: impl Into<Option<Call>>) {
        self.say(parts, call, []);
    }

    fn say<const N: usize>(
        &mut self,
        parts: usize,
        call: impl Into<Option<Call>>,
        query: [(&'static str, String); N],
    ) {
        self.0.extend(call.into().map(|call| Asked {
            path: call.path,
            parts,
            query: query.into(),
        }));
    }
}

/// The requests about what has this name, as far as it is one.
#[must_use]
pub fn asked(text: &str) -> Vec<Asked> {
    let mut requests = Requests::default();
    if let Ok(container) = ContainerRef::new(text) {
        of_container(&mut requests, &container);
    }
    if let Ok(exec) = ExecId::new(text) {
        let options = ExecOptions::new(["id"]);
        requests.add(4, told(wire::exec_start(&exec, &options)));
        requests.add(4, wire::exec_inspect(&exec));
        requests.add(4, told(size().map(|size| wire::exec_resize(&exec, size))));
    }
    if let Ok(network) = NetworkRef::new(text) {
        requests.add(3, wire::inspect_network(&network));
        requests.add(3, wire::remove_network(&network));
        let (container, options) = (web(), ConnectOptions::default());
        requests.add(
            4,
            told(wire::connect_network(&network, &container, &options)),
        );
        let options = DisconnectOptions::default();
        requests.add(
            4,
            told(wire::disconnect_network(&network, &container, &options)),
        );
        let options = ListNetworksOptions::default().with_name(network);
        requests.say(
            2,
            wire::list_networks(&options),
            [filter("name", exactly(text))],
        );
    }
    if let Ok(volume) = VolumeName::new(text) {
        requests.add(3, wire::inspect_volume(&volume));
        let options = RemoveVolumeOptions::default();
        requests.add(3, wire::remove_volume(&volume, &options));
        let options = ListVolumesOptions::default().with_name(volume);
        requests.say(
            2,
            wire::list_volumes(&options),
            [filter("name", exactly(text))],
        );
    }
    if let Ok(image) = ImageRef::new(text) {
        of_image(&mut requests, &image);
    }
    in_queries(&mut requests, text);
    requests.0
}

fn web() -> ContainerRef {
    ContainerRef::new("web").expect("a name")
}

fn busybox() -> ImageRef {
    ImageRef::new("busybox").expect("a reference")
}

fn size() -> Result<TerminalSize> {
    TerminalSize::new(80, 24)
}

fn filter(name: &str, value: String) -> (&'static str, String) {
    ("filters", json!({ name: [value] }).to_string())
}

/// The regular expression of one name.
fn exactly(name: &str) -> String {
    format!("^{}$", name.replace('.', r"\."))
}

fn of_container(requests: &mut Requests, container: &ContainerRef) {
    requests.add(4, wire::inspect(container));
    requests.add(4, told(wire::logs(container, &LogsOptions::default())));
    requests.add(4, wire::stats(container));
    requests.add(4, wire::stats_stream(container));
    requests.add(4, wire::changes(container));
    requests.add(4, wire::wait(container, &WaitOptions::default()));
    requests.add(4, wire::top(container, &TopOptions::default()));
    requests.add(4, told(wire::update(container, &UpdateOptions::default())));
    requests.add(4, told(wire::attach(container, &AttachOptions::default())));
    requests.add(4, told(size().map(|size| wire::resize(container, size))));
    let options = ExecOptions::new(["id"]);
    requests.add(4, told(wire::exec_create(container, &options, None, true)));
    for command in [
        Command::Start,
        Command::Stop { seconds: Some(1) },
        Command::Restart { seconds: None },
        Command::Pause,
        Command::Unpause,
    ] {
        requests.add(4, command.call(container));
    }
    let (force, volumes) = (true, true);
    requests.add(3, Command::Remove { force, volumes }.call(container));
    let events = EventsOptions::default().with_container(container.clone());
    let filtered = filter("container", container.to_string());
    requests.say(2, told(wire::events(&events)), [filtered]);
    let name = format!("^/?{}$", container.as_str().replace('.', r"\."));
    let list = ListOptions::default().with_name(container.clone());
    requests.say(3, wire::list(&list), [filter("name", name)]);
}

fn of_image(requests: &mut Requests, image: &ImageRef) {
    // A reference's own slashes are parts.
    let own = image.as_str().matches('/').count();
    requests.add(4 + own, wire::inspect_image(image));
    let remove = wire::remove_image(image, &RemoveImageOptions::default());
    requests.add(3 + own, remove);
    let list = ListImagesOptions::default().with_reference(image.clone());
    let filtered = filter("reference", image.to_string());
    requests.say(3, wire::list_images(&list), [filtered]);
    let named = ("repo", image.name().to_owned());
    let tag = image.tag().unwrap_or("latest").to_owned();
    let tagged = wire::tag_image(image, &busybox());
    requests.say(4 + own, told(tagged), [("repo", "busybox".to_owned())]);
    let renamed = wire::tag_image(&busybox(), image);
    requests.say(4, told(renamed), [named, ("tag", tag.clone())]);
    let pulled = wire::pull_image(image, &PullOptions::default());
    let from = ("fromImage", image.name().to_owned());
    let tag = image.digest().map_or(tag, str::to_owned);
    requests.say(3, told(pulled), [from, ("tag", tag)]);
    let import = ImportOptions::new(image.clone());
    let repo = ("repo", image.with_default_tag().to_string());
    let imported = wire::import_image(&import, Vec::new().into());
    requests.say(3, told(imported), [repo]);
}

/// Text that goes into queries.
fn in_queries(requests: &mut Requests, text: &str) {
    let web = web();
    let whole = || text.to_owned();
    if let Ok(path) = ContainerPath::new(text) {
        let put = PutArchiveOptions::default();
        let put = wire::put_archive(&web, &path, &put, Vec::new().into());
        for call in [
            put,
            wire::get_archive(&web, &path),
            wire::stat_path(&web, &path),
        ] {
            requests.say(4, call, [("path", whole())]);
        }
    }
    if let Ok(name) = ContainerName::new(text) {
        let renamed = Command::Rename { name: name.clone() }.call(&web);
        requests.say(4, renamed, [("name", whole())]);
        let spec = ContainerSpec::new(busybox()).with_name(name);
        let created = wire::create(&spec, ApiVersion::NEWEST);
        requests.say(3, told(created), [("name", whole())]);
    }
    if let Ok(signal) = Signal::new(text) {
        let said = ("signal", signal.to_string());
        requests.say(4, Command::Kill { signal }.call(&web), [said]);
    }
    let spec = ContainerSpec::new(busybox()).with_platform(text);
    let created = wire::create(&spec, ApiVersion::NEWEST);
    requests.say(3, told(created), [("platform", whole())]);
    let pull = wire::pull_image(&busybox(), &PullOptions::default().with_platform(text));
    requests.say(3, told(pull), [("platform", whole())]);
    let import = ImportOptions::new(busybox())
        .with_change(text)
        .with_message(text);
    let import = wire::import_image(&import, Vec::new().into());
    requests.say(
        3,
        told(import),
        [("changes", whole()), ("message", whole())],
    );
    let top = TopOptions::default().with_ps_args(text.to_owned());
    if told(top.validate()).is_some() {
        requests.say(4, wire::top(&web, &top), [("ps_args", whole())]);
    }
    let driver = ListVolumesOptions::default().with_driver(text);
    if told(driver.validate()).is_some() {
        let filtered = filter("driver", whole());
        requests.say(2, wire::list_volumes(&driver), [filtered]);
    }
    let key = || LabelKey::new("k").expect("a key");
    let labelled = PruneContainersOptions::default().with_label(key(), whole());
    if told(labelled.validate()).is_some() {
        let filtered = filter("label", format!("k={text}"));
        requests.say(3, wire::prune_containers(&labelled), [filtered]);
    }
    if let Ok(label) = LabelKey::new(text) {
        let spared = PruneVolumesOptions::default().without_label(label, None);
        let pruned = wire::prune_volumes(&spared, ApiVersion::NEWEST);
        requests.say(3, told(pruned), [filter("label!", whole())]);
    }
}

/// Containers that have the text wherever there is room for text, each at one place; and what is beside containers.
pub fn with_text(text: &str) {
    let spec = || ContainerSpec::new(busybox());
    let whole = || text.to_owned();
    let mut specs = vec![
        spec().with_command([text, "x"]),
        spec().with_entrypoint([text]).with_command([text]),
        spec().with_env(text, "value"),
        spec().with_env("KEY", text),
        spec().with_working_dir(text),
        spec().with_hostname(text),
        spec().with_mount(Mount::bind(text, "/target")),
        spec().with_mount(Mount::bind("/source", text).read_only()),
        spec().with_mount(Mount::tmpfs(4096, text)),
        spec().with_log(LogConfig::new(text)),
        spec().with_log(LogConfig::new("local").with_option(text, text)),
        spec().with_health_check(HealthCheck::shell(text)),
        spec().with_health_check(HealthCheck::command([text])),
        spec().with_devices(DeviceRequest::gpus(DeviceCount::Ids(vec![whole()]))),
    ];
    specs.extend(spec().with_label(text, "value"));
    specs.extend(spec().with_label("key", text));
    specs.extend(VolumeName::new(text).map(|name| spec().with_mount(Mount::volume(name, "/v"))));
    specs.extend(Signal::new(text).map(|signal| spec().with_stop_signal(signal)));
    specs.extend(ContainerName::new(text).map(|name| spec().with_name(name)));
    specs.extend(ImageRef::new(text).map(ContainerSpec::new));
    let security = || spec().security;
    let profiles = [
        security().with_cap_add(text),
        security().with_cap_drop(text),
        security().with_user(text),
        security().with_apparmor(text),
        security().with_runtime(text),
        security().with_tmpfs(text, Tmpfs::new(4096)),
        security().with_seccomp(SeccompProfile::Json(whole())),
    ];
    let on = text.parse().map(|mode| security().with_network(Some(mode)));
    specs.extend(
        profiles
            .into_iter()
            .chain(on)
            .map(|profile| spec().with_security(profile)),
    );
    let limits = [
        spec().resources.with_cpuset_cpus(text),
        spec().resources.with_ulimit(Ulimit::new(text, 7)),
    ];
    specs.extend(limits.map(|limits| spec().with_resources(limits)));
    for spec in &specs {
        shown_back(spec);
    }
    beside_containers(text);
}

fn beside_containers(text: &str) {
    let options = ExecOptions::new([text]).with_env(text, text);
    for options in [
        options.with_user(text).with_working_dir(text),
        ExecOptions::new(["id"]).with_env(text, ""),
        ExecOptions::new(["id"]).with_user(text),
        ExecOptions::new(["id"]).with_working_dir(text),
    ] {
        let Some(body) = body(wire::exec_create(&web(), &options, None, false)) else {
            continue;
        };
        let env: Vec<_> = options
            .env
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(body["Cmd"], json!(options.command));
        assert_eq!(body.get("Env"), (!env.is_empty()).then_some(&json!(env)));
        assert_eq!(body.get("User"), options.user.map(Value::from).as_ref());
        assert_eq!(
            body.get("WorkingDir"),
            options.working_dir.map(Value::from).as_ref()
        );
    }
    let net = || NetworkRef::new("net").expect("a name");
    let options = ConnectOptions::default().with_alias(text);
    if let Some(body) = body(wire::connect_network(&net(), &web(), &options)) {
        assert_eq!(body["EndpointConfig"]["Aliases"], json!([text]));
    }
    network(&NetworkSpec::new(net()).with_driver(text));
    network(&NetworkSpec::new(net()).with_option(text, text));
    let named = NetworkRef::new(text).map(NetworkSpec::new);
    named.iter().for_each(network);
    let labelled = NetworkSpec::new(net()).with_label(text, text);
    labelled.iter().for_each(network);
    volume(&VolumeSpec::new().with_driver(text));
    volume(&VolumeSpec::new().with_option(text, text));
    let named = VolumeName::new(text).map(VolumeSpec::named);
    named.iter().for_each(volume);
    let labelled = VolumeSpec::new().with_label(text, text);
    labelled.iter().for_each(volume);
}

/// What is sent, where it is.
fn body(call: Result<Call>) -> Option<Value> {
    match told(call)?.body {
        Body::Json(body) => Some(serde_json::from_slice(&body).expect("it is JSON")),
        other => panic!("{other:?} is no JSON"),
    }
}

/// Asks for a network; shown back as it was asked for, it is the one that was wanted.
pub fn network(spec: &NetworkSpec) {
    let Some(mut body) = body(wire::create_network(spec, ApiVersion::NEWEST)) else {
        return;
    };
    body["Id"] = json!("f00d");
    let found = wire::network(body.to_string().as_bytes())
        .expect("an answer")
        .network;
    assert_eq!(
        (found.name.as_str(), &found.subnets),
        (spec.name.as_str(), &spec.subnets)
    );
    assert_eq!(found.driver, spec.driver.clone().unwrap_or_default());
    assert_eq!(found.options, spec.options);
    let labels = spec
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()));
    assert!(labels.eq(found.labels));
    let asked = (spec.internal, spec.attachable, spec.ipv6);
    assert_eq!((found.internal, found.attachable, found.ipv6), asked);
}

/// As [`network`], a volume.
pub fn volume(spec: &VolumeSpec) {
    let Some(mut body) = body(wire::create_volume(spec)) else {
        return;
    };
    if spec.name.is_none() {
        body["Name"] = json!("made-up");
    }
    let options = body["DriverOpts"].take();
    body["Options"] = options;
    let found = wire::volume(body.to_string().as_bytes()).expect("an answer");
    let name = spec.name.as_ref().map_or("made-up", VolumeName::as_str);
    assert_eq!(found.name, name);
    assert_eq!(found.driver, spec.driver.clone().unwrap_or_default());
    assert_eq!(found.options, spec.options);
    let labels = spec
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()));
    assert!(labels.eq(found.labels));
}

/// As [`network`], a container. What engines refuse isn't looked at: two mounts at one place, and a program without a name.
pub fn shown_back(spec: &ContainerSpec) {
    let Some(body) = body(wire::create(spec, ApiVersion::NEWEST)) else {
        return;
    };
    let mut places = BTreeSet::new();
    let targets = spec.mounts.iter().map(|mount| &mount.target);
    let mut targets = targets.chain(spec.security.tmpfs.keys());
    if !targets.all(|target| places.insert(wire::clean(target))) {
        return;
    }
    let mut program = spec
        .entrypoint
        .iter()
        .flatten()
        .chain(&spec.command)
        .peekable();
    if program.peek().is_some_and(|program| program.is_empty()) {
        return;
    }
    let shown = json!({
        "Id": "c0ffee",
        "Name": spec.name.as_ref().map(|name| format!("/{name}")),
        "Path": program.next(),
        "Args": program.collect::<Vec<_>>(),
        "State": {},
        "Config": body,
        "HostConfig": body["HostConfig"],
        "Mounts": spec.mounts.iter().map(point).collect::<Vec<_>>(),
    });
    let details = wire::details(shown.to_string().as_bytes()).expect("an answer");
    let differences = engine::differences(spec, &details);
    assert!(differences.is_empty(), "{differences:?} in {shown}");
    assert_eq!(details.env, spec.env, "{shown}");
    let labels = spec
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()));
    assert!(labels.eq(details.labels), "{shown}");
}

/// A mount in force, as an engine shows it.
fn point(mount: &Mount) -> Value {
    let (kind, name, source) = match &mount.kind {
        MountKind::Bind(path) => ("bind", None, Some(path.as_str())),
        MountKind::Volume(name) => ("volume", Some(name.as_str()), None),
        MountKind::Tmpfs(_) => ("tmpfs", None, None),
    };
    json!({
        "Type": kind,
        "Name": name,
        "Source": source,
        "Destination": mount.target,
        "RW": !mount.read_only,
    })
}
