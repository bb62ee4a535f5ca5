//! What a session shall be.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::admission::Needs;
use super::hardening::{self, Loosening};
use super::lifecycle::{Lifecycle, Restart};
use super::ready::Ready;
use super::written::Limits;
use crate::error::{Error, Result};
use crate::model::{
    ContainerPath, ContainerSpec, EnsureOptions, ExecOptions, ImageRef, RestartPolicy, setters,
};
use crate::policy::resolve;

/// How many volumes of its own a session may have.
pub(super) const MOST_VOLUMES: usize = 16;

/// What a session shall be: a container, for how long it lives, and what it has for itself.
///
/// [`new`](Self::new) is hardened: [`ContainerSpec::untrusted`], and [`strict`](ContainerSpec::strict), so that an engine that
/// makes something weaker of it is found out before anybody can start it. Whatever is weaker must be
/// [allowed](Self::allowing) by its name.
///
/// ```
/// use std::time::Duration;
/// use catamaran::model::{ImageRef, NetworkMode};
/// use catamaran::session::{Loosening, Ready, SessionSpec};
///
/// let mut spec = SessionSpec::new(ImageRef::new("jupyter/minimal-notebook")?)
///     .with_ready(Ready::Tcp(8888))
///     .with_idle_timeout(Duration::from_secs(600))
///     .with_volume("/home/jovyan/work")
///     .allowing(Loosening::Network)
///     .allowing(Loosening::Root);
/// spec.container.security.network = Some(NetworkMode::Default);
/// spec.container.security.user = None; // the image's own
/// spec.container.resources = spec.container.resources.with_memory_and_no_swap(1 << 30);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq)]
pub struct SessionSpec {
    /// The container. Its name and what happens when its program ends are the session's: neither may be set.
    pub container: ContainerSpec,
    /// In what it may be weaker than hardened.
    pub allowed: BTreeSet<Loosening>,
    /// How long it lives.
    pub lifecycle: Lifecycle,
    /// Where volumes of its own are mounted, as absolute paths. They are made with the session and go with it.
    pub volumes: Vec<String>,
    /// A network of its own, which goes with it.
    pub own_network: Option<OwnNetwork>,
    /// How its image is come by.
    pub image: EnsureOptions,
    /// What makes it its owner's, in this order, once it is ready. It is no part of what a warm pool's spec must match.
    pub setup: Vec<Setup>,
}

/// A network of a session's own.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnNetwork {
    /// It leads nowhere: containers that are put into it reach each other, and nothing else.
    Internal,
    /// It leads out, as the engine's default network does; other sessions aren't in it.
    Outward,
}

/// What makes a ready container its owner's.
#[non_exhaustive]
#[derive(Clone, PartialEq)]
pub enum Setup {
    /// A file is written, as [`write_file`](crate::ContainerBackendExt::write_file) does it.
    File {
        /// Where.
        path: ContainerPath,
        /// What.
        content: Bytes,
    },
    /// A command is run, and must end with 0.
    Exec(ExecOptions),
}

impl Setup {
    /// Writes a file.
    #[must_use]
    pub fn file(path: ContainerPath, content: impl Into<Bytes>) -> Self {
        Self::File {
            path,
            content: content.into(),
        }
    }

    /// Runs a command.
    #[must_use]
    pub fn exec(options: ExecOptions) -> Self {
        Self::Exec(options)
    }
}

impl fmt::Debug for Setup {
    // Both may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, content } => {
                write!(f, "File({path}, {} bytes)", content.len())
            }
            Self::Exec(options) => write!(f, "Exec([{} arguments])", options.command.len()),
        }
    }
}

impl SessionSpec {
    /// A hardened session of this image.
    #[must_use]
    pub fn new(image: ImageRef) -> Self {
        Self::of(ContainerSpec::untrusted(image).with_strict(true))
    }

    /// A session of this container, whose weaknesses must be [allowed](Self::allowing).
    #[must_use]
    pub fn of(container: ContainerSpec) -> Self {
        Self {
            container,
            allowed: BTreeSet::new(),
            lifecycle: Lifecycle::default(),
            volumes: Vec::new(),
            own_network: None,
            image: EnsureOptions::default(),
            setup: Vec::new(),
        }
    }

    /// Lets the container be weaker than hardened in this.
    #[must_use]
    pub fn allowing(mut self, loosening: Loosening) -> Self {
        self.allowed.insert(loosening);
        self
    }

