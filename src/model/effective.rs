//! What an inspect shows of a container for which a spec has no type of its own.

use serde::Serialize;

/// A mount as it is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`, or what else the engine has.
    pub kind: String,
    /// The host's path, or the volume's name.
    pub source: String,
    /// The path in the container.
    pub target: String,
    /// Whether the container may only read.
    pub read_only: bool,
    /// The size of what is in memory, where it has one.
    pub size: Option<u64>,
}

/// What a container has of its host that no spec asks for: whoever made it may have.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostAccess {
    /// Whose processes it sees: `host`, `container:<id>`; `None` for its own.
    pub pid_mode: Option<String>,
    /// Whose shared memory it has: `host`, `container:<id>`, `private`, `shareable`.
    pub ipc_mode: Option<String>,
    /// Whose host name it has: `host`; `None` for its own.
    pub uts_mode: Option<String>,
    /// Whose user ids it has: `host` where it is spared from the engine's mapping.
    pub userns_mode: Option<String>,
    /// Device files, by their path on the host.
    pub devices: Vec<String>,
    /// Rules that give access to further devices.
    pub device_rules: Vec<String>,
    /// Groups that its processes have beside the user's own.
    pub groups: Vec<String>,
    /// Security options other than those of a [`SecurityProfile`](super::SecurityProfile).
    pub security_options: Vec<String>,
    /// Whether the parts of `/proc` and `/sys` that engines hide are shown.
    pub unmasked: bool,
    /// Whether every port that the image names is published.
    pub publishes_all_ports: bool,
}
