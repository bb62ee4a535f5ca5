//! Containers: their life, their looks, and what is done with them.

mod attach;
mod config;
mod create;
mod files;
mod health;
mod life;
mod look;
mod names;
mod run;
mod stats;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::Shared;
use super::log::Log;
use super::machine::{Machine, Stream};
use super::networks::Endpoint;
use super::time::Time;

pub(super) use attach::{attach, converse, logs};
pub(super) use config::{environment, user};
pub(super) use create::create;
pub(super) use files::{changes, get_archive, put_archive, stat_path};
pub(super) use life::{
    kill, pause, prune, remove, rename, restart, start, stop, unpause, update, wait,
};
pub(super) use look::{inspect, list, resize, size, top};
pub(super) use stats::stats;

/// Where a container is in its life: the states that this engine has. The model's own, which stands for what any engine
/// may say, isn't used here, so that a word it has wrong isn't wrong on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
        }
    }

    /// Whether it has processes.
    pub(super) fn lives(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What those who wait for a container see of it: an end stays told though it is started again at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) status: Status,
    /// How often it has ended.
    ends: u64,
    /// Of its last end.
    exit_code: i64,
    /// Whether it is removed.
    gone: bool,
}

impl Life {
    fn new() -> Self {
        Self {
            status: Status::Created,
            ends: 0,
            exit_code: 0,
            gone: false,
        }
    }

    /// Whether it has ended once more since.
    fn has_ended_since(&self, before: Self) -> bool {
        self.gone || self.ends > before.ends
    }
}

/// The verdict of health checks.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    pub(super) status: &'static str,
    pub(super) streak: u64,
    pub(super) log: Vec<Value>,
}

/// What changes.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) name: String,
    pub(super) status: Status,
    /// Of the host's counting.
    pub(super) pid: u32,
    pub(super) exit_code: i64,
    pub(super) oom_killed: bool,
    pub(super) error: String,
    pub(super) started: Option<Time>,
    pub(super) finished: Option<Time>,
    pub(super) restarts: u64,
    /// Whether somebody stopped it, so that it isn't restarted.
    pub(super) stopped: bool,
    /// Limits that updates changed.
    pub(super) updated: BTreeMap<String, Value>,
    pub(super) networks: BTreeMap<String, Endpoint>,
    pub(super) stdin: Option<mpsc::Sender<Bytes>>,
    pub(super) attached: Vec<mpsc::Sender<(Stream, Bytes)>>,
    pub(super) health: Option<Health>,
    pub(super) execs: Vec<String>,
}

impl Inner {
    /// Of one that never ran.
    fn new(name: String, networks: BTreeMap<String, Endpoint>) -> Self {
        Self {
            name,
            status: Status::Created,
            pid: 0,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started: None,
            finished: None,
            restarts: 0,
            stopped: false,
            updated: BTreeMap::new(),
            networks,
            stdin: None,
            attached: Vec::new(),
            health: None,
            execs: Vec::new(),
        }
    }
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) image: String,
    pub(super) created: Time,
    /// What it was created with, merged with its image's, as JSON; what an engine adds isn't kept.
    asked: Box<[u8]>,
    /// Its files, and its processes where it runs.
    machine: Arc<Machine>,
    pub(super) log: Arc<Log>,
    inner: Mutex<Inner>,
    /// For those who wait.
    pub(super) life: watch::Sender<Life>,
}

impl Container {
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was created with: `Config` and `HostConfig`, with updates.
    pub(super) fn config(&self) -> Value {
        let mut asked: Value = serde_json::from_slice(&self.asked).unwrap_or_default();
        asked["HostConfig"] = config::with_defaults(&asked["HostConfig"]);
        for (name, value) in &self.inner().updated {
            asked["HostConfig"][name] = value.clone();
        }
        asked
    }

    pub(super) fn labels(&self) -> Value {
        self.config()["Labels"].take()
    }

    pub(super) fn name(&self) -> String {
        self.inner().name.clone()
    }

    pub(super) fn status(&self) -> Status {
        self.inner().status
    }

    pub(super) fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// The same while it has processes.
    pub(super) fn running(&self) -> Option<&Arc<Machine>> {
        Some(&self.machine).filter(|_| self.status().lives())
    }

    pub(super) fn set_status(&self, status: Status) {
        let mut inner = self.inner();
        inner.status = status;
        self.life.send_modify(|life| life.status = status);
    }

    /// The same where the present status is one of these; else that is told.
    fn change_status(&self, from: &[Status], to: Status) -> Result<(), Status> {
        let mut inner = self.inner();
        if !from.contains(&inner.status) {
            return Err(inner.status);
        }
        inner.status = to;
        self.life.send_modify(|life| life.status = to);
        Ok(())
    }

    pub(super) fn is_gone(&self) {
        self.life.send_modify(|life| life.gone = true);
    }

    /// What events tell of it.
    pub(super) fn attributes(&self) -> Value {
        let config = self.config();
        let mut attributes = json!({});
        if let Some(labels) = config["Labels"].as_object() {
            for (key, value) in labels {
                attributes[key] = value.clone();
            }
        }
        attributes["image"] = config["Image"].clone();
        attributes["name"] = json!(self.name());
        attributes
    }

    pub(super) fn tell(&self, engine: &Shared, action: impl Into<String>, more: &[(&str, String)]) {
        let mut attributes = self.attributes();
        for (name, value) in more {
            attributes[*name] = json!(value);
        }
        engine
            .events
            .tell("container", action, &self.id, attributes);
    }

    /// The volumes that it mounts.
    pub(super) fn volumes(&self) -> impl Iterator<Item = String> {
        let config = self.config();
        let mounts = config::mounts(&config["HostConfig"]);
        mounts.into_iter().filter_map(|mount| mount.volume)
    }

    /// Whether it mounts a volume.
    pub(super) fn mounts_volume(&self, name: &str) -> bool {
        self.volumes().any(|volume| volume == name)
    }
}

/// A number out of JSON; nought counts as none.
fn number(value: &Value) -> Option<u64> {
    let number = value
        .as_u64()
        .or_else(|| value.as_f64().map(|number| number.max(0.0) as u64));
    number.filter(|number| *number > 0)
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}
