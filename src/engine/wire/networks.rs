//! Networks: our model to Docker's requests, and Docker's answers to our model.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::Method;
use serde::{Deserialize, Serialize};

use super::Call;
use super::decode::{bad_id, json};
use super::encode::{labels, literal, options};
use super::nullable::nullable;
use super::query::{Filters, Query};
use crate::endpoint::ApiVersion;
use crate::engine::bollard::models;
use crate::error::Result;
use crate::model::{
    Cidr, ConnectOptions, ContainerRef, CreatedNetwork, DisconnectOptions, ListNetworksOptions,
    NetworkDetails, NetworkMember, NetworkRef, NetworkSpec, NetworkSummary, PruneReport, Subnet,
    parse_rfc3339,
};

pub(crate) fn create_network(spec: &NetworkSpec, version: ApiVersion) -> Result<Call> {
    #[derive(Serialize)]
    struct Body {
        #[serde(flatten)]
        request: models::NetworkCreateRequest,
        /// Without it, engines make a second network of the name. From API 1.44 on they always look.
        #[serde(rename = "CheckDuplicate", skip_serializing_if = "Option::is_none")]
        check_duplicate: Option<bool>,
    }
    spec.validate()?;
    let blocks = spec.subnets.iter().map(|block| models::IpamConfig {
        subnet: Some(block.subnet.to_string()),
        ip_range: block.ip_range.map(|range| range.to_string()),
        gateway: block.gateway.map(|gateway| gateway.to_string()),
        ..Default::default()
    });
    let request = models::NetworkCreateRequest {
        name: spec.name.to_string(),
        driver: spec.driver.clone(),
        internal: spec.internal.then_some(true),
        attachable: spec.attachable.then_some(true),
        enable_ipv6: spec.ipv6.then_some(true),
        labels: labels(&spec.labels),
        options: options(&spec.options),
        ipam: (!spec.subnets.is_empty()).then(|| models::Ipam {
            config: Some(blocks.collect()),
            ..Default::default()
        }),
        ..Default::default()
    };
    Call::post("/networks/create").with_json(&Body {
        request,
        check_duplicate: (version < ApiVersion::new(1, 44)).then_some(true),
    })
}

pub(crate) fn inspect_network(network: &NetworkRef) -> Call {
    Call::get(format!("/networks/{network}"))
}

pub(crate) fn list_networks(options: &ListNetworksOptions) -> Call {
    let names = options.names.iter().map(|name| literal("", name.as_str()));
    let filters = Filters::default()
        .with_labels("label", &options.labels)
        .with("name", names)
        .with("driver", &options.driver);
    Call::get(Query::new("/networks").with_filters(&filters).finish())
}

pub(crate) fn connect_network(
    network: &NetworkRef,
    container: &ContainerRef,
    options: &ConnectOptions,
) -> Result<Call> {
    options.validate()?;
    let addressed = options.ipv4_address.is_some() || options.ipv6_address.is_some();
    let ipam_config = addressed.then(|| models::EndpointIpamConfig {
        ipv4_address: options.ipv4_address.map(|address| address.to_string()),
        ipv6_address: options.ipv6_address.map(|address| address.to_string()),
        ..Default::default()
    });
    let aliases = (!options.aliases.is_empty()).then(|| options.aliases.clone());
    let asked = aliases.is_some() || ipam_config.is_some();
    let endpoint_config = asked.then(|| models::EndpointSettings {
        aliases,
        ipam_config,
        ..Default::default()
    });
    Call::post(format!("/networks/{network}/connect")).with_json(&models::NetworkConnectRequest {
        container: container.to_string(),
        endpoint_config,
    })
}

pub(crate) fn disconnect_network(
    network: &NetworkRef,
    container: &ContainerRef,
    options: &DisconnectOptions,
) -> Result<Call> {
    Call::post(format!("/networks/{network}/disconnect")).with_json(
        &models::NetworkDisconnectRequest {
            container: container.to_string(),
            force: Some(options.force),
        },
    )
}

pub(crate) fn remove_network(network: &NetworkRef) -> Call {
    Call::new(Method::DELETE, format!("/networks/{network}"))
}

