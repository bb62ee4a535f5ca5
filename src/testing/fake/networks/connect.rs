//! Who is on which network: connected, disconnected, and for as long as a container runs.

use std::collections::HashSet;
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
    known(&engine.state(), name)?;
    let container = engine.container(asked["Container"].as_str().unwrap_or_default())?;
    let mut endpoint = Endpoint::asked(&asked["EndpointConfig"]);
    // Nobody else takes the address meanwhile, nor removes the network.
    let state = engine.state();
    let (name, id) = known(&state, name)?;
    let (there, isolated, lives) = {
        let inner = container.inner();
        let isolated = inner.networks.contains_key("none") && inner.networks.len() == 1;
        let there = inner.networks.contains_key(&name);
        (there, isolated, inner.status.lives())
    };
    if there {
        let message = format!(
            "endpoint with name {} already exists in network {name}",
            container.name()
        );
        return Err(Refusal::new(403, message));
    }
    if isolated && lives {
        let message = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
        return Err(Refusal::new(403, message));
    }
    if lives {
        place(&state, &name, &mut endpoint)?;
    }
    container.inner().networks.insert(name.clone(), endpoint);
    drop(state);
    tell(engine, "connect", &name, &id, &container);
    Ok(Answer::empty(200))
}

pub(in super::super) fn disconnect(
    engine: &Arc<Shared>,
    name: &str,
    request: &Request,
) -> Answered {
    let asked = request.json()?;
    let (name, id) = known(&engine.state(), name)?;
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
    tell(engine, "disconnect", &name, &id, &container);
    Ok(Answer::empty(200))
}

fn tell(engine: &Shared, action: &str, name: &str, id: &str, container: &Container) {
    let kind = if name == "none" { "null" } else { "bridge" };
    let attributes = json!({"container": container.id, "name": name, "type": kind});
    engine.events.tell("network", action, id, attributes);
}

/// Gives an endpoint its address. It is to be the container's before the lock is given up.
fn place(state: &State, name: &str, endpoint: &mut Endpoint) -> Result<(), Refusal> {
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    endpoint.id = new_id();
    let Some(subnet) = network.subnets.first() else {
        return Ok(());
    };
    let address = |container: &Arc<Container>| container.inner().networks.get(name)?.address;
    let taken: HashSet<Ipv4Addr> = state.containers.iter().filter_map(address).collect();
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
            let mut free = subnet.hosts();
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
        let wanted = container.inner().networks.clone();
        for (name, mut endpoint) in wanted {
            if name.starts_with("container:") {
                continue;
            }
            let state = self.state();
            let (own, id) = known(&state, &name)?;
            place(&state, &own, &mut endpoint)?;
            let mut inner = container.inner();
            inner.networks.remove(&name);
            inner.networks.insert(own.clone(), endpoint);
            drop(inner);
            drop(state);
            tell(self, "connect", &own, &id, container);
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
            let known = known(&self.state(), &name);
            if let Ok((name, id)) = known {
                tell(self, "disconnect", &name, &id, container);
            }
        }
    }
}
