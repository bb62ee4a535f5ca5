//! What the tests have in common.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use catamaran::HybridBackend;
use catamaran::model::{
    ContainerRef, ExecOptions, LabelKey, ListOptions, RemoveOptions, RemoveVolumeOptions,
    VolumeDetails,
};
use catamaran::session::{
    Change, Session, SessionEvent, SessionEvents, SessionKey, SessionManager,
    SessionManagerBuilder, SessionNotice, SessionSpec,
};
use futures::StreamExt;
use serde_json::Value;

use crate::common::{self, config, witness};

/// Long enough for an engine that is busy.
pub const LEASE: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(90);
const HOST: &str = "catamaran.host";
const LEASE_HOST: &str = "catamaran.lease.host";
const LEASE_HOLDER: &str = "catamaran.lease.holder";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A manager's name that no other test and no other run of it has; what bears it is removed in the end, however that comes.
pub struct Stage {
    pub host: String,
}

impl Stage {
    pub fn new(test: &str) -> Self {
        Self {
            host: format!("test-{test}-{}", std::process::id()),
        }
    }

    pub fn builder(&self) -> SessionManagerBuilder {
        let builder = SessionManager::builder(&self.host).expect("a name");
        builder.with_lease(LEASE).expect("a lease")
    }

    pub async fn start(&self, builder: SessionManagerBuilder) -> SessionManager {
        let backend = HybridBackend::new(&config()).expect("a backend");
        let started = builder.start(Arc::new(backend)).await;
        started.expect("a manager")
    }

    pub async fn manager(&self) -> SessionManager {
        self.start(self.builder()).await
    }

    /// What there is at the engine of this manager, without its lease: names of containers and networks, of volumes too.
    pub fn things(&self) -> Vec<String> {
        let found = common::witness::labelled(config().endpoint(), HOST, &self.host);
        let name = |thing: &Value| match (&thing["Names"][0], &thing["Name"]) {
            (Value::String(name), _) | (_, Value::String(name)) => name.clone(),
            _ => panic!("it has no name: {thing}"),
        };
        let mut names: Vec<_> = found.iter().map(name).collect();
        names.retain(|name| !name.starts_with("catamaran-lease-"));
        names.sort();
        names
    }

    pub async fn gone(&self) {
        until("nothing is left", async || self.things().is_empty()).await;
    }

    async fn sweep(&self) -> catamaran::Result<()> {
        let (witness, host) = (witness(), self.host.clone());
        let label = LabelKey::new(HOST)?;
        let all = ListOptions::all().with_label(label.clone(), host.clone());
        for container in witness.list(&all).await? {
            let _ = witness.remove(&container.id, &RemoveOptions::force()).await;
        }
        let volumes = catamaran::model::ListVolumesOptions::default();
        let volumes = volumes.with_label(label.clone(), host.clone());
        remove_all(witness.list_volumes(&volumes).await?.volumes).await?;
        let networks = catamaran::model::ListNetworksOptions::default().with_label(label, host);
        for network in witness.list_networks(&networks).await? {
            let _ = witness.remove_network(&network.id).await;
        }
        self.leases_go().await
    }

    /// Managers that were dropped give theirs back in the background; those of nobody are for whoever comes next.
    async fn leases_go(&self) -> catamaran::Result<()> {
        let (witness, begun) = (witness(), std::time::Instant::now());
        let leases = catamaran::model::ListVolumesOptions::default();
        let leases = leases.with_label(LabelKey::new(LEASE_HOST)?, self.host.clone());
        loop {
            let left = witness.list_volumes(&leases).await?.volumes;
            let held = |labels: &BTreeMap<String, String>| labels[LEASE_HOLDER] != NOBODY;
            if left.iter().any(|lease| held(&lease.labels)) && begun.elapsed() < PATIENCE / 9 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            return remove_all(left).await;
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The test's runtime may be at its end.
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                if let Err(error) = runtime.block_on(self.sweep()) {
                    eprintln!("what {} had made is left: {error}", self.host);
                }
            });
        });
    }
}

async fn remove_all(volumes: Vec<VolumeDetails>) -> catamaran::Result<()> {
    for volume in volumes {
        let options = RemoveVolumeOptions::default();
        let _ = witness()
            .remove_volume(&volume.reference()?, &options)
            .await;
    }
    Ok(())
}

/// A hardened session that runs a line of shell.
pub async fn shell(line: &str) -> SessionSpec {
    SessionSpec::new(common::image().await).with_command(["sh", "-c", line])
}

pub async fn idle() -> SessionSpec {
    shell("exec sleep 6000").await
}

pub fn key(owner: &str, name: &str) -> SessionKey {
    SessionKey::new(owner, name).expect("a key")
}

/// Runs a line of shell in a session, which must succeed, and gives what it wrote.
pub async fn run(session: &Session, line: &str) -> String {
    let options = ExecOptions::new(["sh", "-c", line]);
    let ran = session.exec(&options).await.expect("it runs");
    assert!(ran.success(), "{line}: {ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// What the engine itself shows of a container.
pub fn inspect(container: &ContainerRef) -> Value {
    let path = format!("/containers/{container}/json");
    common::witness::get(config().endpoint(), &path)
}

/// Waits until it is so, by looking: for what others do.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, so).await;
    in_time.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// What has been told, of all sessions at once.
pub struct Told {
    events: SessionEvents,
    others: VecDeque<SessionEvent>,
}

impl Told {
    pub fn of(manager: &SessionManager) -> Self {
        Self {
            events: manager.subscribe(),
            others: VecDeque::new(),
        }
    }

    /// The next such change of that session; what is told meanwhile isn't lost to those who look for it later.
    pub async fn of_session(&mut self, key: &SessionKey, is: impl Fn(&Change) -> bool) -> Change {
        let fits = |event: &SessionEvent| event.key == *key && is(&event.change);
        if let Some(at) = self.others.iter().position(&fits) {
            return self.others.remove(at).expect("it is there").change;
        }
        let told = async {
            loop {
                match self.events.next().await {
                    Some(SessionNotice::Change(event)) if fits(&event) => return event.change,
                    Some(SessionNotice::Change(event)) => self.others.push_back(event),
                    Some(_) => {}
                    None => panic!("the manager has ended"),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(change) => change,
            Err(_) => panic!("{key}: in vain; what was told is {:?}", self.others),
        }
    }
}
