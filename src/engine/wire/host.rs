//! What an inspect shows of mounts, ports, devices and namespaces.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::Deserialize;

use super::nullable::nullable;
use crate::model::{
    DeviceCount, DeviceRequest, HealthCheck, HealthTest, MountPoint, PortMapping, Protocol,
    PublishedPort,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Binding {
    #[serde(default, deserialize_with = "nullable")]
    host_ip: String,
    #[serde(default, deserialize_with = "nullable")]
    host_port: String,
}

/// Bindings by `port/protocol`.
pub(super) type Bindings = BTreeMap<String, Option<Vec<Binding>>>;

fn bindings(ports: Bindings) -> impl Iterator<Item = (u16, Protocol, Binding)> {
    ports.into_iter().flat_map(|(key, bindings)| {
        let (port, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        let known = port.parse().ok().zip(protocol_of(protocol));
        let bindings = bindings.unwrap_or_default().into_iter();
        bindings.filter_map(move |binding| {
            let (port, protocol) = known?;
            Some((port, protocol, binding))
        })
    })
}

/// The ports as they are published.
pub(super) fn published(ports: Bindings) -> Vec<PublishedPort> {
    bindings(ports)
        .filter_map(|(container_port, protocol, binding)| {
            Some(PublishedPort {
                container_port,
                protocol,
                host_ip: binding.host_ip.parse().ok(),
                host_port: binding.host_port.parse().ok()?,
            })
        })
        .collect()
}

/// The ports as they shall be published; to engines no address is every address.
pub(super) fn asked_ports(ports: Bindings) -> Vec<PortMapping> {
    const EVERY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    bindings(ports)
        .map(|(container_port, protocol, binding)| PortMapping {
            container_port,
            protocol,
            host_ip: Some(binding.host_ip.parse().unwrap_or(EVERY)),
            host_port: binding.host_port.parse().ok().filter(|port| *port > 0),
        })
        .collect()
}

fn protocol_of(name: &str) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|p| p.as_str() == name)
}

/// A mount in force.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Point {
    #[serde(default, rename = "Type", deserialize_with = "nullable")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    source: String,
    #[serde(default, deserialize_with = "nullable")]
    destination: String,
    #[serde(rename = "RW")]
    writable: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TmpfsOptions {
    size_bytes: Option<i64>,
}

/// A mount as it was asked for: it alone shows the size of memory.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AskedMount {
    #[serde(default, deserialize_with = "nullable")]
    target: String,
    tmpfs_options: Option<TmpfsOptions>,
}

pub(super) fn mounts(points: Vec<Point>, asked: &[AskedMount]) -> Vec<MountPoint> {
    let mut sizes = BTreeMap::new();
    for mount in asked {
        let size = mount
            .tmpfs_options
            .as_ref()
            .and_then(|options| options.size_bytes);
        sizes.entry(clean(&mount.target)).or_insert(size);
    }
    let size = |point: &Point| {
        let size = sizes.get(&clean(&point.destination)).copied().flatten()?;
        u64::try_from(size).ok().filter(|size| *size > 0)
    };
    let mount = |point: Point| MountPoint {
        size: size(&point),
        // What isn't said to be read-only isn't.
        read_only: point.writable == Some(false),
        source: if point.kind == "volume" {
            point.name
        } else {
            point.source
        },
        kind: point.kind,
        target: point.destination,
    };
    points.into_iter().map(mount).collect()
}

/// An absolute path without its detours, as engines keep it.
pub(crate) fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireDevices {
    #[serde(default, deserialize_with = "nullable")]
    driver: String,
    count: Option<i64>,
    #[serde(default, rename = "DeviceIDs", deserialize_with = "nullable")]
    ids: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    capabilities: Vec<Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    options: BTreeMap<String, String>,
}

impl From<WireDevices> for DeviceRequest {
    fn from(wire: WireDevices) -> Self {
        Self {
            driver: Some(wire.driver).filter(|driver| !driver.is_empty()),
            count: match wire.count.unwrap_or(0) {
                ..0 => DeviceCount::All,
                0 => DeviceCount::Ids(wire.ids),
                count => DeviceCount::Count(u32::try_from(count).unwrap_or(u32::MAX)),
            },
            capabilities: wire.capabilities,
            options: wire.options,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Device {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) path_on_host: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireCheck {
    #[serde(default, deserialize_with = "nullable")]
    test: Vec<String>,
    interval: Option<i64>,
    timeout: Option<i64>,
    start_period: Option<i64>,
    start_interval: Option<i64>,
    retries: Option<i64>,
}

impl WireCheck {
    /// The check; `None` where it names no test.
    pub(super) fn read(self) -> Option<HealthCheck> {
        // 0 is the engine's default.
        let positive = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let time = |value| {
            let value = positive(value).filter(|value| *value > 0);
            value.map(Duration::from_nanos)
        };
        let mut words = self.test.into_iter();
        let test = match words.next()?.as_str() {
            "NONE" => HealthTest::Disabled,
            "CMD" => HealthTest::Command(words.collect()),
            "CMD-SHELL" => HealthTest::Shell(words.next().unwrap_or_default()),
            _ => return None,
        };
        let mut check = HealthCheck::disabled()
            .with_interval(time(self.interval))
            .with_timeout(time(self.timeout))
            .with_start_period(time(self.start_period))
            .with_start_interval(time(self.start_interval));
        check.test = test;
        check.retries = positive(self.retries)
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|retries| *retries > 0);
        Some(check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cleaned_as_engines_do() {
        for (path, cleaned) in [
            ("/", "/"),
            ("/a/", "/a"),
            ("//a/./b/../c", "/a/c"),
            ("/../a", "/a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    /// Each looked for among all would take 4 * 10^8 looks.
    #[test]
    fn many_mounts_take_no_longer() {
        let (done, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let point = |number: usize| Point {
                kind: "tmpfs".to_owned(),
                name: String::new(),
                source: String::new(),
                destination: format!("/found/{number}"),
                writable: None,
            };
            let asked = |number: usize| AskedMount {
                target: format!("/asked/{number}"),
                tmpfs_options: None,
            };
            let asked: Vec<_> = (0..20_000).map(asked).collect();
            let mounts = mounts((0..20_000).map(point).collect(), &asked);
            done.send(mounts.len())
        });
        let mounts = end.recv_timeout(Duration::from_secs(20));
        assert_eq!(mounts, Ok(20_000));
    }
}
