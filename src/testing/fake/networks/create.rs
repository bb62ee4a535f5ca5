//! How networks come to be.

use std::sync::Arc;

use serde_json::{Value, json};

use super::subnet::Subnet;
use super::{Network, OWN};
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};
use crate::testing::fake::time::Time;
use crate::testing::fake::{Shared, new_id};

pub(in super::super) fn create(engine: &Arc<Shared>, request: &Request) -> Answered {
    let asked = request.json()?;
    let name = asked["Name"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(Refusal::new(400, "network name must not be empty"));
    }
    let mut subnets = Vec::new();
    for config in asked["IPAM"]["Config"].as_array().into_iter().flatten() {
        let text = config["Subnet"].as_str().unwrap_or_default();
        let Some(mut subnet) = Subnet::parse(text) else {
            continue;
        };
        subnet.range = config["IPRange"].as_str().map(str::to_owned);
        let gateway = config["Gateway"].as_str();
        let gateway = gateway.and_then(|text| text.parse().ok());
        subnet.gateway = gateway.or(subnet.gateway);
        subnets.push(subnet);
    }
    let mut state = engine.state();
    if OWN.contains(&name.as_str()) {
        let message = format!("operation is not permitted on predefined {name} network ");
        return Err(Refusal::new(403, message));
    }
    // Before API 1.44 two of one name were made unless that was asked about.
    let checked = asked["CheckDuplicate"] == true || request.version >= (1, 44);
    if checked && state.networks.0.iter().any(|network| network.name == name) {
        return Err(Refusal::new(
            engine.personality.conflict(),
            format!("network with name {name} already exists"),
        ));
    }
    if subnets.iter().any(|subnet| state.networks.is_taken(subnet)) {
        return Err(Refusal::new(
            403,
            "Pool overlaps with other one on this address space",
        ));
    }
    if subnets.is_empty() {
        let free = state.networks.free();
        subnets.push(free.ok_or_else(|| {
            Refusal::new(500, "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network")
        })?);
    }
    let driver = asked["Driver"]
        .as_str()
        .filter(|driver| !driver.is_empty())
        .unwrap_or("bridge");
    if !matches!(driver, "bridge" | "macvlan" | "ipvlan" | "overlay") {
        return Err(Refusal::new(404, format!("plugin \"{driver}\" not found")));
    }
    let object = |value: &Value| {
        if value.is_object() {
            value.clone()
        } else {
            json!({})
        }
    };
    let network = Network {
        id: new_id(),
        name: name.clone(),
        driver: driver.to_owned(),
        created: Time::now(),
        internal: asked["Internal"] == true,
        attachable: asked["Attachable"] == true,
        ipv6: asked["EnableIPv6"] == true,
        labels: object(&asked["Labels"]),
        options: object(&asked["Options"]),
        ipam_options: asked["IPAM"]["Options"].clone(),
        subnets,
    };
    let id = network.id.clone();
    state.networks.0.push(network);
    drop(state);
    engine.events.tell(
        "network",
        "create",
        &id,
        json!({"name": name, "type": driver}),
    );
    Ok(Answer::json(201, &json!({"Id": id, "Warning": ""})))
}
