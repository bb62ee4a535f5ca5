//! What real engines said of a container that they had made as it was asked for (`tests/replay`).

use std::time::Duration;

use catamaran::ErrorKind;
use catamaran::model::{
    ContainerName, ContainerSpec, HealthCheck, ImageRef, Mount, NetworkMode, NetworkRef,
    PortMapping, Resources, RestartPolicy, SecurityProfile, Tmpfs, Ulimit, VolumeName,
};
use serde_json::{Value, json};

use crate::common::peer::{Answer, Peer, Script};
use crate::{MIB, all, methods};

const NAME: &str = "catamaran-replay";

/// An engine's inspect after the creation, and whether Podman's init program is in it.
const RECORDED: [(&str, bool); 4] = [
    (
        include_str!("../replay/docker-20.10-1.41/inspect-created.json"),
        false,
    ),
    (
        include_str!("../replay/docker-26.1-1.45/inspect-created.json"),
        false,
    ),
    (
        include_str!("../replay/podman-4.3-1.41/inspect-created.json"),
        true,
    ),
    (
        include_str!("../replay/podman-5.4-1.41/inspect-created.json"),
        true,
    ),
];

/// What `scripts/record-wire` asks for; its program is in the answer.
fn asked(details: &Value) -> ContainerSpec {
    let command = details["Config"]["Cmd"].as_array().expect("a command");
    let command = command.iter().map(|word| word.as_str().expect("a word"));
    let mut check = HealthCheck::shell("true").with_interval(Duration::from_secs(3600));
    check.retries = Some(4);
    let network = NetworkMode::Network(NetworkRef::new(NAME).expect("a name"));
    let mut spec = ContainerSpec::new(ImageRef::new("catamaran/replay:1").expect("an image"))
        .with_name(ContainerName::new(NAME).expect("a name"))
        .with_strict(true)
        .with_command(command)
        .with_env("REPLAY", "yes")
        .with_label("catamaran.replay", "one")
        .expect("a key")
        .with_working_dir("/")
        .with_mount(Mount::volume(
            VolumeName::new(NAME).expect("a name"),
            "/data",
        ))
        .with_port(PortMapping::tcp(8080))
        .with_health_check(check)
        .with_restart_policy(RestartPolicy::OnFailure(2))
        .with_stop_timeout(Duration::from_secs(7));
    spec.init = Some(true);
    let mut files = Ulimit::new("nofile", 512);
    files.soft = 256;
    spec.resources = Resources::default()
        .with_memory_and_no_swap(64 * MIB)
        .with_cpus(0.5)
        .with_pids(64u32)
        .with_ulimit(files);
    spec.security = SecurityProfile::default()
        .with_cap_drop("ALL")
        .with_no_new_privileges(true)
        .with_network(network)
        .with_tmpfs("/scratch", Tmpfs::new(MIB).with_exec());
    spec
}

fn answering(details: Value) -> Script {
    std::sync::Arc::new(move |_, request| match request.method.as_str() {
        "POST" => Answer::new(201).with_body(json!({"Id": details["Id"]}).to_string()),
        "GET" => Answer::new(200).with_body(details.to_string()),
        _ => Answer::new(204),
    })
}

/// The same, with the first word as the entry point.
fn entered(details: &Value) -> ContainerSpec {
    let mut spec = asked(details);
    spec.entrypoint = Some(vec![spec.command.remove(0)]);
    spec
}

fn recorded() -> impl Iterator<Item = (Value, bool)> {
    RECORDED.into_iter().map(|(text, with_init)| {
        let recorded: Value = serde_json::from_str(text).expect("JSON");
        (recorded["messages"][0].clone(), with_init)
    })
}

#[tokio::test]
async fn what_engines_made_as_asked_is_taken_for_it() {
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (details, with_init) in recorded() {
        let begins_with_init = details["Path"] == "/run/podman-init" && details["Args"][0] == "--";
        assert_eq!(begins_with_init, with_init, "{}", details["Path"]);
        for backend in &backends {
            for spec in [asked(&details), entered(&details)] {
                peer.follow(answering(details.clone()));
                let created = backend.create(&spec).await;
                created.expect("it is as it was asked for");
                assert_eq!(methods(&peer), ["POST", "GET"]);
            }
        }
    }
}

/// What is refused by that field's name, by every backend.
async fn weakened(peer: &Peer, spec: &ContainerSpec, details: &Value, field: &str) {
    for backend in all(peer.endpoint()) {
        peer.follow(answering(details.clone()));
        let error = backend.create(spec).await.expect_err(field);
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Weakened, Some(field)),
            "{error}"
        );
        assert_eq!(methods(peer), ["POST", "GET", "DELETE"]);
    }
}

/// Behind Podman's init program, too, the program is looked at.
#[tokio::test]
async fn another_program_behind_an_init_is_seen() {
    let peer = Peer::start();
    for (mut details, with_init) in recorded() {
        let (by_command, by_entrypoint) = (asked(&details), entered(&details));
        let args = details["Args"].as_array().expect("words").clone();
        let last = args.len() - 1;
        let another = [&args[..last], &[json!("another")]].concat();
        for other in [another, args[..last].to_vec(), vec![json!("--")]] {
            details["Args"] = other.into();
            weakened(&peer, &by_command, &details, "command").await;
            weakened(&peer, &by_entrypoint, &details, "entrypoint").await;
        }
        if with_init {
            // Another program before it, or an init program that is none of Podman's.
            details["Args"] = [&[json!("env"), json!("--")], &args[..]].concat().into();
            weakened(&peer, &by_entrypoint, &details, "entrypoint").await;
            details["Args"] = args.into();
            details["Path"] = json!("/bin/init");
            weakened(&peer, &by_entrypoint, &details, "entrypoint").await;
        }
    }
}

/// Podman's mode is `bridge` whatever the network: its networks tell which.
#[tokio::test]
async fn another_network_than_the_one_asked_for_is_seen() {
    let peer = Peer::start();
    for (mut details, _) in recorded() {
        let spec = asked(&details);
        let own = details["NetworkSettings"]["Networks"][NAME].clone();
        let other = json!({"NetworkID": "c0ffee"});
        details["HostConfig"]["NetworkMode"] = json!("bridge");
        for networks in [
            json!({}),
            json!({"other": other}),
            json!({NAME: own, "other": other}),
        ] {
            details["NetworkSettings"]["Networks"] = networks;
            weakened(&peer, &spec, &details, "security.network").await;
        }
        details["NetworkSettings"]["Networks"] = json!({NAME: own});
        details["HostConfig"]["NetworkMode"] = json!("other");
        weakened(&peer, &spec, &details, "security.network").await;
    }
}
