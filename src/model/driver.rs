//! What is said to the drivers of networks and volumes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::bounded;
use crate::error::{Error, Result};

/// A driver's options, whose values `Debug` doesn't print: a volume's may hold a password.
///
/// ```
/// use catamaran::model::DriverOptions;
///
/// let options: DriverOptions = [("o", "username=a,password=b")].into();
/// assert_eq!(format!("{options:?}"), r#"{"o": "…"}"#);
/// assert_eq!(options.get("o"), Some("username=a,password=b"));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DriverOptions(BTreeMap<String, String>);

impl DriverOptions {
    /// Sets an option.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// The value of an option.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The options in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn validate(&self) -> Result<()> {
        for (key, value) in &self.0 {
            if key.is_empty() {
                return Err(Error::invalid("options", "an option has no name"));
            }
            bounded("options", key, 255)?;
            bounded("options", value, 4096)?;
        }
        Ok(())
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for DriverOptions {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for DriverOptions {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self(
            pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for DriverOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.keys().map(|key| (key, "…")))
            .finish()
    }
}
