//! What a session's container may have beyond a hardened one, each by its name.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{
    ContainerSpec, LogConfig, MemorySwap, Mount, MountKind, NetworkMode, SecurityProfile,
};

/// One way in which a session's container may be weaker than hardened, which is refused unless it is allowed by name.
///
/// [`ContainerSpec::untrusted`], made [strict](ContainerSpec::strict), needs none of them. Written as in
/// `writable_root`.
///
/// ```
/// use catamaran::session::Loosening;
///
/// assert_eq!(Loosening::WritableRoot.to_string(), "writable_root");
/// assert_eq!(serde_json::to_string(&Loosening::Network).unwrap(), r#""network""#);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loosening {
    /// Capabilities: not all are dropped, or one is given.
    Capabilities,
    /// Processes may gain privileges, as by set-uid programs.
    NewPrivileges,
    /// It may run as root: its user is 0, or left to the image, or given by a name, whose number is the image's to say.
    Root,
    /// Its root file system can be written to, without a bound on the disk.
    WritableRoot,
    /// A directory in memory without a size of its own.
    UnsizedScratch,
    /// A network that isn't the session's own: the engine's default, or one by name.
    Network,
    /// The network of the host, or that of another container.
    HostNetwork,
    /// Ports published on the engine's host.
    PublishedPorts,
    /// Paths of the engine's host.
    HostMounts,
    /// Named volumes, which others may have too and which outlive the session.
    SharedVolumes,
    /// No limit on memory, and so none on swap.
    Memory,
    /// Swap beside its memory.
    Swap,
    /// No limit on processes and threads.
    Pids,
    /// No limit on processor time.
    Cpus,
    /// A log on the engine's disk that may grow without bound: the engine's default, or one that isn't rotated.
    Logs,
    /// GPUs and other devices.
    Devices,
    /// Another filter on system calls than the engine's own, or none. What one of your own lets through isn't judged.
    Seccomp,
    /// No AppArmor profile.
    Apparmor,
    /// All that the host has.
    Privileged,
    /// A container that the engine made weaker than it was asked for isn't refused.
    NotStrict,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capabilities => "capabilities",
            Self::NewPrivileges => "new_privileges",
            Self::Root => "root",
            Self::WritableRoot => "writable_root",
            Self::UnsizedScratch => "unsized_scratch",
            Self::Network => "network",
            Self::HostNetwork => "host_network",
            Self::PublishedPorts => "published_ports",
            Self::HostMounts => "host_mounts",
            Self::SharedVolumes => "shared_volumes",
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Pids => "pids",
            Self::Cpus => "cpus",
            Self::Logs => "logs",
            Self::Devices => "devices",
            Self::Seccomp => "seccomp",
            Self::Apparmor => "apparmor",
            Self::Privileged => "privileged",
            Self::NotStrict => "not_strict",
        })
    }
}

