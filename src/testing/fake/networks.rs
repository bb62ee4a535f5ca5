//! Networks, and who is on them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};

use serde_json::{Map, Value, json};

use super::containers::{Container, Status};
use super::machine;
use super::request::{Answer, Answered, Refusal, Request};
use super::time::Time;
use super::{Shared, new_id};

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

#[derive(Debug, Clone)]
struct Subnet {
    first: u32,
    bits: u32,
    range: Option<String>,
    gateway: Option<Ipv4Addr>,
    /// As it was asked for: what isn't of version 4 is only shown.
    text: String,
    more: Map<String, Value>,
}

/// A container's place on a network.
#[derive(Debug, Clone, Default)]
pub(super) struct Endpoint {
    id: String,
    aliases: Vec<String>,
    asked: Option<Ipv4Addr>,
    /// While it runs.
    address: Option<Ipv4Addr>,
    asked_mac: Option<String>,
}

impl Endpoint {
    /// By an `EndpointSettings` of a request.
    pub(super) fn asked(config: &Value) -> Self {
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

    fn mac(&self) -> String {
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

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)
}

impl Subnet {
    fn parse(text: &str) -> Option<Self> {
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

    fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        self.first & mask(bits) == other.first & mask(bits)
    }

    fn holds(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.bits) == self.first
    }
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

    /// A subnet that nobody has.
    fn free(&self) -> Option<Subnet> {
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

    fn is_taken(&self, subnet: &Subnet) -> bool {
        self.0
            .iter()
            .flat_map(|network| &network.subnets)
            .any(|known| known.overlaps(subnet))
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

pub(super) fn create(engine: &Arc<Shared>, request: &Request) -> Answered {
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
        let gateway = config["Gateway"]
            .as_str()
            .and_then(|text| text.parse().ok());
        subnet.gateway = gateway.or_else(|| Some(Ipv4Addr::from(subnet.first + 1)));
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

pub(super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let state = engine.state();
    let own = |network: &Network| OWN.contains(&network.name.as_str());
    let fits = |network: &&Network| {
        filters.labels(&network.labels)
            && filters.any("name", |wanted| {
                let plain = wanted
                    .trim_start_matches('^')
                    .trim_end_matches('$')
                    .replace('\\', "");
                match wanted.starts_with('^') && wanted.ends_with('$') {
                    true => network.name == plain,
                    false => network.name.contains(&plain),
                }
            })
            && filters.any("id", |wanted| network.id.contains(wanted))
            && filters.any("driver", |wanted| network.driver == wanted)
            && filters.any("type", |wanted| own(network) == (wanted == "builtin"))
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

pub(super) fn inspect(engine: &Arc<Shared>, name: &str) -> Answered {
    let (name, _) = known(engine, name)?;
    let members = Value::Object(members(engine, &name));
    let state = engine.state();
    let network = state.networks.find(&name).ok_or_else(|| absent(&name))?;
    Ok(Answer::json(200, &network.value(&members)))
}

pub(super) fn remove(engine: &Arc<Shared>, name: &str) -> Answered {
    let (own, id) = known(engine, name)?;
    if OWN.contains(&own.as_str()) {
        return Err(Refusal::new(
            403,
            format!("{own} is a pre-defined network and cannot be removed"),
        ));
    }
    let members = members(engine, &own);
    if let Some((_, member)) = members.iter().next() {
        let message = format!(
            "error while removing network: network {own} id {id} has active endpoints ({member})"
        );
        return Err(Refusal::new(403, message));
    }
    delete(engine, &own, &id);
    Ok(Answer::empty(204))
}

fn delete(engine: &Shared, name: &str, id: &str) {
    engine.state().networks.0.retain(|network| network.id != id);
    engine.events.tell(
        "network",
        "destroy",
        id,
        json!({"name": name, "type": "bridge"}),
    );
}

pub(super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let until = filters.until();
    let all: Vec<(String, String)> = {
        let state = engine.state();
        let fits = state.networks.0.iter().filter(|network| {
            !OWN.contains(&network.name.as_str())
                && until.is_none_or(|until| network.created < until)
                && filters.labels(&network.labels)
        });
        fits.map(|network| (network.name.clone(), network.id.clone()))
            .collect()
    };
    let mut deleted = Vec::new();
    for (name, id) in all {
        if members(engine, &name).is_empty() {
            delete(engine, &name, &id);
            deleted.push(name);
        }
    }
    Ok(engine.pruned("network", "NetworksDeleted", &json!(deleted), None))
}

pub(super) fn connect(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
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

pub(super) fn disconnect(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
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
    let has_addresses = |state: &super::State| {
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
    pub(super) fn attach_networks(&self, container: &Container) -> Result<(), Refusal> {
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

    pub(super) fn detach_networks(&self, container: &Container) {
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

    /// What an inspect shows of a container's networks.
    pub(super) fn network_settings(
        &self,
        endpoints: &std::collections::BTreeMap<String, Endpoint>,
        lives: bool,
        bindings: &Value,
    ) -> Value {
        let state = self.state();
        let mut networks = Map::new();
        for (name, endpoint) in endpoints {
            let network = state.networks.find(name);
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

/// Who reaches whom: by names, aliases and addresses on networks that both are on.
#[derive(Debug)]
struct Reach {
    engine: Weak<Shared>,
    own: String,
}

pub(super) fn reach(engine: &Arc<Shared>, id: &str) -> Arc<dyn machine::Network> {
    Arc::new(Reach {
        engine: Arc::downgrade(engine),
        own: id.to_owned(),
    })
}

impl machine::Network for Reach {
    fn find(&self, name: &str) -> Option<Arc<machine::Machine>> {
        let engine = self.engine.upgrade()?;
        let own = engine.container(&self.own).ok()?;
        let mine: Vec<String> = own.inner().networks.keys().cloned().collect();
        let found = engine.containers().into_iter().find(|other| {
            let inner = other.inner();
            inner.status == Status::Running
                && inner
                    .networks
                    .iter()
                    .filter(|(network, _)| mine.contains(network))
                    .any(|(_, endpoint)| {
                        inner.name == name
                            || other.id.starts_with(name)
                            || endpoint.aliases.iter().any(|alias| alias == name)
                            || endpoint
                                .address
                                .is_some_and(|address| address.to_string() == name)
                    })
        })?;
        found.machine().cloned()
    }
}
