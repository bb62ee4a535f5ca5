//! An engine in this process: what it holds, and how it is made.

mod builder;
mod containers;
mod events;
mod exec;
mod images;
mod journal;
mod log;
mod machine;
mod networks;
mod personality;
mod prune;
mod registry;
mod request;
mod routes;
mod service;
mod state;
mod system;
#[cfg(test)]
mod tests;
mod time;
mod volumes;

use std::collections::BTreeMap;
use std::io;

pub use builder::FakeEngineBuilder;
pub use journal::{Asked, Journal};
pub use machine::Process;
pub use personality::Personality;
pub use registry::{PullFault, RegistryImage};

use super::faults::Faults;
use super::serve::Server;
use crate::config::Config;
use crate::endpoint::Endpoint;
use state::{Shared, new_id};

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
    server: Server<Shared>,
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.shared().end();
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
        self.server.config()
    }

    /// What it was asked.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.shared().journal.clone()
    }

    /// What goes wrong with its requests: rules may be added and taken away while it runs.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.server.faults()
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
        self.server.open().await
    }

    /// Its containers, oldest first.
    #[must_use]
    pub fn containers(&self) -> Vec<FakeContainer> {
        let containers = self.shared().containers().into_iter();
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

    /// The names of its images.
    #[must_use]
    pub fn images(&self) -> Vec<String> {
        let state = self.shared().state();
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
        self.shared().state().volumes.keys().cloned().collect()
    }

    /// Adds an image that can be pulled, or puts it in the place of one of that name.
    pub fn publish(&self, image: RegistryImage) {
        let mut registry = self.shared().lock_registry();
        registry.retain(|known| known.reference() != image.reference());
        registry.push(image);
    }

    fn shared(&self) -> &Shared {
        self.server.service()
    }
}
