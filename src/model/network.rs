//! Networks.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::security::word;
use super::spec::label_values;
use super::{Cidr, DriverOptions, LabelKey, NetworkRef};
use crate::error::{Error, Result};

/// One of a network's blocks of addresses.
///
/// ```
/// use catamaran::model::{Cidr, Subnet};
///
/// let subnet = Subnet::new(Cidr::new("10.1.0.0/16")?)
///     .with_gateway(std::net::Ipv4Addr::new(10, 1, 0, 1))
///     .with_ip_range(Cidr::new("10.1.2.0/24")?);
/// # let _ = subnet;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The block.
    pub subnet: Cidr,
    /// The part of it that containers get their addresses from; `None` is all of it.
    #[serde(default)]
    pub ip_range: Option<Cidr>,
    /// The gateway's address; `None` is the engine's choice.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
}

impl Subnet {
    /// A block whose addresses the engine shares out.
    #[must_use]
    pub const fn new(subnet: Cidr) -> Self {
        Self {
            subnet,
            ip_range: None,
            gateway: None,
        }
    }

    /// Sets the gateway's address.
    #[must_use]
    pub fn with_gateway(mut self, gateway: impl Into<IpAddr>) -> Self {
        self.gateway = Some(gateway.into());
        self
    }

    /// Sets the part of it that containers get their addresses from.
    #[must_use]
    pub const fn with_ip_range(mut self, range: Cidr) -> Self {
        self.ip_range = Some(range);
        self
    }

    fn validate(&self) -> Result<()> {
        // Newer engines refuse it, older ones take the block around it.
        if !self.subnet.is_exact() {
            let message = "begins with the first address of the block, as in 10.1.0.0/16";
            return Err(Error::invalid("subnets.subnet", message));
        }
        let subnet = self.subnet;
        if self.ip_range.is_some_and(|range| !subnet.covers(range)) {
            return Err(Error::invalid(
                "subnets.ip_range",
                "isn't within the subnet",
            ));
        }
        if self
            .gateway
            .is_some_and(|gateway| !subnet.contains(gateway))
        {
            return Err(Error::invalid("subnets.gateway", "isn't within the subnet"));
        }
        Ok(())
    }
}

/// A network to be created. Only the name is needed; whatever isn't set is the engine's default.
///
/// ```
/// use catamaran::model::{NetworkRef, NetworkSpec};
///
/// // Containers on it reach each other, and nothing beyond.
/// let spec = NetworkSpec::new(NetworkRef::new("job-42")?)
///     .with_internal(true)
///     .with_label("org.example.owner", "alice")?;
/// # let _ = spec;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// The name.
    pub name: NetworkRef,
    /// The driver: `bridge`, `macvlan` …; `None` is the engine's, a bridge.
    #[serde(default)]
    pub driver: Option<String>,
    /// Whether it leads nowhere but to the containers on it.
    #[serde(default)]
    pub internal: bool,
    /// Whether containers may join it by hand where it spans a swarm.
    #[serde(default)]
    pub attachable: bool,
    /// Whether it has IPv6 beside IPv4.
    #[serde(default)]
    pub ipv6: bool,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<LabelKey, String>,
    /// The driver's options.
    #[serde(default)]
    pub options: DriverOptions,
    /// Its blocks of addresses; none is the engine's choice.
    #[serde(default)]
    pub subnets: Vec<Subnet>,
}

impl NetworkSpec {
    /// A network of that name.
    #[must_use]
    pub fn new(name: NetworkRef) -> Self {
        Self {
            name,
            driver: None,
            internal: false,
            attachable: false,
            ipv6: false,
            labels: BTreeMap::new(),
            options: DriverOptions::default(),
            subnets: Vec::new(),
        }
    }

    /// Sets the driver.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    /// Sets a label.
    ///
    /// # Errors
    /// `InvalidInput` where the key is none.
    pub fn with_label(mut self, key: impl AsRef<str>, value: impl Into<String>) -> Result<Self> {
        self.labels.insert(LabelKey::new(key)?, value.into());
        Ok(self)
    }

    /// Sets an option of the driver.
    #[must_use]
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(key, value);
        self
    }

    /// Adds a block of addresses.
    #[must_use]
    pub fn with_subnet(mut self, subnet: Subnet) -> Self {
        self.subnets.push(subnet);
        self
    }

    setters! {
        /// Sets whether it leads nowhere but to the containers on it.
        with_internal(internal: bool);
        /// Sets whether containers may join it by hand where it spans a swarm.
        with_attachable(attachable: bool);
        /// Sets whether it has IPv6 beside IPv4.
        with_ipv6(ipv6: bool);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        driver(self.driver.as_deref())?;
        label_values(self.labels.values())?;
        self.options.validate()?;
        self.subnets.iter().try_for_each(Subnet::validate)?;
        // Engines would leave it out without a word.
        if !self.ipv6 && self.subnets.iter().any(|s| s.subnet.address().is_ipv6()) {
            let message = "is needed for a subnet of IPv6 addresses";
            return Err(Error::invalid("ipv6", message));
        }
        Ok(())
    }
}

impl fmt::Debug for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkSpec")
            .field("name", &self.name)
            .field("driver", &self.driver)
            .field("internal", &self.internal)
            .field("ipv6", &self.ipv6)
            .field("labels", &self.labels.keys())
            .field("options", &self.options)
            .field("subnets", &self.subnets)
            .finish_non_exhaustive()
    }
}

/// The name of a driver, given or looked for.
pub(super) fn driver(name: Option<&str>) -> Result<()> {
    match name {
        // A plugin's may have a registry and a tag.
        Some(name) => word("driver", name, |b| b.is_ascii_graphic()),
        None => Ok(()),
    }
}

/// A network that was made.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreatedNetwork {
    /// Its id.
    pub id: NetworkRef,
    /// What the engine warns of.
    pub warnings: Vec<String>,
}

/// A network as a list shows it. What an engine leaves out is empty, false or `None`.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NetworkSummary {
    /// Its id.
    pub id: NetworkRef,
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// How far it reaches: `local`, `swarm` …
    pub scope: String,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Whether it leads nowhere but to the containers on it.
    pub internal: bool,
    /// Whether containers may join it by hand where it spans a swarm.
    pub attachable: bool,
    /// Whether it has IPv6 beside IPv4.
    pub ipv6: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The driver's options.
    #[serde(skip)]
    pub options: DriverOptions,
    /// Its blocks of addresses, as far as they can be read.
    pub subnets: Vec<Subnet>,
}

debug_by_keys!(NetworkSummary { id, name, driver, scope, created, internal, attachable, ipv6, options, subnets } by keys { labels });

/// A container on a network.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkMember {
    /// The container's name.
    pub name: String,
    /// Its IPv4 address there.
    pub ipv4_address: Option<Ipv4Addr>,
    /// Its IPv6 address there.
    pub ipv6_address: Option<Ipv6Addr>,
    /// Its MAC address there.
    pub mac_address: Option<String>,
}

/// A network as `inspect_network` shows it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkDetails {
    /// What a list shows of it too.
    pub network: NetworkSummary,
    /// The containers on it that run, by id.
    pub members: BTreeMap<String, NetworkMember>,
}
