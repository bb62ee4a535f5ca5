//! What an engine answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::common::peer::{Answer, MULTIPLEXED, Program, Recorded, frame};

/// A sound answer's body.
pub enum Body {
    Nothing,
    /// Also a stream of messages, where there are several.
    Json(Vec<Value>),
    Output,
    /// What is told of a path, and its archive where that is asked for.
    Path(Value),
}

/// A sound answer to the request.
pub fn sound(request: &Recorded) -> (u16, Body) {
    // Without the version, where there is one.
    let path = request.path.trim_start_matches("/v1.");
    let path = path.trim_start_matches(|c: char| c.is_ascii_digit());
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let one = |status, value| (status, Body::Json(vec![value]));
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["version"]) => one(200, version()),
        ("GET", ["info"]) => one(200, info()),
        ("GET", ["images", "json"]) => one(200, images()),
        ("GET", ["images", ..]) => one(200, image()),
        ("POST", ["images", "create"]) if is_pull(request) => (200, Body::Json(pull())),
        ("POST", ["images", "create"]) => {
            let id = format!("sha256:{}", "a".repeat(64));
            let progress = json!({"status": "Importing", "progressDetail": {}});
            (200, Body::Json(vec![progress, json!({ "status": id })]))
        }
        ("DELETE", ["images", ..]) => one(
            200,
            json!([{"Untagged": "a:latest"}, {"Deleted": "sha256:0"}]),
        ),
        ("POST", ["images", "prune"]) => one(
            200,
            json!({"ImagesDeleted": [{"Untagged": "a:latest"}, {"Deleted": "sha256:0"}], "SpaceReclaimed": 7}),
        ),
        ("POST", ["images", .., "tag"]) => (201, Body::Nothing),
        ("POST", ["containers", "create"]) => {
            one(201, json!({"Id": "c0ffee", "Warnings": ["no swap"]}))
        }
        ("GET", ["containers", "json"]) => one(200, containers()),
        ("GET", ["containers", _, "json"]) => one(200, details()),
        ("GET", ["containers", _, "stats"]) if is_stream(request) => {
            (200, Body::Json(vec![stats(), stats(), json!({})]))
        }
        ("GET", ["containers", _, "stats"]) => one(200, stats()),
        ("GET", ["containers", _, "top"]) => one(
            200,
            json!({"Titles": ["PID", "CMD"], "Processes": [["1", "sh"], ["7", "sleep"]]}),
        ),
        ("GET", ["containers", _, "changes"]) => one(
            200,
            json!([{"Path": "/new", "Kind": 1}, {"Path": "/", "Kind": 0}]),
        ),
        ("POST", ["containers", "prune"]) => one(
            200,
            json!({"ContainersDeleted": ["c0ffee"], "SpaceReclaimed": 5}),
        ),
        ("PUT", ["containers", _, "archive"]) => (200, Body::Nothing),
        ("GET" | "HEAD", ["containers", _, "archive"]) => (200, Body::Path(path_stat())),
        ("GET", ["system", "df"]) => one(200, space()),
        ("GET", ["events"]) => (200, Body::Json(events())),
        ("GET", ["containers", _, "logs"]) | ("POST", ["exec", _, "start"]) => (200, Body::Output),
        ("POST", ["containers", _, "update"]) => one(200, json!({"Warnings": ["no swap"]})),
        ("POST", ["containers", _, "wait"]) => {
            one(200, json!({"StatusCode": 137, "Error": {"Message": "oom"}}))
        }
        ("POST", ["containers", _, "exec"]) => one(201, json!({ "Id": "b".repeat(64) })),
        ("POST", ["exec" | "containers", _, "resize"]) => (200, Body::Nothing),
        ("POST", ["containers", _, "attach"]) => (200, Body::Output),
        ("GET", ["exec", _, "json"]) => one(200, json!({"Running": false, "ExitCode": 3})),
        ("GET", ["networks"]) => one(200, json!([network()])),
        ("GET", ["networks", _]) => one(200, network()),
        ("POST", ["networks", "create"]) => {
            one(201, json!({"Id": "f00d", "Warning": "ipv6 is off"}))
        }
        ("POST", ["networks", "prune"]) => one(200, json!({"NetworksDeleted": ["a", "b"]})),
        ("POST", ["networks", _, "connect" | "disconnect"]) => (200, Body::Nothing),
        ("DELETE", ["networks" | "volumes", _]) => (204, Body::Nothing),
        ("GET", ["volumes"]) => one(
            200,
            json!({"Volumes": [volume()], "Warnings": ["no plugin"]}),
        ),
        ("GET", ["volumes", _]) => one(200, volume()),
        ("POST", ["volumes", "create"]) => one(201, volume()),
        ("POST", ["volumes", "prune"]) => {
            one(200, json!({"VolumesDeleted": ["a"], "SpaceReclaimed": 5}))
        }
        ("GET", ["_ping"]) => (200, Body::Nothing),
        ("POST" | "DELETE", ["containers", ..]) => (204, Body::Nothing),
        (method, _) => panic!("nobody should send {method} {}", request.path),
    }
}

