//! How containers come to be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::config::{mounts, with_defaults};
use super::{Container, Inner, Life, texts};
use crate::testing::fake::log::Log;
use crate::testing::fake::machine::Machine;
use crate::testing::fake::networks::Endpoint;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};
use crate::testing::fake::time::Time;
use crate::testing::fake::{Shared, images, new_id};

pub(in super::super) fn create(engine: &Arc<Shared>, request: &Request) -> Answered {
    let mut config = request.json()?;
    if config.is_null() {
        return Err(Refusal::new(
            400,
            "config cannot be empty in order to create a container",
        ));
    }
    // From here on neither the image nor a volume may go, until the container is known to use them.
    let one = engine.exclusive();
    let wanted = config["Image"].as_str().unwrap_or_default().to_owned();
    let image = engine.state().images.find(&wanted).ok_or_else(|| {
        Refusal::new(404, format!("No such image: {}", images::with_tag(&wanted)))
    })?;
    let id = new_id();
    let name = match request.query.get("name").filter(|name| !name.is_empty()) {
        Some(name) => name.trim_start_matches('/').to_owned(),
        None => format!("fake_{}", &id[..8]),
    };
    merge(&mut config, &image.config);
    if config["Hostname"].as_str().unwrap_or_default().is_empty() {
        config["Hostname"] = json!(&id[..12]);
    }
    if texts(&config["Entrypoint"]).is_empty() && texts(&config["Cmd"]).is_empty() {
        return Err(Refusal::new(400, "No command specified"));
    }
    name_volumes(&mut config["HostConfig"]);
    let asked = config.to_string().into_bytes().into();
    config["HostConfig"] = with_defaults(&config["HostConfig"]);
    let mut networks = BTreeMap::new();
    let mode = config["HostConfig"]["NetworkMode"]
        .as_str()
        .unwrap_or("default")
        .to_owned();
    let first = if mode == "default" {
        "bridge".to_owned()
    } else {
        mode
    };
    let asked_networks = config["NetworkingConfig"]["EndpointsConfig"].as_object();
    let endpoint = |name: &str| {
        let asked = asked_networks.and_then(|all| all.get(name));
        Endpoint::asked(asked.unwrap_or(&Value::Null))
    };
    networks.insert(first.clone(), endpoint(&first));
    for name in asked_networks.into_iter().flat_map(|all| all.keys()) {
        networks.insert(name.clone(), endpoint(name));
    }
    for mount in mounts(&config["HostConfig"]) {
        match mount.kind {
            "bind" if !std::path::Path::new(&mount.source).exists() => {
                let message = format!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {}",
                    mount.source
                );
                return Err(Refusal::new(400, message));
            }
            _ => {}
        }
    }
    // What is refused makes no volumes.
    engine.check_name(&engine.state(), &name)?;
    for mount in mounts(&config["HostConfig"]) {
        if let Some(volume) = mount.volume {
            engine.ensure_volume(&volume);
        }
    }
    let setup = super::config::setup(engine, &id, &config);
    let container = Arc::new(Container {
        id: id.clone(),
        image: image.id.clone(),
        created: Time::now(),
        asked,
        machine: Arc::new(Machine::new(&image.tree, setup)),
        log: Arc::new(Log::default()),
        inner: Mutex::new(Inner::new(name.clone(), networks)),
        life: watch::Sender::new(Life::new()),
    });
    engine.add(&container, &name)?;
    drop(one);
    container.tell(engine, "create", &[]);
    let host = &config["HostConfig"];
    let published = host["PortBindings"]
        .as_object()
        .is_some_and(|ports| !ports.is_empty());
    let mut warnings = Vec::new();
    if host["NetworkMode"] == "host" && published && !engine.personality.is_podman() {
        warnings.push("Published ports are discarded when using host network mode");
    }
    Ok(Answer::json(201, &json!({"Id": id, "Warnings": warnings})))
}

/// An anonymous volume has a name all the same.
fn name_volumes(host: &mut Value) {
    let mounts = host.get_mut("Mounts").and_then(Value::as_array_mut);
    for mount in mounts.into_iter().flatten() {
        if mount["Type"] == "volume" && mount["Source"].as_str().unwrap_or_default().is_empty() {
            mount["Source"] = json!(new_id());
            mount["Anonymous"] = json!(true);
        }
    }
}

/// What an image says, where it isn't said otherwise.
fn merge(config: &mut Value, image: &Value) {
    let own_entrypoint = !config["Entrypoint"].is_null();
    if !own_entrypoint {
        config["Entrypoint"] = image["Entrypoint"].clone();
    }
    if config["Cmd"].is_null() && !own_entrypoint {
        config["Cmd"] = image["Cmd"].clone();
    }
    for name in ["User", "WorkingDir", "StopSignal", "Healthcheck"] {
        if config[name].as_str().is_some_and(str::is_empty) || config[name].is_null() {
            config[name] = image[name].clone();
        }
    }
    let own = texts(&config["Env"]);
    let names: Vec<&str> = own
        .iter()
        .filter_map(|pair| pair.split('=').next())
        .collect();
    let inherited = texts(&image["Env"]).into_iter();
    let inherited: Vec<String> = inherited
        .filter(|pair| {
            pair.split('=')
                .next()
                .is_none_or(|name| !names.contains(&name))
        })
        .collect();
    config["Env"] = json!([inherited, own.clone()].concat());
    let mut labels = image["Labels"].as_object().cloned().unwrap_or_default();
    labels.extend(config["Labels"].as_object().cloned().unwrap_or_default());
    config["Labels"] = Value::Object(labels);
    for name in [
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
    ] {
        if config[name].is_null() {
            config[name] = json!(false);
        }
    }
}
