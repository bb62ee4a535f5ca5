//! Who holds permits, who waits, and whose turn it is.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Key, Permit, Share, Waiter};

/// How much a single permit's time says of the usual one.
const WEIGHT: u32 = 8;
/// Nobody is told to come back sooner.
pub(super) const LEAST: Duration = Duration::from_millis(50);

/// What a key has of a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) held: usize,
    pub(crate) waiting: usize,
}

#[derive(Debug)]
pub(super) struct State {
    size: usize,
    share: Share,
    /// More than the size, where some were taken over.
    used: usize,
    /// Of keys alone.
    held: HashMap<Key, usize>,
    /// Keys that wait, in turn; each is there once.
    turns: VecDeque<Option<Key>>,
    queues: HashMap<Option<Key>, VecDeque<(u64, Waiter)>>,
    waiting: usize,
    /// The number of the next to wait.
    next: u64,
    /// How long a permit is usually held.
    usual: Duration,
}

impl State {
    pub(super) fn new(size: usize, share: Share) -> Self {
        Self {
            size,
            share,
            used: 0,
            held: HashMap::new(),
            turns: VecDeque::new(),
            queues: HashMap::new(),
            waiting: 0,
            next: 0,
            usual: Duration::ZERO,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    fn may_have(&self, key: Option<&Key>) -> bool {
        let held = match self.share {
            Share::LeavingRoom => key.and_then(|key| self.held.get(key)).copied(),
            Share::All => None,
        };
        self.size.saturating_sub(self.used) > held.unwrap_or(0)
    }

    /// Takes a permit, where it is nobody else's turn: whoever waits now may have none.
    pub(super) fn take(&mut self, key: Option<&Key>) -> bool {
        let waits = self.waiting > 0 && self.queues.contains_key(&key.cloned());
        let takes = !waits && self.may_have(key);
        if takes {
            self.count(key);
        }
        takes
    }

    pub(super) fn count(&mut self, key: Option<&Key>) {
        self.used += 1;
        if let Some(key) = key {
            *self.held.entry(key.clone()).or_default() += 1;
        }
    }

    pub(super) fn give_back(&mut self, key: Option<&Key>, after: Duration) {
        self.used -= 1;
        if let Some(key) = key
            && let Some(held) = self.held.get_mut(key)
        {
            *held -= 1;
            if *held == 0 {
                self.held.remove(key);
            }
        }
        self.usual = (self.usual * (WEIGHT - 1) + after) / WEIGHT;
    }

    /// Whether one more of this key may wait; the newest of a key with more in the queue makes room.
    pub(super) fn has_room(&mut self, key: Option<&Key>, most: usize) -> bool {
        if self.waiting < most {
            return true;
        }
        let length = |key: &Option<Key>| self.queues.get(key).map_or(0, VecDeque::len);
        let own = length(&key.cloned());
        let longest = self.turns.iter().max_by_key(|key| length(key)).cloned();
        match longest.filter(|key| length(key) > own + 1) {
            Some(key) => {
                let newest = self.queues.get(&key).and_then(|queue| queue.back());
                // Its sender is dropped, which tells it.
                newest
                    .map(|(number, _)| *number)
                    .is_some_and(|number| self.leave(key.as_ref(), number))
            }
            None => false,
        }
    }

    pub(super) fn join(&mut self, key: Option<&Key>) -> (u64, oneshot::Receiver<Permit>) {
        let (sender, turn) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting += 1;
        let key = key.cloned();
        let queue = self.queues.entry(key.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(key);
        }
        queue.push_back((number, sender));
        (number, turn)
    }

    /// Leaves the queue; false where it isn't in it any more.
    pub(super) fn leave(&mut self, key: Option<&Key>, number: u64) -> bool {
        let key = key.cloned();
        let Some(queue) = self.queues.get_mut(&key) else {
            return false;
        };
        let Ok(place) = queue.binary_search_by_key(&number, |(number, _)| *number) else {
            return false;
        };
        queue.remove(place);
        self.waiting -= 1;
        if queue.is_empty() {
            self.queues.remove(&key);
            self.turns.retain(|one| *one != key);
        }
        true
    }

    /// Whose turn it is, if anybody's: its permit counts as taken from here on.
    pub(super) fn next(&mut self) -> Option<(Option<Key>, Waiter)> {
        if self.used >= self.size {
            return None;
        }
        let place = (self.turns.iter()).position(|key| self.may_have(key.as_ref()))?;
        let key = self.turns.remove(place)?;
        let queue = self.queues.get_mut(&key)?;
        let (_, waiter) = queue.pop_front()?;
        self.waiting -= 1;
        match queue.is_empty() {
            true => drop(self.queues.remove(&key)),
            false => self.turns.push_back(key.clone()),
        }
        self.count(key.as_ref());
        Some((key, waiter))
    }

    /// How long one that comes now would wait: those before it, at the usual pace.
    pub(super) fn estimate(&self) -> Duration {
        let rounds = self.waiting / self.size + 1;
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        self.usual.saturating_mul(rounds).max(LEAST)
    }

    /// What each key has of it.
    pub(super) fn counts(&self) -> HashMap<Key, Counts> {
        let mut counts: HashMap<Key, Counts> = HashMap::new();
        for (key, held) in &self.held {
            counts.entry(key.clone()).or_default().held = *held;
        }
        for (key, queue) in &self.queues {
            if let Some(key) = key {
                counts.entry(key.clone()).or_default().waiting = queue.len();
            }
        }
        counts
    }
}
