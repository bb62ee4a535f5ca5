//! How containers look: inspected, listed, by their processes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::config::mounts;
use super::{Container, Status, texts};
use crate::testing::fake::request::{Answer, Answered, Refusal, Request, fits};
use crate::testing::fake::time::{NEVER, Time};
use crate::testing::fake::{Shared, images};

fn time(time: Option<Time>) -> String {
    time.map_or_else(|| NEVER.to_owned(), Time::text)
}

pub(in super::super) fn inspect(engine: &Arc<Shared>, container: &Arc<Container>) -> Answered {
    let mut config = container.config();
    let host = config["HostConfig"].take();
    if let Some(object) = config.as_object_mut() {
        object.remove("HostConfig");
        object.remove("NetworkingConfig");
    }
    let argv = [texts(&config["Entrypoint"]), texts(&config["Cmd"])].concat();
    let (path, args) = argv
        .split_first()
        .map(|(path, args)| (path.clone(), args.to_vec()))
        .unwrap_or_default();
    let held = engine.state();
    let inner = container.inner();
    let lives = inner.status.lives();
    let mut state = json!({
        "Status": inner.status.as_str(), "Running": lives, "Paused": inner.status == Status::Paused,
        "Restarting": inner.status == Status::Restarting, "OOMKilled": inner.oom_killed, "Dead": false,
        "Pid": inner.pid, "ExitCode": inner.exit_code, "Error": inner.error,
        "StartedAt": time(inner.started), "FinishedAt": time(inner.finished),
    });
    if let Some(health) = &inner.health {
        state["Health"] = json!({
            "Status": health.status, "FailingStreak": health.streak, "Log": health.log,
        });
    }
    let points: Vec<Value> = mounts(&host).iter().map(point).collect();
    let mut details = json!({
        "Id": container.id, "Created": container.created.text(), "Path": path, "Args": args,
        "State": state, "Image": container.image, "ResolvConfPath": "", "HostnamePath": "", "HostsPath": "",
        "LogPath": "", "Name": format!("/{}", inner.name), "RestartCount": inner.restarts,
        "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "",
        "ExecIDs": if inner.execs.is_empty() { Value::Null } else { json!(inner.execs) },
        "HostConfig": host, "GraphDriver": {"Data": null, "Name": "overlay2"}, "Mounts": points,
        "Config": config,
        "NetworkSettings": held.networks.settings(&inner.networks, lives, &host["PortBindings"]),
    });
    drop(inner);
    drop(held);
    for mount in details["HostConfig"]["Mounts"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if mount["Anonymous"] == true {
            mount["Source"] = json!("");
        }
    }
    engine.personality.details(&mut details);
    Ok(Answer::json(200, &details))
}

fn point(mount: &super::config::Asked) -> Value {
    let mut point = json!({
        "Type": mount.kind, "Source": mount.source, "Destination": mount.target, "Mode": "",
        "RW": !mount.read_only, "Propagation": if mount.kind == "bind" { "rprivate" } else { "" },
    });
    if let Some(name) = &mount.volume {
        point["Name"] = json!(name);
        point["Driver"] = json!("local");
        point["Source"] = json!(format!("/var/lib/docker/volumes/{name}/_data"));
        point["Mode"] = json!("z");
    }
    point
}

/// `Up 3 seconds`, as people read it.
fn told(container: &Container) -> String {
    let inner = container.inner();
    let since = |time: Option<Time>| {
        let seconds = time.map_or(0, |time| Time::now().0.saturating_sub(time.0).as_secs());
        format!("{seconds} seconds")
    };
    match inner.status {
        Status::Created => "Created".to_owned(),
        Status::Running => {
            let health = inner.health.as_ref().map(|health| match health.status {
                "starting" => " (health: starting)".to_owned(),
                status => format!(" ({status})"),
            });
            format!("Up {}{}", since(inner.started), health.unwrap_or_default())
        }
        Status::Paused => format!("Up {} (Paused)", since(inner.started)),
        Status::Restarting => format!(
            "Restarting ({}) {} ago",
            inner.exit_code,
            since(inner.finished)
        ),
        Status::Removing => "Removal In Progress".to_owned(),
        Status::Exited => format!("Exited ({}) {} ago", inner.exit_code, since(inner.finished)),
    }
}

/// Whether a container's name fits a filter, with its slash or without.
fn is_named(name: &str, filter: &str) -> bool {
    let filter = match filter.strip_prefix("^/?") {
        Some(rest) => format!("^{rest}"),
        None => filter.to_owned(),
    };
    fits(name, &filter) || fits(&format!("/{name}"), &filter)
}

