//! What there is at the engine, past the crate: of the host's sessions, and of somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ledger::Wrong;
use super::line::Bad;
use super::said::PENDING;
use crate::Outcome;
use crate::wire::Wire;

const HOST: &str = "catamaran.host";
/// Of somebody else's containers: the last one leaves a lease that says that they are nobody's.
const INSTANCE: &str = "0b0c1b8e-8f7c-4bb0-9d0e-6a2f3c1d7e56";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub state: String,
    pub instance: String,
    pub session: String,
}

/// All of one host.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub containers: Vec<Container>,
    /// Volumes and networks: the kind, the name or id, and the session.
    pub things: Vec<(&'static str, String, String)>,
    pub leases: Vec<String>,
}

impl Found {
    pub fn of_session(&self, id: &str) -> Vec<String> {
        let containers = self.containers.iter().filter(|one| one.session == id);
        let things = self.things.iter().filter(|(_, _, session)| session == id);
        containers
            .map(|one| format!("container {:.12}", one.id))
            .chain(things.map(|(kind, name, _)| format!("{kind} {name}")))
            .collect()
    }

    pub fn doubled(&self) -> Vec<Wrong> {
        let mut seen = BTreeSet::new();
        let twice = self
            .containers
            .iter()
            .flat_map(|one| [&one.name, &one.session]);
        twice
            .filter(|text| !seen.insert(*text))
            .map(|text| (Bad::Doubled, format!("{text} is there twice")))
            .collect()
    }

    /// Volumes and networks whose session has no container.
    pub fn strays(&self) -> Vec<String> {
        let sessions: BTreeSet<_> = self.containers.iter().map(|one| &one.session).collect();
        let strays = self
            .things
            .iter()
            .filter(|(_, _, of)| !sessions.contains(of));
        strays
            .map(|(kind, name, _)| format!("{kind} {name}"))
            .collect()
    }

    /// All of it that must go.
    pub fn all(&self) -> Vec<String> {
        let containers = self.containers.iter().map(|one| format!("{one:?}"));
        let things = self.things.iter().map(|thing| format!("{thing:?}"));
        let leases = self.leases.iter().filter(|name| !name.contains(INSTANCE));
        let leases = leases.map(|name| format!("lease {name}"));
        containers.chain(things).chain(leases).collect()
    }
}

pub struct Looker {
    pub wire: Wire,
    pub host: String,
    image: String,
    /// Paths of somebody else's, and how they are there: containers, a volume, a network.
    foreign: BTreeMap<String, Value>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Somebody else's containers: names that look like the crate's, labels that can't be read or are another host's.
fn foreign(host: &str) -> Vec<(String, Value)> {
    let id = "5f0c1b8e-8f7c-4bb0-9d0e-6a2f3c1d7e55";
    let of = |host: &str, id: &str, what: &str| {
        json!({HOST: host, "catamaran.instance": INSTANCE,
            "catamaran.fate": "adopt", "catamaran.session": id, "catamaran.session.what": what})
    };
    vec![
        (format!("{host}-web"), json!({})),
        (format!("{PENDING}{host}-unlabelled"), json!({})),
        (format!("{PENDING}{host}-unreadable"), of(host, id, "{")),
        (format!("{PENDING}{host}-no-id"), of(host, "1", "{}")),
        (
            format!("{PENDING}{host}-of-another"),
            of("another", id, "{}"),
        ),
        (format!("catamaran.{host}.somebody.else"), json!({})),
        (
            format!("catamaran.{host}.somebody.unreadable"),
            of(host, id, "null"),
        ),
        (format!("{host}-catamaran"), json!({HOST: host})),
    ]
}

impl Looker {
    pub fn new(wire: Wire, host: &str, image: &str) -> Self {
        Self {
            wire,
            host: host.to_owned(),
            image: image.to_owned(),
            foreign: BTreeMap::new(),
        }
    }

