//! What differs, place by place.

use catamaran::model::{ContainerSpec, ImageRef};
use catamaran::{Effect, ErrorKind};
use serde_json::{Value, json};

use crate::common::mirror::ID;
use crate::common::peer::Peer;
use crate::{MIB, all, loaded, making, refused};

/// By the place in the engine's answer that shows it, the field of the spec.
const SHOWN: &[(&str, &str)] = &[
    ("/Name", "name"),
    ("/Path", "entrypoint"),
    ("/Args", "entrypoint"),
    ("/Config/Env", "env"),
    ("/Config/Labels", "labels"),
    ("/Config/WorkingDir", "working_dir"),
    ("/Config/Hostname", "hostname"),
    ("/Config/User", "security.user"),
    ("/Config/Tty", "tty"),
    ("/Config/Healthcheck", "health_check"),
    ("/Config/StopSignal", "stop_signal"),
    ("/Config/StopTimeout", "stop_timeout"),
    ("/HostConfig/Memory", "resources.memory"),
    ("/HostConfig/MemorySwap", "resources.memory_swap"),
    (
        "/HostConfig/MemoryReservation",
        "resources.memory_reservation",
    ),
    ("/HostConfig/NanoCpus", "resources.cpus"),
    ("/HostConfig/CpuShares", "resources.cpu_shares"),
    ("/HostConfig/CpusetCpus", "resources.cpuset_cpus"),
    ("/HostConfig/PidsLimit", "resources.pids"),
    ("/HostConfig/Ulimits", "resources.ulimits"),
    ("/HostConfig/ShmSize", "resources.shm_size"),
    ("/HostConfig/StorageOpt", "resources.disk"),
    ("/HostConfig/CapAdd", "security.cap_add"),
    ("/HostConfig/CapDrop", "security.cap_drop"),
    ("/HostConfig/SecurityOpt", "security.no_new_privileges"),
    ("/HostConfig/ReadonlyRootfs", "security.read_only_root"),
    ("/HostConfig/Tmpfs", "security.tmpfs"),
    ("/HostConfig/Runtime", "security.runtime"),
    ("/HostConfig/NetworkMode", "security.network"),
    ("/HostConfig/PortBindings", "ports"),
    ("/HostConfig/LogConfig", "log.driver"),
    ("/HostConfig/RestartPolicy", "restart_policy"),
    ("/HostConfig/DeviceRequests", "devices"),
    ("/HostConfig/Init", "init"),
    ("/HostConfig/Mounts", "mounts"),
    ("/Mounts", "mounts"),
];

/// What is sent and shown to be something that isn't compared.
const NOT_COMPARED: &[&str] = &["Image", "ExposedPorts", "HostConfig", "Entrypoint", "Cmd"];

#[tokio::test]
async fn what_is_not_shown_fails_by_its_name() {
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (pointer, field) in SHOWN {
        for backend in &backends {
            peer.follow(making(pointer, Value::Null, |_| None));
            let error = refused(&peer, &**backend, &loaded()).await;
            assert_eq!(
                (error.kind(), error.effect(), error.field()),
                (ErrorKind::Weakened, Effect::Rejected, Some(*field)),
                "{pointer}: {error}"
            );
        }
    }
    // And that was all that a creation sends.
    let sent: Value = serde_json::from_slice(&peer.recorded()[0].body).expect("JSON");
    for (parent, object) in [("/Config", &sent), ("/HostConfig", &sent["HostConfig"])] {
        for key in object.as_object().expect("an object").keys() {
            let pointer = format!("{parent}/{key}");
            let known = SHOWN.iter().any(|(shown, _)| *shown == pointer);
            assert!(
                known || NOT_COMPARED.contains(&key.as_str()),
                "nobody compares {pointer}"
            );
        }
    }
}

