//! Mounts and published ports.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::VolumeName;
use crate::error::{Error, Result};
use crate::quote::quote;

/// Where a mount's contents come from.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A path of the engine's host.
    Bind(String),
    /// A named volume, made if it doesn't exist.
    Volume(VolumeName),
    /// Memory, with its size in bytes; `None` is half the host's memory, the kernel's default.
    Tmpfs(Option<u64>),
}

/// One mount of a container.
///
/// ```
/// use catamaran::model::{Mount, VolumeName};
///
/// let data = Mount::volume(VolumeName::new("data")?, "/data").read_only();
/// assert!(data.read_only);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The source.
    pub kind: MountKind,
    /// The absolute path in the container.
    pub target: String,
    /// Whether the container may only read.
    #[serde(default)]
    pub read_only: bool,
}

impl Mount {
    fn new(kind: MountKind, target: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.into(),
            read_only: false,
        }
    }

    /// A path of the engine's host, which must exist.
    #[must_use]
    pub fn bind(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(MountKind::Bind(source.into()), target)
    }

    /// A named volume.
    #[must_use]
    pub fn volume(name: VolumeName, target: impl Into<String>) -> Self {
        Self::new(MountKind::Volume(name), target)
    }

    /// Memory of that many bytes.
    #[must_use]
    pub fn tmpfs(size: u64, target: impl Into<String>) -> Self {
        Self::new(MountKind::Tmpfs(Some(size)), target)
    }

    /// Lets the container only read.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        absolute("mounts.target", &self.target)?;
        if let MountKind::Bind(source) = &self.kind {
            absolute("mounts.source", source)?;
        }
        // The engine counts in signed 64 bits, and takes 0 for no limit.
        if matches!(self.kind, MountKind::Tmpfs(Some(size)) if size == 0 || i64::try_from(size).is_err())
        {
            return Err(Error::invalid(
                "mounts.size",
                "must be from 1 byte to 8 EiB",
            ));
        }
        Ok(())
    }
}

/// Checks a path that the engine wants absolute.
pub(crate) fn absolute(field: &'static str, path: &str) -> Result<()> {
    // Linux's PATH_MAX.
    if path.len() > 4096 {
        return Err(Error::invalid(field, "the path is longer than 4096 bytes"));
    }
    if !path.starts_with('/') || path.bytes().any(|b| b == 0 || b == b'\n') {
        return Err(Error::invalid(
            field,
            format!("{} is no absolute path", quote(path)),
        ));
    }
    Ok(())
}

/// The transport protocol of a port.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// `tcp`, `udp` or `sctp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// A port of the container, published on the engine's host.
///
/// Without a host address it is published on the loopback address, not on every interface as Docker's
/// own default has it: opening a service to the network is something to ask for.
///
/// ```
/// use catamaran::model::PortMapping;
///
/// let web = PortMapping::tcp(8080);                 // loopback, a free port
/// let open = PortMapping::tcp(8080).on(std::net::Ipv4Addr::UNSPECIFIED, 80);
/// assert_ne!(web, open);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// The port in the container.
    pub container_port: u16,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The host's address; `None` is 127.0.0.1.
    #[serde(default)]
    pub host_ip: Option<IpAddr>,
    /// The host's port; `None` lets the engine choose one.
    #[serde(default)]
    pub host_port: Option<u16>,
}

impl PortMapping {
    /// A port of that protocol, on the host's loopback and a port of the engine's choice.
    #[must_use]
    pub fn new(container_port: u16, protocol: Protocol) -> Self {
        Self {
            container_port,
            protocol,
            host_ip: None,
            host_port: None,
        }
    }

    /// A TCP port, on the host's loopback and a port of the engine's choice.
    #[must_use]
    pub fn tcp(container_port: u16) -> Self {
        Self::new(container_port, Protocol::Tcp)
    }

    /// Publishes on that address and port of the host.
    #[must_use]
    pub fn on(mut self, host_ip: impl Into<IpAddr>, host_port: u16) -> Self {
        self.host_ip = Some(host_ip.into());
        self.host_port = Some(host_port);
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.container_port == 0 || self.host_port == Some(0) {
            return Err(Error::invalid("ports", "port 0 can't be published"));
        }
        Ok(())
    }
}
