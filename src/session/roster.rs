//! Which sessions there are, and which containers are looked after.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::OwnedMutexGuard;

use super::admission::Admitted;
use super::key::SessionKey;
use super::managed::Managed;
use super::opening::Opening;
use crate::lock::lock;
use crate::model::ContainerRef;

/// A session, as long as it is there.
pub(super) struct Entry {
    pub(super) key: SessionKey,
    pub(super) managed: Arc<Managed>,
    pub(super) opening: Opening,
    /// Until it is gone, whoever still has a handle.
    place: Mutex<Option<Admitted>>,
}

impl Entry {
    pub(super) fn new(
        key: &SessionKey,
        managed: Arc<Managed>,
        opening: Opening,
        place: Admitted,
    ) -> Self {
        Self {
            key: key.clone(),
            managed,
            opening,
            place: Mutex::new(Some(place)),
        }
    }
}

#[derive(Default)]
pub(super) struct Roster {
    sessions: Mutex<BTreeMap<SessionKey, Arc<Entry>>>,
    /// Those of the pools too, and those that are being made.
    containers: Mutex<HashMap<ContainerRef, Arc<Managed>>>,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    of: HashMap<SessionKey, Weak<tokio::sync::Mutex<()>>>,
    /// Those that nobody holds or waits for any more go when there are so many.
    tidied_at: usize,
}

/// Whoever has it may open, close, stop or start the session; nobody else does meanwhile.
pub(super) type KeyTurn = OwnedMutexGuard<()>;

impl Roster {
    pub(super) fn get(&self, key: &SessionKey) -> Option<Arc<Entry>> {
        lock(&self.sessions).get(key).cloned()
    }

    pub(super) fn sessions(&self) -> Vec<Arc<Entry>> {
        lock(&self.sessions).values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.sessions).len()
    }

    pub(super) fn insert(&self, entry: Arc<Entry>) {
        self.follow(&entry.managed);
        lock(&self.sessions).insert(entry.key.clone(), entry);
    }

    /// Takes out this session, unless its key is another's by now.
    pub(super) fn remove(&self, entry: &Entry) {
        self.forget(&entry.managed.container);
        drop(lock(&entry.place).take());
        let mut sessions = lock(&self.sessions);
        let same = |there: &Arc<Entry>| Arc::ptr_eq(&there.managed, &entry.managed);
        if sessions.get(&entry.key).is_some_and(same) {
            sessions.remove(&entry.key);
        }
    }

    /// From here on what happens to the container is taken note of.
    pub(super) fn follow(&self, managed: &Arc<Managed>) {
        lock(&self.containers).insert(managed.container.clone(), Arc::clone(managed));
    }

    pub(super) fn forget(&self, container: &ContainerRef) {
        lock(&self.containers).remove(container);
    }

    pub(super) fn of_container(&self, id: &ContainerRef) -> Option<Arc<Managed>> {
        lock(&self.containers).get(id).cloned()
    }

    pub(super) fn containers(&self) -> Vec<Arc<Managed>> {
        lock(&self.containers).values().cloned().collect()
    }

    /// The session that a container is.
    pub(super) fn entry_of(&self, managed: &Managed) -> Option<Arc<Entry>> {
        let entry = self.get(managed.key()?)?;
        (entry.managed.container == managed.container).then_some(entry)
    }

    fn turn(&self, key: &SessionKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.turns);
        if let Some(turn) = turns.of.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.of.len() >= turns.tidied_at.max(64) {
            turns.of.retain(|_, turn| turn.strong_count() > 0);
            turns.tidied_at = 2 * turns.of.len();
        }
        let turn = Arc::default();
        turns.of.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Waits until nobody else does anything to the session.
    pub(super) async fn wait_turn(&self, key: &SessionKey) -> KeyTurn {
        self.turn(key).lock_owned().await
    }

    /// As [`wait_turn`](Self::wait_turn), where nobody does.
    pub(super) fn try_turn(&self, key: &SessionKey) -> Option<KeyTurn> {
        self.turn(key).try_lock_owned().ok()
    }

    /// Takes out those that came before so many losses: they are another instance's.
    pub(super) fn lose(&self, losses: u64) -> Vec<Arc<Entry>> {
        let mut lost = self.sessions();
        lost.retain(|entry| entry.managed.losses < losses);
        lost.iter().for_each(|entry| self.remove(entry));
        lock(&self.containers).retain(|_, managed| managed.losses >= losses);
        lost
    }
}
