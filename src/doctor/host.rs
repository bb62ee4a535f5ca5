//! What the engine says of itself and its host.

use super::report::Finding;
use crate::model::{CgroupVersion, EngineInfo};

/// Words in the names of runtimes that have a kernel of their own.
const SANDBOXES: [&str; 6] = ["runsc", "gvisor", "kata", "firecracker", "krun", "sysbox"];

pub(super) fn all(info: &EngineInfo) -> Vec<Finding> {
    let mut findings = vec![cgroup(info)];
    findings.extend(limits(info));
    findings.extend([storage(info), disk_quota(info), log_driver(info)]);
    findings.extend([default_runtime(info), sandbox(info), gpu(info)]);
    findings.extend([
        rootless(info),
        user_namespaces(info),
        seccomp(info),
        mac(info),
    ]);
    findings.extend([live_restore(info), warnings(info)]);
    findings
}

fn cgroup(info: &EngineInfo) -> Finding {
    const NAME: &str = "cgroup";
    let driver = info.cgroup_driver.as_deref().unwrap_or("unknown");
    let Some(version) = info.cgroup_version else {
        return Finding::unknown(
            NAME,
            format!("the engine doesn't say its version; driver {driver}"),
        );
    };
    let number = match version {
        CgroupVersion::V1 => 1,
        CgroupVersion::V2 => 2,
    };
    let seen = format!("version {number}, driver {driver}");
    if driver == "none" {
        return Finding::problem(NAME, seen).advise(
            "without a cgroup driver no limit holds: a rootless engine needs cgroup v2 and systemd",
        );
    }
    match version {
        CgroupVersion::V1 if info.rootless => Finding::problem(NAME, seen)
            .advise("a rootless engine can set no limits on cgroup v1: boot with systemd.unified_cgroup_hierarchy=1"),
        CgroupVersion::V1 => Finding::info(NAME, seen)
            .advise("newer systemd and engines leave version 1 behind: boot with systemd.unified_cgroup_hierarchy=1"),
        CgroupVersion::V2 => Finding::ok(NAME, seen),
    }
}

/// What the engine says that it can limit. The dangerous ones are those that keep the host alive.
fn limits(info: &EngineInfo) -> Vec<Finding> {
    let said = &info.limits;
    let cmdline = "on cgroup v1 boot with cgroup_enable=memory swapaccount=1; rootless on v2, delegate the controllers \
                   (systemctl edit user@.service, Delegate=cpu cpuset io memory pids)";
    let delegate = "rootless on cgroup v2, delegate the controller (systemctl edit user@.service, \
                    Delegate=cpu cpuset io memory pids); elsewhere see the kernel's configuration";
    [
        ("memory_limit", said.memory, true, cmdline),
        ("swap_limit", said.swap, false, cmdline),
        ("pids_limit", said.pids, true, delegate),
        ("cpu_quota", said.cpu_quota, false, delegate),
        ("cpu_shares", said.cpu_shares, false, delegate),
        ("cpuset", said.cpuset, false, delegate),
    ]
    .into_iter()
    .map(|(name, said, vital, advice)| match said {
        Some(true) => Finding::ok(name, "the engine says that it can set it"),
        Some(false) if vital => {
            Finding::problem(name, "the engine can't set it, and drops it with a warning").advise(
                format!("one container can take the whole machine: {advice}"),
            )
        }
        Some(false) => {
            Finding::warning(name, "the engine can't set it, and drops it with a warning")
                .advise(advice)
        }
        None => Finding::unknown(name, "the engine doesn't say")
            .advise("give an image, and strict specs, to see what holds"),
    })
    .collect()
}

fn storage(info: &EngineInfo) -> Finding {
    const NAME: &str = "storage_driver";
    let Some(driver) = info.storage_driver.as_deref() else {
        return Finding::unknown(NAME, "the engine doesn't say");
    };
    let seen = match &info.backing_filesystem {
        Some(backing) => format!("{driver} on {backing}"),
        None => driver.to_owned(),
    };
    match driver {
        "vfs" => Finding::warning(NAME, seen)
            .advise("vfs copies the whole image for each container: take overlay2"),
        "aufs" | "devicemapper" => Finding::warning(NAME, seen)
            .advise("newer engines have dropped this driver: take overlay2 before an upgrade"),
        "fuse-overlayfs" => Finding::info(NAME, seen).advise(
            "slower than the kernel's overlay, which rootless engines can take from Linux 5.11 on",
        ),
        _ => Finding::ok(NAME, seen),
    }
}

fn disk_quota(info: &EngineInfo) -> Finding {
    const NAME: &str = "disk_quota";
    let backing = info.backing_filesystem.as_deref().unwrap_or("unknown");
    match info.storage_driver.as_deref() {
        Some("btrfs" | "zfs" | "devicemapper" | "windowsfilter") => {
            Finding::ok(NAME, "the storage driver can limit a container's disk")
        }
        Some("overlay2" | "overlay") if backing == "xfs" => {
            Finding::info(NAME, "the storage driver can limit a container's disk where xfs is mounted with pquota")
                .advise("findmnt -no OPTIONS -T /var/lib/docker shows prjquota; without it Resources::disk is refused")
        }
        Some(driver) => Finding::info(NAME, format!("{driver} on {backing} can't limit a container's disk: Resources::disk is refused"))
            .advise("keep roots read-only with a sized tmpfs, as untrusted specs have, or put the engine's data on xfs with pquota"),
        None => Finding::unknown(NAME, "the engine doesn't name its storage driver"),
    }
}

