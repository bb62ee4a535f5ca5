//! What a container may do.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::mount::absolute;
use super::{ContainerRef, NetworkRef};
use crate::error::{Error, Result};
use crate::quote::quote;

/// The network that a container is born into.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NetworkMode {
    /// The engine's default network.
    Default,
    /// None but its own loopback.
    None,
    /// The host's: no isolation at all.
    Host,
    /// That of another container.
    Container(ContainerRef),
    /// A network by name or id (`bridge` among them).
    Network(NetworkRef),
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Container(container) => write!(f, "container:{container}"),
            Self::Network(network) => write!(f, "{network}"),
        }
    }
}

impl FromStr for NetworkMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "default" => Self::Default,
            "none" => Self::None,
            "host" => Self::Host,
            other => match other.strip_prefix("container:") {
                Some(container) => Self::Container(ContainerRef::new(container)?),
                None => Self::Network(NetworkRef::new(other)?),
            },
        })
    }
}

impl TryFrom<String> for NetworkMode {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<NetworkMode> for String {
    fn from(mode: NetworkMode) -> Self {
        mode.to_string()
    }
}

/// The filter on system calls.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeccompProfile {
    /// No filter.
    Unconfined,
    /// A filter given as its JSON text (not as a path: the engine may be on another host).
    Json(String),
}

/// A directory in memory.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Its size in bytes.
    pub size: u64,
    /// The directory's permission bits.
    pub mode: u32,
    /// Whether programs in it may be run.
    pub exec: bool,
}

impl Tmpfs {
    /// That many bytes, writable by everybody (1777), without programs.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self {
            size,
            mode: 0o1777,
            exec: false,
        }
    }

    /// Lets programs in it be run.
    #[must_use]
    pub fn with_exec(mut self) -> Self {
        self.exec = true;
        self
    }

    /// Sets the directory's permission bits.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The options as `mount` takes them.
    pub(crate) fn mount_options(&self) -> String {
        let exec = if self.exec { "exec" } else { "noexec" };
        format!(
            "rw,{exec},nosuid,nodev,size={},mode={:o}",
            self.size, self.mode
        )
    }
}

/// A container's privileges. The default is the engine's own; start from
/// [`untrusted`](Self::untrusted) for code that nobody vouches for, and loosen by name.
///
/// ```
/// use catamaran::model::{NetworkMode, SecurityProfile, Tmpfs};
///
/// let profile = SecurityProfile::untrusted()
///     .with_user("1000:1000")
///     .with_tmpfs("/work", Tmpfs::new(256 << 20).with_exec());
/// assert_eq!(profile.network, Some(NetworkMode::None));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityProfile {
    /// Capabilities taken away (`ALL`, `NET_RAW` …), before any is added.
    pub cap_drop: Vec<String>,
    /// Capabilities given.
    pub cap_add: Vec<String>,
    /// Whether no process may gain privileges (set-uid programs lose their power).
    pub no_new_privileges: bool,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Directories in memory, by absolute path.
    pub tmpfs: BTreeMap<String, Tmpfs>,
    /// The user, as `uid`, `uid:gid`, `name` or `name:group`; `None` is the image's.
    pub user: Option<String>,
    /// The filter on system calls; `None` is the engine's.
    pub seccomp: Option<SeccompProfile>,
    /// The AppArmor profile by name, loaded on the engine's host; `None` is the engine's.
    pub apparmor: Option<String>,
    /// The OCI runtime by name (`runsc`, `kata` …); `None` is the engine's default.
    pub runtime: Option<String>,
    /// The network; `None` is the engine's default.
    pub network: Option<NetworkMode>,
    /// Whether the container gets everything the host has. Never for code that isn't yours.
    pub privileged: bool,
}