pub(in super::super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let limit = request.query.number("limit").filter(|limit| *limit > 0);
    let all = request.query.is("all") || limit.is_some() || filters.has("status");
    let mut listed = Vec::new();
    for container in engine.containers().into_iter().rev() {
        let status = container.status();
        let lives = status.lives() || status == Status::Restarting;
        let name = container.name();
        let config = container.config();
        let fits = (all || lives)
            && filters.labels(&config["Labels"])
            && filters.any("status", |wanted| wanted == status.as_str())
            && filters.any("name", |wanted| is_named(&name, wanted))
            && filters.any("id", |wanted| container.id.starts_with(wanted))
            && filters.any("network", |wanted| {
                container.inner().networks.contains_key(wanted)
            })
            && filters.any("volume", |wanted| container.mounts_volume(wanted))
            && filters.any("ancestor", |wanted| {
                let image = config["Image"].as_str().unwrap_or_default();
                image == wanted
                    || container.image == wanted
                    || images::with_tag(image) == images::with_tag(wanted)
            });
        if fits {
            listed.push(summary(engine, &container, &config));
        }
        if limit.is_some_and(|limit| listed.len() as i64 >= limit) {
            break;
        }
    }
    Ok(Answer::json(200, &json!(listed)))
}

fn summary(engine: &Arc<Shared>, container: &Container, config: &Value) -> Value {
    let host = &config["HostConfig"];
    let argv = [texts(&config["Entrypoint"]), texts(&config["Cmd"])].concat();
    let points: Vec<Value> = mounts(host).iter().map(point).collect();
    let status = told(container);
    let held = engine.state();
    let inner = container.inner();
    let settings =
        held.networks
            .settings(&inner.networks, inner.status.lives(), &host["PortBindings"]);
    json!({
        "Id": container.id, "Names": [format!("/{}", inner.name)], "Image": config["Image"],
        "ImageID": container.image, "Command": argv.join(" "), "Created": container.created.seconds(),
        "Ports": ports(&settings["Ports"]), "Labels": config["Labels"], "State": inner.status.as_str(), "Status": status,
        "HostConfig": {"NetworkMode": host["NetworkMode"]},
        "NetworkSettings": {"Networks": settings["Networks"]}, "Mounts": points,
    })
}

fn ports(ports: &Value) -> Value {
    let mut all = Vec::new();
    for (port, bindings) in ports.as_object().into_iter().flatten() {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let number: u16 = number.parse().unwrap_or(0);
        for binding in bindings.as_array().into_iter().flatten() {
            let public: u16 = binding["HostPort"]
                .as_str()
                .and_then(|port| port.parse().ok())
                .unwrap_or(0);
            all.push(json!({"IP": binding["HostIp"], "PrivatePort": number, "PublicPort": public, "Type": protocol}));
        }
        if bindings.is_null() {
            all.push(json!({"PrivatePort": number, "Type": protocol}));
        }
    }
    Value::Array(all)
}

fn not_running(container: &Container) -> Refusal {
    Refusal::new(409, format!("Container {} is not running", container.id))
}

pub(in super::super) fn top(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let machine = container.running().ok_or_else(|| not_running(container))?;
    let first = container.inner().pid;
    let columns: Vec<String> = match request.query.get("ps_args") {
        Some(args) if args.contains("-o") => {
            let list = args.split("-o").nth(1).unwrap_or_default().trim();
            list.split([',', ' '])
                .filter(|name| !name.is_empty())
                .map(str::to_uppercase)
                .collect()
        }
        _ => ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
            .map(str::to_owned)
            .to_vec(),
    };
    let row = |process: &crate::testing::fake::machine::ProcessInfo| {
        let cell = |column: &String| match column.as_str() {
            "UID" | "USER" => process.user.to_string(),
            "PID" => (first + process.pid - 1).to_string(),
            "PPID" => (first + process.parent).saturating_sub(1).to_string(),
            "C" => "0".to_owned(),
            "STIME" => "00:00".to_owned(),
            "TTY" => "?".to_owned(),
            "TIME" => "00:00:00".to_owned(),
            "COMM" => process
                .command
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            _ => process.command.clone(),
        };
        columns.iter().map(cell).collect::<Vec<_>>()
    };
    let rows: Vec<_> = machine.processes().iter().map(row).collect();
    container.tell(engine, "top", &[]);
    Ok(Answer::json(
        200,
        &json!({"Titles": columns, "Processes": rows}),
    ))
}

pub(in super::super) fn resize(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let machine = container.running().ok_or_else(|| not_running(container))?;
    let (height, width) = size(request)?;
    machine.resize(1, (height, width));
    container.tell(
        engine,
        "resize",
        &[("height", height.to_string()), ("width", width.to_string())],
    );
    Ok(Answer::empty(200))
}

/// Rows and columns.
pub(in super::super) fn size(request: &Request) -> Result<(u16, u16), Refusal> {
    let number = |name: &str| {
        let text = request.query.get(name).unwrap_or_default();
        text.parse::<u16>()
            .map_err(|error| Refusal::new(400, format!("strconv.Atoi: parsing {text:?}: {error}")))
    };
    Ok((number("h")?, number("w")?))
}
