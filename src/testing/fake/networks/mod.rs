//! Networks, and who is on them.

mod connect;
mod create;
mod endpoint;
mod look;
mod reach;
mod remove;
mod subnet;

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::request::Refusal;
use super::time::Time;
use super::{Shared, new_id};
use subnet::Subnet;

pub(super) use connect::{connect, disconnect};
pub(super) use create::create;
pub(super) use endpoint::Endpoint;
pub(super) use look::{inspect, list};
pub(super) use reach::reach;
pub(super) use remove::{prune, remove};

/// Networks that every engine has, and that stay.
const OWN: [&str; 3] = ["bridge", "host", "none"];

#[derive(Debug)]
pub(super) struct Network {
    pub(super) id: String,
    name: String,
    driver: String,
    created: Time,
    internal: bool,
    attachable: bool,
    ipv6: bool,
    labels: Value,
    options: Value,
    ipam_options: Value,
    subnets: Vec<Subnet>,
}

impl Network {
    fn own(name: &str) -> Self {
        let bridge = name == "bridge";
        let mut subnets: Vec<Subnet> = Subnet::parse("172.17.0.0/16")
            .filter(|_| bridge)
            .into_iter()
            .collect();
        for subnet in &mut subnets {
            subnet.gateway = Some(Ipv4Addr::from(subnet.first + 1));
        }
        Self {
            id: new_id(),
            name: name.to_owned(),
            driver: if name == "none" { "null" } else { name }.to_owned(),
            created: Time::now(),
            internal: false,
            attachable: false,
            ipv6: false,
            labels: json!({}),
            options: json!({}),
            ipam_options: Value::Null,
            subnets,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.name == name || self.id == name || (name.len() >= 4 && self.id.starts_with(name))
    }

    fn value(&self, members: &Value) -> Value {
        let subnets = self.subnets.iter().map(|subnet| {
            let mut value = json!({"Subnet": subnet.text});
            for (name, more) in &subnet.more {
                value[name] = more.clone();
            }
            if let Some(range) = &subnet.range {
                value["IPRange"] = json!(range);
            }
            if let Some(gateway) = subnet.gateway {
                value["Gateway"] = json!(gateway.to_string());
            }
            value
        });
        let subnets: Vec<Value> = subnets.collect();
        json!({
            "Name": self.name, "Id": self.id, "Created": self.created.text(), "Scope": "local", "Driver": self.driver,
            "EnableIPv4": true, "EnableIPv6": self.ipv6,
            "IPAM": {"Driver": "default", "Options": self.ipam_options, "Config": subnets},
            "Internal": self.internal, "Attachable": self.attachable, "Ingress": false,
            "ConfigFrom": {"Network": ""}, "ConfigOnly": false, "Containers": members,
            "Options": self.options, "Labels": self.labels,
        })
    }
}

#[derive(Debug)]
pub(super) struct Networks(Vec<Network>);

impl Default for Networks {
    fn default() -> Self {
        Self(OWN.iter().map(|name| Network::own(name)).collect())
    }
}

impl Networks {
    fn find(&self, name: &str) -> Option<&Network> {
        let exact = self
            .0
            .iter()
            .find(|network| network.name == name || network.id == name);
        exact.or_else(|| self.0.iter().find(|network| network.is_named(name)))
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, format!("network {name} not found"))
}

/// Name and id.
fn known(engine: &Shared, name: &str) -> Result<(String, String), Refusal> {
    let state = engine.state();
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    Ok((network.name.clone(), network.id.clone()))
}

fn members(engine: &Shared, name: &str) -> Map<String, Value> {
    let mut members = Map::new();
    for container in engine.containers() {
        let inner = container.inner();
        if let Some(endpoint) = inner
            .networks
            .get(name)
            .filter(|endpoint| !endpoint.id.is_empty())
        {
            let address = endpoint
                .address
                .map(|address| format!("{address}/16"))
                .unwrap_or_default();
            members.insert(
                container.id.clone(),
                json!({
                    "Name": inner.name, "EndpointID": endpoint.id, "MacAddress": endpoint.mac(),
                    "IPv4Address": address, "IPv6Address": "",
                }),
            );
        }
    }
    members
}
