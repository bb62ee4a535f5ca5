//! The world of one container: its files, which outlive its runs, and the processes of the present one.

mod mounts;
mod ports;
mod processes;
mod start;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::errno::Errno;
use super::files::{Mount, Space, View};
use super::node::Node;
use super::process::Proc;
use super::tree::parts_of;
use super::{Limits, Setup, Tree};

pub(super) use ports::Connection;

/// How many processors there may be: a kernel's `NR_CPUS`.
const MAX_CPUS: usize = 8192;

pub(crate) struct World {
    setup: Setup,
    limits: Mutex<Limits>,
    layers: Arc<Space>,
    image: Arc<Node>,
    mounts: Mutex<Arc<Vec<Mount>>>,
    processes: Mutex<BTreeMap<u32, Arc<Proc>>>,
    next_pid: AtomicU32,
    frozen: AtomicBool,
    /// Processor time of those that have gone.
    spent: Mutex<Duration>,
    /// Who listens at which port.
    ports: Mutex<BTreeMap<u16, mpsc::Sender<Connection>>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(tree: &Tree, setup: Setup) -> Arc<Self> {
        let mut root = Arc::clone(&tree.root);
        let points = setup.mounts.iter().map(|mount| parts_of(&mount.target));
        for point in points.chain([
            vec!["dev".to_owned()],
            vec!["proc".to_owned()],
            vec!["sys".to_owned()],
        ]) {
            // Engines make what they mount on.
            for length in 1..=point.len() {
                let Some((name, above)) = point.get(..length).and_then(|point| point.split_last())
                else {
                    continue;
                };
                if let Err(Errno::NoEntry) = root.at(point.get(..length).unwrap_or_default())
                    && let Ok(entries) = root.at_mut(above).and_then(Node::entries_mut)
                {
                    entries.insert(name.clone(), Arc::new(Node::directory(0o755)));
                }
            }
        }
        let world = Self {
            limits: Mutex::new(setup.limits.clone()),
            layers: Space::disk(root),
            image: Arc::clone(&tree.root),
            mounts: Mutex::default(),
            processes: Mutex::default(),
            next_pid: AtomicU32::new(1),
            frozen: AtomicBool::new(false),
            spent: Mutex::default(),
            ports: Mutex::default(),
            setup,
        };
        // An archive may be put before the first start.
        *lock(&world.mounts) = Arc::new(world.lasting());
        Arc::new(world)
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn limits(&self) -> Limits {
        lock(&self.limits).clone()
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
    }

    pub(super) fn mounts(&self) -> Arc<Vec<Mount>> {
        Arc::clone(&lock(&self.mounts))
    }

    pub(super) fn layers(&self) -> &Arc<Space> {
        &self.layers
    }

    pub(super) fn image(&self) -> &Arc<Node> {
        &self.image
    }

    pub(super) fn view(&self, pid: u32, user: (u32, u32)) -> View<'_> {
        View {
            world: self,
            pid,
            user,
            archives: false,
        }
    }

    /// What an engine's archives see.
    pub(super) fn archives(&self) -> View<'_> {
        View {
            world: self,
            pid: 0,
            user: (0, 0),
            archives: true,
        }
    }

    pub(super) fn cpus(&self) -> usize {
        let limits = self.limits();
        let set = limits.cpuset.as_deref().unwrap_or("0-1");
        let ranges = set.split(',').filter(|range| !range.is_empty());
        let count = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first: usize = first.trim().parse().ok()?;
            let last: usize = last.trim().parse().ok()?;
            Some(last.checked_sub(first)?.min(MAX_CPUS) + 1)
        };
        ranges.filter_map(count).sum::<usize>().clamp(1, MAX_CPUS)
    }

    /// How much of a processor a process that never waits gets.
    pub(super) fn share(&self) -> f64 {
        lock(&self.limits).cpus.unwrap_or(1.0).clamp(0.0, 1.0)
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    pub(super) fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::Release);
        for process in self.processes() {
            process.wake();
        }
    }
}
