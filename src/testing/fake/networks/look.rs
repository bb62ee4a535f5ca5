//! How networks look: listed, inspected, and from a container on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Endpoint, Network, Networks, absent, members};
use crate::testing::fake::Shared;
use crate::testing::fake::request::{Answer, Answered, Request, fits};

pub(in super::super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let state = engine.state();
    let fits = |network: &&Network| {
        filters.labels(&network.labels)
            && filters.any("name", |wanted| fits(&network.name, wanted))
            && filters.any("id", |wanted| network.id.contains(wanted))
            && filters.any("driver", |wanted| network.driver == wanted)
            && filters.any("type", |wanted| network.is_own() == (wanted == "builtin"))
    };
    let listed: Vec<Value> = state
        .networks
        .0
        .iter()
        .filter(fits)
        .map(|network| network.value(&json!({})))
        .collect();
    Ok(Answer::json(200, &json!(listed)))
}

pub(in super::super) fn inspect(engine: &Arc<Shared>, name: &str) -> Answered {
    let state = engine.state();
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    let members = Value::Object(members(&state, network));
    Ok(Answer::json(200, &network.value(&members)))
}

impl Networks {
    /// What an inspect shows of a container's networks.
    pub(in super::super) fn settings(
        &self,
        endpoints: &BTreeMap<String, Endpoint>,
        lives: bool,
        bindings: &Value,
    ) -> Value {
        let mut networks = Map::new();
        for (name, endpoint) in endpoints {
            let network = self.find(name);
            let subnet = network.and_then(|network| network.subnets.first());
            let address = endpoint
                .address
                .map(|address| address.to_string())
                .unwrap_or_default();
            let gateway = subnet
                .and_then(|subnet| subnet.gateway)
                .filter(|_| endpoint.address.is_some());
            let asked = endpoint
                .asked
                .map(|address| json!({"IPv4Address": address.to_string()}));
            networks.insert(name.clone(), json!({
                "IPAMConfig": asked, "Links": null,
                "Aliases": if endpoint.aliases.is_empty() { Value::Null } else { json!(endpoint.aliases) },
                "NetworkID": network.map(|network| network.id.clone()).unwrap_or_default(),
                "EndpointID": endpoint.id, "Gateway": gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
                "IPAddress": address, "IPPrefixLen": subnet.filter(|_| endpoint.address.is_some()).map_or(0, |subnet| subnet.bits),
                "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "MacAddress": endpoint.mac(),
                "DriverOpts": null,
            }));
        }
        let mut ports = Map::new();
        if lives {
            for (index, (port, asked)) in bindings.as_object().into_iter().flatten().enumerate() {
                let given = asked.as_array().into_iter().flatten().map(|binding| {
                    let host_port = binding["HostPort"]
                        .as_str()
                        .filter(|port| !port.is_empty() && *port != "0");
                    let host_port =
                        host_port.map_or_else(|| (49_152 + index).to_string(), str::to_owned);
                    let ip = binding["HostIp"]
                        .as_str()
                        .filter(|ip| !ip.is_empty())
                        .unwrap_or("0.0.0.0");
                    json!({"HostIp": ip, "HostPort": host_port})
                });
                ports.insert(port.clone(), Value::Array(given.collect()));
            }
        }
        json!({
            "Bridge": "", "SandboxID": "", "SandboxKey": "", "HairpinMode": false, "Ports": ports, "EndpointID": "",
            "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPAddress": "", "IPPrefixLen": 0,
            "IPv6Gateway": "", "MacAddress": "", "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0,
            "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null, "Networks": networks,
        })
    }
}
