//! Which engine serves the calls.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Which engine serves the calls.
///
/// ```
/// use catamaran::Mode;
///
/// assert_eq!(Mode::default(), Mode::Auto);
/// assert_eq!("blocking".parse::<Mode>()?, Mode::Blocking);
/// assert_eq!(Mode::Async.to_string(), "async");
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The async engine alone.
    Async,
    /// The blocking engine alone, by its own road where it has one
    /// ([`Config::fallback_endpoint`](crate::Config::fallback_endpoint)).
    Blocking,
    /// The async engine, and the blocking one where the path to the engine fails and repeating is safe.
    #[default]
    Auto,
}

impl Mode {
    /// The name as `Display`, `FromStr` and serde have it.
    ///
    /// ```
    /// assert_eq!(catamaran::Mode::Auto.as_str(), "auto");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Blocking => "blocking",
            Self::Auto => "auto",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Async, Self::Blocking, Self::Auto]
            .into_iter()
            .find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
            .ok_or_else(|| Error::invalid("mode", "not a mode; accepted: async, blocking, auto"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_it_is_read() {
        for mode in [Mode::Async, Mode::Blocking, Mode::Auto] {
            assert_eq!(mode.to_string().parse::<Mode>().unwrap(), mode);
            let json = serde_json::to_string(&mode).unwrap();
            assert_eq!(json, format!("\"{mode}\""));
            assert_eq!(serde_json::from_str::<Mode>(&json).unwrap(), mode);
        }
        assert_eq!("ASYNC".parse::<Mode>().unwrap(), Mode::Async);
        assert!("hybrid".parse::<Mode>().is_err());
    }
}
