//! Containers as the engine shows them, and the options of what is done to them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::security::word;
use super::spec::label_values;
use super::{
    ContainerRef, ContainerState, DeviceRequest, DriverOptions, EnvVars, HealthCheck, HostAccess,
    LabelKey, MountPoint, PortMapping, Protocol, Resources, RestartPolicy, SecurityProfile, Signal,
    StateDetails,
};
use crate::error::{Error, Result};

/// A container that was made.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Created {
    /// Its id.
    pub id: ContainerRef,
    /// What the engine warns of, such as a limit that its kernel can't hold.
    pub warnings: Vec<String>,
}

/// What `start` found.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOutcome {
    /// It was started.
    Started,
    /// It ran already.
    AlreadyRunning,
}

/// What `stop` found.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopOutcome {
    /// It was stopped.
    Stopped,
    /// It didn't run.
    AlreadyStopped,
}

/// A published port as it is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedPort {
    /// The port in the container.
    pub container_port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The host's address.
    pub host_ip: Option<IpAddr>,
    /// The host's port.
    pub host_port: u16,
}

/// A container's place in a network.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkAttachment {
    /// The network's id.
    pub network_id: Option<String>,
    /// Its address there, while it runs.
    pub ip_address: Option<IpAddr>,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// Other names that it answers to there.
    pub aliases: Vec<String>,
}

/// A container as `inspect` shows it: its state, and the limits and privileges *in force*, in the terms
/// of the spec, so that both can be compared.
#[non_exhaustive]
#[derive(Clone, PartialEq, Serialize)]
pub struct ContainerDetails {
    /// Its id.
    pub id: ContainerRef,
    /// Its name, without Docker's leading slash.
    pub name: String,
    /// The image as it was asked for: of what this crate made, with the tag `latest` where neither tag nor digest was given.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Its state.
    pub state: StateDetails,
    /// How often the engine restarted it.
    pub restart_count: u64,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its environment, the image's included.
    #[serde(skip)]
    pub env: EnvVars,
    /// Its labels, the image's included.
    pub labels: BTreeMap<String, String>,
    /// The working directory.
    pub working_dir: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its program has an input.
    pub stdin: bool,
    /// Whether that input ends with the first that is attached to it.
    pub stdin_once: bool,
    /// What it may use.
    pub resources: Resources,
    /// What it may do.
    pub security: SecurityProfile,
    /// What it has of its host that no spec asks for.
    pub host_access: HostAccess,
    /// What is mounted into it, those of its image among them; what is in memory by
    /// [`SecurityProfile::tmpfs`] is there alone.
    pub mounts: Vec<MountPoint>,
    /// GPUs and other devices that were asked for.
    pub devices: Vec<DeviceRequest>,
    /// Its health check, the image's included; it may hold a secret.
    #[serde(skip)]
    pub health_check: Option<HealthCheck>,
    /// What the engine does when its process ends; `None` where that isn't known here.
    pub restart_policy: Option<RestartPolicy>,
    /// Whether a small init process reaps zombies and passes signals on; `None` is the engine's default.
    pub init: Option<bool>,
    /// The signal that asks it to end, in the engine's words.
    pub stop_signal: Option<String>,
    /// How long after it the engine kills.
    pub stop_timeout: Option<Duration>,
    /// The log driver.
    pub log_driver: Option<String>,
    /// Its options, which may hold a secret.
    #[serde(skip)]
    pub log_options: DriverOptions,
    /// The ports that are to be published, whether it runs or not.
    pub port_bindings: Vec<PortMapping>,
    /// Its published ports, while it runs.
    pub ports: Vec<PublishedPort>,
    /// Its networks by name.
    pub networks: BTreeMap<String, NetworkAttachment>,
}

impl fmt::Debug for ContainerDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerDetails")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("image", &self.image)
            .field("state", &self.state)
            .field(
                "command",
                &format_args!("[{} arguments]", self.command.len()),
            )
            .field("env", &self.env)
            .field("labels", &self.labels.keys())
            .field("resources", &self.resources)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// A container as a list shows it.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ContainerSummary {
    /// Its id.
    pub id: ContainerRef,
    /// Its names, without Docker's leading slash.
    pub names: Vec<String>,
    /// The image as it was asked for: of what this crate made, with the tag `latest` where neither tag nor digest was given.
    pub image: String,
    /// Its state.
    pub state: ContainerState,
    /// The engine's words for its state, as in `Up 2 hours (healthy)`.
    pub status: String,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

debug_by_keys!(ContainerSummary { id, names, image, state, status, created } by keys { labels });

/// Which containers a list shows. Conditions of different kinds must all hold; of several states or
/// names one must.
///
/// ```
/// use catamaran::model::{ContainerState, LabelKey, ListOptions};
///
/// let mine = ListOptions::all()
///     .with_label(LabelKey::new("owner")?, "alice".to_owned())
///     .with_state(ContainerState::Running);
/// # let _ = mine;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListOptions {
    /// Whether containers that don't run are shown too.
    pub all: bool,
    /// Only those that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// Only those in one of these states.
    pub states: Vec<ContainerState>,
    /// Only those with one of these names, exactly.
    pub names: Vec<ContainerRef>,
    /// Only the newest so many; at least 1.
    pub limit: Option<u32>,
}

