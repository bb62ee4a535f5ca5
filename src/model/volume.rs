//! Volumes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::network::driver;
use super::spec::label_values;
use super::{DriverOptions, LabelKey, VolumeName};
use crate::error::Result;

/// A volume to be created. Nothing is needed: whatever isn't set is the engine's choice.
///
/// ```
/// use catamaran::model::{VolumeName, VolumeSpec};
///
/// let spec = VolumeSpec::named(VolumeName::new("data")?).with_label("org.example.owner", "alice")?;
/// # let _ = spec;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// The name; `None` is one that the engine makes up.
    #[serde(default)]
    pub name: Option<VolumeName>,
    /// The driver; `None` is the engine's, `local`.
    #[serde(default)]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(default)]
    pub options: DriverOptions,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<LabelKey, String>,
}

impl VolumeSpec {
    /// A volume under a name that the engine makes up.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A volume of that name.
    #[must_use]
    pub fn named(name: VolumeName) -> Self {
        Self {
            name: Some(name),
            ..Self::default()
        }
    }

    /// Sets the driver.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    /// Sets an option of the driver.
    #[must_use]
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(key, value);
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

    pub(crate) fn validate(&self) -> Result<()> {
        driver(self.driver.as_deref())?;
        self.options.validate()?;
        label_values(self.labels.values())
    }
}

impl fmt::Debug for VolumeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeSpec")
            .field("name", &self.name)
            .field("driver", &self.driver)
            .field("options", &self.options)
            .field("labels", &self.labels.keys())
            .finish()
    }
}

/// A volume as the engine shows it. What it leaves out is empty or `None`.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct VolumeDetails {
    /// Its name. Drivers may take names that [`VolumeName`] doesn't; [`reference`](Self::reference)
    /// tells.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Where it is on the engine's host.
    pub mountpoint: String,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// How far it reaches: `local` or `global`.
    pub scope: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The driver's options, which may hold a password: they aren't serialized.
    #[serde(skip)]
    pub options: DriverOptions,
}

debug_by_keys!(VolumeDetails { name, driver, mountpoint, created, scope, options } by keys { labels });

impl VolumeDetails {
    /// Its name as calls take it.
    ///
    /// # Errors
    /// `InvalidInput` where it is none that can be asked for.
    pub fn reference(&self) -> Result<VolumeName> {
        VolumeName::new(&self.name)
    }
}

/// The volumes that a list shows.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VolumeList {
    /// The volumes.
    pub volumes: Vec<VolumeDetails>,
    /// What the engine warns of, such as a driver that couldn't say what it has.
    pub warnings: Vec<String>,
}

/// Which volumes a list shows. Conditions of different kinds must all hold; of several names one must.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListVolumesOptions {
    /// Only those that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// Only those with one of these names, exactly.
    pub names: Vec<VolumeName>,
    /// Only those of this driver.
    pub driver: Option<String>,
    /// Only those that no container has (`true`), or that one has (`false`).
    pub dangling: Option<bool>,
}

debug_by_keys!(ListVolumesOptions { names, driver, dangling } by keys { labels });

impl ListVolumesOptions {
    label_conditions! {
        /// Shows only those that bear this label, with this value where one is given.
        with_label(labels);
    }

    /// Shows those of exactly this name (and others named so).
    #[must_use]
    pub fn with_name(mut self, name: VolumeName) -> Self {
        self.names.push(name);
        self
    }

    /// Shows only those of this driver.
    #[must_use]
    pub fn with_driver(mut self, driver: impl Into<String>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    setters! {
        /// Shows only those that no container has (`true`), or that one has (`false`).
        with_dangling(dangling: Option<bool>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())?;
        driver(self.driver.as_deref())
    }
}

/// How a volume is removed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoveVolumeOptions {
    /// Whether it is removed though its driver fails. On Docker, one that isn't there is no error then;
    /// on Podman, the containers that have it go with it.
    pub force: bool,
}

impl RemoveVolumeOptions {
    setters! {
        /// Sets whether it is removed though its driver fails.
        with_force(force: bool);
    }
}
