//! Volumes.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::machine;
use super::request::{Answer, Answered, Refusal, Request, fits};
use super::state::State;
use super::time::Time;
use super::{Shared, new_id};

#[derive(Debug)]
pub(super) struct Volume {
    name: String,
    driver: String,
    created: Time,
    labels: Value,
    options: Value,
    /// One that nobody named.
    anonymous: bool,
    pub(super) files: machine::Volume,
}

impl Volume {
    pub(super) fn new(name: String, anonymous: bool) -> Self {
        Self {
            name,
            driver: "local".to_owned(),
            created: Time::now(),
            labels: Value::Null,
            options: Value::Null,
            anonymous,
            files: machine::Volume::new(),
        }
    }

    pub(super) fn value(&self) -> Value {
        json!({
            "Name": self.name, "Driver": self.driver, "Mountpoint": format!("/var/lib/docker/volumes/{}/_data", self.name),
            "CreatedAt": humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + self.created.0).to_string(),
            "Labels": self.labels, "Options": self.options, "Scope": "local",
        })
    }
}

impl Shared {
    pub(super) fn ensure_volume(&self, name: &str) {
        drop(self.volume(name));
    }

    /// A volume's files; it is made where it isn't there.
    pub(super) fn volume(&self, name: &str) -> machine::Volume {
        let mut state = self.state();
        if let Some(volume) = state.volumes.get(name) {
            return volume.files.clone();
        }
        let volume = Volume::new(name.to_owned(), name.len() == 64);
        let files = volume.files.clone();
        state.volumes.insert(name.to_owned(), volume);
        drop(state);
        tell(self, "create", name);
        files
    }
}

pub(super) fn tell(engine: &Shared, action: &str, name: &str) {
    let attributes = json!({"driver": "local"});
    engine.events.tell("volume", action, name, attributes);
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, format!("get {name}: no such volume"))
}

/// All that are mounted: each container's is a look into its configuration, so not for each volume anew.
fn mounted(state: &State) -> HashSet<String> {
    let containers = state.containers.iter();
    containers
        .flat_map(|container| container.volumes())
        .collect()
}

/// Who mounts it.
fn users(state: &State, name: &str) -> Vec<String> {
    let containers = state.containers.iter();
    let users = containers.filter(|container| container.mounts_volume(name));
    users.map(|container| container.id.clone()).collect()
}

pub(super) fn create(engine: &Arc<Shared>, request: &Request) -> Answered {
    let asked = request.json()?;
    let name = asked["Name"].as_str().filter(|name| !name.is_empty());
    let (name, anonymous) = match name {
        Some(name) => (name.to_owned(), false),
        None => (new_id(), true),
    };
    let driver = asked["Driver"]
        .as_str()
        .filter(|driver| !driver.is_empty())
        .unwrap_or("local");
    if driver != "local" {
        let message = format!(
            "create {name}: error looking up volume plugin {driver}: plugin \"{driver}\" not found"
        );
        return Err(Refusal::new(404, message));
    }
    let mut volume = Volume::new(name.clone(), anonymous);
    volume.labels = asked["Labels"].as_object().cloned().into();
    if anonymous && engine.personality.traits().api >= (1, 42) {
        volume.labels["com.docker.volume.anonymous"] = json!("");
    }
    volume.options = asked["DriverOpts"].clone();
    let value = volume.value();
    let mut state = engine.state();
    // One that is there stays as it is (measured).
    if let Some(volume) = state.volumes.get(&name) {
        return Ok(Answer::json(201, &volume.value()));
    }
    state.volumes.insert(name.clone(), volume);
    drop(state);
    tell(engine, "create", &name);
    Ok(Answer::json(201, &value))
}

pub(super) fn inspect(engine: &Arc<Shared>, name: &str) -> Answered {
    let state = engine.state();
    let volume = state.volumes.get(name).ok_or_else(|| absent(name))?;
    Ok(Answer::json(200, &volume.value()))
}

pub(super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let state = engine.state();
    let mounted = mounted(&state);
    let fits = |volume: &&Volume| {
        filters.labels(&volume.labels)
            && filters.any("name", |wanted| fits(&volume.name, wanted))
            && filters.any("driver", |wanted| wanted == volume.driver)
            && filters.any("dangling", |wanted| {
                mounted.contains(&volume.name) != matches!(wanted, "true" | "1")
            })
    };
    let listed: Vec<Value> = state
        .volumes
        .values()
        .filter(fits)
        .map(Volume::value)
        .collect();
    Ok(Answer::json(
        200,
        &json!({"Volumes": listed, "Warnings": null}),
    ))
}

pub(super) fn remove(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let _one = engine.exclusive();
    let mut state = engine.state();
    if !state.volumes.contains_key(name) {
        return match request.query.is("force") {
            true => Ok(Answer::empty(204)),
            false => Err(absent(name)),
        };
    }
    let users = users(&state, name);
    if !users.is_empty() {
        let message = format!("remove {name}: volume is in use - [{}]", users.join(", "));
        return Err(Refusal::new(409, message));
    }
    state.volumes.remove(name);
    drop(state);
    tell(engine, "destroy", name);
    Ok(Answer::empty(204))
}

pub(super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    // Since API 1.42 those with a name stay unless all are asked for.
    let all = request.version < (1, 42)
        || filters
            .all("all")
            .any(|value| matches!(value, "true" | "1"));
    let one = engine.exclusive();
    let mut state = engine.state();
    let mounted = mounted(&state);
    let fits = |volume: &&Volume| {
        (all || volume.anonymous)
            && filters.labels(&volume.labels)
            && !mounted.contains(&volume.name)
    };
    let gone = state.volumes.values().filter(fits);
    let gone: Vec<String> = gone.map(|volume| volume.name.clone()).collect();
    let mut space = 0;
    for name in &gone {
        let volume = state.volumes.remove(name);
        space += volume.map_or(0, |volume| volume.files.size());
    }
    drop(state);
    drop(one);
    for name in &gone {
        tell(engine, "destroy", name);
    }
    Ok(engine.pruned("volume", "VolumesDeleted", &json!(gone), Some(space)))
}
