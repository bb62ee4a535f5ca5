//! What there is of sessions, as a status tells it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::quota::{Used, cpus};
use crate::policy::Counts;

/// How many sessions there are, are opened and wait, by owner.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Usage {
    /// That have a place, also those that are being opened.
    pub sessions: usize,
    /// That wait for a place, or for their turn to be opened.
    pub waiting: usize,
    /// That are being opened.
    pub opening: usize,
    /// The same of each owner that has one.
    pub by_owner: BTreeMap<String, OwnerUsage>,
}

/// What one owner has.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OwnerUsage {
    /// That have a place, also those that are being opened.
    pub sessions: usize,
    /// That wait for a place, or for their turn to be opened.
    pub waiting: usize,
    /// That are being opened.
    pub opening: usize,
    /// In bytes, by the limits of its sessions; those that wait for a place count.
    pub memory: u64,
    /// By the limits of its sessions; those that wait for a place count.
    pub cpus: f64,
}

impl Usage {
    pub(super) fn of(
        places: HashMap<Arc<str>, Counts>,
        turns: HashMap<Arc<str>, Counts>,
        used: HashMap<Arc<str>, Used>,
    ) -> Self {
        let mut by_owner: BTreeMap<String, OwnerUsage> = BTreeMap::new();
        let mut owner = |owner: &Arc<str>, note: &dyn Fn(&mut OwnerUsage)| {
            note(by_owner.entry(owner.as_ref().to_owned()).or_default());
        };
        for (name, counts) in &places {
            owner(name, &|usage| {
                usage.sessions = counts.held;
                usage.waiting = counts.waiting;
            });
        }
        for (name, counts) in &turns {
            owner(name, &|usage| {
                usage.opening = counts.held;
                usage.waiting += counts.waiting;
            });
        }
        for (name, used) in &used {
            owner(name, &|usage| {
                usage.memory = u64::try_from(used.memory).unwrap_or(u64::MAX);
                usage.cpus = cpus(used.millicpus);
            });
        }
        let sum = |of: fn(&OwnerUsage) -> usize| by_owner.values().map(of).sum();
        Self {
            sessions: sum(|usage| usage.sessions),
            waiting: sum(|usage| usage.waiting),
            opening: sum(|usage| usage.opening),
            by_owner,
        }
    }
}
