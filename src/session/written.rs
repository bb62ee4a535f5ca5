//! What stands on a session's container: all that is known of it after the death of its host.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::admission::Needs;
use super::lifecycle::Lifecycle;
use super::spec::{MOST_VOLUMES, SessionSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerName, LabelKey, NetworkRef, Resources, VolumeName};

/// The id of the session, on all that is made for it.
pub(super) const ID: &str = "catamaran.session";
/// What it is, as JSON.
pub(super) const WHAT: &str = "catamaran.session.what";

/// The labels that a container has of its session.
pub(crate) const OWN: [&str; 2] = [ID, WHAT];

const PENDING: &str = "catamaran-pending-";

/// What a session is, fixed at the creation of its container. Whose it is stands in the container's name, which it gets
/// when it is somebody's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub(super) id: Uuid,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct What {
    /// Of this writing.
    version: u32,
    /// A hash of the spec.
    pub(super) spec: String,
    pub(super) lifecycle: Lifecycle,
    pub(super) limits: Limits,
    /// How many volumes of its own it has, and whether a network.
    pub(super) volumes: usize,
    pub(super) network: bool,
    /// For so long it may have been in a warm pool before it was anybody's.
    #[serde(with = "humantime_serde")]
    pub(super) pooled: Duration,
}

/// The limits that it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) memory: Option<u64>,
    pub(super) cpus: Option<f64>,
    pub(super) pids: Option<u32>,
}

const VERSION: u32 = 1;

impl Written {
    /// For a spec, and for so long in a warm pool at most.
    pub(super) fn new(spec: &SessionSpec, pooled: Duration) -> Result<Self> {
        let resources = &spec.container.resources;
        Ok(Self {
            id: Uuid::new_v4(),
            what: What {
                version: VERSION,
                spec: spec.hash()?,
                lifecycle: spec.lifecycle.clone(),
                limits: Limits::of(resources),
                volumes: spec.volumes.len(),
                network: spec.own_network.is_some(),
                pooled,
            },
        })
    }

    pub(super) fn put(&self, labels: &mut BTreeMap<LabelKey, String>) -> Result<()> {
        let what = serde_json::to_string(&self.what).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "the spec can't be written as JSON")
                .with_source(error)
        })?;
        labels.insert(LabelKey::new(ID)?, self.id.to_string());
        labels.insert(LabelKey::new(WHAT)?, what);
        Ok(())
    }

    /// What stands there; nothing where that can't be read.
    pub(super) fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let id = read_id(labels)?;
        let what: What = serde_json::from_str(labels.get(WHAT)?).ok()?;
        (what.version == VERSION).then_some(Self { id, what })
    }

    /// When one that was made then is too old, as far as its labels tell: nobody's age counts in the pool.
    pub(super) fn expires(&self, created: SystemTime, now: Instant) -> Option<Instant> {
        let age = SystemTime::now()
            .duration_since(created)
            .unwrap_or_default();
        let most = self.what.lifecycle.max_age?.checked_add(self.what.pooled)?;
        now.checked_add(most.saturating_sub(age))
    }

    /// The name of its container before it is anybody's.
    pub(super) fn pending_name(&self) -> Result<ContainerName> {
        ContainerName::new(format!("{PENDING}{}", self.id.simple()))
    }

    /// The names of the volumes that it has for itself.
    pub(super) fn volumes(&self) -> Result<Vec<VolumeName>> {
        let name = |number| format!("{}-{number}", self.own_name());
        (0..self.what.volumes.min(MOST_VOLUMES))
            .map(|number| VolumeName::new(name(number)))
            .collect()
    }

    /// The name of its network.
    pub(super) fn network(&self) -> Result<Option<NetworkRef>> {
        self.what
            .network
            .then(|| NetworkRef::new(self.own_name()))
            .transpose()
    }

    fn own_name(&self) -> String {
        format!("catamaran-session-{}", self.id.simple())
    }
}

/// The id alone, as on volumes and networks.
pub(super) fn read_id(labels: &BTreeMap<String, String>) -> Option<Uuid> {
    let text = labels.get(ID)?;
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == *text).then_some(id)
}

