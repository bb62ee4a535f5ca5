//! What stands on a container: whose it is, and what shall become of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::lease::Instance;
use crate::error::Result;
use crate::model::{ContainerRef, ContainerSummary, LabelKey, ListOptions};

/// Whose: the host's name.
pub(crate) const HOST: &str = "catamaran.host";
/// Of which of its instances.
pub(crate) const INSTANCE: &str = "catamaran.instance";
const FATE: &str = "catamaran.fate";

/// The labels that a container has of its host.
pub(crate) const OWN: [&str; 3] = [HOST, INSTANCE, FATE];

/// What becomes of a container whose host has died.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The next instance removes it, with its anonymous volumes.
    Remove,
    /// It goes on, and the next instance is offered it.
    Adopt,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Adopt => "adopt",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Remove, Self::Adopt]
            .into_iter()
            .find(|fate| fate.as_str() == text)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A container whose instance has died.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Orphan {
    /// The container, as it was when it was last looked at.
    pub container: ContainerSummary,
    /// The instance that made it.
    pub instance: String,
}

impl Orphan {
    pub(super) fn is(&self, container: &ContainerRef) -> bool {
        self.container.id == *container
            || (self.container.names.iter()).any(|name| name == container.as_str())
    }
}

/// Puts them among a spec's own, which can't be others'.
pub(super) fn put(
    labels: &mut BTreeMap<LabelKey, String>,
    host: &str,
    instance: &Instance,
    fate: Fate,
) -> Result<()> {
    let values = [host.to_owned(), instance.to_string(), fate.to_string()];
    for (key, value) in OWN.into_iter().zip(values) {
        labels.insert(LabelKey::new(key)?, value);
    }
    Ok(())
}

/// All containers of a host, or of one of its instances.
pub(super) fn of(host: &str, instance: Option<&Instance>) -> Result<ListOptions> {
    let all = ListOptions::all().with_label(LabelKey::new(HOST)?, host.to_owned());
    Ok(match instance {
        Some(instance) => all.with_label(LabelKey::new(INSTANCE)?, instance.to_string()),
        None => all,
    })
}

/// Whose a container of this host is and what shall become of it; nothing where that can't be read.
pub(super) fn read(host: &str, container: &ContainerSummary) -> Option<(Instance, Fate)> {
    let label = |key: &str| container.labels.get(key).map(String::as_str);
    // Whatever an engine's filter has let through.
    if label(HOST) != Some(host) {
        return None;
    }
    Some((Instance::read(label(INSTANCE)?)?, Fate::read(label(FATE)?)?))
}