/// The id of a network that the engine gave us, checked like anybody else's.
fn id(text: &str) -> Result<NetworkRef> {
    NetworkRef::new(text).map_err(bad_id)
}

pub(crate) fn created_network(body: &[u8]) -> Result<CreatedNetwork> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        id: String,
        #[serde(default, deserialize_with = "nullable")]
        warning: String,
    }
    let answer: Answer = json(body)?;
    Ok(CreatedNetwork {
        id: id(&answer.id)?,
        warnings: Some(answer.warning)
            .filter(|warning| !warning.is_empty())
            .into_iter()
            .collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Block {
    #[serde(default, deserialize_with = "nullable")]
    subnet: String,
    #[serde(default, rename = "IPRange", deserialize_with = "nullable")]
    ip_range: String,
    #[serde(default, deserialize_with = "nullable")]
    gateway: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ipam {
    #[serde(default, deserialize_with = "nullable")]
    config: Vec<Block>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, rename = "IPv4Address", deserialize_with = "nullable")]
    ipv4_address: String,
    #[serde(default, rename = "IPv6Address", deserialize_with = "nullable")]
    ipv6_address: String,
    #[serde(default, deserialize_with = "nullable")]
    mac_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    created: String,
    #[serde(default, deserialize_with = "nullable")]
    scope: String,
    #[serde(default, deserialize_with = "nullable")]
    driver: String,
    #[serde(default, deserialize_with = "nullable")]
    internal: bool,
    #[serde(default, deserialize_with = "nullable")]
    attachable: bool,
    #[serde(default, rename = "EnableIPv6", deserialize_with = "nullable")]
    enable_ipv6: bool,
    #[serde(default, rename = "IPAM", deserialize_with = "nullable")]
    ipam: Ipam,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    options: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    containers: BTreeMap<String, Option<Member>>,
}

pub(crate) fn networks(body: &[u8]) -> Result<Vec<NetworkSummary>> {
    json::<Option<Vec<Network>>>(body)?
        .into_iter()
        .flatten()
        .map(summary)
        .collect()
}

pub(crate) fn network(body: &[u8]) -> Result<NetworkDetails> {
    let mut network: Network = json(body)?;
    let members = std::mem::take(&mut network.containers)
        .into_iter()
        .map(|(id, found)| (id, member(found.unwrap_or_default())))
        .collect();
    Ok(NetworkDetails {
        network: summary(network)?,
        members,
    })
}

fn summary(network: Network) -> Result<NetworkSummary> {
    Ok(NetworkSummary {
        id: id(&network.id)?,
        name: network.name,
        driver: network.driver,
        scope: network.scope,
        created: parse_rfc3339(&network.created),
        internal: network.internal,
        attachable: network.attachable,
        ipv6: network.enable_ipv6,
        labels: network.labels,
        options: network.options.into_iter().collect(),
        subnets: network.ipam.config.iter().filter_map(subnet).collect(),
    })
}

/// A block, unless it is one that nobody here knows.
fn subnet(block: &Block) -> Option<Subnet> {
    let mut subnet = Subnet::new(Cidr::new(&block.subnet).ok()?);
    subnet.ip_range = Cidr::new(&block.ip_range).ok();
    // Some write the gateway with the length of the prefix.
    subnet.gateway = address(&block.gateway);
    Some(subnet)
}

fn member(member: Member) -> NetworkMember {
    let ipv4 = |found| match found {
        IpAddr::V4(found) => Some(found),
        IpAddr::V6(_) => None,
    };
    let ipv6 = |found| match found {
        IpAddr::V6(found) => Some(found),
        IpAddr::V4(_) => None,
    };
    NetworkMember {
        name: member.name,
        ipv4_address: address(&member.ipv4_address).and_then(ipv4),
        ipv6_address: address(&member.ipv6_address).and_then(ipv6),
        mac_address: Some(member.mac_address).filter(|address| !address.is_empty()),
    }
}

/// An address, with or without the length of its prefix.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse().ok()
}

