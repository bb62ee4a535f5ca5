//! Who is on which network: connected, disconnected, and for as long as a container runs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::json;

use super::{Endpoint, absent, known};
use crate::testing::fake::containers::Container;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};
use crate::testing::fake::state::State;
use crate::testing::fake::{Shared, new_id};

pub(in super::super) fn connect(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let asked = request.json()?;
    let (name, id) = known(engine, name)?;
    let container = engine.container(asked["Container"].as_str().unwrap_or_default())?;
    let mut endpoint = Endpoint::asked(&asked["EndpointConfig"]);
    let there = container.inner().networks.contains_key(&name);
    if there {
        let message = format!(
            "endpoint with name {} already exists in network {name}",
            container.name()
        );
        return Err(Refusal::new(403, message));
    }
    if container.inner().networks.contains_key("none")
        && container.inner().networks.len() == 1
        && container.status().lives()
    {
        let message = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
        return Err(Refusal::new(403, message));
    }
    if container.status().lives() {
        place(engine, &name, &mut endpoint)?;
    }
    container.inner().networks.insert(name.clone(), endpoint);
    engine.events.tell(
        "network",
        "connect",
        &id,
        json!({"container": container.id, "name": name, "type": "bridge"}),
    );
    Ok(Answer::empty(200))
}

pub(in super::super) fn disconnect(
    engine: &Arc<Shared>,
    name: &str,
    request: &Request,
) -> Answered {
    let asked = request.json()?;
    let (name, id) = known(engine, name)?;
    let wanted = asked["Container"].as_str().unwrap_or_default();
    let container = match engine.container(wanted) {
        Ok(container) => container,
        Err(_) if asked["Force"] == true => return Ok(Answer::empty(200)),
        Err(refusal) => return Err(refusal),
    };
    let gone = container.inner().networks.remove(&name);
    if gone.is_none() && asked["Force"] != true {
        let message = format!(
            "container {} is not connected to network {name}",
            container.id
        );
        return Err(Refusal::new(403, message));
    }
    engine.events.tell(
        "network",
        "disconnect",
        &id,
        json!({"container": container.id, "name": name, "type": "bridge"}),
    );
    Ok(Answer::empty(200))
}

/// Gives an endpoint its address.
fn place(engine: &Shared, name: &str, endpoint: &mut Endpoint) -> Result<(), Refusal> {
    endpoint.id = new_id();
    let has_addresses = |state: &State| {
        state
            .networks
            .find(name)
            .map(|network| !network.subnets.is_empty())
    };
    if !has_addresses(&engine.state()).ok_or_else(|| absent(name))? {
        return Ok(());
    }
    let taken: Vec<Ipv4Addr> = engine
        .containers()
        .iter()
        .filter_map(|container| {
            container
                .inner()
                .networks
                .get(name)
                .and_then(|endpoint| endpoint.address)
        })
        .collect();
    let state = engine.state();
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    let Some(subnet) = network.subnets.first() else {
        return Ok(());
    };
    let address = match endpoint.asked {
        Some(address) if !subnet.holds(address) => {
            let message = format!(
                "Invalid address {address}: It does not belong to any of this network's subnets"
            );
            return Err(Refusal::new(400, message));
        }
        Some(address) if taken.contains(&address) => {
            return Err(Refusal::new(403, "Address already in use"));
        }
        Some(address) => address,
        None => {
            let hosts = 1_u32.checked_shl(32 - subnet.bits).unwrap_or(u32::MAX);
            let mut free =
                (2..hosts.saturating_sub(1)).map(|host| Ipv4Addr::from(subnet.first + host));
            let free =
                free.find(|address| !taken.contains(address) && Some(*address) != subnet.gateway);
            free.ok_or_else(|| {
                Refusal::new(
                    403,
                    "no available IPv4 addresses on this network's address pools",
                )
            })?
        }
    };
    endpoint.address = Some(address);
    Ok(())
}

impl Shared {
    /// Gives a container that starts its places.
    pub(in super::super) fn attach_networks(&self, container: &Container) -> Result<(), Refusal> {
        let wanted: Vec<(String, Endpoint)> =
            container.inner().networks.clone().into_iter().collect();
        for (name, mut endpoint) in wanted {
            if name.starts_with("container:") {
                continue;
            }
            let (own, id) = known(self, &name)?;
            place(self, &own, &mut endpoint)?;
            let mut inner = container.inner();
            inner.networks.remove(&name);
            inner.networks.insert(own.clone(), endpoint);
            drop(inner);
            let kind = if own == "none" { "null" } else { "bridge" };
            self.events.tell(
                "network",
                "connect",
                &id,
                json!({"container": container.id, "name": own, "type": kind}),
            );
        }
        Ok(())
    }

    pub(in super::super) fn detach_networks(&self, container: &Container) {
        let mut left = Vec::new();
        for (name, endpoint) in &mut container.inner().networks {
            if !endpoint.id.is_empty() {
                endpoint.id = String::new();
                endpoint.address = None;
                left.push(name.clone());
            }
        }
        for name in left {
            if let Ok((name, id)) = known(self, &name) {
                let kind = if name == "none" { "null" } else { "bridge" };
                self.events.tell(
                    "network",
                    "disconnect",
                    &id,
                    json!({"container": container.id, "name": name, "type": kind}),
                );
            }
        }
    }
}
