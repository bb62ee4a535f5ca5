//! The engine itself.

use std::fmt;

use serde::Serialize;

use crate::endpoint::ApiVersion;

/// The answer to a ping.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// The newest API version that the engine speaks.
    pub api_version: Option<ApiVersion>,
    /// The operating system of its containers.
    pub os: Option<String>,
}

/// Whose engine it is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineProduct {
    /// Docker Engine (moby).
    Docker,
    /// Podman's Docker-compatible service.
    Podman,
    /// Any other, by its own name.
    Other(Box<str>),
}

impl fmt::Display for EngineProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Other(name) => name,
        })
    }
}

/// Which version the engine is of.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineVersion {
    /// Whose engine it is.
    pub product: EngineProduct,
    /// The engine's version, as in `28.5.1`.
    pub version: String,
    /// The newest API version that it speaks.
    pub api_version: Option<ApiVersion>,
    /// The oldest.
    pub min_api_version: Option<ApiVersion>,
    /// Operating system.
    pub os: String,
    /// Processor architecture, in Go's words: `amd64`, `arm64` …
    pub arch: String,
    /// The kernel's version.
    pub kernel: Option<String>,
}

/// The kernel's interface to resource limits.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum CgroupVersion {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// Which limits the engine says that it can set. `None` where it doesn't say.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LimitSupport {
    /// Memory.
    pub memory: Option<bool>,
    /// Memory and swap together.
    pub swap: Option<bool>,
    /// Processes and threads.
    pub pids: Option<bool>,
    /// Processor time.
    pub cpu_quota: Option<bool>,
    /// The weight against other containers.
    pub cpu_shares: Option<bool>,
    /// Which CPUs may be used.
    pub cpuset: Option<bool>,
}

/// What the engine says of itself and its host. What it doesn't say is `None` or empty.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// The engine's own id, kept over restarts.
    pub id: Option<String>,
    /// The host's name.
    pub name: Option<String>,
    /// The engine's version.
    pub version: Option<String>,
    /// The host's operating system, in words.
    pub operating_system: Option<String>,
    /// The host's CPUs.
    pub cpus: Option<u64>,
    /// The host's memory in bytes.
    pub memory: Option<u64>,
    /// Containers in any state.
    pub containers: Option<u64>,
    /// Containers that run.
    pub containers_running: Option<u64>,
    /// Images.
    pub images: Option<u64>,
    /// The storage driver.
    pub storage_driver: Option<String>,
    /// The default log driver.
    pub log_driver: Option<String>,
    /// The cgroup version.
    pub cgroup_version: Option<CgroupVersion>,
    /// The runtimes by name.
    pub runtimes: Vec<String>,
    /// The runtime that is used when none is named.
    pub default_runtime: Option<String>,
    /// Security options, such as `name=seccomp,profile=default` and `name=rootless`.
    pub security_options: Vec<String>,
    /// Whether the engine runs without root's rights.
    pub rootless: bool,
    /// What the engine warns of.
    pub warnings: Vec<String>,
    /// Who sets the limits for it: `systemd`, `cgroupfs`, `none`.
    pub cgroup_driver: Option<String>,
    /// The file system beneath the storage driver.
    pub backing_filesystem: Option<String>,
    /// Whether containers live on while the engine is restarted.
    pub live_restore: Option<bool>,
    /// Which limits it says that it can set.
    pub limits: LimitSupport,
    /// Where it looks for devices of the Container Device Interface.
    pub cdi_spec_dirs: Vec<String>,
    /// The devices that it found there, by their ids.
    pub devices: Vec<String>,
}
