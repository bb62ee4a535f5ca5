//! From what was asked for to the world that a container gets.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use super::{number, texts};
use crate::testing::fake::machine::{Limits, Mounted, Setup, What};
use crate::testing::fake::{Shared, networks};

/// What Docker leaves to a container that isn't asked otherwise.
const CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// What is mounted, before it is.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) kind: &'static str,
    pub(super) target: String,
    pub(super) source: String,
    pub(super) volume: Option<String>,
    pub(super) read_only: bool,
    bytes: Option<u64>,
    mode: u32,
    runs: bool,
}

/// Mounts of a `HostConfig`, without its `Tmpfs`.
pub(super) fn mounts(host: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for mount in host["Mounts"].as_array().into_iter().flatten() {
        let text = |name: &str| mount[name].as_str().unwrap_or_default().to_owned();
        let kind = match mount["Type"].as_str() {
            Some("tmpfs") => "tmpfs",
            Some("bind") => "bind",
            _ => "volume",
        };
        let options = &mount["TmpfsOptions"];
        all.push(Asked {
            kind,
            target: text("Target"),
            source: text("Source"),
            volume: (kind == "volume").then(|| text("Source")),
            read_only: mount["ReadOnly"] == true,
            bytes: number(&options["SizeBytes"]),
            mode: number(&options["Mode"]).map_or(0o1777, |mode| mode as u32),
            runs: false,
        });
    }
    for bind in texts(&host["Binds"]) {
        let mut parts = bind.split(':');
        let (source, target) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let is_path = source.starts_with('/');
        all.push(Asked {
            kind: if is_path { "bind" } else { "volume" },
            target: target.to_owned(),
            source: source.to_owned(),
            volume: (!is_path).then(|| source.to_owned()),
            read_only: parts
                .next()
                .is_some_and(|options| options.split(',').any(|option| option == "ro")),
            bytes: None,
            mode: 0o755,
            runs: true,
        });
    }
    all
}

/// What is in memory by `Tmpfs`, with options as a mount takes them.
fn memory(host: &Value) -> Vec<Asked> {
    let all = host["Tmpfs"].as_object();
    let one = |(target, options): (&String, &Value)| {
        let options = options.as_str().unwrap_or_default();
        let value = |name: &str| {
            options
                .split(',')
                .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
        };
        Asked {
            kind: "tmpfs",
            target: target.clone(),
            source: String::new(),
            volume: None,
            read_only: options.split(',').any(|option| option == "ro"),
            bytes: value("size").and_then(size),
            mode: value("mode")
                .and_then(|mode| u32::from_str_radix(mode, 8).ok())
                .unwrap_or(0o1777),
            runs: options.split(',').any(|option| option == "exec"),
        }
    };
    all.into_iter().flatten().map(one).collect()
}

fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

pub(super) fn limits(host: &Value) -> Limits {
    let quota = number(&host["CpuQuota"]).zip(number(&host["CpuPeriod"]).or(Some(100_000)));
    let cpus = match number(&host["NanoCpus"]) {
        Some(nanos) => Some(nanos as f64 / 1e9),
        None => quota.map(|(quota, period)| quota as f64 / period as f64),
    };
    let ulimits = host["Ulimits"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|limit| {
            let value = |name: &str| limit[name].as_i64().unwrap_or(-1);
            (
                limit["Name"].as_str().unwrap_or_default().to_owned(),
                value("Soft"),
                value("Hard"),
            )
        });
    Limits {
        memory: number(&host["Memory"]),
        pids: number(&host["PidsLimit"]),
        cpus,
        cpuset: host["CpusetCpus"]
            .as_str()
            .filter(|set| !set.is_empty())
            .map(str::to_owned),
        shm_bytes: number(&host["ShmSize"]),
        ulimits: ulimits.collect(),
    }
}

fn capabilities(host: &Value) -> Vec<String> {
    let plain = |name: &str| name.trim_start_matches("CAP_").to_uppercase();
    let (add, drop) = (texts(&host["CapAdd"]), texts(&host["CapDrop"]));
    let add: Vec<String> = add.iter().map(|name| plain(name)).collect();
    let drop: Vec<String> = drop.iter().map(|name| plain(name)).collect();
    let kept = CAPABILITIES.iter().map(|name| (*name).to_owned());
    let kept = kept.filter(|name| !drop.iter().any(|gone| gone == "ALL" || gone == name));
    kept.chain(add).collect()
}

