//! Mounts, ports and devices beside those that were asked for, and each in words.

use std::net::IpAddr;

use super::compare::Table;
use crate::engine::wire::clean;
use crate::model::{DeviceCount, DeviceRequest, Mount, MountKind, MountPoint, PortMapping};

pub(super) fn mounts_of(table: &mut Table, asked: &[Mount], found: &[MountPoint]) {
    for mount in asked {
        let Mount {
            kind,
            target,
            read_only,
        } = mount;
        let target = clean(target);
        let (kind, source, size) = match kind {
            MountKind::Bind(path) => ("bind", clean(path), None),
            MountKind::Volume(name) => ("volume", name.to_string(), None),
            MountKind::Tmpfs(size) => ("tmpfs", String::new(), *size),
        };
        let wanted = MountPoint {
            kind: kind.to_owned(),
            source,
            target,
            read_only: *read_only,
            size,
        };
        let held: Vec<_> = found
            .iter()
            .filter(|held| clean(&held.target) == wanted.target)
            .map(mounted)
            .collect();
        let wanted = mounted(&wanted);
        if !held.contains(&wanted) {
            table.differ("mounts", wanted, held.into_iter().next());
        }
    }
}

/// A mount in words.
pub(super) fn mounted(mount: &MountPoint) -> String {
    let source = match mount.kind.as_str() {
        "bind" => format!(" {}", clean(&mount.source)),
        "tmpfs" => String::new(),
        _ => format!(" {}", mount.source),
    };
    let access = if mount.read_only { "ro" } else { "rw" };
    let size = mount
        .size
        .map_or_else(String::new, |size| format!(" of {size}"));
    format!(
        "{access} {}{size} on {}{source}",
        mount.kind,
        clean(&mount.target)
    )
}

/// Whether the one that is found is the one that was asked for.
pub(super) fn is_port(asked: &PortMapping, found: &PortMapping) -> bool {
    let PortMapping {
        container_port,
        protocol,
        host_ip,
        host_port,
    } = asked;
    let loopback = IpAddr::from([127, 0, 0, 1]);
    *container_port == found.container_port
        && *protocol == found.protocol
        && Some(host_ip.unwrap_or(loopback)) == found.host_ip
        && (host_port.is_none() || *host_port == found.host_port)
}

/// A published port in words.
pub(super) fn published(port: &PortMapping) -> String {
    let host_ip = port
        .host_ip
        .map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string());
    let host_port = port
        .host_port
        .map_or_else(|| "any".to_owned(), |port| port.to_string());
    let protocol = port.protocol.as_str();
    format!(
        "{}/{protocol} at {host_ip} port {host_port}",
        port.container_port
    )
}

pub(super) fn ports_of(table: &mut Table, asked: &[PortMapping], found: &[PortMapping]) {
    for port in asked {
        if !found.iter().any(|found| is_port(port, found)) {
            let same = |found: &&PortMapping| found.container_port == port.container_port;
            let held = found.iter().find(same).map(published);
            table.differ("ports", published(port), held);
        }
    }
}

/// A request in one form, without its options' values.
pub(super) fn requested(request: &DeviceRequest) -> String {
    let DeviceRequest {
        driver,
        count,
        capabilities,
        options,
    } = request;
    let count = match count {
        DeviceCount::All => "all".to_owned(),
        DeviceCount::Count(count) => count.to_string(),
        DeviceCount::Ids(ids) => format!("{ids:?}"),
    };
    let driver = driver.as_deref().filter(|driver| !driver.is_empty());
    let options: Vec<_> = options.keys().collect();
    format!(
        "{count} {capabilities:?} of {} {options:?}",
        driver.unwrap_or("any driver")
    )
}

/// Whether two requests are for the same.
pub(super) fn is_request(one: &DeviceRequest, other: &DeviceRequest) -> bool {
    requested(one) == requested(other) && one.options == other.options
}

pub(super) fn devices_of(table: &mut Table, asked: &[DeviceRequest], found: &[DeviceRequest]) {
    for request in asked {
        if !found.iter().any(|found| is_request(request, found)) {
            table.differ("devices", requested(request), found.first().map(requested));
        }
    }
}
