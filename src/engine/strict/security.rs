//! Privileges beside those that were asked for.

use super::compare::{Table, text};
use crate::engine::wire::clean;
use crate::model::{
    ContainerDetails, NetworkMode, NetworkRef, SeccompProfile, SecurityProfile, Tmpfs,
};

pub(super) fn profile(table: &mut Table, asked: &SecurityProfile, details: &ContainerDetails) {
    let found = &details.security;
    let SecurityProfile {
        cap_drop,
        cap_add,
        no_new_privileges,
        read_only_root,
        tmpfs,
        user,
        seccomp,
        apparmor,
        runtime,
        network,
        privileged,
    } = asked;
    capabilities(table, cap_drop, cap_add, found);
    for (field, asked, found) in [
        (
            "security.no_new_privileges",
            no_new_privileges,
            found.no_new_privileges,
        ),
        (
            "security.read_only_root",
            read_only_root,
            found.read_only_root,
        ),
        ("security.privileged", privileged, found.privileged),
    ] {
        table.same(field, asked.then(|| true.to_string()), text(Some(found)));
    }
    table.same("security.user", user.clone(), found.user.clone());
    table.same(
        "security.apparmor",
        apparmor.clone(),
        found.apparmor.clone(),
    );
    table.same("security.runtime", runtime.clone(), found.runtime.clone());
    let (asked, held) = (
        seccomp.as_ref().map(filter),
        found.seccomp.as_ref().map(filter),
    );
    table.same("security.seccomp", asked, held);
    for (path, asked) in tmpfs {
        let path = clean(path);
        let options = |tmpfs: &Tmpfs| format!("{path} {}", tmpfs.mount_options());
        let held = found.tmpfs.iter();
        let held: Vec<_> = held
            .filter(|(held, _)| clean(held) == path)
            .map(|(_, tmpfs)| options(tmpfs))
            .collect();
        let asked = options(asked);
        if !held.contains(&asked) {
            table.differ("security.tmpfs", asked, held.into_iter().next());
        }
    }
    if let Some(network) = network
        && !is_on(network, details)
    {
        table.differ(
            "security.network",
            network.to_string(),
            text(found.network.as_ref()),
        );
    }
}

/// The filter in one form, whatever the order and spaces of its JSON.
fn filter(profile: &SeccompProfile) -> String {
    match profile {
        SeccompProfile::Unconfined => "unconfined".to_owned(),
        SeccompProfile::Json(json) => serde_json::from_str::<serde_json::Value>(json)
            .map_or_else(|_| json.clone(), |json| json.to_string()),
    }
}

/// Whether the network in force is the one that was asked for; engines show names where ids were given, and the other
/// way round.
fn is_on(asked: &NetworkMode, details: &ContainerDetails) -> bool {
    let Some(found) = &details.security.network else {
        return false;
    };
    match (asked, found) {
        (NetworkMode::Default, NetworkMode::Host | NetworkMode::Container(_)) => false,
        // It has a name of the engine's own.
        (NetworkMode::Default, _) => true,
        (NetworkMode::Container(asked), NetworkMode::Container(found)) => {
            let (asked, found) = (asked.as_str(), found.as_str());
            let is_id = found.len() == 64 && found.bytes().all(|b| b.is_ascii_hexdigit());
            found == asked || is_id
        }
        (NetworkMode::Network(asked), NetworkMode::Network(found)) => {
            let known = details.networks.get(found.as_str());
            let id = known.and_then(|network| network.network_id.as_deref());
            asked == found
                || id.is_some_and(|id| id.starts_with(asked.as_str()))
                || details.networks.get(asked.as_str()).is_some_and(|network| {
                    let id = network.network_id.as_deref();
                    id.is_some_and(|id| id.starts_with(found.as_str()))
                })
                || (found.as_str() == "bridge" && is_among(asked, details))
        }
        (asked, found) => asked == found,
    }
}

/// Whether it is one of the container's networks. Podman's word for all that it makes is `bridge`; which it is, is
/// told there alone.
fn is_among(asked: &NetworkRef, details: &ContainerDetails) -> bool {
    details.networks.iter().any(|(name, network)| {
        let id = network.network_id.as_deref();
        name == asked.as_str() || id.is_some_and(|id| id.starts_with(asked.as_str()))
    })
}

/// A capability by its bare name.
pub(super) fn bare(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
}

/// What Podman gives by default, and lists one by one where all are dropped.
const PODMANS: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn capabilities(table: &mut Table, drop: &[String], add: &[String], found: &SecurityProfile) {
    let names = |list: &[String]| list.iter().map(|name| bare(name)).collect::<Vec<_>>();
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    let (drop, add) = (names(drop), names(add));
    let (dropped, added) = (names(&found.cap_drop), names(&found.cap_add));
    let has = |list: &[String], name: &str| list.iter().any(|one| one == name);
    let all_dropped = has(&dropped, "ALL")
        || PODMANS
            .iter()
            .all(|name| has(&dropped, name) || has(&add, name));
    let is_dropped = |name: &String| match name.as_str() {
        "ALL" => all_dropped,
        name => has(&dropped, name) || has(&dropped, "ALL"),
    };
    if !drop.iter().all(is_dropped) {
        table.differ("security.cap_drop", list(&drop), list(&dropped));
    }
    // What an engine gives anyway it needn't add.
    let given = |name: &String| {
        let by_default = PODMANS.contains(&name.as_str()) && !has(&dropped, "ALL");
        has(&added, name)
            || has(&added, "ALL")
            || (by_default && !has(&dropped, name))
            // Podman lists all that there are.
            || (name == "ALL" && added.len() > 30)
    };
    if !add.iter().all(given) {
        table.differ("security.cap_add", list(&add), list(&added));
    }
}
