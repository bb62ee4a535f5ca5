//! What an engine holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::containers::Container;
use super::events::Events;
use super::exec::Exec;
use super::images::Images;
use super::journal::Journal;
use super::machine::Programs;
use super::networks::Networks;
use super::personality::Personality;
use super::registry::RegistryImage;
use super::volumes::Volume;

#[derive(Debug, Default)]
pub(super) struct State {
    /// In the order of their creation.
    pub(super) containers: Vec<Arc<Container>>,
    pub(super) by_id: HashMap<String, Arc<Container>>,
    pub(super) by_name: HashMap<String, Arc<Container>>,
    pub(super) execs: HashMap<String, Arc<Exec>>,
    pub(super) images: Images,
    pub(super) networks: Networks,
    pub(super) volumes: BTreeMap<String, Volume>,
}

/// What every request sees.
///
/// Its locks are taken in this order: [`exclusive`](Self::exclusive), [`state`](Self::state), a container's `inner`.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) personality: Personality,
    state: Mutex<State>,
    pub(super) events: Events,
    pub(super) journal: Journal,
    registry: Mutex<Vec<RegistryImage>>,
    pub(super) programs: Programs,
    exclusive: Mutex<()>,
    host_pid: AtomicU32,
    /// `None` when the engine is over.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// Sixty-four hexadecimal digits.
pub(super) fn new_id() -> String {
    let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    halves.map(|half| half.simple().to_string()).concat()
}

impl Shared {
    pub(super) fn new(
        personality: Personality,
        state: State,
        registry: Vec<RegistryImage>,
        programs: Programs,
    ) -> Self {
        Self {
            id: new_id(),
            personality,
            state: Mutex::new(state),
            events: Events::default(),
            journal: Journal::default(),
            registry: Mutex::new(registry),
            programs,
            exclusive: Mutex::default(),
            host_pid: AtomicU32::new(2000),
            tasks: Mutex::new(Some(JoinSet::new())),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While it is held, no container is created, started or marked as being removed, and no image or volume goes: what
    /// was seen to be unused, or to be there, stays so.
    pub(super) fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.exclusive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_registry(&self) -> MutexGuard<'_, Vec<RegistryImage>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry(&self) -> Vec<RegistryImage> {
        self.lock_registry().clone()
    }

    /// In the order of their creation.
    pub(super) fn containers(&self) -> Vec<Arc<Container>> {
        self.state().containers.clone()
    }

    pub(super) fn host_pid(&self) -> u32 {
        // Each container has room for its own processes.
        self.host_pid.fetch_add(100, Ordering::Relaxed)
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it for as long as the engine lives.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A last request may come after the end.
        if let Some(tasks) = &mut *self.tasks() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Ends all that runs, which holds the engine itself.
    pub(super) fn end(&self) {
        let tasks = self.tasks().take();
        drop(tasks);
        let state = std::mem::take(&mut *self.state());
        // Their processes end with them.
        drop(state);
    }
}