/// A sound answer as it goes out.
pub fn plain(request: &Recorded) -> Answer {
    let (status, body) = sound(request);
    let answer = Answer::new(status).with_header("api-version", "1.51");
    match body {
        Body::Nothing => answer,
        Body::Json(messages) => answer.with_body(lines(&messages)),
        Body::Path(stat) => answer
            .with_header(
                "x-docker-container-path-stat",
                STANDARD.encode(stat.to_string()),
            )
            .with_pieces(vec!["a tar".into(), " archive".into()]),
        Body::Output => {
            let answer = answer
                .with_header("content-type", MULTIPLEXED)
                .with_body([frame(1, b"out\n"), frame(2, b"err\n")].concat());
            if request.headers.contains_key("upgrade") {
                answer.handing_over(program(request))
            } else {
                answer
            }
        }
    }
}

/// A program on a terminal isn't told the end of its input, and one without an input gets none: it doesn't
/// wait for it.
pub fn program(start: &Recorded) -> Program {
    let asked: Value = serde_json::from_slice(&start.body).unwrap_or_default();
    let query = start.query.as_deref().unwrap_or_default();
    if asked["Tty"] == true || query.contains("stdin=false") {
        Program::ReadsNothing
    } else {
        Program::Reads
    }
}

/// One JSON value, or several as a stream of messages.
pub fn lines(messages: &[Value]) -> Bytes {
    let lines: Vec<_> = messages.iter().map(Value::to_string).collect();
    lines.join("\r\n").into()
}

fn path_stat() -> Value {
    json!({
        "name": "ü", "size": 8, "mode": 1_u32 << 31 | 1 << 20 | 0o777, "mtime": "2026-01-01T12:00:00.5Z",
        "linkTarget": "",
    })
}

fn version() -> Value {
    json!({
        "Platform": {"Name": "Docker Engine - Community"},
        "Components": [{"Name": "Engine", "Version": "28.5.1", "Details": {"GitCommit": "f8215cc"}}],
        "Version": "28.5.1", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "GitCommit": "f8215cc",
        "Os": "linux", "Arch": "amd64", "KernelVersion": "6.1.0", "BuildTime": "2026-01-01",
    })
}

fn info() -> Value {
    json!({
        "ID": "f5b1", "Name": "host", "ServerVersion": "28.5.1", "OperatingSystem": "Debian",
        "NCPU": 2, "MemTotal": 8_000_000_000_u64, "Containers": 3, "ContainersRunning": 1, "Images": 4,
        "Driver": "overlay2", "LoggingDriver": "json-file", "CgroupVersion": "2",
        "Runtimes": {"runc": {"path": "runc"}, "runsc": {}}, "DefaultRuntime": "runc",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"], "Warnings": ["no swap"],
        "CgroupDriver": "systemd", "DriverStatus": [["Backing Filesystem", "xfs"], ["odd"]], "LiveRestoreEnabled": true,
        "MemoryLimit": true, "SwapLimit": false, "PidsLimit": true, "CpuCfsQuota": true, "CPUShares": true,
        "CPUSet": null, "CDISpecDirs": ["/etc/cdi"], "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
    })
}

fn images() -> Value {
    json!([
        {
            "Id": format!("sha256:{}", "a".repeat(64)), "ParentId": "", "RepoTags": ["a:latest", "<none>:<none>"],
            "RepoDigests": ["<none>@<none>"], "Created": 1_700_000_000, "Size": 1024, "SharedSize": -1,
            "Labels": {"a": "b"}, "Containers": -1,
        },
        {"Id": "b".repeat(64), "RepoTags": null, "Labels": null},
    ])
}

