//! Who sees the engine as it is, and what it set up there before: where programs write that they ran, and containers that
//! are somebody else's.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use crate::Outcome;
use crate::calls::{RUN, Setting, TALLY, TOKEN};
use crate::report::{Bad, Report};
use crate::wire::Wire;

/// Somebody else's containers: names that anybody might take, and labels that look like the crate's, or are those of a host
/// of which nobody here knows anything.
fn foreign(host: &str) -> [(&'static str, Value); 9] {
    const INSTANCE: &str = "5f0c1b8e-8f7c-4bb0-9d0e-6a2f3c1d7e55";
    let of_host = |host: &str, instance: &str, fate: &str| json!({"catamaran.host": host, "catamaran.instance": instance, "catamaran.fate": fate});
    [
        ("web", json!({})),
        ("db-1", json!({"com.example.owner": "somebody else"})),
        ("0-0", json!({})),
        (
            "1-1",
            json!({"catamaran.operation": "not an operation's id"}),
        ),
        ("catamaran-session", json!({"catamaran.managed": "{"})),
        ("tmp", json!({"catamaran": ""})),
        ("of-another", of_host("somebody else", INSTANCE, "remove")),
        ("of-no-instance", of_host(host, "1", "remove")),
        ("of-no-fate", of_host(host, INSTANCE, "removed")),
    ]
}

/// A container as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub name: String,
    pub status: String,
    pub shares: i64,
}

/// Something that the run made.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: String,
    pub token: String,
    /// A container's.
    pub state: String,
}

pub struct Witness {
    wire: Wire,
    setting: Setting,
    keeper: String,
    foreign: Vec<Seen>,
}

impl Witness {
    /// Makes what is needed.
    pub async fn set_up(wire: Wire, setting: Setting) -> Outcome<Self> {
        let mut witness = Self {
            wire,
            setting,
            keeper: String::new(),
            foreign: Vec::new(),
        };
        match witness.make().await {
            Ok(()) => Ok(witness),
            Err(error) => {
                // What was made before goes.
                witness.clean_up().await?;
                Err(error)
            }
        }
    }

    async fn make(&mut self) -> Outcome<()> {
        let volume = json!({"Name": self.setting.tally});
        let made = self.wire.ask("POST", "/volumes/create", Some(volume)).await;
        made?.done()?;
        // Programs run as nobody.
        let line = format!("touch {TALLY}/log; chmod 666 {TALLY}/log; exec sleep 86400");
        let name = format!("{}-keeper", self.setting.run);
        self.keeper = self.container(&name, &line, json!({})).await?;
        self.start(&self.keeper).await?;
        for (at, (name, labels)) in foreign(&self.setting.run).into_iter().enumerate() {
            let name = format!("{}-{name}", self.setting.run);
            let id = self.container(&name, "exec sleep 86400", labels).await?;
            // Kept with what is known so far, so that it goes even if the next step fails.
            self.foreign.push(Seen {
                id: id.clone(),
                name,
                status: String::new(),
                shares: 0,
            });
            if at % 2 == 0 {
                self.start(&id).await?;
            }
            let seen = self
                .look(&id)
                .await?
                .ok_or("a container that isn't there")?;
            self.foreign.pop();
            self.foreign.push(seen);
        }
        Ok(())
    }

    async fn container(&self, name: &str, line: &str, labels: Value) -> Outcome<String> {
        let body = json!({
            "Image": self.setting.image, "Cmd": ["sh", "-c", line], "Labels": labels,
            "HostConfig": {"NetworkMode": "none", "Binds": [format!("{}:{TALLY}", self.setting.tally)]},
        });
        let path = format!("/containers/create?name={name}");
        let made = self.wire.ask("POST", &path, Some(body)).await?.done()?;
        let id = made.json()?["Id"].as_str().map(str::to_owned);
        Ok(id.ok_or("a container without an id")?)
    }

    async fn start(&self, id: &str) -> Outcome<()> {
        let path = format!("/containers/{id}/start");
        self.wire.ask("POST", &path, None).await?.done()?;
        Ok(())
    }

    /// Runs a container of the run's, made past the crate.
    pub async fn run(&self, name: &str, line: &str) -> Outcome<String> {
        let name = format!("{}-{name}", self.setting.run);
        let labels = json!({RUN: self.setting.run});
        let id = self.container(&name, line, labels).await?;
        self.start(&id).await?;
        Ok(id)
    }

    /// Kills it.
    pub async fn end(&self, id: &str) -> Outcome<()> {
        let path = format!("/containers/{id}/kill");
        self.wire.ask("POST", &path, None).await?.done()?;
        Ok(())
    }

    /// What it wrote to its standard output, as the engine has it.
    pub async fn log(&self, id: &str) -> Outcome<String> {
        let path = format!("/containers/{id}/logs?stdout=1");
        let framed = self.wire.ask("GET", &path, None).await?.done()?.body;
        let (mut text, mut rest) = (Vec::new(), framed.as_slice());
        while let Some((head, after)) = rest.split_at_checked(8) {
            let length = head[4..]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let (frame, after) = after.split_at_checked(length).ok_or("half a frame")?;
            text.extend_from_slice(frame);
            rest = after;
        }
        Ok(String::from_utf8(text)?)
    }

