//! How a container is.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A container's state. Engines invent states (Podman has `configured`, `initialized`, `stopping` …):
/// one that isn't known here is kept by name, and is no error.
///
/// ```
/// use catamaran::model::ContainerState;
///
/// assert_eq!(ContainerState::from("running"), ContainerState::Running);
/// assert_eq!(ContainerState::from("hovering").as_str(), "hovering");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Its process runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// It ended and is being started again.
    Restarting,
    /// It is being removed.
    Removing,
    /// Its process has ended.
    Exited,
    /// It could not be removed and is of no use.
    Dead,
    /// Any other state, by the engine's name for it.
    Unknown(Box<str>),
}

impl ContainerState {
    /// The engine's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for ContainerState {
    fn from(name: &str) -> Self {
        match name {
            // Podman's words for a container that was made and not started.
            "created" | "configured" | "initialized" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            // "stopped" is Podman's.
            "exited" | "stopped" => Self::Exited,
            "dead" => Self::Dead,
            other => Self::Unknown(other.into()),
        }
    }
}

impl From<String> for ContainerState {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<ContainerState> for String {
    fn from(state: ContainerState) -> Self {
        state.as_str().to_owned()
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdict of a health check.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Not decided yet.
    Starting,
    /// The last checks succeeded.
    Healthy,
    /// The last checks failed.
    Unhealthy,
    /// Any other verdict, by the engine's name for it.
    Unknown(Box<str>),
}

impl From<&str> for HealthStatus {
    fn from(name: &str) -> Self {
        match name {
            "starting" => Self::Starting,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            other => Self::Unknown(other.into()),
        }
    }
}

/// What the health check has found.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// How many checks in a row have failed.
    pub failing_streak: u64,
    /// What the last check printed.
    pub last_output: Option<String>,
}

/// A container's state and how it came to it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateDetails {
    /// The state.
    pub status: ContainerState,
    /// The process's id on the engine's host, while it runs.
    pub pid: Option<u32>,
    /// The exit code of the last run; `None` while it runs or before it ever did.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// What the engine says went wrong.
    pub error: Option<String>,
    /// When it last started.
    pub started_at: Option<SystemTime>,
    /// When it last ended.
    pub finished_at: Option<SystemTime>,
    /// The health, where there is a check.
    pub health: Option<Health>,
}

impl StateDetails {
    /// Whether its process runs (paused counts, restarting doesn't).
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(
            self.status,
            ContainerState::Running | ContainerState::Paused
        )
    }
}