fn is_stream(request: &Recorded) -> bool {
    let query = request.query.as_deref().unwrap_or_default();
    query.contains("stream=true")
}

fn is_pull(request: &Recorded) -> bool {
    let query = request.query.as_deref().unwrap_or_default();
    query.contains("fromImage=")
}

fn pull() -> Vec<Value> {
    vec![
        json!({"status": "Pulling from library/a", "id": "latest"}),
        json!({
            "status": "Downloading", "progressDetail": {"current": 512, "total": 1024},
            "progress": "[=>  ] 512B/1kB", "id": "2408cc74d12b",
        }),
        json!({"status": "Defragmenting", "progressDetail": {"current": 1, "total": -1}, "id": "2408cc74d12b"}),
        json!({"status": "Pull complete", "progressDetail": {}, "id": "2408cc74d12b"}),
        json!({"status": "Status: Downloaded newer image for a:latest"}),
    ]
}

fn image() -> Value {
    json!({
        "Id": format!("sha256:{}", "a".repeat(64)), "RepoTags": ["a:latest"], "RepoDigests": ["a@sha256:0"],
        "Parent": "", "Comment": "", "Created": "2026-01-01T12:00:00.5Z", "DockerVersion": "28.5.1",
        "Architecture": "arm64", "Variant": "v8", "Os": "linux", "Size": 1024, "VirtualSize": 1024,
        "Config": {
            "User": "1000", "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b"], "Cmd": ["x"], "Volumes": {"/data": {}},
            "WorkingDir": "/srv", "Entrypoint": ["/x"], "Labels": {"a": "b"}, "StopSignal": "SIGINT",
        },
        "GraphDriver": {"Data": null, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": ["sha256:1", "sha256:2"]},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
    })
}

fn containers() -> Value {
    json!([{
        "Id": "c0ffee", "Names": ["/web", "/other/web"], "Image": "busybox", "ImageID": "sha256:0",
        "Command": "sleep 1", "Created": 1_700_000_000, "State": "running", "Status": "Up 2 hours (healthy)",
        "Ports": [{"PrivatePort": 80, "Type": "tcp"}], "Labels": {"a": "b"},
        "HostConfig": {"NetworkMode": "default"}, "Mounts": [],
    }])
}

fn details() -> Value {
    json!({
        "Id": "c0ffee", "Name": "/web", "Image": "sha256:0", "Created": "2026-01-01T12:00:00.5Z",
        "Path": "sleep", "Args": ["1"], "RestartCount": 2, "Driver": "overlay2",
        "State": {
            "Status": "exited", "Running": false, "Pid": 0, "ExitCode": 137, "OOMKilled": true, "Error": "oom",
            "StartedAt": "2026-01-01T14:00:00+02:00", "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": [{"ExitCode": 1, "Output": "no"}]},
        },
        "Config": {
            "Image": "busybox", "Env": ["A=b", "C"], "Labels": {"a": "b"}, "Tty": false, "User": "1000:1000",
            "Hostname": "host", "WorkingDir": "/srv", "StopSignal": "SIGINT", "StopTimeout": 3,
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 1_000_000_000, "Timeout": 0, "Retries": 3},
        },
        "HostConfig": host(),
        "Mounts": [
            {"Type": "tmpfs", "Source": "", "Destination": "/x", "Mode": "", "RW": false, "Propagation": ""},
            {"Type": "volume", "Name": "data", "Source": "/var/lib/data", "Destination": "/data", "RW": true},
        ],
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}], "53/udp": null},
            "Networks": {"bridge": {
                "NetworkID": "abc", "IPAddress": "172.17.0.2", "Gateway": "172.17.0.1", "Aliases": ["web"],
            }, "other": null},
        },
    })
}