#[tokio::test]
async fn what_differs_fails_with_both_values() {
    let memory = "resources.memory was to be 268435456 and is 536870912";
    let swap = "resources.memory_swap was to be 268435456 and is unlimited";
    let network = "security.network was to be none and is host";
    let root = "security.read_only_root was to be true and is false";
    let mount = "mounts was to be ro bind on /app /etc/app and is rw bind on /app /etc/app";
    let tmpfs = "security.tmpfs was to be /tmp rw,noexec,nosuid,nodev,size=67108864,mode=1777 and is \
        /tmp rw,exec,nosuid,nodev,size=67108864,mode=1777";
    let changes = [
        ("/HostConfig/Memory", json!(512 * MIB), memory),
        // Stricter is a difference too.
        (
            "/HostConfig/PidsLimit",
            json!(1),
            "resources.pids was to be 128 and is 1",
        ),
        // Docker without swap accounting.
        ("/HostConfig/MemorySwap", json!(-1), swap),
        (
            "/HostConfig/NanoCpus",
            json!(2_000_000_000),
            "resources.cpus was to be 0.5 and is 2",
        ),
        (
            "/HostConfig/Ulimits/1/Hard",
            json!(1024),
            "resources.ulimits was to be nofile 99:99 and is nofile 99:1024",
        ),
        ("/HostConfig/NetworkMode", json!("host"), network),
        ("/HostConfig/ReadonlyRootfs", json!(false), root),
        ("/HostConfig/Tmpfs/~1tmp", json!("size=64m,exec"), tmpfs),
        (
            "/HostConfig/SecurityOpt",
            json!([
                "no-new-privileges:false",
                r#"seccomp={"defaultAction":"ERRNO"}"#,
                "apparmor=mine"
            ]),
            "security.no_new_privileges was to be true and is false",
        ),
        (
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges", "seccomp=unconfined", "apparmor=mine"]),
            r#"security.seccomp was to be {"defaultAction":"ERRNO"} and is unconfined"#,
        ),
        (
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges", r#"seccomp={"defaultAction":"ERRNO"}"#]),
            "security.apparmor was to be mine and is none",
        ),
        (
            "/HostConfig/CapDrop",
            json!(["NET_RAW"]),
            "security.cap_drop was to be ALL and is NET_RAW",
        ),
        (
            "/Config/User",
            json!("0"),
            "security.user was to be 65534:65534 and is 0",
        ),
        ("/Mounts/0/RW", json!(true), mount),
        (
            "/HostConfig/Mounts/2/TmpfsOptions/SizeBytes",
            json!(2 * MIB),
            "mounts was to be rw tmpfs of 1048576 on /scratch and is rw tmpfs of 2097152 on /scratch",
        ),
        (
            "/HostConfig/PortBindings/80~1tcp/0/HostIp",
            json!(""),
            "ports was to be 80/tcp at 127.0.0.1 port any and is 80/tcp at 0.0.0.0 port any",
        ),
        (
            "/HostConfig/LogConfig/Config/labels",
            json!("other"),
            "log.options was to be labels as given and is another",
        ),
        (
            "/HostConfig/RestartPolicy/Name",
            json!("always"),
            "restart_policy was to be on-failure:3 and is always",
        ),
        (
            "/HostConfig/RestartPolicy/Name",
            json!("on-full-moon"),
            "restart_policy was to be on-failure:3 and is unknown",
        ),
        (
            "/Config/Env/0",
            json!("TOKEN=x"),
            "env was to be TOKEN as given and is another",
        ),
    ];
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (pointer, value, said) in changes {
        for backend in &backends {
            peer.follow(making(pointer, value.clone(), |_| None));
            let error = refused(&peer, &**backend, &loaded()).await;
            assert_eq!(error.kind(), ErrorKind::Weakened, "{error}");
            let message = error.message();
            assert!(message.contains(said), "{pointer}: {message}");
            assert!(
                message.contains("the engine warned: it is an old kernel")
                    && message.contains(&format!("container {ID} was removed again")),
                "{message}"
            );
        }
    }
}

