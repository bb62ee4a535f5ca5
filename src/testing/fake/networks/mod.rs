//! Networks, and who is on them.

mod connect;
mod create;
mod endpoint;
mod look;
mod reach;
mod remove;
mod subnet;

use serde_json::{Map, Value, json};

use super::new_id;
use super::request::Refusal;
use super::state::State;
use super::time::Time;
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
    id: String,
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
        let subnet = match name {
            "bridge" => Subnet::parse("172.17.0.0/16"),
            _ => None,
        };
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
            subnets: subnet.into_iter().collect(),
        }
    }

    /// Whether every engine has it.
    fn is_own(&self) -> bool {
        OWN.contains(&self.name.as_str())
    }

    fn value(&self, members: &Value) -> Value {
        let subnets = self.subnets.iter().map(|subnet| {
            let mut value = json!({"Subnet": subnet.text});
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
    /// By name, id, or the beginning of an id.
    fn find(&self, name: &str) -> Option<&Network> {
        let exact = |network: &&Network| network.name == name || network.id == name;
        let begins = |network: &&Network| name.len() >= 4 && network.id.starts_with(name);
        let exact = self.0.iter().find(exact);
        exact.or_else(|| self.0.iter().find(begins))
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, format!("network {name} not found"))
}

/// Name and id.
fn known(state: &State, name: &str) -> Result<(String, String), Refusal> {
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    Ok((network.name.clone(), network.id.clone()))
}

/// Who is on it, by the containers' ids.
fn members(state: &State, network: &Network) -> Map<String, Value> {
    let bits = network.subnets.first().map_or(0, |subnet| subnet.bits);
    let mut members = Map::new();
    for container in &state.containers {
        let inner = container.inner();
        let endpoint = inner.networks.get(&network.name);
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.id.is_empty()) else {
            continue;
        };
        let address = endpoint.address.map(|address| format!("{address}/{bits}"));
        members.insert(
            container.id.clone(),
            json!({
                "Name": inner.name, "EndpointID": endpoint.id, "MacAddress": endpoint.mac(),
                "IPv4Address": address.unwrap_or_default(), "IPv6Address": "",
            }),
        );
    }
    members
}
