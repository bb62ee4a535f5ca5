//! Address ranges of networks.

use std::net::Ipv4Addr;

use super::Networks;

/// A range of version 4; one of version 6 is left out.
#[derive(Debug, Clone)]
pub(super) struct Subnet {
    first: u32,
    pub(super) bits: u32,
    pub(super) range: Option<String>,
    pub(super) gateway: Option<Ipv4Addr>,
    /// As it was asked for.
    pub(super) text: String,
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

impl Subnet {
    /// With the gateway that an engine gives it: its first address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let first = u32::from(address) & mask(bits);
        Some(Self {
            first,
            bits,
            range: None,
            gateway: first.checked_add(1).map(Ipv4Addr::from),
            text: text.to_owned(),
        })
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        self.first & mask(bits) == other.first & mask(bits)
    }

    pub(super) fn holds(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.bits) == self.first
    }

    /// What containers may be given.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, last) = (self.first, self.first | !mask(self.bits));
        (first.saturating_add(2)..last).map(Ipv4Addr::from)
    }
}

impl Networks {
    /// A subnet that nobody has.
    pub(super) fn free(&self) -> Option<Subnet> {
        let large = (18..32_u32).map(|second| format!("172.{second}.0.0/16"));
        let small = (0..=255_u32)
            .flat_map(|third| (0..16).map(move |last| format!("192.168.{third}.{}/28", last * 16)));
        let candidates = large.chain(small).filter_map(|text| Subnet::parse(&text));
        let mut free = candidates.filter(|candidate| !self.is_taken(candidate));
        free.next()
    }

    pub(super) fn is_taken(&self, subnet: &Subnet) -> bool {
        self.0
            .iter()
            .flat_map(|network| &network.subnets)
            .any(|known| known.overlaps(subnet))
    }
}