    /// Sets the program and its arguments.
    #[must_use]
    pub fn with_command<S: Into<String>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.container = self.container.with_command(command);
        self
    }

    /// Gives it a volume of its own at that absolute path.
    #[must_use]
    pub fn with_volume(mut self, target: impl Into<String>) -> Self {
        self.volumes.push(target.into());
        self
    }

    /// Adds what makes it its owner's.
    #[must_use]
    pub fn with_setup(mut self, setup: Setup) -> Self {
        self.setup.push(setup);
        self
    }

    /// Sets when it counts as ready.
    #[must_use]
    pub fn with_ready(mut self, ready: Ready) -> Self {
        self.lifecycle.ready = ready;
        self
    }

    /// Sets how long it may take to be ready.
    #[must_use]
    pub fn with_ready_timeout(mut self, timeout: Duration) -> Self {
        self.lifecycle.ready_timeout = timeout;
        self
    }

    /// Sets how long it may be idle.
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.lifecycle.idle_timeout = timeout.into();
        self
    }

    /// Sets how old it may get.
    #[must_use]
    pub fn with_max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.lifecycle.max_age = age.into();
        self
    }

    /// Sets how long it is kept when it has stopped.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.lifecycle.retention = retention;
        self
    }

    /// Sets how long its program has from the stop signal to the kill.
    #[must_use]
    pub fn with_stop_timeout(mut self, timeout: Duration) -> Self {
        self.lifecycle.stop_timeout = timeout;
        self
    }

    /// Sets what happens when its program ends by itself.
    #[must_use]
    pub fn with_restart(mut self, restart: Restart) -> Self {
        self.lifecycle.restart = restart;
        self
    }

    setters! {
        /// Sets the network of its own.
        with_own_network(own_network: Option<OwnNetwork>);
        /// Sets how its image is come by.
        with_image(image: EnsureOptions);
    }

    /// Checks everything that can be checked without an engine. [`open`](super::SessionManager::open) calls it before it sends.
    ///
    /// # Errors
    /// `InvalidInput`, naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.container.name.is_some() {
            return Err(Error::invalid("name", "is the session's: it has its key"));
        }
        if self.container.restart_policy != RestartPolicy::No {
            let message = "is the session's: set Lifecycle::restart";
            return Err(Error::invalid("restart_policy", message));
        }
        if self.volumes.len() > MOST_VOLUMES {
            let message = format!("a session has at most {MOST_VOLUMES} of its own");
            return Err(Error::invalid("volumes", message));
        }
        if self.own_network.is_some() && self.container.security.network.is_some() {
            let none = self.container.security.network == Some(crate::model::NetworkMode::None);
            if !none {
                let message = "is set, and so is a network of the session's own";
                return Err(Error::invalid("security.network", message));
            }
        }
        self.container.validate()?;
        for target in &self.volumes {
            ContainerPath::new(target).map_err(|error| error.with_field("volumes"))?;
        }
        hardening::check(&self.container, &self.allowed)?;
        self.lifecycle.validate()?;
        self.lifecycle.ready.validate(&self.reachable())?;
        for setup in &self.setup {
            if let Setup::Exec(options) = setup {
                options.validate()?;
            }
        }
        Ok(())
    }

    /// The container, as far as it matters for who can reach it.
    fn reachable(&self) -> ContainerSpec {
        let mut container = self.container.clone();
        if self.own_network.is_some() {
            container.security.network = Some(crate::model::NetworkMode::Default);
        }
        container
    }

    /// What two specs have in common that the same container does for.
    pub(super) fn hash(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Same<'a> {
            container: &'a ContainerSpec,
            lifecycle: &'a Lifecycle,
            volumes: &'a [String],
            own_network: Option<OwnNetwork>,
        }
        resolve::hash(&Same {
            container: &self.container,
            lifecycle: &self.lifecycle,
            volumes: &self.volumes,
            own_network: self.own_network,
        })
    }

    /// What it takes of its owner's share.
    pub(super) fn needs(&self) -> Needs {
        Limits::of(&self.container.resources).needs()
    }
}

impl fmt::Debug for SessionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSpec")
            .field("container", &self.container)
            .field("allowed", &self.allowed)
            .field("lifecycle", &self.lifecycle)
            .field("volumes", &self.volumes)
            .field("own_network", &self.own_network)
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}
