//! An engine in this process: what it holds, and how it is made.

mod containers;
mod events;
mod exec;
mod images;
mod journal;
mod log;
mod machine;
mod networks;
mod personality;
mod registry;
mod request;
mod routes;
mod system;
mod time;
mod volumes;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use http_body_util::{BodyExt, Limited};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub use journal::{Asked, Journal};
pub use machine::Process;
pub use personality::Personality;
pub use registry::{PullFault, RegistryImage};

use super::faults::Faults;
use super::serve::{Body, Directory, Listen, Sent, Server, Service};
use super::unversioned;
use crate::config::Config;
use crate::endpoint::Endpoint;
use containers::Container;
use images::{Image, Images};
use machine::{Programs, Tree};
use networks::Networks;
use request::{Answer, Query, Refusal, Request};

/// How large a request's body may be.
const MOST: usize = 256 << 20;

/// An engine in this process, which anything that speaks Docker's API can be pointed at: containers, commands in them,
/// logs, files, images, pulls, networks, volumes and events, as state machines; no kernel, no image, no Docker.
///
/// Containers run a small shell and the programs of busybox, simulated, and programs that the test brings itself. What
/// it was asked is in its [`journal`](Self::journal); what it holds is told out of band by
/// [`containers`](Self::containers). Everything goes when it is dropped.
///
/// The crate's conformance suite passes on it as on real engines, for each [`Personality`]. It is no sandbox and no
/// measure of an engine's speed: nothing is isolated, and nothing takes the time that it takes.
///
/// ```
/// use catamaran::model::{ContainerSpec, ImageRef};
/// use catamaran::testing::FakeEngine;
/// use catamaran::{ContainerBackendExt, HybridBackend};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = FakeEngine::builder().image("busybox").start().await?;
/// let backend = HybridBackend::new(&engine.config()?)?;
/// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["echo", "hello"]);
/// assert_eq!(&backend.run(&spec).await?.stdout[..], b"hello\n");
/// assert!(engine.containers().is_empty(), "nothing is left");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FakeEngine {
    server: Server,
    shared: Arc<Shared>,
    faults: Faults,
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// How a [`FakeEngine`] is made.
#[derive(Debug, Default)]
pub struct FakeEngineBuilder {
    personality: Personality,
    images: Vec<String>,
    registry: Vec<RegistryImage>,
    programs: Programs,
    faults: Faults,
    tcp: bool,
}

impl FakeEngineBuilder {
    /// Whose engine it is like; Docker 28 unless told otherwise.
    #[must_use]
    pub fn personality(mut self, personality: Personality) -> Self {
        self.personality = personality;
        self
    }

    /// An image that is there: the programs of busybox, under this name.
    #[must_use]
    pub fn image(mut self, reference: impl Into<String>) -> Self {
        self.images.push(reference.into());
        self
    }

    /// An image that can be pulled. A registry that has none of these doesn't answer.
    #[must_use]
    pub fn registry_image(mut self, image: RegistryImage) -> Self {
        self.registry.push(image);
        self
    }