impl SecurityProfile {
    /// For code that nobody vouches for: no capability, no new privileges, user and group 65534
    /// (nobody), a read-only root with 64 MiB of `/tmp` in memory, and no network.
    ///
    /// The engine's own seccomp and AppArmor profiles stay in force. Together with
    /// [`Resources::untrusted`](super::Resources::untrusted) and log rotation it makes
    /// [`ContainerSpec::untrusted`](super::ContainerSpec::untrusted). The kernel is still shared: for
    /// hostile code choose a sandboxing [`runtime`](Self::with_runtime) too.
    #[must_use]
    pub fn untrusted() -> Self {
        Self {
            cap_drop: vec!["ALL".to_owned()],
            no_new_privileges: true,
            read_only_root: true,
            user: Some("65534:65534".to_owned()),
            network: Some(NetworkMode::None),
            ..Self::default()
        }
        .with_tmpfs("/tmp", Tmpfs::new(64 << 20))
    }

    /// Takes a capability away.
    #[must_use]
    pub fn with_cap_drop(mut self, capability: impl Into<String>) -> Self {
        self.cap_drop.push(capability.into());
        self
    }

    /// Gives a capability.
    #[must_use]
    pub fn with_cap_add(mut self, capability: impl Into<String>) -> Self {
        self.cap_add.push(capability.into());
        self
    }

    /// Puts a directory in memory at that absolute path.
    #[must_use]
    pub fn with_tmpfs(mut self, path: impl Into<String>, tmpfs: Tmpfs) -> Self {
        self.tmpfs.insert(path.into(), tmpfs);
        self
    }

    /// Sets the user, as `uid:gid` or by name.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the AppArmor profile.
    #[must_use]
    pub fn with_apparmor(mut self, profile: impl Into<String>) -> Self {
        self.apparmor = Some(profile.into());
        self
    }

    /// Sets the OCI runtime.
    #[must_use]
    pub fn with_runtime(mut self, runtime: impl Into<String>) -> Self {
        self.runtime = Some(runtime.into());
        self
    }

    setters! {
        /// Sets whether no process may gain privileges.
        with_no_new_privileges(no_new_privileges: bool);
        /// Sets whether the root file system is read-only.
        with_read_only_root(read_only_root: bool);
        /// Sets the filter on system calls.
        with_seccomp(seccomp: Option<SeccompProfile>);
        /// Sets the network.
        with_network(network: Option<NetworkMode>);
        /// Sets whether the container gets everything the host has.
        with_privileged(privileged: bool);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (field, capabilities) in [
            ("security.cap_drop", &self.cap_drop),
            ("security.cap_add", &self.cap_add),
        ] {
            for capability in capabilities {
                word(field, capability, |b| {
                    b.is_ascii_alphanumeric() || b == b'_'
                })?;
            }
        }
        for (path, tmpfs) in &self.tmpfs {
            absolute("security.tmpfs", path)?;
            // The engine reads "path:options", so a colon would end the path early.
            let sized = tmpfs.size > 0 && i64::try_from(tmpfs.size).is_ok();
            if path.contains([':', ',']) || !sized || tmpfs.mode > 0o7777 {
                return Err(Error::invalid(
                    "security.tmpfs",
                    "needs a path without colon or comma, a size, and a mode up to 7777",
                ));
            }
        }
        if let Some(user) = &self.user {
            word("security.user", user, |b| b.is_ascii_graphic())?;
        }
        if let Some(profile) = &self.apparmor {
            word("security.apparmor", profile, |b| b.is_ascii_graphic())?;
        }
        if let Some(runtime) = &self.runtime {
            word("security.runtime", runtime, |b| b.is_ascii_graphic())?;
        }
        if let Some(SeccompProfile::Json(text)) = &self.seccomp {
            // 1 MiB is twenty times Docker's own profile.
            if text.len() > 1 << 20 || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()
            {
                return Err(Error::invalid(
                    "security.seccomp",
                    "is no JSON text of at most 1 MiB",
                ));
            }
        }
        if self.privileged && (self.no_new_privileges || !self.cap_drop.is_empty()) {
            return Err(Error::invalid(
                "security.privileged",
                "contradicts no_new_privileges and cap_drop, which it would undo",
            ));
        }
        Ok(())
    }
}

pub(super) fn word(field: &'static str, text: &str, accepted: impl Fn(u8) -> bool) -> Result<()> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(accepted) {
        return Err(Error::invalid(
            field,
            format!("{} is not of the accepted form", quote(text)),
        ));
    }
    Ok(())
}