/// Refuses whatever is weaker than hardened and isn't allowed.
///
/// # Errors
/// `InvalidInput` by the name of the field, naming the loosening that would allow it.
pub(crate) fn check(container: &ContainerSpec, allowed: &BTreeSet<Loosening>) -> Result<()> {
    use Loosening as L;
    let (may, use_of) = (&container.security, &container.resources);
    let mounted = |kind: fn(&MountKind) -> bool| {
        let mut mounts = container.mounts.iter();
        mounts.any(|Mount { kind: mounted, .. }| kind(mounted))
    };
    let (strange, shared) = network(may);
    let swaps = (use_of.memory).is_some_and(|memory| {
        // Left to the engine it is as much again.
        use_of.memory_swap != Some(MemorySwap::Total(memory))
    });
    let drops_all = may.cap_drop.iter().any(|c| c.eq_ignore_ascii_case("all"));
    let no_limit = "has no limit";
    let found = [
        (
            !drops_all,
            L::Capabilities,
            "security.cap_drop",
            "isn't ALL",
        ),
        (
            !may.cap_add.is_empty(),
            L::Capabilities,
            "security.cap_add",
            "gives capabilities",
        ),
        (
            !may.no_new_privileges,
            L::NewPrivileges,
            "security.no_new_privileges",
            "isn't set",
        ),
        (
            may_be_root(may),
            L::Root,
            "security.user",
            "isn't a number above 0, so that it may be root",
        ),
        (
            !may.read_only_root,
            L::WritableRoot,
            "security.read_only_root",
            "isn't set",
        ),
        (
            mounted(|kind| matches!(kind, MountKind::Tmpfs(None))),
            L::UnsizedScratch,
            "mounts",
            "have memory without a size",
        ),
        (strange, L::Network, "security.network", "isn't none"),
        (
            shared,
            L::HostNetwork,
            "security.network",
            "is that of the host or of another container",
        ),
        (
            !container.ports.is_empty(),
            L::PublishedPorts,
            "ports",
            "are published",
        ),
        (
            mounted(|kind| matches!(kind, MountKind::Bind(_))),
            L::HostMounts,
            "mounts",
            "have paths of the host",
        ),
        (
            mounted(|kind| matches!(kind, MountKind::Volume(_))),
            L::SharedVolumes,
            "mounts",
            "have named volumes",
        ),
        (
            use_of.memory.is_none(),
            L::Memory,
            "resources.memory",
            no_limit,
        ),
        (
            swaps,
            L::Swap,
            "resources.memory_swap",
            "isn't the memory limit, so that it may swap",
        ),
        (use_of.pids.is_none(), L::Pids, "resources.pids", no_limit),
        (use_of.cpus.is_none(), L::Cpus, "resources.cpus", no_limit),
        (
            container.log.as_ref().is_none_or(grows),
            L::Logs,
            "log",
            "isn't rotated",
        ),
        (
            !container.devices.is_empty(),
            L::Devices,
            "devices",
            "are asked for",
        ),
        (
            may.seccomp.is_some(),
            L::Seccomp,
            "security.seccomp",
            "isn't the engine's own",
        ),
        (
            may.apparmor.as_deref() == Some("unconfined"),
            L::Apparmor,
            "security.apparmor",
            "is unconfined",
        ),
        (
            may.privileged,
            L::Privileged,
            "security.privileged",
            "is set",
        ),
        (!container.strict, L::NotStrict, "strict", "isn't set"),
    ];
    for (weak, loosening, field, what) in found {
        if weak && !allowed.contains(&loosening) {
            return Err(Error::invalid(
                field,
                format!(
                    "{what}: a session's container is hardened unless Loosening::{loosening:?} is allowed"
                ),
            ));
        }
    }
    Ok(())
}

/// Whether it is a network of others, and whether it isn't one of its own at all.
fn network(security: &SecurityProfile) -> (bool, bool) {
    match &security.network {
        Some(NetworkMode::None) => (false, false),
        Some(NetworkMode::Host | NetworkMode::Container(_)) => (false, true),
        // The engine reads the name alone.
        Some(NetworkMode::Network(name)) if name.as_str() == "host" => (false, true),
        _ => (true, false),
    }
}

/// Whether its first process may have the user 0. A name's number is in the image, and the image is nobody's to vouch for.
fn may_be_root(security: &SecurityProfile) -> bool {
    let user = security.user.as_deref().unwrap_or_default();
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    user.parse::<u32>().map_or(true, |uid| uid == 0)
}

