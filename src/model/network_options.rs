//! What is done to networks, and which of them a list shows.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::network::driver;
use super::security::word;
use super::spec::label_values;
use super::{LabelKey, NetworkRef};
use crate::error::{Error, Result};

/// Which networks a list shows. Conditions of different kinds must all hold; of several names one must.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListNetworksOptions {
    /// Only those that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// Only those with one of these names, exactly.
    pub names: Vec<NetworkRef>,
    /// Only those of this driver.
    pub driver: Option<String>,
}

debug_by_keys!(ListNetworksOptions { names, driver } by keys { labels });

impl ListNetworksOptions {
    label_conditions! {
        /// Shows only those that bear this label, with this value where one is given.
        with_label(labels);
    }

    /// Shows those of exactly this name (and others named so).
    #[must_use]
    pub fn with_name(mut self, name: NetworkRef) -> Self {
        self.names.push(name);
        self
    }

    /// Shows only those of this driver.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())?;
        driver(self.driver.as_deref())
    }
}

/// How a container is on a network.
///
/// ```
/// use catamaran::model::ConnectOptions;
///
/// let options = ConnectOptions::default().with_alias("db");
/// assert_eq!(options.aliases, ["db"]);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectOptions {
    /// Other names that it answers to there.
    pub aliases: Vec<String>,
    /// Its IPv4 address, of one of the network's own subnets; `None` is the engine's choice.
    pub ipv4_address: Option<Ipv4Addr>,
    /// Its IPv6 address, of one of the network's own subnets; `None` is the engine's choice.
    pub ipv6_address: Option<Ipv6Addr>,
}

impl ConnectOptions {
    /// Adds a name that it answers to there.
    #[must_use]
    pub fn with_alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    setters! {
        /// Sets its IPv4 address.
        with_ipv4_address(ipv4_address: Option<Ipv4Addr>);
        /// Sets its IPv6 address.
        with_ipv6_address(ipv6_address: Option<Ipv6Addr>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let hostname = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        self.aliases
            .iter()
            .try_for_each(|alias| word("aliases", alias, hostname))?;
        // Engines take the unspecified address for none.
        if self
            .ipv4_address
            .is_some_and(|a| a.is_unspecified() || a.is_multicast())
        {
            return Err(Error::invalid("ipv4_address", "is no address of a host"));
        }
        if self
            .ipv6_address
            .is_some_and(|a| a.is_unspecified() || a.is_multicast())
        {
            return Err(Error::invalid("ipv6_address", "is no address of a host"));
        }
        Ok(())
    }
}

/// How a container is taken off a network.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DisconnectOptions {
    /// Whether it is taken off though the engine has lost sight of it.
    pub force: bool,
}

impl DisconnectOptions {
    setters! {
        /// Sets whether it is taken off though the engine has lost sight of it.
        with_force(force: bool);
    }
}
