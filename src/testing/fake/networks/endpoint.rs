//! A container's place on a network.

use std::net::Ipv4Addr;

use serde_json::Value;

/// A container's place on a network.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Endpoint {
    pub(super) id: String,
    pub(super) aliases: Vec<String>,
    pub(super) asked: Option<Ipv4Addr>,
    /// While it runs.
    pub(super) address: Option<Ipv4Addr>,
    asked_mac: Option<String>,
}

impl Endpoint {
    /// By an `EndpointSettings` of a request.
    pub(in super::super) fn asked(config: &Value) -> Self {
        let address = config["IPAMConfig"]["IPv4Address"].as_str();
        let aliases = config["Aliases"].as_array().into_iter().flatten();
        Self {
            id: String::new(),
            aliases: aliases
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            asked: address.and_then(|address| address.parse().ok()),
            address: None,
            asked_mac: config["MacAddress"]
                .as_str()
                .filter(|mac| !mac.is_empty())
                .map(str::to_owned),
        }
    }

    pub(super) fn mac(&self) -> String {
        match (&self.asked_mac, self.address) {
            (Some(mac), _) => mac.clone(),
            (None, Some(address)) => {
                let [a, b, c, d] = address.octets();
                format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
            }
            (None, None) => String::new(),
        }
    }
}
