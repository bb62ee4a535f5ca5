//! Volumes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::machine;
use super::request::{Answer, Answered, Refusal, Request};
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
        let mut state = self.state();
        if !state.volumes.contains_key(name) {
            let volume = Volume::new(name.to_owned(), name.len() == 64);
            state.volumes.insert(name.to_owned(), volume);
            drop(state);
            let driver = json!({"driver": "local"});
            self.events.tell("volume", "create", name, driver);
        }
    }

    /// A volume's files.
    pub(super) fn volume(&self, name: &str) -> machine::Volume {
        self.ensure_volume(name);
        let state = self.state();
        let found = state.volumes.get(name).map(|volume| volume.files.clone());
        found.unwrap_or_else(machine::Volume::new)
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, format!("get {name}: no such volume"))
}

fn used(engine: &Shared, name: &str) -> Vec<String> {
    let containers = engine.containers().into_iter();
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
    // One that is there stays as it is (measured).
    if let Some(volume) = engine.state().volumes.get(&name) {
        return Ok(Answer::json(201, &volume.value()));
    }
    let mut volume = Volume::new(name.clone(), anonymous);
    volume.labels = asked["Labels"].clone();
    if anonymous && engine.personality.traits().api >= (1, 42) {
        volume.labels["com.docker.volume.anonymous"] = json!("");
    }
    volume.options = asked["DriverOpts"].clone();
    let value = volume.value();
    engine.state().volumes.insert(name.clone(), volume);
    engine
        .events
        .tell("volume", "create", &name, json!({"driver": "local"}));
    Ok(Answer::json(201, &value))
}

pub(super) fn inspect(engine: &Arc<Shared>, name: &str) -> Answered {
    let state = engine.state();
    let volume = state.volumes.get(name).ok_or_else(|| absent(name))?;
    Ok(Answer::json(200, &volume.value()))
}

pub(super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let names: Vec<String> = engine.state().volumes.keys().cloned().collect();
    let mut listed = Vec::new();
    for name in names {
        let dangling = used(engine, &name).is_empty();
        let state = engine.state();
        let Some(volume) = state.volumes.get(&name) else {
            continue;
        };
        let fits = filters.labels(&volume.labels)
            && filters.any("name", |wanted| fits(&name, wanted))
            && filters.any("driver", |wanted| wanted == volume.driver)
            && filters.any("dangling", |wanted| {
                dangling == matches!(wanted, "true" | "1")
            });
        if fits {
            listed.push(volume.value());
        }
    }
    Ok(Answer::json(
        200,
        &json!({"Volumes": listed, "Warnings": null}),
    ))
}

/// Docker's filter of names is a regular expression.
fn fits(name: &str, wanted: &str) -> bool {
    let plain = wanted
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace('\\', "");
    match (wanted.starts_with('^'), wanted.ends_with('$')) {
        (true, true) => name == plain,
        (true, false) => name.starts_with(&plain),
        (false, true) => name.ends_with(&plain),
        (false, false) => name.contains(&plain),
    }
}

pub(super) fn remove(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let there = engine.state().volumes.contains_key(name);
    if !there && request.query.is("force") {
        return Ok(Answer::empty(204));
    }
    if !there {
        return Err(absent(name));
    }
    let users = used(engine, name);
    if !users.is_empty() {
        let message = format!("remove {name}: volume is in use - [{}]", users.join(", "));
        return Err(Refusal::new(409, message));
    }
    engine.state().volumes.remove(name);
    engine
        .events
        .tell("volume", "destroy", name, json!({"driver": "local"}));
    Ok(Answer::empty(204))
}

pub(super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    // Since API 1.42 those with a name stay unless all are asked for.
    let all = request.version < (1, 42)
        || filters
            .all("all")
            .any(|value| matches!(value, "true" | "1"));
    let names: Vec<String> = engine.state().volumes.keys().cloned().collect();
    let (mut deleted, mut space) = (Vec::new(), 0);
    for name in names {
        if !used(engine, &name).is_empty() {
            continue;
        }
        let mut state = engine.state();
        let Some(volume) = state.volumes.get(&name) else {
            continue;
        };
        if (all || volume.anonymous) && filters.labels(&volume.labels) {
            space += volume.files.size();
            state.volumes.remove(&name);
            drop(state);
            engine
                .events
                .tell("volume", "destroy", &name, json!({"driver": "local"}));
            deleted.push(name);
        }
    }
    Ok(engine.pruned("volume", "VolumesDeleted", &json!(deleted), Some(space)))
}