    /// A program that containers can run by this name, in any image: an async function whose result is its exit code.
    ///
    /// ```
    /// use catamaran::testing::FakeEngine;
    ///
    /// let builder = FakeEngine::builder().image("python:3").program("python3", |process| async move {
    ///     let told = process.write_stdout("Python, or something like it\n").await;
    ///     i64::from(told.is_err())
    /// });
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn program<F>(
        mut self,
        name: impl Into<String>,
        program: impl Fn(Process) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = i64> + Send + 'static,
    {
        let program = Arc::new(move |process| program(process).boxed());
        self.programs.add(name.into(), program);
        self
    }

    /// What goes wrong with its requests.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// At a port of loopback instead of a unix socket.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Starts it, on the current runtime.
    ///
    /// # Errors
    /// Where no socket can be made.
    pub async fn start(self) -> io::Result<FakeEngine> {
        let mut images = Images::default();
        for name in &self.images {
            let tag = images::with_tag(name);
            images.add(Image::new(
                Some(tag),
                Tree::busybox(),
                images::plain_config(),
            ));
        }
        let shared = Arc::new(Shared {
            id: new_id(),
            personality: self.personality,
            state: Mutex::new(State {
                images,
                ..State::default()
            }),
            events: events::Events::default(),
            journal: Journal::default(),
            registry: Mutex::new(self.registry),
            programs: self.programs,
            starting: tokio::sync::Mutex::default(),
            host_pid: AtomicU32::new(2000),
            tasks: Mutex::default(),
        });
        let listen = match self.tcp {
            true => Listen::Loopback,
            false => Listen::Unix(Directory::new()?),
        };
        let faults = self.faults;
        let server = Server::start(listen, Arc::clone(&shared), faults.clone()).await?;
        Ok(FakeEngine {
            server,
            shared,
            faults,
        })
    }
}

/// A container of a fake engine, as it is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeContainer {
    /// Its id.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// `created`, `running`, `paused`, `restarting`, `removing` or `exited`.
    pub state: &'static str,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl FakeEngine {
    /// One that is made as the calls before [`start`](FakeEngineBuilder::start) say.
    #[must_use]
    pub fn builder() -> FakeEngineBuilder {
        FakeEngineBuilder::default()
    }

    /// Docker 28 with the image `busybox`, at a unix socket.
    ///
    /// # Errors
    /// Where no socket can be made.
    pub async fn start() -> io::Result<Self> {
        Self::builder().image("busybox").start().await
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.server.endpoint()
    }

    /// The value of `DOCKER_HOST` that leads to it.
    #[must_use]
    pub fn docker_host(&self) -> String {
        self.endpoint().to_string()
    }

    /// A configuration that leads to it.
    ///
    /// # Errors
    /// Never, as things are: what a configuration may be refused for isn't set.
    pub fn config(&self) -> crate::error::Result<Config> {
        Config::builder().endpoint(self.endpoint().clone()).build()
    }

    /// What it was asked.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// What goes wrong with its requests: rules may be added and taken away while it runs.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Ends all connections and refuses new ones, as an engine that is stopped; what it holds stays as it is.
    pub fn disconnect(&self) {
        self.server.close();
    }

    /// Answers again, at the same place.
    ///
    /// # Errors
    /// Where the socket can't be made again.
    pub async fn reconnect(&mut self) -> io::Result<()> {
        let (shared, faults) = (Arc::clone(&self.shared), self.faults.clone());
        self.server.open(shared, faults).await
    }

    /// Its containers, oldest first.
    #[must_use]
    pub fn containers(&self) -> Vec<FakeContainer> {
        let containers = self.shared.containers().into_iter();
        let shown = containers.map(|container| {
            let labels = container.labels();
            let labels = labels.as_object().into_iter().flatten();
            let labels = labels
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
            FakeContainer {
                id: container.id.clone(),
                name: container.name(),
                state: container.status().as_str(),
                labels: labels.collect(),
            }
        });
        shown.collect()
    }

    /// The names of its images, of its volumes and of its own networks, by which a test tells what is left.
    #[must_use]
    pub fn images(&self) -> Vec<String> {
        let state = self.shared.state();
        state
            .images
            .0
            .iter()
            .flat_map(|image| image.tags.clone())
            .collect()
    }

    /// The names of its volumes.
    #[must_use]
    pub fn volumes(&self) -> Vec<String> {
        self.shared.state().volumes.keys().cloned().collect()
    }

    /// Adds an image that can be pulled, or puts it in the place of one of that name.
    pub fn publish(&self, image: RegistryImage) {
        let mut registry = self.shared.lock_registry();
        registry.retain(|known| known.reference() != image.reference());
        registry.push(image);
    }
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their creation.
    containers: Vec<Arc<Container>>,
    by_id: HashMap<String, Arc<Container>>,
    by_name: HashMap<String, Arc<Container>>,
    execs: HashMap<String, Arc<exec::Exec>>,
    images: Images,
    networks: Networks,
    volumes: BTreeMap<String, volumes::Volume>,
}

