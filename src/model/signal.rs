//! Signals by name or number.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A signal as Docker takes it: `SIGTERM`, `TERM`, or a number from 1 to 64 (Linux's last).
///
/// ```
/// use catamaran::model::Signal;
///
/// assert_eq!(Signal::new("usr1")?.as_str(), "SIGUSR1");
/// assert_eq!(Signal::new("9")?.as_str(), "9");
/// assert!(Signal::new("TERM&x=1").is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(Cow<'static, str>);

impl Signal {
    /// Ends the process at once; it can't be caught.
    pub const KILL: Self = Self(Cow::Borrowed("SIGKILL"));
    /// Asks the process to end.
    pub const TERM: Self = Self(Cow::Borrowed("SIGTERM"));
    /// An interrupt, as from a terminal.
    pub const INT: Self = Self(Cow::Borrowed("SIGINT"));
    /// A hang-up; many servers read their configuration again.
    pub const HUP: Self = Self(Cow::Borrowed("SIGHUP"));
    /// For the program's own use.
    pub const USR1: Self = Self(Cow::Borrowed("SIGUSR1"));
    /// For the program's own use.
    pub const USR2: Self = Self(Cow::Borrowed("SIGUSR2"));

    /// A signal by name (with or without `SIG`, in any case) or number.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for anything else. Whether the engine's
    /// platform has a signal of that name is the engine's to say.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse::<u8>() {
                Ok(number @ 1..=64) => Ok(Self(Cow::Owned(number.to_string()))),
                _ => Err(Self::invalid()),
            };
        }
        let upper = text
            .get(..text.len().min(16))
            .unwrap_or("")
            .to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let well_formed = (2..=12).contains(&name.len())
            && text.len() <= 16
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-'));
        if well_formed {
            Ok(Self(Cow::Owned(format!("SIG{name}"))))
        } else {
            Err(Self::invalid())
        }
    }

    fn invalid() -> Error {
        Error::invalid(
            "signal",
            "a signal is a name such as SIGTERM or a number from 1 to 64",
        )
    }

    /// The name, with its `SIG`, or the number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Signal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Signal {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_numbers_only() {
        for good in ["SIGKILL", "kill", "RTMIN+3", "1", "64", "SIGSTKFLT"] {
            assert!(Signal::new(good).is_ok(), "{good}");
        }
        let huge = "A".repeat(10 << 20);
        for bad in [
            "",
            "0",
            "65",
            "999999999999",
            "K",
            "KILL\n",
            "a b",
            "TERM?x",
            "é",
            huge.as_str(),
        ] {
            assert!(Signal::new(bad).is_err(), "{:.20}", bad);
        }
    }
}