fn host() -> Value {
    json!({
        "Memory": 268_435_456, "MemorySwap": -1, "MemoryReservation": 1, "NanoCpus": 500_000_000,
        "CpuQuota": 50_000, "CpuPeriod": 100_000, "CpuShares": 512, "CpusetCpus": "0-1", "PidsLimit": 64,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": -1}], "ShmSize": 67_108_864,
        "StorageOpt": {"size": "1024"}, "CapAdd": ["CAP_CHOWN"], "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", "seccomp=unconfined", "apparmor:docker-default", "label=off"],
        "ReadonlyRootfs": true, "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},
        "Runtime": "runc", "NetworkMode": "container:web", "Privileged": false,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "LogConfig": {"Type": "json-file", "Config": {"max-file": "3"}},
        "Init": true, "PidMode": "host", "IpcMode": "private", "UTSMode": "", "UsernsMode": "host",
        "Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 5}}],
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": null},
        "DeviceRequests": [{"Driver": "", "Count": -1, "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": {"a": "b"}}],
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        "DeviceCgroupRules": ["c 1:3 r"], "GroupAdd": ["audio"], "MaskedPaths": [], "PublishAllPorts": true,
    })
}

fn space() -> Value {
    json!({
        "LayersSize": 100,
        "Images": [{"Containers": 1, "Size": 60, "SharedSize": 20}],
        "Containers": [{"State": "running", "SizeRw": 5}, {"State": "exited"}],
        "Volumes": [{"UsageData": {"Size": 9, "RefCount": 0}}],
        "BuildCache": [{"InUse": false, "Shared": false, "Size": 3}],
        "VolumeUsage": {"ActiveCount": 1, "TotalCount": 2, "Reclaimable": 3, "TotalSize": 4},
    })
}

fn events() -> Vec<Value> {
    vec![
        json!({
            "status": "exec_create: sh", "id": "c0ffee", "from": "busybox", "Type": "container",
            "Action": "exec_create: sh", "Actor": {"ID": "c0ffee", "Attributes": {"image": "busybox", "name": "web"}},
            "scope": "local", "time": 1_700_000_000, "timeNano": 1_700_000_000_000_000_001_i64,
        }),
        json!({
            "Type": "quantum", "Action": "entangle", "Actor": {"ID": "x", "Attributes": {"n": 1}},
            "scope": "swarm", "time": 1_700_000_001, "timeNano": 1_700_000_001_000_000_002_i64,
        }),
    ]
}

fn network() -> Value {
    json!({
        "Name": "web", "Id": "f00d", "Created": "2026-01-01T12:00:00.5Z", "Scope": "local", "Driver": "bridge",
        "EnableIPv4": true, "EnableIPv6": true, "Internal": true, "Attachable": true, "Ingress": false,
        "IPAM": {"Driver": "default", "Options": null, "Config": [
            {"Subnet": "10.1.0.0/16", "IPRange": "10.1.2.0/24", "Gateway": "10.1.0.1", "AuxiliaryAddresses": {"a": "10.1.0.9"}},
            {"Subnet": "fd00::/64", "Gateway": "fd00::1/64"}, {"Subnet": "invalid Prefix"},
        ]},
        "Containers": {"c0ffee": {
            "Name": "web", "EndpointID": "ab", "MacAddress": "02:42:0a:01:00:02",
            "IPv4Address": "10.1.0.2/16", "IPv6Address": "fd00::2/64",
        }, "ep-1": null},
        "Options": {"com.docker.network.driver.mtu": "1400"}, "Labels": {"a": "b"}, "ConfigOnly": false,
    })
}

fn volume() -> Value {
    json!({
        "Name": "data", "Driver": "local", "Mountpoint": "/var/lib/docker/volumes/data/_data", "Scope": "local",
        "CreatedAt": "2026-01-01T12:00:00+02:00", "Labels": {"a": "b"}, "Options": {"type": "tmpfs"},
        "Status": {"x": 1}, "UsageData": {"Size": -1, "RefCount": -1},
    })
}

fn stats() -> Value {
    json!({
        "read": "2026-01-01T12:00:00.123456789Z", "preread": "0001-01-01T00:00:00Z",
        "memory_stats": {"usage": 4096, "limit": 8192, "stats": {"inactive_file": 1024, "anon": 1}},
        "cpu_stats": {
            "cpu_usage": {"total_usage": 100, "usage_in_usermode": 1}, "online_cpus": 2,
            "throttling_data": {"periods": 2, "throttled_periods": 1},
        },
        "pids_stats": {"current": 2, "limit": 18_446_744_073_709_551_615_u64},
        "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 3}},
        "blkio_stats": {"io_service_bytes_recursive": [{"major": 8, "op": "Read", "value": 5}, {"op": "write", "value": 6}]},
    })
}
