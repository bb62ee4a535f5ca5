//! What a container has that nobody asked for, and that gives it more than the engine's default.

use super::attached::{is_port, is_request, mounted, published, requested};
use super::compare::Table;
use super::security::bare;
use crate::engine::wire::clean;
use crate::model::{
    ContainerDetails, ContainerSpec, HostAccess, NetworkMode, SeccompProfile, SecurityProfile,
};

pub(super) fn granted(table: &mut Table, spec: &ContainerSpec, found: &ContainerDetails) {
    let asked = &spec.security;
    network(table, asked, found);
    namespaces(table, &found.host_access);
    for mount in found.mounts.iter().filter(|mount| mount.kind == "bind") {
        let target = clean(&mount.target);
        if !spec
            .mounts
            .iter()
            .any(|asked| clean(&asked.target) == target)
        {
            table.differ("mounts", None, mounted(mount));
        }
    }
    for port in &found.port_bindings {
        if !spec.ports.iter().any(|asked| is_port(asked, port)) {
            table.differ("ports", None, published(port));
        }
    }
    if found.host_access.publishes_all_ports {
        table.differ("ports", None, "all of the image's".to_owned());
    }
    for request in &found.devices {
        if !spec.devices.iter().any(|asked| is_request(asked, request)) {
            table.differ("devices", None, requested(request));
        }
    }
    // What is privileged has all of the rest.
    if !asked.privileged {
        privileges(table, asked, found);
    }
}

fn network(table: &mut Table, asked: &SecurityProfile, found: &ContainerDetails) {
    let mode = &found.security.network;
    if let (None, Some(mode @ (NetworkMode::Host | NetworkMode::Container(_)))) =
        (&asked.network, mode)
    {
        table.differ("security.network", None, mode.to_string());
    }
    // It is born into one at most; Docker calls that of nobody `none`.
    let names = || found.networks.keys().filter(|name| *name != "none");
    let most = usize::from(asked.network != Some(NetworkMode::None));
    if names().count() > most {
        let names: Vec<_> = names().map(String::as_str).collect();
        let asked = asked.network.as_ref().map(ToString::to_string);
        table.differ("security.network", asked, names.join(","));
    }
}

fn namespaces(table: &mut Table, found: &HostAccess) {
    for (field, mode) in [
        ("host_access.pid_mode", &found.pid_mode),
        ("host_access.ipc_mode", &found.ipc_mode),
        ("host_access.uts_mode", &found.uts_mode),
        ("host_access.userns_mode", &found.userns_mode),
    ] {
        let others = |mode: &&String| *mode == "host" || mode.starts_with("container:");
        if let Some(mode) = mode.as_ref().filter(others) {
            table.differ(field, None, mode.clone());
        }
    }
}

fn privileges(table: &mut Table, asked: &SecurityProfile, details: &ContainerDetails) {
    let found = &details.security;
    if found.privileged {
        table.differ("security.privileged", "false".to_owned(), "true".to_owned());
    }
    let wanted: Vec<_> = asked.cap_add.iter().map(|name| bare(name)).collect();
    let extra = found.cap_add.iter().map(|name| bare(name));
    let extra: Vec<_> = extra.filter(|name| !wanted.contains(name)).collect();
    if !extra.is_empty() && !wanted.iter().any(|name| name == "ALL") {
        let wanted = (!wanted.is_empty()).then(|| wanted.join(","));
        table.differ("security.cap_add", wanted, extra.join(","));
    }
    if let (None, Some(filter)) = (&asked.seccomp, &found.seccomp) {
        let filter = match filter {
            SeccompProfile::Unconfined => "unconfined",
            SeccompProfile::Json(_) => "another filter",
        };
        table.differ("security.seccomp", None, filter.to_owned());
    }
    if let (None, Some("unconfined")) = (&asked.apparmor, found.apparmor.as_deref()) {
        table.differ("security.apparmor", None, "unconfined".to_owned());
    }
    let HostAccess {
        pid_mode: _,
        ipc_mode: _,
        uts_mode: _,
        userns_mode: _,
        publishes_all_ports: _,
        devices,
        device_rules,
        groups,
        security_options,
        unmasked,
    } = &details.host_access;
    let loose = |option: &&String| {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        key == "unmask" || matches!(value, "disable" | "unconfined")
    };
    let loosened: Vec<_> = security_options.iter().filter(loose).cloned().collect();
    for (field, items) in [
        ("host_access.devices", devices),
        ("host_access.device_rules", device_rules),
        ("host_access.groups", groups),
        ("host_access.security_options", &loosened),
    ] {
        if !items.is_empty() {
            table.differ(field, None, items.join(","));
        }
    }
    if *unmasked {
        table.differ(
            "host_access.unmasked",
            "false".to_owned(),
            "true".to_owned(),
        );
    }
}