/// The world of a container.
pub(super) fn setup(engine: &Arc<Shared>, id: &str, config: &Value) -> Setup {
    let host = &config["HostConfig"];
    let asked = mounts(host).into_iter().chain(memory(host));
    let mounts = asked.map(|asked| Mounted {
        what: match (&asked.volume, asked.kind) {
            (Some(name), _) => What::Volume(engine.volume(name)),
            (None, "tmpfs") => What::Memory {
                bytes: asked.bytes,
                mode: asked.mode,
                runs: asked.runs,
            },
            (None, _) => What::Host,
        },
        target: asked.target,
        read_only: asked.read_only,
    });
    let options = texts(&host["SecurityOpt"]);
    let mode = host["NetworkMode"].as_str().unwrap_or("default");
    let mut interfaces = vec!["lo".to_owned()];
    if mode != "none" {
        interfaces.push("eth0".to_owned());
    }
    Setup {
        hostname: config["Hostname"].as_str().unwrap_or_default().to_owned(),
        mounts: mounts.collect(),
        read_only_root: host["ReadonlyRootfs"] == true,
        limits: limits(host),
        capabilities: capabilities(host),
        no_new_privileges: options.iter().any(|option| {
            matches!(
                option.as_str(),
                "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"
            )
        }),
        interfaces,
        programs: engine.programs.clone(),
        network: Some(networks::reach(engine, id)),
    }
}

/// What an engine shows where nothing was asked for.
const DEFAULTS: &str = r#"{
"Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}},
"NetworkMode": "default", "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
"AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "CapAdd": null, "CapDrop": null,
"CgroupnsMode": "host", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null,
"IpcMode": "private", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false,
"PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "", "UsernsMode": "",
"ShmSize": 67108864, "Runtime": "runc", "ConsoleSize": [0, 0], "Isolation": "", "CpuShares": 0,
"Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
"CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "",
"CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null,
"MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": false,
"PidsLimit": null, "Ulimits": null, "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0,
"IOMaximumBandwidth": 0
}"#;

/// What an engine makes of what was left open.
pub(super) fn with_defaults(asked: &Value) -> Value {
    // It is sound, as every creation shows.
    static PARSED: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(DEFAULTS).unwrap_or_default());
    let mut host = PARSED.clone();
    overlay(&mut host, asked.as_object());
    if host["NetworkMode"] == "" {
        host["NetworkMode"] = json!("default");
    }
    if number(&host["ShmSize"]).is_none() {
        host["ShmSize"] = json!(67_108_864);
    }
    if host["Runtime"] == "" {
        host["Runtime"] = json!("runc");
    }
    // Docker gives as much swap as memory where it isn't told.
    if let (Some(memory), None) = (
        number(&host["Memory"]),
        host["MemorySwap"].as_i64().filter(|swap| *swap != 0),
    ) {
        host["MemorySwap"] = json!(memory.saturating_mul(2));
    }
    host
}

fn overlay(value: &mut Value, over: Option<&Map<String, Value>>) {
    for (name, new) in over.into_iter().flatten() {
        if !new.is_null() {
            value[name] = new.clone();
        }
    }
}

/// A user by number: `name`, `1`, `1:2`, `name:group`.
pub(in super::super) fn user(
    text: &str,
    read: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<(u32, u32), String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let line = |file: &str, name: &str| {
        let text = read(file)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines = text
            .lines()
            .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| {
            fields.first().is_some_and(|own| own == name)
                || fields.get(2).is_some_and(|own| own == name)
        })
    };
    let field = |fields: &[String], at: usize| fields.get(at).and_then(|text| text.parse().ok());
    if user.is_empty() {
        return Ok((0, 0));
    }
    let known = line("/etc/passwd", user);
    let uid = match user.parse() {
        Ok(uid) => uid,
        Err(_) => known
            .as_deref()
            .and_then(|fields| field(fields, 2))
            .ok_or_else(|| {
                format!("unable to find user {user}: no matching entries in passwd file")
            })?,
    };
    let gid = match group {
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => line("/etc/group", group)
                .as_deref()
                .and_then(|fields| field(fields, 2))
                .ok_or_else(|| {
                    format!("unable to find group {group}: no matching entries in group file")
                })?,
        },
        None => known
            .as_deref()
            .and_then(|fields| field(fields, 3))
            .unwrap_or(0),
    };
    Ok((uid, gid))
}

/// An environment as a process gets it.
pub(in super::super) fn environment(
    config: &Value,
    hostname: &str,
    tty: bool,
    more: &[String],
) -> Vec<String> {
    let mut env = vec![
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("HOSTNAME={hostname}"),
        "HOME=/".to_owned(),
    ];
    if tty {
        env.push("TERM=xterm".to_owned());
    }
    for pair in texts(&config["Env"]).iter().chain(more) {
        let name = pair.split('=').next().unwrap_or_default();
        env.retain(|known| known.split('=').next() != Some(name));
        env.push(pair.clone());
    }
    env
}