/// Whether a container's name says that it is nobody's yet.
pub(super) fn is_pending(name: &str) -> bool {
    name.starts_with(PENDING)
}

impl Limits {
    pub(super) fn of(resources: &Resources) -> Self {
        Self {
            memory: resources.memory,
            cpus: resources.cpus,
            pids: resources.pids,
        }
    }

    /// Those that hold no longer, of a container that is there: whoever may update it may have raised them.
    pub(super) fn weakened(&self, found: &Resources) -> Vec<&'static str> {
        let above = |asked: Option<f64>, found: Option<f64>| {
            // A hundredth of a thousandth: what an engine rounds.
            asked.is_some_and(|asked| found.is_none_or(|found| found > asked + 1e-5))
        };
        let memory = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        let fields = [
            ("memory", above(memory(self.memory), memory(found.memory))),
            ("cpus", above(self.cpus, found.cpus)),
            (
                "pids",
                above(self.pids.map(f64::from), found.pids.map(f64::from)),
            ),
        ];
        let weakened = fields.into_iter().filter(|(_, weakened)| *weakened);
        weakened.map(|(field, _)| field).collect()
    }

    pub(super) fn needs(&self) -> Needs {
        Needs {
            memory: self.memory.unwrap_or(0),
            cpus: self.cpus.unwrap_or(0.0),
        }
    }

    pub(super) fn resources(&self) -> Resources {
        let resources = Resources::default()
            .with_cpus(self.cpus)
            .with_pids(self.pids);
        match self.memory {
            Some(memory) => resources.with_memory_and_no_swap(memory),
            None => resources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageRef;

    fn spec() -> SessionSpec {
        SessionSpec::new(ImageRef::new("busybox").expect("an image"))
    }

    #[test]
    fn what_is_put_is_read_and_nothing_else() {
        let written = Written::new(&spec(), Duration::ZERO).expect("written");
        let mut labels = BTreeMap::new();
        written.put(&mut labels).expect("labels");
        let labels: BTreeMap<_, _> = labels
            .into_iter()
            .map(|(key, value)| (key.as_str().to_owned(), value))
            .collect();
        assert_eq!(Written::read(&labels), Some(written.clone()));
        for (key, odd) in [
            (ID, "1"),
            (ID, &*written.id.simple().to_string()),
            (WHAT, "{}"),
            (
                WHAT,
                &labels[WHAT].replace("\"version\":1", "\"version\":2"),
            ),
        ] {
            let mut odd_one = labels.clone();
            odd_one.insert(key.to_owned(), odd.to_owned());
            assert_eq!(Written::read(&odd_one), None, "{key} {odd}");
        }
        for missing in OWN {
            let mut odd_one = labels.clone();
            odd_one.remove(missing);
            assert_eq!(Written::read(&odd_one), None, "{missing}");
        }
    }

    #[test]
    fn specs_that_differ_have_another_hash_and_setup_is_no_part_of_it() {
        let hash = |spec: &SessionSpec| spec.hash().expect("a hash");
        let plain = spec();
        let mut other = spec().with_command(["id"]);
        assert_ne!(hash(&plain), hash(&other));
        other = spec().with_idle_timeout(None);
        assert_ne!(hash(&plain), hash(&other));
        let path = crate::model::ContainerPath::new("/tmp/a").expect("a path");
        other = spec().with_setup(super::super::spec::Setup::file(path, "x"));
        assert_eq!(hash(&plain), hash(&other));
    }

    #[test]
    fn only_limits_that_were_raised_are_weakened() {
        let limits = Limits::of(&Resources::untrusted());
        let same = Resources::untrusted();
        assert!(limits.weakened(&same).is_empty());
        let tighter = same.clone().with_cpus(0.5).with_pids(1u32);
        assert!(limits.weakened(&tighter).is_empty());
        assert_eq!(
            limits.weakened(&same.clone().with_memory(1u64 << 40)),
            ["memory"]
        );
        assert_eq!(
            limits.weakened(&Resources::default()),
            ["memory", "cpus", "pids"]
        );
    }
}