debug_by_keys!(ListOptions { all, states, names, limit } by keys { labels });

impl ListOptions {
    /// Containers in any state.
    #[must_use]
    pub fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    label_conditions! {
        /// Shows only those that bear this label, with this value where one is given.
        with_label(labels);
    }

    /// Shows those in this state (and in others named so).
    #[must_use]
    pub fn with_state(mut self, state: ContainerState) -> Self {
        self.states.push(state);
        self
    }

    /// Shows those of exactly this name (and others named so).
    #[must_use]
    pub fn with_name(mut self, name: impl Into<ContainerRef>) -> Self {
        self.names.push(name.into());
        self
    }

    setters! {
        /// Shows only the newest so many.
        with_limit(limit: Option<u32>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())?;
        for state in &self.states {
            word("states", state.as_str(), |b| b.is_ascii_graphic())?;
        }
        // Engines take 0 for "no limit", the opposite of what it says.
        if self.limit == Some(0) {
            return Err(Error::invalid("limit", "must be at least 1"));
        }
        Ok(())
    }
}

/// How long a stopping container has before it is killed, by Docker's default.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How a container is stopped.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopOptions {
    /// How long after its stop signal the engine kills it; whole seconds on the wire, rounded up.
    /// `None` is the container's own, 10 s by Docker's default.
    pub timeout: Option<Duration>,
}

impl StopOptions {
    setters! {
        /// Sets how long after the signal the engine kills.
        with_timeout(timeout: Option<Duration>);
    }

    /// How long the engine may take by the operation's own nature.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(STOP_TIMEOUT)
    }
}

/// How a container is restarted.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestartOptions {
    /// How long after its stop signal the engine kills it; as in [`StopOptions::timeout`].
    pub timeout: Option<Duration>,
}

impl RestartOptions {
    setters! {
        /// Sets how long after the signal the engine kills.
        with_timeout(timeout: Option<Duration>);
    }

    /// How long the engine may take by the operation's own nature.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(STOP_TIMEOUT)
    }
}

/// Which signal a container's process gets.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillOptions {
    /// The signal; `SIGKILL` by default.
    pub signal: Signal,
}

impl Default for KillOptions {
    fn default() -> Self {
        Self {
            signal: Signal::KILL,
        }
    }
}

impl KillOptions {
    setters! {
        /// Sets the signal.
        with_signal(signal: Signal);
    }
}

/// How a container is removed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoveOptions {
    /// Whether it is killed first, if it runs.
    pub force: bool,
    /// Whether its anonymous volumes go with it.
    pub volumes: bool,
}

impl RemoveOptions {
    /// Kills it if it runs, and takes its anonymous volumes along.
    #[must_use]
    pub fn force() -> Self {
        Self {
            force: true,
            volumes: true,
        }
    }

    setters! {
        /// Sets whether it is killed first, if it runs.
        with_force(force: bool);
        /// Sets whether its anonymous volumes go with it.
        with_volumes(volumes: bool);
    }
}

/// What changes on a container that exists. Only what is set changes.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateOptions {
    /// New limits. Those that are fixed at creation (`ulimits`, `shm_size`, `disk`) are refused by name.
    pub resources: Resources,
    /// A new restart policy.
    pub restart_policy: Option<RestartPolicy>,
}

impl UpdateOptions {
    setters! {
        /// Sets the new limits.
        with_resources(resources: Resources);
        /// Sets the new restart policy.
        with_restart_policy(restart_policy: Option<RestartPolicy>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (field, set) in [
            ("resources.ulimits", !self.resources.ulimits.is_empty()),
            ("resources.shm_size", self.resources.shm_size.is_some()),
            ("resources.disk", self.resources.disk.is_some()),
        ] {
            if set {
                return Err(Error::unsupported(
                    field,
                    "is fixed when the container is created",
                ));
            }
        }
        self.resources.validate()
    }
}

/// What a wait waits for.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitCondition {
    /// That it doesn't run: at once, if it doesn't.
    #[default]
    NotRunning,
    /// That it ends the next time.
    NextExit,
    /// That it is gone.
    Removed,
}

impl WaitCondition {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotRunning => "not-running",
            Self::NextExit => "next-exit",
            Self::Removed => "removed",
        }
    }
}

/// How a container is waited for.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitOptions {
    /// What is waited for.
    pub condition: WaitCondition,
}

impl WaitOptions {
    setters! {
        /// Sets what is waited for.
        with_condition(condition: WaitCondition);
    }
}

/// How a container ended.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitOutcome {
    /// The exit code, as the engine knows it; one that isn't 0 is no error of the call.
    pub exit_code: i64,
    /// What the engine says went wrong.
    pub error: Option<String>,
}
