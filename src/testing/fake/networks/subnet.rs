//! Address ranges of networks.

use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use super::Networks;

#[derive(Debug, Clone)]
pub(super) struct Subnet {
    pub(super) first: u32,
    pub(super) bits: u32,
    pub(super) range: Option<String>,
    pub(super) gateway: Option<Ipv4Addr>,
    /// As it was asked for: what isn't of version 4 is only shown.
    pub(super) text: String,
    pub(super) more: Map<String, Value>,
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)
}

impl Subnet {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse::<Ipv4Addr>().ok()?, bits.parse().ok()?);
        Some(Self {
            first: u32::from(address) & mask(bits),
            bits,
            range: None,
            gateway: None,
            text: text.to_owned(),
            more: Map::new(),
        })
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        self.first & mask(bits) == other.first & mask(bits)
    }

    pub(super) fn holds(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.bits) == self.first
    }
}

impl Networks {
    /// A subnet that nobody has.
    pub(super) fn free(&self) -> Option<Subnet> {
        let candidates = (18..=255_u32).map(|second| format!("172.{second}.0.0/16"));
        let more = (0..=255_u32)
            .flat_map(|third| (0..16).map(move |last| format!("192.168.{third}.{}/28", last * 16)));
        let mut candidates = candidates
            .take(14)
            .chain(more)
            .filter_map(|text| Subnet::parse(&text));
        let mut subnet = candidates.find(|candidate| !self.is_taken(candidate))?;
        subnet.gateway = Some(Ipv4Addr::from(subnet.first + 1));
        Some(subnet)
    }

    pub(super) fn is_taken(&self, subnet: &Subnet) -> bool {
        self.0
            .iter()
            .flat_map(|network| &network.subnets)
            .any(|known| known.overlaps(subnet))
    }
}
