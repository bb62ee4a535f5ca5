//! Strict creations: where the engine's word on what it made isn't what was asked for, they fail by the field's name,
//! and nothing stays. On a scripted peer, whose inspect mirrors the creation but for one change, and on roads to the
//! real engine that break.

#[path = "../common/mod.rs"]
mod common;
mod differing;
mod failing;
mod recorded;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerSpec, DeviceCount, DeviceRequest, HealthCheck, ImageRef, LogConfig,
    Mount, PortMapping, Resources, RestartPolicy, SeccompProfile, Signal, Tmpfs, Ulimit,
    VolumeName,
};
use catamaran::{ApiVersion, Config, ContainerBackend, Endpoint, Error, Operation};
use common::backends;
use common::mirror::{ID, mirror};
use common::peer::{Answer, Peer, Recorded, Script};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// Everything that a spec has, set. What may be secret holds the canary.
fn loaded() -> ContainerSpec {
    let image = ImageRef::new("busybox").expect("an image");
    let mut spec = ContainerSpec::untrusted(image)
        .with_name(ContainerName::new("web").expect("a name"))
        .with_strict(true)
        .with_entrypoint(["run", "canary"])
        .with_command(["canary"])
        .with_env("TOKEN", "canary")
        .with_label("owner", "canary")
        .expect("a key")
        .with_working_dir("/srv")
        .with_hostname("host")
        .with_tty(true)
        .with_mount(Mount::bind("/etc/app", "/app").read_only())
        .with_mount(Mount::volume(
            VolumeName::new("data").expect("a name"),
            "/data",
        ))
        .with_mount(Mount::tmpfs(MIB, "/scratch"))
        .with_port(PortMapping::tcp(80))
        .with_health_check(HealthCheck::shell("canary").with_interval(Duration::from_secs(1)))
        .with_log(LogConfig::new("json-file").with_option("labels", "canary"))
        .with_restart_policy(RestartPolicy::OnFailure(3))
        .with_devices(DeviceRequest::gpus(DeviceCount::Count(1)))
        .with_stop_signal(Signal::INT)
        .with_stop_timeout(Duration::from_secs(3));
    spec.resources = Resources::untrusted()
        .with_memory_reservation(32 * MIB)
        .with_cpus(0.5)
        .with_cpu_shares(512u32)
        .with_cpuset_cpus("0-1")
        .with_shm_size(8 * MIB)
        .with_disk(64 * MIB)
        .with_ulimit(Ulimit::new("nofile", 99));
    spec.security = spec
        .security
        .with_cap_add("CHOWN")
        .with_tmpfs("/work", Tmpfs::new(MIB))
        .with_seccomp(SeccompProfile::Json(
            r#"{"defaultAction":"ERRNO"}"#.to_owned(),
        ))
        .with_apparmor("mine")
        .with_runtime("runsc");
    spec
}

/// The engine's words for what it makes, changed at one place; `answer` may say something else altogether.
fn making(
    pointer: &str,
    value: Value,
    answer: impl Fn(&Recorded) -> Option<Answer> + Send + Sync + 'static,
) -> Script {
    let (pointer, made) = (pointer.to_owned(), Mutex::new(Value::Null));
    Arc::new(move |_, request: &Recorded| {
        if let Some(answer) = answer(request) {
            return answer;
        }
        let mut made = made.lock().expect("a lock");
        match request.method.as_str() {
            "POST" => {
                *made = mirror(request);
                put(&mut made, &pointer, value.clone());
                let created = json!({"Id": ID, "Warnings": ["it is an old kernel"]});
                Answer::new(201).with_body(created.to_string())
            }
            "GET" => Answer::new(200).with_body(made.to_string()),
            _ => Answer::new(204),
        }
    })
}

/// Puts a value in, there or not.
fn put(into: &mut Value, pointer: &str, value: Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = key.replace("~1", "/");
    match into.pointer_mut(parent).expect("it is there") {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key] = value,
    }
}

fn as_asked(answer: impl Fn(&Recorded) -> Option<Answer> + Send + Sync + 'static) -> Script {
    making("", Value::Null, answer)
}

/// Both engines, and the hybrid that would ask the second one where the first one's path fails.
fn all(endpoint: Endpoint) -> [Arc<dyn ContainerBackend>; 3] {
    let config = Config::builder()
        .endpoint(endpoint)
        .api_version(ApiVersion::new(1, 41))
        .operation_timeout(Duration::from_secs(20))
        .build()
        .expect("a configuration");
    backends(&config).map(|(_, backend)| backend)
}

fn methods(peer: &Peer) -> Vec<String> {
    // What cleans up in the background after a call of before lists what bears its label.
    let sent = peer.recorded().into_iter();
    let sent = sent.filter(|request| !request.path.ends_with("/containers/json"));
    sent.map(|request| request.method.to_string()).collect()
}

/// What the creation fails with, once it was made, looked at, and removed.
async fn refused(peer: &Peer, backend: &dyn ContainerBackend, spec: &ContainerSpec) -> Error {
    let error = backend.create(spec).await.expect_err("it isn't as asked");
    assert_eq!(methods(peer), ["POST", "GET", "DELETE"], "{error}");
    let mut removal = peer.recorded().into_iter();
    let removal = removal.rfind(|request| request.method == "DELETE");
    let removal = removal.expect("a removal");
    assert_eq!(removal.path, format!("/v1.41/containers/{ID}"));
    let query = removal.query.expect("a query");
    assert!(query.contains("force=") && query.contains("v="), "{query}");
    for said in [
        error.to_string(),
        format!("{error:#}"),
        format!("{error:?}"),
    ] {
        assert!(!said.contains("canary") && said.len() < 8192, "{said}");
    }
    assert_eq!(error.operation(), Some(Operation::Create));
    error
}

#[tokio::test]
async fn what_is_as_asked_is_looked_at_and_stays() {
    let peer = Peer::start();
    for backend in all(peer.endpoint()) {
        peer.follow(as_asked(|_| None));
        let created = backend.create(&loaded()).await.expect("a container");
        assert_eq!(created.warnings, ["it is an old kernel"]);
        assert_eq!(methods(&peer), ["POST", "GET"]);
        // Nobody looks at what nobody asked to.
        peer.follow(making("/HostConfig/Memory", json!(0), |_| None));
        let lenient = loaded().with_strict(false);
        backend.create(&lenient).await.expect("a container");
        assert_eq!(methods(&peer), ["POST"]);
        let body = peer.recorded()[0].body.to_ascii_lowercase();
        assert!(!String::from_utf8_lossy(&body).contains("strict"));
    }
}