/// Whether it may fill the engine's disk. What other drivers keep isn't the engine's.
fn grows(log: &LogConfig) -> bool {
    // A size of -1 is none, and so is one that can't be read.
    let positive = |size: &String| {
        let digits = size.trim_end_matches(|c: char| !c.is_ascii_digit());
        digits.parse::<f64>().is_ok_and(|size| size > 0.0)
    };
    let size = log.options.get("max-size");
    match log.driver.as_str() {
        "json-file" | "k8s-file" => !size.is_some_and(positive),
        // Rotated unless told otherwise.
        "local" => !size.is_none_or(positive),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::model::{
        ContainerRef, DeviceCount, DeviceRequest, HealthCheck, ImageRef, NetworkRef, PortMapping,
        Resources, SeccompProfile, Tmpfs, VolumeName,
    };

    fn hardened() -> ContainerSpec {
        let image = ImageRef::new("busybox").expect("a reference");
        ContainerSpec::untrusted(image).with_strict(true)
    }

    fn with(change: impl FnOnce(&mut ContainerSpec)) -> ContainerSpec {
        let mut spec = hardened();
        change(&mut spec);
        spec
    }

    fn logs(log: impl Into<Option<LogConfig>>) -> ContainerSpec {
        hardened().with_log(log.into())
    }

    fn network_of(mode: impl Into<Option<NetworkMode>>) -> ContainerSpec {
        with(|spec| spec.security.network = mode.into())
    }

    fn user(user: &str) -> ContainerSpec {
        with(|spec| spec.security.user = Some(user.to_owned()))
    }

    /// Each weakness by itself.
    fn weak() -> Vec<(Loosening, &'static str, ContainerSpec)> {
        use Loosening as L;
        let named = |name: &str| NetworkMode::Network(NetworkRef::new(name).expect("a name"));
        let other = ContainerRef::new("other").expect("a name");
        let volume = VolumeName::new("data").expect("a name");
        let gpus = DeviceRequest::gpus(DeviceCount::All);
        let own = SeccompProfile::Json("{}".to_owned());
        let mut unsized_scratch = Mount::tmpfs(1, "/scratch");
        unsized_scratch.kind = MountKind::Tmpfs(None);
        vec![
            (
                L::Capabilities,
                "security.cap_drop",
                with(|s| s.security.cap_drop.clear()),
            ),
            (
                L::Capabilities,
                "security.cap_drop",
                with(|s| s.security.cap_drop = vec!["NET_RAW".to_owned()]),
            ),
            (
                L::Capabilities,
                "security.cap_add",
                with(|s| s.security.cap_add.push("CHOWN".to_owned())),
            ),
            (
                L::NewPrivileges,
                "security.no_new_privileges",
                with(|s| s.security.no_new_privileges = false),
            ),
            (L::Root, "security.user", with(|s| s.security.user = None)),
            (L::Root, "security.user", user("root")),
            (L::Root, "security.user", user("0")),
            (L::Root, "security.user", user("0:1000")),
            (L::Root, "security.user", user("000")),
            (L::Root, "security.user", user("+0")),
            (L::Root, "security.user", user("-0")),
            (L::Root, "security.user", user(":1000")),
            (L::Root, "security.user", user("4294967296")),
            (L::Root, "security.user", user("app")),
            (
                L::WritableRoot,
                "security.read_only_root",
                with(|s| s.security.read_only_root = false),
            ),
            (
                L::UnsizedScratch,
                "mounts",
                hardened().with_mount(unsized_scratch),
            ),
            (L::Network, "security.network", network_of(None)),
            (
                L::Network,
                "security.network",
                network_of(NetworkMode::Default),
            ),
            (L::Network, "security.network", network_of(named("bridge"))),
            (
                L::HostNetwork,
                "security.network",
                network_of(NetworkMode::Host),
            ),
            (
                L::HostNetwork,
                "security.network",
                network_of(named("host")),
            ),
            (
                L::HostNetwork,
                "security.network",
                network_of(NetworkMode::Container(other)),
            ),
            (
                L::PublishedPorts,
                "ports",
                hardened().with_port(PortMapping::tcp(80)),
            ),
            (
                L::HostMounts,
                "mounts",
                hardened().with_mount(Mount::bind("/a", "/a")),
            ),
            (
                L::SharedVolumes,
                "mounts",
                hardened().with_mount(Mount::volume(volume, "/data").read_only()),
            ),
            (
                L::Memory,
                "resources.memory",
                with(|s| (s.resources.memory, s.resources.memory_swap) = (None, None)),
            ),
            (
                L::Swap,
                "resources.memory_swap",
                with(|s| s.resources.memory_swap = None),
            ),
            (
                L::Swap,
                "resources.memory_swap",
                with(|s| s.resources.memory_swap = Some(MemorySwap::Unlimited)),
            ),
            (
                L::Swap,
                "resources.memory_swap",
                with(|s| s.resources.memory_swap = Some(MemorySwap::Total(1 << 40))),
            ),
            (L::Pids, "resources.pids", with(|s| s.resources.pids = None)),
            (L::Cpus, "resources.cpus", with(|s| s.resources.cpus = None)),
            (L::Logs, "log", logs(None)),
            (L::Logs, "log", logs(LogConfig::new("json-file"))),
            (
                L::Logs,
                "log",
                logs(LogConfig::new("json-file").with_option("max-size", "-1")),
            ),
            (
                L::Logs,
                "log",
                logs(LogConfig::new("local").with_option("max-size", "0")),
            ),
            (L::Devices, "devices", hardened().with_devices(gpus)),
            (
                L::Seccomp,
                "security.seccomp",
                with(|s| s.security.seccomp = Some(SeccompProfile::Unconfined)),
            ),
            (
                L::Seccomp,
                "security.seccomp",
                with(|s| s.security.seccomp = Some(own)),
            ),
            (
                L::Apparmor,
                "security.apparmor",
                with(|s| s.security.apparmor = Some("unconfined".to_owned())),
            ),
            (
                L::Privileged,
                "security.privileged",
                with(|s| s.security.privileged = true),
            ),
            (L::NotStrict, "strict", hardened().with_strict(false)),
        ]
    }

    #[test]
    fn what_is_hardened_needs_nothing_allowed() {
        let none = BTreeSet::new();
        check(&hardened(), &none).expect("it is hardened");
        let scratch = Tmpfs::new(1 << 20).with_exec();
        for fine in [
            user("1000"),
            user("1000:1000"),
            with(|s| s.security.cap_drop = vec!["all".to_owned()]),
            with(|s| s.security.apparmor = Some("mine".to_owned())),
            with(|s| s.security = s.security.clone().with_tmpfs("/work", scratch)),
            with(|s| s.resources = Resources::untrusted().with_memory_and_no_swap(1 << 30)),
            hardened().with_mount(Mount::tmpfs(1 << 20, "/scratch")),
            hardened().with_health_check(HealthCheck::shell("true")),
            hardened().with_stop_timeout(Duration::from_secs(1)),
            logs(LogConfig::new("none")),
            logs(LogConfig::new("local")),
            logs(LogConfig::new("local").with_option("max-size", "10m")),
            logs(LogConfig::new("json-file").with_option("max-size", "0.5g")),
            logs(LogConfig::new("syslog")),
        ] {
            check(&fine, &none).expect("it is hardened");
        }
    }

    #[test]
    fn each_weakness_is_refused_by_its_name_and_passes_where_it_is_allowed() {
        let weak = weak();
        let all: BTreeSet<_> = weak.iter().map(|(loosening, ..)| *loosening).collect();
        assert_eq!(all.len(), 20, "each has a case");
        for (loosening, field, spec) in weak {
            let mut others = all.clone();
            others.remove(&loosening);
            for allowed in [BTreeSet::new(), others] {
                let error = check(&spec, &allowed).expect_err(field);
                assert_eq!(
                    (error.kind(), error.field()),
                    (ErrorKind::InvalidInput, Some(field))
                );
                let name = format!("Loosening::{loosening:?} ");
                assert!(error.message().contains(&name), "{loosening}: {error}");
            }
            check(&spec, &BTreeSet::from([loosening])).expect("it is allowed");
        }
    }

    #[test]
    fn is_written_as_it_is_shown() {
        for (loosening, ..) in weak() {
            let json = serde_json::to_string(&loosening).expect("JSON");
            assert_eq!(json, format!("\"{loosening}\""));
            let read: Loosening = serde_json::from_str(&json).expect("a name");
            assert_eq!(read, loosening);
        }
    }
}