pub(crate) fn pruned_networks(body: &[u8]) -> Result<PruneReport> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default, deserialize_with = "nullable")]
        networks_deleted: Vec<String>,
    }
    let answer = json::<Option<Answer>>(body)?;
    Ok(PruneReport {
        removed: answer.map_or_else(Vec::new, |answer| answer.networks_deleted),
        reclaimed: 0,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::wire::Body;

    fn sent(call: Result<Call>) -> (String, Value) {
        let call = call.expect("a call");
        let Body::Json(body) = call.body else {
            panic!("a body");
        };
        let body = serde_json::from_slice(&body).expect("JSON");
        (format!("{} {}", call.method, call.path), body)
    }

    #[test]
    fn a_network_is_asked_for_with_all_that_it_shall_be() {
        let cidr = |text: &str| Cidr::new(text).expect("a block");
        let spec = NetworkSpec::new(NetworkRef::new("net").expect("a name"))
            .with_driver("bridge")
            .with_internal(true)
            .with_ipv6(true)
            .with_option("o", "p")
            .with_label("a", "b")
            .expect("a key")
            .with_subnet(Subnet::new(cidr("10.1.0.0/16")).with_ip_range(cidr("10.1.2.0/24")))
            .with_subnet(
                Subnet::new(cidr("fd00::/64"))
                    .with_gateway(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1])),
            );
        let mut expected = json!({
            "Name": "net", "Driver": "bridge", "Internal": true, "EnableIPv6": true,
            "Options": {"o": "p"}, "Labels": {"a": "b"},
            "IPAM": {"Config": [
                {"Subnet": "10.1.0.0/16", "IPRange": "10.1.2.0/24"},
                {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            ]},
        });
        let (path, body) = sent(create_network(&spec, ApiVersion::new(1, 44)));
        assert_eq!((path.as_str(), &body), ("POST /networks/create", &expected));
        // Before, a second network of a name has to be forbidden.
        expected["CheckDuplicate"] = true.into();
        assert_eq!(
            sent(create_network(&spec, ApiVersion::new(1, 43))).1,
            expected
        );
    }

    #[test]
    fn a_connection_is_asked_for_with_what_is_set() {
        let network = NetworkRef::new("net").expect("a name");
        let container = ContainerRef::new("web").expect("a name");
        let ask = |options| sent(connect_network(&network, &container, &options)).1;
        let mut options = ConnectOptions::default();
        assert_eq!(ask(options.clone()), json!({"Container": "web"}));
        options.aliases.push("db".to_owned());
        options.ipv4_address = Some([10, 1, 0, 2].into());
        let endpoint = json!({"Aliases": ["db"], "IPAMConfig": {"IPv4Address": "10.1.0.2"}});
        let expected = json!({"Container": "web", "EndpointConfig": endpoint});
        assert_eq!(ask(options), expected);
    }

    #[test]
    fn an_answer_is_read_with_what_it_lacks_and_what_nobody_knows() {
        let answer = json!({
            "Id": "f00d", "Created": "0001-01-01T00:00:00Z", "Labels": null, "New": 1,
            "IPAM": {"Config": [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1/16"}, {"Subnet": "no block"}, {}]},
            "Containers": {"c0ffee": {"IPv4Address": "10.1.0.2/16", "IPv6Address": ""}, "ep-1": null},
        });
        let details = network(answer.to_string().as_bytes()).expect("a network");
        let block = Subnet::new(Cidr::new("10.1.0.0/16").expect("a block"));
        let gateway = IpAddr::from([10, 1, 0, 1]);
        assert_eq!(details.network.subnets, [block.with_gateway(gateway)]);
        assert_eq!(details.network.created, None);
        let member = &details.members["c0ffee"];
        assert_eq!(member.ipv4_address, Some([10, 1, 0, 2].into()));
        assert_eq!((member.ipv6_address, &member.mac_address), (None, &None));
        assert!(details.members.contains_key("ep-1"));

        let bad = network(br#"{"Id":"../x"}"#).expect_err("it goes into URLs");
        assert_eq!(bad.kind(), crate::error::ErrorKind::Decode);
        for none in ["null", "{}", r#"{"NetworksDeleted":null}"#] {
            let report = pruned_networks(none.as_bytes()).expect("a report");
            assert_eq!(report, PruneReport::default());
        }
    }
}