    /// Makes what is somebody else's.
    pub async fn set_up(&mut self) -> Outcome<()> {
        for (at, (name, labels)) in foreign(&self.host).into_iter().enumerate() {
            let body = json!({"Image": self.image, "Cmd": ["sh", "-c", "exec sleep 86400"],
                "Labels": labels, "HostConfig": {"NetworkMode": "none"}});
            let path = format!("/containers/create?name={name}");
            let made = self.wire.ask("POST", &path, Some(body)).await?.done()?;
            let path = format!("/containers/{}", text(&made.json()?["Id"]));
            self.foreign.insert(path.clone(), Value::Null);
            if at % 2 == 0 {
                let start = format!("{path}/start");
                self.wire.ask("POST", &start, None).await?.done()?;
            }
        }
        for (at, labels) in [
            json!({}),
            json!({HOST: &self.host, "catamaran.session": "1"}),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("catamaran-session-{}-{at}", self.host);
            let body = json!({"Name": name, "Labels": labels});
            for (kind, path) in [("volumes", &name), ("networks", &name)] {
                let create = format!("/{kind}/create");
                let made = self.wire.ask("POST", &create, Some(body.clone())).await?;
                made.done()?;
                self.foreign.insert(format!("/{kind}/{path}"), Value::Null);
            }
        }
        for (path, seen) in self.foreign.clone() {
            let now = self.see(&path).await?;
            drop(seen);
            self.foreign.insert(path, now);
        }
        Ok(())
    }

    async fn see(&self, path: &str) -> Outcome<Value> {
        let shown = match path.starts_with("/containers/") {
            true => self.wire.get(&format!("{path}/json")).await?,
            false => self.wire.get(path).await?,
        };
        let shown = shown.unwrap_or_default();
        Ok(json!([
            shown["Id"],
            shown["Name"],
            shown["State"]["Status"]
        ]))
    }

    /// What of somebody else's isn't as it was. An engine that stops all when it ends may have stopped it.
    pub async fn audit_foreign(&self, must_run: bool) -> Outcome<Vec<Wrong>> {
        let mut wrong = Vec::new();
        for (path, before) in &self.foreign {
            let now = self.see(path).await?;
            let same = now[0] == before[0] && now[1] == before[1];
            if !same || (must_run && now[2] != before[2]) {
                let what = format!("{path}: {before} is {now}");
                wrong.push((Bad::ForeignTouched, what));
            }
        }
        Ok(wrong)
    }

    fn is_foreign(&self, kind: &str, name: &str) -> bool {
        self.foreign.contains_key(&format!("/{kind}/{name}"))
    }

    pub async fn found(&self) -> Outcome<Found> {
        let of_host = format!("{HOST}={}", self.host);
        let mut found = Found::default();
        for one in self
            .wire
            .labelled("/containers/json?all=1&", &of_host)
            .await?
        {
            let container = Container {
                id: text(&one["Id"]),
                name: text(&one["Names"][0]).trim_start_matches('/').to_owned(),
                state: text(&one["State"]),
                instance: text(&one["Labels"]["catamaran.instance"]),
                session: text(&one["Labels"]["catamaran.session"]),
            };
            if !self.is_foreign("containers", &container.id) {
                found.containers.push(container);
            }
        }
        for (kind, list) in [("volume", "/volumes?"), ("network", "/networks?")] {
            for one in self.wire.labelled(list, &of_host).await? {
                let name = text(&one["Name"]);
                if !self.is_foreign(&format!("{kind}s"), &name) {
                    let session = text(&one["Labels"]["catamaran.session"]);
                    found.things.push((kind, name, session));
                }
            }
        }
        let of_host = format!("catamaran.lease.host={}", self.host);
        let leases = self.wire.labelled("/volumes?", &of_host).await?;
        found.leases = leases.iter().map(|one| text(&one["Name"])).collect();
        Ok(found)
    }

    /// Removes all of the host and what was made beside it, and nothing else.
    pub async fn clean_up(&self) -> Outcome<()> {
        let found = self.found().await?;
        let containers = found.containers.iter();
        let mut paths: Vec<_> = containers
            .map(|one| format!("/containers/{}", one.id))
            .collect();
        paths.extend(self.foreign.keys().cloned());
        let things = found.things.iter();
        paths.extend(things.map(|(kind, name, _)| format!("/{kind}s/{name}")));
        paths.extend(found.leases.iter().map(|name| format!("/volumes/{name}")));
        for path in paths {
            let path = match path.starts_with("/containers/") {
                true => format!("{path}?force=1&v=1"),
                false => path,
            };
            let reply = self.wire.ask("DELETE", &path, None).await?;
            if reply.status >= 400 && reply.status != 404 {
                eprintln!("left behind: {path}");
            }
        }
        Ok(())
    }
}