/// What every request sees.
#[derive(Debug)]
struct Shared {
    id: String,
    personality: Personality,
    state: Mutex<State>,
    events: events::Events,
    journal: Journal,
    registry: Mutex<Vec<RegistryImage>>,
    programs: Programs,
    /// Two starts of one container don't cross.
    starting: tokio::sync::Mutex<()>,
    host_pid: AtomicU32,
    tasks: Mutex<JoinSet<()>>,
}

/// Sixty-four hexadecimal digits.
fn new_id() -> String {
    let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    halves.map(|half| half.simple().to_string()).concat()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_registry(&self) -> MutexGuard<'_, Vec<RegistryImage>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> Vec<RegistryImage> {
        self.lock_registry().clone()
    }

    /// In the order of their creation.
    fn containers(&self) -> Vec<Arc<Container>> {
        self.state().containers.clone()
    }

    /// By name, id, or the beginning of an id.
    fn container(&self, name: &str) -> Result<Arc<Container>, Refusal> {
        let state = self.state();
        let bare = name.trim_start_matches('/');
        let exact = state.by_name.get(bare).or_else(|| state.by_id.get(bare));
        if let Some(found) = exact {
            return Ok(Arc::clone(found));
        }
        let is_id = !bare.is_empty() && bare.chars().all(|char| char.is_ascii_hexdigit());
        let mut found = state
            .containers
            .iter()
            .filter(|container| is_id && container.id.starts_with(bare));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(Arc::clone(one)),
            (Some(_), Some(_)) => Err(Refusal::new(
                400,
                format!("multiple IDs found with provided prefix: {name}"),
            )),
            (None, _) => Err(Refusal::no_container(name)),
        }
    }

    fn add(&self, container: &Arc<Container>, name: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        self.check_name(&state, name)?;
        state.by_name.insert(name.to_owned(), Arc::clone(container));
        state
            .by_id
            .insert(container.id.clone(), Arc::clone(container));
        state.containers.push(Arc::clone(container));
        Ok(())
    }

    fn check_name(&self, state: &State, name: &str) -> Result<(), Refusal> {
        let sound = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
        let begins = name.starts_with(|char: char| char.is_ascii_alphanumeric());
        if !begins || name.len() < 2 || !name.chars().all(sound) {
            let message = format!(
                "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            );
            return Err(Refusal::new(400, message));
        }
        let Some(holder) = state.by_name.get(name) else {
            return Ok(());
        };
        let message = match self.personality.is_podman() {
            true => format!(
                "creating container storage: the container name \"{name}\" is already in use by {}. You have to remove that container to be able to reuse that name: that name is already in use",
                holder.id
            ),
            false => format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                holder.id
            ),
        };
        Err(Refusal::new(self.personality.conflict(), message))
    }

    /// Gives a container another name, and tells the old one.
    fn rename(&self, container: &Arc<Container>, name: &str) -> Result<String, Refusal> {
        let mut state = self.state();
        let old = container.name();
        if old == name {
            let message = "Renaming a container with the same name as its current name";
            return Err(Refusal::new(400, message));
        }
        self.check_name(&state, name)?;
        state.by_name.remove(&old);
        state.by_name.insert(name.to_owned(), Arc::clone(container));
        name.clone_into(&mut container.inner().name);
        Ok(old)
    }

    /// It is gone.
    fn forget(&self, container: &Arc<Container>, volumes: bool) {
        {
            let mut state = self.state();
            state.by_name.remove(&container.name());
            state.by_id.remove(&container.id);
            state.containers.retain(|known| known.id != container.id);
            state
                .execs
                .retain(|_, exec| exec.container.id != container.id);
        }
        if volumes {
            let config = container.config();
            for mount in config["HostConfig"]["Mounts"]
                .as_array()
                .into_iter()
                .flatten()
            {
                if mount["Anonymous"] == true {
                    let name = mount["Source"].as_str().unwrap_or_default();
                    self.state().volumes.remove(name);
                    let driver = json!({"driver": "local"});
                    self.events.tell("volume", "destroy", name, driver);
                }
            }
        }
        container.tell(self, "destroy", &[]);
        container.log.runs(false);
        container.is_gone();
    }

    /// Tells of a prune, and answers it; an engine's list of nothing is `null`.
    fn pruned(
        &self,
        kind: &'static str,
        list: &str,
        deleted: &Value,
        space: Option<u64>,
    ) -> Answer {
        let reclaimed = space.unwrap_or(0).to_string();
        self.events
            .tell(kind, "prune", "", json!({"reclaimed": reclaimed}));
        let none = deleted.as_array().is_some_and(Vec::is_empty);
        let mut report = json!({});
        report[list] = if none { Value::Null } else { deleted.clone() };
        if let Some(space) = space {
            report["SpaceReclaimed"] = json!(space);
        }
        Answer::json(200, &report)
    }

    fn ensure_volume(&self, name: &str) {
        let mut state = self.state();
        if !state.volumes.contains_key(name) {
            let volume = volumes::Volume::new(name.to_owned(), name.len() == 64);
            state.volumes.insert(name.to_owned(), volume);
            drop(state);
            let driver = json!({"driver": "local"});
            self.events.tell("volume", "create", name, driver);
        }
    }

    /// A volume's files.
    fn volume(&self, name: &str) -> machine::Volume {
        self.ensure_volume(name);
        let state = self.state();
        let found = state.volumes.get(name).map(|volume| volume.files.clone());
        found.unwrap_or_else(machine::Volume::new)
    }

    fn host_pid(&self) -> u32 {
        // Each container has room for its own processes.
        self.host_pid.fetch_add(100, Ordering::Relaxed)
    }

    /// Runs it for as long as the engine lives.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn end(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        let state = std::mem::take(&mut *self.state());
        // Their processes end with them.
        drop(state);
    }
}