    /// The names of somebody else's containers.
    pub fn foreign_names(&self) -> Vec<String> {
        self.foreign.iter().map(|seen| seen.name.clone()).collect()
    }

    /// A container, if it is there.
    pub async fn look(&self, id: &str) -> Outcome<Option<Seen>> {
        let shown = self.wire.get(&format!("/containers/{id}/json")).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(shown.map(|shown| Seen {
            id: text(&shown["Id"]),
            name: text(&shown["Name"]).trim_start_matches('/').to_owned(),
            status: text(&shown["State"]["Status"]),
            shares: shown["HostConfig"]["CpuShares"]
                .as_i64()
                .unwrap_or_default(),
        }))
    }

    fn label(&self) -> String {
        format!("{RUN}={}", self.setting.run)
    }

    async fn found(&self, list: &str, id: &str) -> Outcome<Vec<Found>> {
        let found = self.wire.labelled(list, &self.label()).await?.into_iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = found.map(|found| Found {
            id: text(&found[id]),
            token: text(&found["Labels"][TOKEN]),
            state: text(&found["State"]),
        });
        Ok(found.collect())
    }

    pub async fn containers(&self) -> Outcome<Vec<Found>> {
        self.found("/containers/json?all=1&", "Id").await
    }

    pub async fn networks(&self) -> Outcome<Vec<Found>> {
        self.found("/networks?", "Id").await
    }

    pub async fn volumes(&self) -> Outcome<Vec<Found>> {
        self.found("/volumes?", "Name").await
    }

    /// The leases of the run's hosts that somebody holds: one that ends in order, and leaves something, leaves one of nobody.
    pub async fn held_leases(&self) -> Outcome<Vec<String>> {
        const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
        self.leases_but(Some(NOBODY)).await
    }

    /// The leases of the run's hosts.
    pub async fn leases(&self) -> Outcome<Vec<String>> {
        self.leases_but(None).await
    }

    async fn leases_but(&self, holder: Option<&str>) -> Outcome<Vec<String>> {
        let mut leases = Vec::new();
        for host in self.setting.hosts() {
            let label = format!("catamaran.lease.host={host}");
            let found = self.wire.labelled("/volumes?", &label).await?.into_iter();
            let is_held = |one: &serde_json::Value| {
                let by = one["Labels"]["catamaran.lease.holder"].as_str();
                holder.is_none() || by != holder
            };
            let held = found.filter(is_held);
            leases.extend(held.filter_map(|one| one["Name"].as_str().map(str::to_owned)));
        }
        Ok(leases)
    }

    /// How often each token was written.
    pub async fn tally(&self) -> Outcome<BTreeMap<String, u64>> {
        let path = format!("/containers/{}/archive?path={TALLY}/log", self.keeper);
        let packed = self.wire.ask("GET", &path, None).await?.done()?;
        let mut archive = tar::Archive::new(packed.body.as_slice());
        let mut text = String::new();
        for entry in archive.entries()? {
            entry?.read_to_string(&mut text)?;
        }
        let mut tally = BTreeMap::new();
        for token in text.lines() {
            *tally.entry(token.to_owned()).or_default() += 1;
        }
        Ok(tally)
    }

    /// Whether what is somebody else's is as it was.
    pub async fn audit_foreign(&self, report: &Report) -> Outcome<()> {
        for before in &self.foreign {
            match self.look(&before.id).await? {
                Some(now) if now == *before => {}
                Some(now) => report.bad(
                    Bad::ForeignDeleted,
                    1,
                    &format!("{before:?} was changed: {now:?}"),
                ),
                None => report.bad(Bad::ForeignDeleted, 1, &format!("{before:?} is gone")),
            }
        }
        Ok(())
    }

    /// Removes all that the run made and was made for it, and nothing else.
    pub async fn clean_up(&self) -> Outcome<()> {
        let mut ids: Vec<String> = self.foreign.iter().map(|seen| seen.id.clone()).collect();
        ids.extend(self.containers().await?.into_iter().map(|found| found.id));
        if !self.keeper.is_empty() {
            ids.push(self.keeper.clone());
        }
        let mut paths: Vec<String> = ids
            .iter()
            .map(|id| format!("/containers/{id}?force=1&v=1"))
            .collect();
        let networks = self.networks().await?.into_iter();
        paths.extend(networks.map(|found| format!("/networks/{}", found.id)));
        let volumes = self.volumes().await?.into_iter();
        paths.extend(volumes.map(|found| format!("/volumes/{}", found.id)));
        let leases = self.leases().await?.into_iter();
        paths.extend(leases.map(|name| format!("/volumes/{name}")));
        paths.push(format!("/volumes/{}", self.setting.tally));
        let mut failed = Vec::new();
        for path in paths {
            let reply = self.wire.ask("DELETE", &path, None).await?;
            if reply.status >= 400 && reply.status != 404 {
                failed.push(path);
            }
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(format!("left behind: {}", failed.join(", ")).into()),
        }
    }
}
