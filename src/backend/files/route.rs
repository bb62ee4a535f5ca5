//! Which way leads to a path: the engine's archives, or a command in the container.
//!
//! Measured on Docker 20.10: archives work in a container's layers, beneath whatever is mounted in memory. What is put
//! there answers 200 and is never seen; a read-only root refuses them with 500, a volume takes them. So the mounts
//! decide, and each part of the path is asked whether it is a link that leads into one.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ContainerDetails, ContainerPath, ContainerRef, ContainerState, FileKind, Owner,
};

/// Where every engine mounts what no archive sees; `/dev/shm` is in it.
const ALWAYS: [&str; 3] = ["/dev", "/proc", "/sys"];
/// How many links are followed, as by Linux.
const MAX_LINKS: usize = 40;

/// The way to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The engine's own.
    Archive,
    /// By a command in the container.
    Exec,
}

/// What is done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A path, and how to get there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) way: Way,
    /// Without links where archives lead there.
    pub(super) path: ContainerPath,
    /// Whose files the container's user can use.
    pub(super) owner: Owner,
}

type Parts = Vec<String>;

/// The mounts of a container, by their paths as the kernel resolved them.
struct Mounts {
    /// What no archive sees.
    memory: BTreeSet<Parts>,
    /// What archives see.
    seen: BTreeSet<Parts>,
}

/// Follows links as the engine sees them, and remembers what it was told.
struct Resolver<'a, B: ?Sized> {
    backend: &'a B,
    container: &'a ContainerRef,
    told: HashMap<Parts, Step>,
}

/// What a part of a path is.
#[derive(Debug, Clone)]
enum Step {
    Here,
    Leads(ContainerPath),
    Absent,
}

/// Where a path ends.
enum End {
    /// In what archives see, or would.
    Seen(Parts),
    /// Beneath a mount in memory, where archives see nothing.
    Memory(Parts),
}

impl<B: ContainerBackend + ?Sized> Resolver<'_, B> {
    async fn step(&mut self, path: &Parts) -> Result<Step> {
        if let Some(step) = self.told.get(path) {
            return Ok(step.clone());
        }
        let at = ContainerPath::of(path);
        let step = match self.backend.stat_path(self.container, &at).await {
            Ok(stat) if stat.kind == FileKind::Symlink => {
                let target = stat.link_target.unwrap_or_default();
                Step::Leads(led(path, &target)?)
            }
            Ok(_) => Step::Here,
            // Docker says so in words of its own of what is beneath a file; what follows will say it better.
            Err(error) if error.effect() == Effect::Rejected => Step::Absent,
            Err(error) => return Err(error),
        };
        self.told.insert(path.clone(), step.clone());
        Ok(step)
    }

    async fn follow(&mut self, path: &ContainerPath, mounts: &Mounts) -> Result<End> {
        let mut ahead: VecDeque<String> = path.parts().map(str::to_owned).collect();
        let mut done = Parts::new();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            done.push(part);
            if mounts.memory.contains(&done) {
                let mut whole = done.clone();
                whole.extend(ahead.iter().cloned());
                // A volume may lie in what lies in memory.
                match mounts.below(&whole) {
                    Some(volume) if volume.len() > done.len() => {
                        ahead.drain(..volume.len() - done.len());
                        done.clone_from(volume);
                        continue;
                    }
                    _ => return Ok(End::Memory(whole)),
                }
            }
            match self.step(&done).await? {
                Step::Here => {}
                Step::Leads(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        let message = "the path's links lead in a circle";
                        return Err(Error::invalid("path", message));
                    }
                    for part in target.parts().collect::<Vec<_>>().into_iter().rev() {
                        ahead.push_front(part.to_owned());
                    }
                    done.clear();
                }
                Step::Absent => {
                    done.extend(ahead.drain(..));
                    // Before the first start, what is mounted isn't there either.
                    if mounts.memory.iter().any(|mount| done.starts_with(mount)) {
                        return Ok(End::Memory(done));
                    }
                }
            }
        }
        Ok(End::Seen(done))
    }
}

/// Where a link leads from there. Docker says it from the root; what another says is read as the kernel does.
fn led(link: &Parts, target: &str) -> Result<ContainerPath> {
    let mut path: Parts = if target.starts_with('/') {
        Parts::new()
    } else {
        link[..link.len() - 1].to_vec()
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            name => path.push(name.to_owned()),
        }
    }
    ContainerPath::new(ContainerPath::of(&path))
}

impl Mounts {
    /// The deepest mount that archives see on the way to a path.
    fn below(&self, path: &Parts) -> Option<&Parts> {
        let above = |mount: &&Parts| path.starts_with(mount);
        self.seen
            .iter()
            .filter(above)
            .max_by_key(|mount| mount.len())
    }

    async fn of<B: ContainerBackend + ?Sized>(
        details: &ContainerDetails,
        resolver: &mut Resolver<'_, B>,
    ) -> Result<Self> {
        let mut memory: Vec<&str> = details.security.tmpfs.keys().map(String::as_str).collect();
        let mut mounts = Self {
            memory: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        for mount in &details.mounts {
            match mount.kind.as_str() {
                "tmpfs" => memory.push(&mount.target),
                _ => drop(mounts.seen.insert(split(&mount.target))),
            }
        }
        // The kernel has followed the links on the way to where it mounted.
        let none = Self {
            memory: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        for target in memory {
            let Ok(path) = ContainerPath::new(target) else {
                continue;
            };
            if let End::Seen(path) = resolver.follow(&path, &none).await? {
                mounts.memory.insert(path);
            }
        }
        mounts.memory.extend(ALWAYS.map(split));
        Ok(mounts)
    }
}

fn split(path: &str) -> Parts {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// Finds the way to a path.
pub(super) async fn find<B: ContainerBackend + ?Sized>(
    backend: &B,
    container: &ContainerRef,
    path: &ContainerPath,
    access: Access,
) -> Result<Place> {
    let details = backend.inspect(container).await?;
    let mut resolver = Resolver {
        backend,
        container,
        told: HashMap::new(),
    };
    let mounts = Mounts::of(&details, &mut resolver).await?;
    let (way, path) = match resolver.follow(path, &mounts).await? {
        End::Memory(path) => (Way::Exec, path),
        End::Seen(path) => {
            let shut = access == Access::Write
                && details.security.read_only_root
                && mounts.below(&path).is_none();
            (if shut { Way::Exec } else { Way::Archive }, path)
        }
    };
    let path = ContainerPath::of(&path);
    if way == Way::Exec && details.state.status != ContainerState::Running {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "{path} is in memory or on a read-only root, where a command in the container must lead, and the \
                 container is {}",
                details.state.status
            ),
        )
        .with_effect(Effect::NotSent)
        .with_advice("start it first, or take a directory of its layers or a volume"));
    }
    let user = details.security.user.as_deref();
    Ok(Place {
        way,
        path,
        owner: user.and_then(Owner::of_user).unwrap_or(Owner::ROOT),
    })
}
