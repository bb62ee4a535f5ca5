//! The version of the Docker Engine API.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::quote::quote;

/// A version of the Docker Engine API, as in `1.41`.
///
/// Versions are ordered as numbers (`1.9` comes before `1.41`) and are read and written as text, in
/// JSON too. A leading `v` is accepted when reading, as Docker's own client does.
///
/// ```
/// use catamaran::ApiVersion;
///
/// let version: ApiVersion = "1.41".parse()?;
/// assert_eq!(version, ApiVersion::new(1, 41));
/// assert!(ApiVersion::new(1, 9) < version);
/// assert_eq!(version.to_string(), "1.41");
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiVersion {
    // The order of the fields is the order of versions.
    major: u32,
    minor: u32,
}

impl ApiVersion {
    /// The oldest version that this crate speaks: 1.40, of Docker 19.03.
    ///
    /// Engines from Docker 29.3 on accept nothing older, and what the crate sends (pids limit, device
    /// requests, mounts with options) exists from here on.
    ///
    /// ```
    /// assert_eq!(catamaran::ApiVersion::OLDEST.to_string(), "1.40");
    /// ```
    pub const OLDEST: Self = Self::new(1, 40);

    /// The newest version that this crate speaks: 1.53, of Docker 29.2, which is the version of the wire
    /// models that both engines send. Newer engines answer in it, too.
    ///
    /// ```
    /// assert_eq!(catamaran::ApiVersion::NEWEST.to_string(), "1.53");
    /// ```
    pub const NEWEST: Self = Self::new(1, 53);

    /// The version `major.minor`.
    ///
    /// ```
    /// use catamaran::ApiVersion;
    /// assert!(ApiVersion::new(1, 44) >= ApiVersion::OLDEST);
    /// ```
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The number before the dot.
    ///
    /// ```
    /// assert_eq!(catamaran::ApiVersion::new(1, 44).major(), 1);
    /// ```
    #[must_use]
    pub const fn major(self) -> u32 {
        self.major
    }

    /// The number after the dot.
    ///
    /// ```
    /// assert_eq!(catamaran::ApiVersion::new(1, 44).minor(), 44);
    /// ```
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.minor
    }

    /// Whether this crate speaks it.
    pub(crate) fn is_spoken(self) -> bool {
        (Self::OLDEST..=Self::NEWEST).contains(&self)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.strip_prefix('v').unwrap_or(text);
        numbers
            .split_once('.')
            .and_then(|(major, minor)| Some(Self::new(number(major)?, number(minor)?)))
            .ok_or_else(|| {
                let shown = quote(text);
                Error::new(
                    ErrorKind::Config,
                    format!("{shown} is no API version; accepted: MAJOR.MINOR, as in 1.41"),
                )
            })
    }
}

/// Digits only: `u32::from_str` alone would take `+1`.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_two_numbers_and_nothing_else() {
        for (text, major, minor) in [
            ("1.41", 1, 41),
            ("v1.41", 1, 41),
            ("0.0", 0, 0),
            ("2.7", 2, 7),
        ] {
            assert_eq!(
                text.parse::<ApiVersion>().unwrap(),
                ApiVersion::new(major, minor)
            );
        }
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "1.41.0",
            "+1.41",
            "1.-4",
            "1.4 ",
            "vv1.41",
            "V1.41",
            "1.4294967296",
            "١.٤١",
        ] {
            let error = text.parse::<ApiVersion>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.message().contains("1.41"), "{error}");
        }
    }

    #[test]
    fn is_ordered_as_numbers() {
        assert!(ApiVersion::new(1, 9) < ApiVersion::new(1, 10));
        assert!(ApiVersion::new(1, 99) < ApiVersion::new(2, 0));
        assert!(ApiVersion::OLDEST < ApiVersion::NEWEST);
    }

    #[test]
    fn is_text_in_json() {
        let version = ApiVersion::new(1, 41);
        assert_eq!(serde_json::to_string(&version).unwrap(), "\"1.41\"");
        assert_eq!(
            serde_json::from_str::<ApiVersion>("\"1.41\"").unwrap(),
            version
        );
        assert!(serde_json::from_str::<ApiVersion>("1.41").is_err());
    }
}
