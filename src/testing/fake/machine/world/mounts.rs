//! What is mounted: layers and volumes, which last, and what each start finds new.

use std::sync::{Arc, LazyLock};

use super::super::files::{Mount, MountKind, Space, Told};
use super::super::node::{Device, Node, Quota};
use super::super::tree::parts_of;
use super::super::{Mounted, What};
use super::{World, lock};

/// `/dev`: one for all, until somebody writes to it.
static DEVICES: LazyLock<Arc<Node>> = LazyLock::new(|| {
    let devices = [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("random", Device::Random),
        ("urandom", Device::Random),
        ("full", Device::Full),
        ("tty", Device::Terminal),
    ];
    let devices = devices.map(|(name, device)| (name.to_owned(), Node::device(device)));
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    let links = links.map(|(name, target)| (name.to_owned(), Node::link(target)));
    let shared = ("shm".to_owned(), Node::directory(0o1777));
    let entries = devices.into_iter().chain(links).chain([shared]);
    Arc::new(Node::directory(0o755).with(entries))
});

/// Where what is made up as it is read would be.
static NOWHERE: LazyLock<Arc<Space>> =
    LazyLock::new(|| Space::new(Arc::new(Node::directory(0o555)), None));

/// `/sys` without anything but a loopback: most have no other.
static ALONE: LazyLock<Arc<Node>> = LazyLock::new(|| Arc::new(sys(&["lo".to_owned()])));

/// `/sys`, as far as it tells of network interfaces.
fn system(interfaces: &[String]) -> Arc<Node> {
    match interfaces {
        [lo] if lo == "lo" => Arc::clone(&ALONE),
        interfaces => Arc::new(sys(interfaces)),
    }
}

fn sys(interfaces: &[String]) -> Node {
    let net = interfaces
        .iter()
        .map(|name| (name.clone(), Node::directory(0o755)));
    let net = Node::directory(0o755).with(net);
    let class = Node::directory(0o755).with([("net".to_owned(), net)]);
    Node::directory(0o755).with([("class".to_owned(), class)])
}

impl World {
    /// Layers and volumes: what is there whether it runs or not.
    pub(super) fn lasting(&self) -> Vec<Mount> {
        let root = Mount {
            path: Vec::new(),
            space: Arc::clone(&self.layers),
            kind: MountKind::Layers,
            read_only: self.setup.read_only_root,
            runs: true,
        };
        let volumes = self.setup.mounts.iter().filter_map(|mounted| {
            let space = match &mounted.what {
                What::Volume(volume) => Arc::clone(&volume.0),
                What::Host => Space::disk(Arc::new(Node::directory(0o755))),
                What::Memory { .. } => return None,
            };
            Some(Mount {
                path: parts_of(&mounted.target),
                space,
                kind: MountKind::Volume,
                read_only: mounted.read_only,
                runs: true,
            })
        });
        std::iter::once(root).chain(volumes).collect()
    }

    /// Everything anew, as each start has it: what is in memory is empty.
    pub(super) fn mount_all(&self) {
        let mut mounts = self.lasting();
        for mounted in &self.setup.mounts {
            self.fill(mounted);
        }
        let sys = system(&self.setup.interfaces);
        let memory = |path: &str, node: Arc<Node>, bytes: Option<u64>, read_only, runs| Mount {
            path: parts_of(path),
            space: Space::new(node, bytes.map(|bytes| Quota::new(Some(bytes)))),
            kind: MountKind::Memory,
            read_only,
            runs,
        };
        let shm_bytes = self.limits().shm_bytes.unwrap_or(64 << 20);
        mounts.push(memory(
            "/dev",
            Arc::clone(&DEVICES),
            Some(64 << 10),
            false,
            false,
        ));
        mounts.push(memory(
            "/dev/shm",
            Arc::new(Node::directory(0o1777)),
            Some(shm_bytes),
            false,
            false,
        ));
        mounts.push(memory("/sys", sys, None, true, false));
        mounts.push(Mount {
            path: parts_of("/proc"),
            space: Arc::clone(&NOWHERE),
            kind: MountKind::Processes,
            read_only: true,
            runs: false,
        });
        let etc = parts_of("/etc");
        if self.layers.root().at(&etc).is_ok() {
            for (name, told) in [
                ("hostname", Told::Hostname),
                ("hosts", Told::Hosts),
                ("resolv.conf", Told::Resolver),
            ] {
                mounts.push(Mount {
                    path: [etc.as_slice(), &[name.to_owned()]].concat(),
                    space: Arc::clone(&NOWHERE),
                    kind: MountKind::Told(told),
                    read_only: false,
                    runs: false,
                });
            }
        }
        for mounted in &self.setup.mounts {
            if let What::Memory { bytes, mode, runs } = mounted.what {
                let node = Node::directory(mode);
                let bytes = bytes.or(Some(1 << 30));
                mounts.push(memory(
                    &mounted.target,
                    Arc::new(node),
                    bytes,
                    mounted.read_only,
                    runs,
                ));
            }
        }
        mounts.shrink_to_fit();
        *lock(&self.mounts) = Arc::new(mounts);
    }

    /// What an engine tells in a file.
    pub(in super::super) fn told(&self, told: Told) -> String {
        let name = &self.setup.hostname;
        match told {
            Told::Hostname => format!("{name}\n"),
            Told::Hosts => format!("127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n"),
            Told::Resolver => "nameserver 127.0.0.11\n".to_owned(),
        }
    }

    /// A volume that is empty takes what the image has there.
    fn fill(&self, mounted: &Mounted) {
        let What::Volume(volume) = &mounted.what else {
            return;
        };
        let Ok(there) = self.image.at(&parts_of(&mounted.target)) else {
            return;
        };
        // Nothing that is written to is shared; there is room for it.
        let _ = volume.0.change(|root| {
            if root.entries()?.is_empty() && there.is_directory() {
                *root = Arc::new(there.unshared(None)?);
            }
            Ok(())
        });
    }
}