impl Service for Shared {
    async fn answer(self: &Arc<Self>, request: http::Request<Sent>) -> http::Response<Body> {
        let podman = self.personality.is_podman();
        match self.respond(request).await {
            Ok(answer) => answer.0,
            Err(refusal) => Answer::refusal(&refusal, podman).0,
        }
    }
}

impl Shared {
    async fn respond(
        self: &Arc<Self>,
        mut request: http::Request<Sent>,
    ) -> Result<Answer, Refusal> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let bad =
            |error: &dyn std::fmt::Display| Refusal::new(400, format!("reading the body: {error}"));
        let body = Limited::new(body, MOST)
            .collect()
            .await
            .map_err(|error| bad(&error))?
            .to_bytes();
        let query = head.uri.query().unwrap_or_default();
        let number = self.journal.asked(Asked {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: query.to_owned(),
            body: body.clone(),
            status: None,
        });
        let answered = async {
            let version = self.version(head.uri.path())?;
            let path = unversioned(head.uri.path());
            let parts = path.split('/').filter(|part| !part.is_empty());
            let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
            let request = Request {
                method: head.method,
                parts: parts.map(decoded).collect(),
                version,
                query: Query::parse(query),
                headers: head.headers,
                body,
                upgrade: Some(upgrade),
            };
            routes::route(self, request).await
        };
        let answered = answered.await;
        let status = match &answered {
            Ok(answer) => answer.0.status().as_u16(),
            Err(refusal) => refusal.status,
        };
        self.journal.answered(number, status);
        answered
    }

    /// The version that a path asks for.
    fn version(&self, path: &str) -> Result<(u32, u32), Refusal> {
        let traits = self.personality.traits();
        if unversioned(path).len() == path.len() {
            return Ok(traits.api);
        }
        let text = path
            .split('/')
            .nth(1)
            .unwrap_or_default()
            .trim_start_matches('v');
        let (major, minor) = text.split_once('.').unwrap_or_default();
        let version = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
        let (most, least) = (traits.api, traits.min_api);
        if version > most {
            let message = format!(
                "client version {text} is too new. Maximum supported API version is {}.{}",
                most.0, most.1
            );
            return Err(Refusal::new(400, message));
        }
        if version < least {
            let message = format!(
                "client version {text} is too old. Minimum supported API version is {}.{}, please upgrade your client to a newer version",
                least.0, least.1
            );
            return Err(Refusal::new(400, message));
        }
        Ok(version)
    }
}
