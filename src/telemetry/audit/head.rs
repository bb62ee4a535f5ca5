//! Where a chain stands: its last record's number and hash.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A SHA-256, written in 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditHash([u8; 32]);

impl AuditHash {
    /// What stands before the first record of all.
    pub(super) const NONE: Self = Self([0; 32]);
    /// Of its text.
    pub(super) const LENGTH: usize = 64;

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// One way of writing it alone.
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits: &[u8; Self::LENGTH] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::LENGTH);
        for byte in self.0 {
            write!(text, "{byte:02x}")?;
        }
        f.pad(&text)
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AuditHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let message = "a hash is 64 lower-case hexadecimal digits";
        Self::read(text).ok_or_else(|| Error::invalid("hash", message))
    }
}

impl Serialize for AuditHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AuditHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A record by its number and hash: what is kept elsewhere, so that an audit log can be held against it later. Its text is
/// `SEQ:HASH`.
///
/// ```
/// use catamaran::telemetry::audit::AuditHead;
///
/// let text = format!("42:{}", "0b".repeat(32));
/// let head: AuditHead = text.parse()?;
/// assert_eq!(head.seq, 42);
/// assert_eq!(head.to_string(), text);
/// assert!("42:0b".parse::<AuditHead>().is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditHead {
    /// The record's number, from 1.
    pub seq: u64,
    /// Its hash, which those of all records before it have gone into.
    pub hash: AuditHash,
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for AuditHead {
    type Err = Error;

    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where it isn't `SEQ:HASH`.
    fn from_str(text: &str) -> Result<Self> {
        let message = "a record is named by its number, a colon and its hash";
        let invalid = || Error::invalid("head", message);
        let (seq, hash) = text.split_once(':').ok_or_else(invalid)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| invalid())?,
            hash: hash.parse()?,
        })
    }
}
