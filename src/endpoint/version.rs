//! Versions of the Docker Engine API.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// A version of the Docker Engine API.
///
/// ```
/// use catamaran::ApiVersion;
///
/// let version: ApiVersion = "1.41".parse()?;
/// assert!(version >= ApiVersion::OLDEST);
/// assert_eq!(version.to_string(), "1.41");
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiVersion {
    major: u32,
    minor: u32,
}

impl ApiVersion {
    /// The oldest that this crate speaks: Docker 19.03's, and the least that Docker 29.3 and later
    /// accept.
    pub const OLDEST: Self = Self::new(1, 40);
    /// The newest that this crate asks for: that of the wire models it encodes with.
    pub const NEWEST: Self = Self::new(1, 53);

    /// A version.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
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
        let number = |part: &str| {
            part.parse::<u32>()
                .ok()
                .filter(|_| part.bytes().all(|b| b.is_ascii_digit()))
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self::new(number(major)?, number(minor)?)))
            .ok_or_else(|| Error::new(ErrorKind::Config, "an API version is written as in 1.41"))
    }
}

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
