//! `/proc`, as far as programs look at it: made up as it is read.

use std::sync::Arc;

use super::errno::{Errno, Result};
use super::node::Node;
use super::process::Proc;
use super::world::World;

/// Capabilities by their bits: `linux/capability.h`.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

pub(super) fn look(world: &World, pid: u32, path: &[String]) -> Result<Arc<Node>> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let node = match names.as_slice() {
        [] => {
            let pids = world.processes().into_iter();
            let pids = pids.map(|process| (process.pid.to_string(), Node::directory(0o555)));
            let files = ["cpuinfo", "meminfo", "mounts", "uptime", "version"]
                .map(|name| (name.to_owned(), Node::file(0o444, "")));
            let own = ("self".to_owned(), Node::link(pid.to_string()));
            Node::directory(0o555).with(pids.chain(files).chain([own]))
        }
        ["self"] => Node::link(pid.to_string()),
        ["mounts"] => Node::file(0o444, mounts(world)),
        ["version"] => Node::file(0o444, "Linux version 6.1.0-fake\n"),
        ["meminfo"] => {
            let kib = world.limits().memory.unwrap_or(8 << 30) >> 10;
            Node::file(0o444, format!("MemTotal:       {kib} kB\n"))
        }
        ["uptime"] => Node::file(0o444, "1.00 1.00\n"),
        ["cpuinfo"] => {
            let one = |cpu| format!("processor\t: {cpu}\n\n");
            Node::file(0o444, (0..world.cpus()).map(one).collect::<String>())
        }
        [number, rest @ ..] => {
            let pid = number.parse().map_err(|_| Errno::NoEntry)?;
            let process = world.process(pid).ok_or(Errno::NoEntry)?;
            of_process(world, &process, rest)?
        }
    };
    Ok(Arc::new(node))
}

fn of_process(world: &World, process: &Proc, path: &[&str]) -> Result<Node> {
    let text = |text: String| {
        let mut node = Node::file(0o444, text);
        (node.uid, node.gid) = process.user;
        node
    };
    Ok(match path {
        [] => Node::directory(0o555).with(
            ["cmdline", "comm", "environ", "mounts", "stat", "status"]
                .map(|name| (name.to_owned(), Node::file(0o444, ""))),
        ),
        ["cmdline"] => text(process.argv().join("\0") + "\0"),
        ["comm"] => text(process.name() + "\n"),
        ["environ"] => {
            let mut node = text(
                process
                    .environ()
                    .iter()
                    .map(|pair| format!("{pair}\0"))
                    .collect(),
            );
            node.mode = 0o400;
            node
        }
        ["mounts"] => text(mounts(world)),
        ["stat"] => text(format!(
            "{} ({}) {} {}\n",
            process.pid,
            process.name(),
            process.state(),
            process.parent()
        )),
        ["status"] => text(status(world, process)),
        _ => return Err(Errno::NoEntry),
    })
}

fn status(world: &World, process: &Proc) -> String {
    let setup = world.setup();
    let bit = |name: &str| CAPABILITIES.iter().position(|known| *known == name);
    let bits = setup.capabilities.iter().filter_map(|name| bit(name));
    let bounding = bits.fold(0_u64, |set, bit| set | 1 << bit);
    let bounding = if process.privileged {
        (1 << 41) - 1
    } else {
        bounding
    };
    let effective = if process.user.0 == 0 { bounding } else { 0 };
    let (uid, gid) = process.user;
    format!(
        "Name:\t{}\nState:\t{}\nPid:\t{}\nPPid:\t{}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
         Gid:\t{gid}\t{gid}\t{gid}\t{gid}\nCapInh:\t{:016x}\nCapPrm:\t{effective:016x}\n\
         CapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\n\
         Seccomp:\t2\n",
        process.name(),
        process.state(),
        process.pid,
        process.parent(),
        0,
        0,
        u8::from(setup.no_new_privileges),
    )
}

fn mounts(world: &World) -> String {
    let line = |mount: &super::files::Mount| {
        let how = if mount.read_only { "ro" } else { "rw" };
        let kind = match mount.kind {
            super::files::MountKind::Layers => "overlay",
            super::files::MountKind::Volume | super::files::MountKind::Told(_) => "ext4",
            super::files::MountKind::Memory => "tmpfs",
            super::files::MountKind::Processes => "proc",
        };
        let path = super::files::path_of(&mount.path);
        format!("{kind} {path} {kind} {how} 0 0\n")
    };
    world.mounts().iter().map(line).collect()
}