#[tokio::test]
async fn what_nobody_asked_for_fails_where_it_gives_more() {
    let bare = || {
        let image = ImageRef::new("busybox").expect("an image");
        ContainerSpec::new(image).with_strict(true)
    };
    let bind = json!([{"Type": "bind", "Source": "/", "Destination": "/host", "RW": true}]);
    let anonymous = json!([{"Type": "volume", "Name": "0f", "Destination": "/data", "RW": true}]);
    let granted = [
        ("/HostConfig/Privileged", json!(true), "security.privileged"),
        (
            "/HostConfig/CapAdd",
            json!(["SYS_ADMIN"]),
            "security.cap_add",
        ),
        (
            "/HostConfig/SecurityOpt",
            json!(["seccomp=unconfined"]),
            "security.seccomp",
        ),
        (
            "/HostConfig/SecurityOpt",
            json!(["apparmor:unconfined"]),
            "security.apparmor",
        ),
        (
            "/HostConfig/SecurityOpt",
            json!(["label=disable"]),
            "host_access.security_options",
        ),
        ("/HostConfig/NetworkMode", json!("host"), "security.network"),
        (
            "/HostConfig/NetworkMode",
            json!("container:x"),
            "security.network",
        ),
        (
            "/NetworkSettings/Networks",
            json!({"a": {}, "b": {}}),
            "security.network",
        ),
        ("/HostConfig/PidMode", json!("host"), "host_access.pid_mode"),
        (
            "/HostConfig/IpcMode",
            json!("container:x"),
            "host_access.ipc_mode",
        ),
        ("/HostConfig/UTSMode", json!("host"), "host_access.uts_mode"),
        (
            "/HostConfig/UsernsMode",
            json!("host"),
            "host_access.userns_mode",
        ),
        (
            "/HostConfig/Devices",
            json!([{"PathOnHost": "/dev/sda"}]),
            "host_access.devices",
        ),
        (
            "/HostConfig/DeviceCgroupRules",
            json!(["b 8:* rwm"]),
            "host_access.device_rules",
        ),
        (
            "/HostConfig/GroupAdd",
            json!(["docker"]),
            "host_access.groups",
        ),
        ("/HostConfig/MaskedPaths", json!([]), "host_access.unmasked"),
        (
            "/HostConfig/DeviceRequests",
            json!([{"Count": -1}]),
            "devices",
        ),
        (
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostPort": "80"}]}),
            "ports",
        ),
        ("/HostConfig/PublishAllPorts", json!(true), "ports"),
        (
            "/HostConfig/RestartPolicy",
            json!({"Name": "always"}),
            "restart_policy",
        ),
        (
            "/HostConfig/RestartPolicy",
            json!({"Name": "on-full-moon"}),
            "restart_policy",
        ),
        ("/Mounts", bind, "mounts"),
    ];
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (pointer, value, field) in granted {
        for backend in &backends {
            peer.follow(making(pointer, value.clone(), |_| None));
            let error = refused(&peer, &**backend, &bare()).await;
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::Weakened, Some(field)),
                "{pointer}: {error}"
            );
        }
    }
    // Engines' defaults, and volumes that the image asks for.
    for (pointer, value) in [
        ("/HostConfig/Memory", json!(1)),
        ("/HostConfig/Runtime", json!("runc")),
        ("/HostConfig/NetworkMode", json!("bridge")),
        ("/HostConfig/IpcMode", json!("private")),
        ("/HostConfig/MaskedPaths", json!(["/proc/kcore"])),
        (
            "/HostConfig/Ulimits",
            json!([{"Name": "RLIMIT_NPROC", "Soft": 1, "Hard": 1}]),
        ),
        ("/HostConfig/RestartPolicy", json!({"Name": "no"})),
        ("/Config/Env", json!(["PATH=/bin"])),
        ("/Mounts", anonymous),
    ] {
        for backend in &backends {
            peer.follow(making(pointer, value.clone(), |_| None));
            let created = backend.create(&bare()).await;
            assert!(created.is_ok(), "{pointer}: {created:?}");
        }
    }
}

/// The same in other words is the same.
#[tokio::test]
async fn engines_have_words_of_their_own() {
    // Podman, which gives eleven by default.
    let one_by_one = json!([
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_NET_BIND_SERVICE",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    ]);
    let respelt = json!([
        "apparmor:mine",
        r#"seccomp={ "defaultAction": "ERRNO" }"#,
        "no-new-privileges:true"
    ]);
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (pointer, value) in [
        ("/HostConfig/CapDrop", json!(["all"])),
        ("/HostConfig/CapDrop", json!(["CAP_ALL"])),
        ("/HostConfig/CapDrop", one_by_one),
        ("/HostConfig/CapAdd", json!(["cap_chown"])),
        ("/HostConfig/SecurityOpt", respelt),
        ("/HostConfig/Ulimits/1/Name", json!("RLIMIT_NOFILE")),
        (
            "/HostConfig/PortBindings/80~1tcp/0/HostPort",
            json!("32768"),
        ),
        (
            "/HostConfig/Tmpfs/~1work",
            json!("mode=1777,noexec,size=1m,tmpcopyup"),
        ),
        ("/Config/WorkingDir", json!("/srv/")),
        ("/Mounts/0/Destination", json!("/app/.")),
    ] {
        for backend in &backends {
            peer.follow(making(pointer, value.clone(), |_| None));
            let created = backend.create(&loaded()).await;
            assert!(created.is_ok(), "{pointer}: {created:?}");
        }
    }
}