fn log_driver(info: &EngineInfo) -> Finding {
    const NAME: &str = "log_driver";
    match info.log_driver.as_deref() {
        None => Finding::unknown(NAME, "the engine doesn't say"),
        Some("json-file" | "k8s-file") => Finding::info(
            NAME,
            format!("{}, which doesn't rotate unless it is told to", info.log_driver.as_deref().unwrap_or_default()),
        )
        .advise(
            "untrusted specs rotate theirs; for all others set log-opts max-size and max-file in /etc/docker/daemon.json",
        ),
        Some("none") => Finding::warning(NAME, "none: output isn't kept")
            .advise("run and logs need a driver that keeps output: local, json-file or journald"),
        Some(driver @ ("local" | "journald")) => Finding::ok(NAME, driver),
        Some(driver) => Finding::info(NAME, driver)
            .advise("output is read from a local copy, which engines before 20.10 don't keep"),
    }
}

fn default_runtime(info: &EngineInfo) -> Finding {
    let all = info.runtimes.join(", ");
    match &info.default_runtime {
        Some(runtime) => Finding::ok("default_runtime", format!("{runtime}; there are: {all}")),
        None => Finding::unknown(
            "default_runtime",
            format!("the engine doesn't say; there are: {all}"),
        ),
    }
}

fn sandbox(info: &EngineInfo) -> Finding {
    const NAME: &str = "sandbox_runtime";
    let is_sandbox = |name: &&String| SANDBOXES.iter().any(|word| name.contains(word));
    let found: Vec<_> = info.runtimes.iter().filter(is_sandbox).cloned().collect();
    if found.is_empty() {
        return Finding::info(NAME, "none: containers share the host's kernel").advise(
            "for code that nobody vouches for install gVisor (runsc) or Kata, and name it with SecurityProfile::with_runtime",
        );
    }
    Finding::ok(NAME, found.join(", "))
}

fn gpu(info: &EngineInfo) -> Finding {
    const NAME: &str = "gpu";
    if !info.devices.is_empty() {
        return Finding::ok(NAME, format!("CDI devices: {}", info.devices.join(", ")));
    }
    if info
        .runtimes
        .iter()
        .any(|runtime| runtime.contains("nvidia"))
    {
        return Finding::ok(NAME, "the runtime nvidia is there");
    }
    let seen = if info.cdi_spec_dirs.is_empty() {
        "no runtime nvidia, no CDI devices".to_owned()
    } else {
        format!(
            "no runtime nvidia; CDI devices are looked for in {}",
            info.cdi_spec_dirs.join(", ")
        )
    };
    Finding::info(NAME, seen).advise(
        "where GPUs are wanted install nvidia-container-toolkit, and nvidia-ctk runtime configure",
    )
}

fn rootless(info: &EngineInfo) -> Finding {
    if info.rootless {
        Finding::ok("rootless", "the engine runs without root's rights")
    } else {
        Finding::info(
            "rootless",
            "the engine runs as root: who may call it is root",
        )
        .advise("give its socket to services that need it, and to nobody else")
    }
}

/// Whether the engine names that option.
fn option<'a>(info: &'a EngineInfo, name: &str) -> Option<&'a str> {
    let named = |option: &&String| {
        let mut parts = option.split(',');
        // Engines before 17.06 and Podman's first ones write the bare name.
        parts.any(|part| part.strip_prefix("name=").unwrap_or(part) == name)
    };
    info.security_options.iter().find(named).map(String::as_str)
}

fn user_namespaces(info: &EngineInfo) -> Finding {
    const NAME: &str = "user_namespaces";
    if info.rootless || option(info, "userns").is_some() {
        return Finding::ok(NAME, "root in a container is nobody on the host");
    }
    Finding::info(
        NAME,
        "none: root in a container is root's number on the host",
    )
    .advise(
        "untrusted specs run as nobody; for all others set userns-remap in /etc/docker/daemon.json",
    )
}

fn seccomp(info: &EngineInfo) -> Finding {
    const NAME: &str = "seccomp";
    match option(info, "seccomp") {
        Some(option) if option.contains("unconfined") => Finding::warning(NAME, option).advise(
            "no system call is filtered: take seccomp-profile out of /etc/docker/daemon.json",
        ),
        Some(option) => Finding::ok(NAME, option),
        None => Finding::warning(
            NAME,
            "the engine names no seccomp: no system call is filtered",
        )
        .advise("take a kernel with CONFIG_SECCOMP_FILTER, and an engine that is built with it"),
    }
}

fn mac(info: &EngineInfo) -> Finding {
    const NAME: &str = "mandatory_access_control";
    match option(info, "apparmor").or_else(|| option(info, "selinux")) {
        Some(option) => Finding::ok(NAME, option),
        None => Finding::info(NAME, "neither AppArmor nor SELinux")
            .advise("aa-status or getenforce shows the host's; engines take it up at their start"),
    }
}

fn live_restore(info: &EngineInfo) -> Finding {
    const NAME: &str = "live_restore";
    match info.live_restore {
        Some(true) => Finding::ok(NAME, "containers live on while the engine is restarted"),
        Some(false) => Finding::info(
            NAME,
            "off: with Docker, a restart of the engine ends all containers",
        )
        .advise(
            "set \"live-restore\": true in /etc/docker/daemon.json, and systemctl reload docker",
        ),
        None => Finding::unknown(NAME, "the engine doesn't say"),
    }
}

fn warnings(info: &EngineInfo) -> Finding {
    const NAME: &str = "engine_warnings";
    if info.warnings.is_empty() {
        return Finding::ok(NAME, "none");
    }
    Finding::warning(NAME, info.warnings.join("; "))
        .advise("docker info shows them at its end; each names what the engine can't do here")
}
