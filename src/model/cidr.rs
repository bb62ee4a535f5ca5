//! Blocks of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::quote::quote;

/// A block of addresses, as in `10.1.0.0/16` or `fd00::/64`.
///
/// ```
/// use catamaran::model::Cidr;
///
/// let block = Cidr::new("10.1.0.0/16")?;
/// assert!(block.contains("10.1.2.3".parse().expect("an address")));
/// assert!(Cidr::new("10.1.0.0/33").is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads the text.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where it is no address, slash and length of the prefix.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let digits =
                (1..=3).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
            let prefix = digits.then(|| prefix.parse().ok()).flatten()?;
            Self::of(address.parse().ok()?, prefix)
        });
        parsed.ok_or_else(|| {
            let message = format!(
                "{} is no block of addresses, as 10.1.0.0/16 is",
                quote(text)
            );
            Error::invalid("subnet", message)
        })
    }

    /// The block of that many leading bits of an address; `None` where it hasn't as many.
    #[must_use]
    pub fn of(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    /// The address before the slash.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits all addresses of the block share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in it; one of the other family never does.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && self.masked(address) == self.masked(self.address)
    }

    /// Whether its address is its first.
    pub(super) fn is_exact(self) -> bool {
        self.masked(self.address) == bits(self.address)
    }

    /// Whether all of the other lies in it.
    pub(super) fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    fn masked(self, address: IpAddr) -> u128 {
        let host = u32::from(width(address).saturating_sub(self.prefix));
        let kept = u128::MAX.checked_shl(host).unwrap_or(0);
        bits(address) & kept
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Cidr {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Cidr> for String {
    fn from(block: Cidr) -> Self {
        block.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::new(text).expect(text)
    }

    #[test]
    fn knows_what_lies_in_it() {
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        for (block, within, beyond) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("fd00::/64", "fd00::ffff", "fd00:0:0:1::"),
            ("::/0", "ffff::", "0.0.0.0"),
        ] {
            assert!(cidr(block).contains(address(within)), "{within} in {block}");
            assert!(
                !cidr(block).contains(address(beyond)),
                "{beyond} in {block}"
            );
            assert_eq!(cidr(block).to_string(), block);
        }
        assert!(cidr("10.1.0.0/16").covers(cidr("10.1.2.0/24")));
        assert!(!cidr("10.1.2.0/24").covers(cidr("10.1.0.0/16")));
        assert!(cidr("10.1.0.0/16").is_exact() && !cidr("10.1.0.1/16").is_exact());
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [
            "",
            "/",
            "10.1.0.0",
            "10.1.0.0/",
            "10.1.0.0/33",
            "::/129",
            "10.1/16",
            "a/8",
            "10.1.0.0/+8",
            " ::/0",
        ] {
            assert_eq!(Cidr::new(bad).expect_err(bad).field(), Some("subnet"));
        }
    }
}
