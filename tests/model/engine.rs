//! The engine, the proxy in front of it, and the look past the proxy: what has happened, by the engine's own events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use catamaran::model::{
    ContainerName, ContainerSpec, Event, EventAction, EventsOptions, ImageRef, ListNetworksOptions,
    ListVolumesOptions,
};
use catamaran::testing::{FakeEngine, FaultProxy, Personality};
use catamaran::{AsyncEngine, ContainerBackend};
use futures::TryStreamExt;

use crate::client::TOKEN;

/// Somebody else's: a name that callers ask for, too, and labels that look like the crate's.
pub const FOREIGN: [(&str, &str, &str); 3] = [
    ("web", "com.example.owner", "somebody else"),
    ("db", "catamaran.operation", "not an operation's id"),
    ("tmp", "catamaran.spec", "{"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub state: &'static str,
}

/// What there is at a moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub containers: BTreeMap<String, Container>,
    /// The names, by their ids.
    pub networks: BTreeMap<String, String>,
    pub volumes: BTreeSet<String>,
}

/// Something that has happened, and the world after it.
pub struct Moment {
    /// A kill's with its signal.
    pub action: String,
    pub actor: String,
    pub token: String,
    pub detail: String,
    pub after: World,
}

impl World {
    pub fn holds(&self, name: &str) -> bool {
        self.containers.values().any(|one| one.name == name)
    }

    fn take(&mut self, event: &Event) {
        let (actor, name) = (event.actor.clone(), event.attributes.get("name"));
        let name = name.unwrap_or_default().to_owned();
        let made = event.action == EventAction::Create;
        match (event.kind.as_str(), &event.action) {
            ("container", EventAction::Destroy) => drop(self.containers.remove(&actor)),
            ("network", EventAction::Destroy) => drop(self.networks.remove(&actor)),
            ("volume", EventAction::Destroy) => drop(self.volumes.remove(&actor)),
            ("network", _) if made => drop(self.networks.insert(actor, name)),
            ("volume", _) if made => drop(self.volumes.insert(actor)),
            ("container", action) => {
                let before = self.containers.get(&actor).map(|one| one.state);
                let state = match action {
                    EventAction::Start | EventAction::Unpause => "running",
                    EventAction::Pause => "paused",
                    EventAction::Die => "exited",
                    _ => before.unwrap_or("created"),
                };
                if made || before.is_some() {
                    self.containers.insert(actor, Container { name, state });
                }
            }
            _ => {}
        }
    }
}

pub struct Lab {
    pub fake: FakeEngine,
    pub proxy: FaultProxy,
    pub foreign: BTreeSet<String>,
    pub world: World,
    witness: AsyncEngine,
    seen: SystemTime,
}

impl Lab {
    pub async fn start(personality: Personality) -> Self {
        let fake = FakeEngine::builder()
            .image("busybox")
            .personality(personality);
        let fake = fake.start().await.expect("a fake engine");
        let config = fake.config().expect("a configuration");
        let mut lab = Self {
            proxy: FaultProxy::start(fake.endpoint()).await.expect("a proxy"),
            fake,
            foreign: BTreeSet::new(),
            world: World::default(),
            witness: AsyncEngine::new(&config).expect("an engine"),
            seen: SystemTime::UNIX_EPOCH,
        };
        for (name, label, value) in FOREIGN {
            let spec = ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
                .with_name(ContainerName::new(name).expect("a name"))
                .with_label(label, value)
                .expect("a label")
                .with_command(["sleep", "100000000"]);
            let made = lab.witness.create(&spec).await.expect("a container");
            lab.witness.start(&made.id).await.expect("a start");
            lab.foreign.insert(made.id.as_str().to_owned());
        }
        lab.look().await.expect("nobody else is there yet");
        lab
    }

    /// What has happened since the last look.
    pub async fn look(&mut self) -> Result<Vec<Moment>, String> {
        let mut moments = Vec::new();
        // The janitor may remove something meanwhile, of which the engine tells a moment after it is gone.
        for _ in 0..100 {
            self.hear(&mut moments).await;
            if self.listed() == self.world.containers {
                return Ok(moments);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (told, are) = (&self.world.containers, self.listed());
        Err(format!(
            "by its events they were {told:#?}, and are {are:#?}"
        ))
    }

    fn listed(&self) -> BTreeMap<String, Container> {
        let all = self.fake.containers().into_iter();
        let all = all.map(|one| {
            (
                one.id,
                Container {
                    name: one.name,
                    state: one.state,
                },
            )
        });
        all.collect()
    }

    async fn hear(&mut self, moments: &mut Vec<Moment>) {
        let options = EventsOptions::default()
            .with_since(Some(self.seen))
            .with_until(Some(SystemTime::now() + Duration::from_millis(1)));
        let events = self.witness.events(&options).await.expect("events");
        let events: Vec<_> = events.try_collect().await.expect("events");
        for event in events {
            let time = event.time.expect("an event has a time");
            if time <= self.seen {
                continue;
            }
            self.seen = time;
            self.world.take(&event);
            let text = |key: &str| event.attributes.get(key).unwrap_or_default().to_owned();
            let action = match &event.action {
                EventAction::Kill => format!("kill {}", text("signal")),
                other => other.as_str().to_owned(),
            };
            moments.push(Moment {
                action,
                token: text(TOKEN),
                detail: event.detail.unwrap_or_default(),
                actor: event.actor,
                after: self.world.clone(),
            });
        }
    }

    /// The tokens of what there is, with the ids or names of those who bear them.
    pub async fn tokens(&self) -> Vec<(String, String)> {
        let containers = self.fake.containers().into_iter();
        let mut found: Vec<_> = containers.map(|one| (one.labels, one.id)).collect();
        let networks = self
            .witness
            .list_networks(&ListNetworksOptions::default())
            .await;
        let networks = networks.expect("networks").into_iter();
        found.extend(networks.map(|one| (one.labels, one.id.as_str().to_owned())));
        let volumes = self
            .witness
            .list_volumes(&ListVolumesOptions::default())
            .await;
        let volumes = volumes.expect("volumes").volumes.into_iter();
        found.extend(volumes.map(|one| (one.labels, one.name)));
        let bear = found.into_iter();
        bear.filter_map(|(labels, id)| Some((labels.get(TOKEN)?.clone(), id)))
            .collect()
    }
}
