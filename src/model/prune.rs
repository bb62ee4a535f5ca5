//! Removing what nothing uses.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::LabelKey;
use super::spec::label_values;
use crate::error::Result;

/// What a prune removed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PruneReport {
    /// What is gone: containers by their ids, networks and volumes by their names.
    pub removed: Vec<String>,
    /// How many bytes of disk that gave back; 0 for networks, which take none.
    pub reclaimed: u64,
}

/// Conditions on labels and age.
macro_rules! prune_options {
    ($(#[$doc:meta])* $options:ident) => {
        $(#[$doc])*
        #[non_exhaustive]
        #[derive(Clone, PartialEq, Eq, Default)]
        pub struct $options {
            /// Only those that bear all these labels, each with its value where one is given.
            pub labels: BTreeMap<LabelKey, Option<String>>,
            /// None of those that bear one of these labels, with its value where one is given.
            pub without_labels: BTreeMap<LabelKey, Option<String>>,
            /// Only those that were made before.
            pub until: Option<SystemTime>,
        }

        debug_by_keys!($options { until } by keys { labels, without_labels });

        impl $options {
            label_conditions! {
                /// Removes only those that bear this label, with this value where one is given.
                with_label(labels);
                /// Spares those that bear this label, with this value where one is given.
                without_label(without_labels);
            }

            setters! {
                /// Removes only those that were made before.
                with_until(until: Option<SystemTime>);
            }

            pub(crate) fn validate(&self) -> Result<()> {
                label_values(self.labels.values().flatten())?;
                label_values(self.without_labels.values().flatten())
            }
        }
    };
}

prune_options! {
    /// Which containers that don't run are removed: by default all of them, those that were never started
    /// included.
    ///
    /// ```
    /// use catamaran::model::{LabelKey, PruneContainersOptions};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let old = PruneContainersOptions::default()
    ///     .with_label(LabelKey::new("owner")?, "alice".to_owned())
    ///     .with_until(SystemTime::now() - Duration::from_secs(3600));
    /// # let _ = old;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    PruneContainersOptions
}

prune_options! {
    /// Which unused networks are removed: by default all but the engine's own.
    PruneNetworksOptions
}

/// Which unused volumes are removed: by default those without a name of their own.
///
/// Engines before API 1.42 (Docker 23) remove those with a name too and can't be told otherwise: there,
/// a prune that doesn't say [`all`](Self::all) is refused before it is sent, as `Unsupported`.
///
/// ```
/// use catamaran::model::{LabelKey, PruneVolumesOptions};
///
/// let mine = PruneVolumesOptions::default()
///     .with_all(true)
///     .with_label(LabelKey::new("owner")?, "alice".to_owned());
/// # let _ = mine;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PruneVolumesOptions {
    /// Whether those that were given a name go too.
    pub all: bool,
    /// Only those that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// None of those that bear one of these labels, with its value where one is given.
    pub without_labels: BTreeMap<LabelKey, Option<String>>,
}

debug_by_keys!(PruneVolumesOptions { all } by keys { labels, without_labels });

impl PruneVolumesOptions {
    label_conditions! {
        /// Removes only those that bear this label, with this value where one is given.
        with_label(labels);
        /// Spares those that bear this label, with this value where one is given.
        without_label(without_labels);
    }

    setters! {
        /// Sets whether those that were given a name go too.
        with_all(all: bool);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())?;
        label_values(self.without_labels.values().flatten())
    }
}
