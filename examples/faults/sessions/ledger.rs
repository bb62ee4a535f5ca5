//! What is known of the sessions by what was acknowledged, against what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Bad;
use super::look::Found;
use super::said::{Held, PENDING, Said, container_name, is_of};

/// What is known of a key's session.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// Somebody has asked for it and wasn't told, or it is being closed.
    Doubt,
    Open(Held),
    Closed,
}

/// What is wrong, and with what.
pub type Wrong = (Bad, String);

#[derive(Debug, Clone, Default)]
pub struct Ledger {
    host: String,
    keys: BTreeMap<String, Known>,
    /// Whose close was asked for, until it is told.
    closing: BTreeMap<String, Held>,
    /// Acknowledged as closed, by their containers.
    closed: BTreeMap<String, Held>,
    /// Who serves a container.
    servers: BTreeMap<String, u64>,
    /// What a child says that it has.
    lists: BTreeMap<u64, BTreeSet<String>>,
    sets: BTreeMap<u64, u64>,
    /// Keys that were opened since the last check began.
    checked: BTreeSet<String>,
    recovered: BTreeSet<u64>,
    pub opens: u64,
    pub closes: u64,
    pub adopted: u64,
    pub resumed: u64,
}

impl Ledger {
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..Self::default()
        }
    }

    pub fn born(&mut self, child: u64, set: u64) {
        self.sets.insert(child, set);
    }

    pub fn heard(&mut self, child: u64, said: &Said) -> Vec<Wrong> {
        match said {
            // Of one that is open it changes nothing.
            Said::Opening(key) if !matches!(self.keys.get(key), Some(Known::Open(_))) => {
                self.keys.insert(key.clone(), Known::Doubt);
            }
            Said::Opened { held, origin } => {
                self.opens += 1;
                self.checked.insert(held.key.clone());
                self.resumed += u64::from(origin == "resumed");
                if !self.recovered.contains(&child) {
                    self.lists
                        .entry(child)
                        .or_default()
                        .insert(held.key.clone());
                }
                return self.holds(child, held);
            }
            Said::Has(held) => {
                let list = self.lists.entry(child).or_default();
                list.insert(held.key.clone());
                let doubt = self.keys.get(&held.key) == Some(&Known::Doubt);
                let wrong = self.holds(child, held);
                if doubt {
                    // A dead one was about to close it: it may have stopped, until it is opened.
                    self.keys.insert(held.key.clone(), Known::Doubt);
                }
                return wrong;
            }
            Said::Closing(key) => {
                if let Some(Known::Open(held)) = self.keys.insert(key.clone(), Known::Doubt) {
                    self.closing.insert(key.clone(), held);
                }
            }
            Said::Closed(key) => {
                self.closes += 1;
                self.keys.insert(key.clone(), Known::Closed);
                if let Some(held) = self.closing.remove(key) {
                    self.closed.insert(held.container.clone(), held);
                }
            }
            Said::Recovered => {
                self.recovered.insert(child);
                let set = self.sets.get(&child).copied().unwrap_or_default();
                return self.missing(child, set);
            }
            _ => {}
        }
        Vec::new()
    }

    fn holds(&mut self, child: u64, held: &Held) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let before = self.servers.insert(held.container.clone(), child);
        self.adopted += u64::from(before.is_some_and(|before| before != child));
        if let Some(closed) = self.closed.get(&held.container) {
            let what = format!("{held:?} was given to {child}, and {closed:?} was closed");
            wrong.push((Bad::WrongSession, what));
        }
        let known = Known::Open(held.clone());
        if let Some(Known::Open(known)) = self.keys.insert(held.key.clone(), known)
            && known != *held
        {
            let what = format!("{child} has {held:?}, and {known:?} was open");
            wrong.push((Bad::WrongSession, what));
        }
        wrong
    }

    /// Open sessions of a set that weren't in what a child has said that it has; the next list begins anew.
    pub fn missing(&mut self, child: u64, set: u64) -> Vec<Wrong> {
        let list = self.lists.remove(&child).unwrap_or_default();
        let open = self.open().filter(|held| is_of(set, &held.key));
        open.filter(|held| !list.contains(&held.key))
            .map(|held| (Bad::Lost, format!("{child} hasn't got {held:?}")))
            .collect()
    }

    pub fn check(&mut self) {
        self.checked.clear();
    }

    /// Open sessions that couldn't be opened since the check began.
    pub fn stuck(&self) -> Vec<&Held> {
        let open = self.open();
        open.filter(|held| !self.checked.contains(&held.key))
            .collect()
    }

    fn open(&self) -> impl Iterator<Item = &Held> {
        self.keys.values().filter_map(|known| match known {
            Known::Open(held) => Some(held),
            _ => None,
        })
    }

    /// What isn't as it must be. Before: as it was before it was looked; now all has been heard that was said until then.
    pub fn judge(&self, before: &Self, found: &Found, must_run: bool) -> Vec<Wrong> {
        let mut wrong = found.doubled();
        let seen: BTreeMap<_, _> = found.containers.iter().map(|one| (&*one.id, one)).collect();
        for held in before.open() {
            // It may have been closed since.
            if self.keys.get(&held.key) != Some(&Known::Open(held.clone())) {
                continue;
            }
            let name = container_name(&self.host, &held.key);
            match seen.get(&*held.container) {
                None => wrong.push((Bad::Lost, format!("{held:?} is gone"))),
                Some(one) if one.name != name || one.session != held.id => {
                    wrong.push((Bad::Doubled, format!("{held:?} is {one:?}")));
                }
                Some(one) if must_run && one.state != "running" => {
                    wrong.push((Bad::Lost, format!("{held:?} is {}", one.state)));
                }
                Some(_) => {}
            }
        }
        for held in before.closed.values() {
            let things = found.of_session(&held.id).into_iter();
            wrong.extend(things.map(|one| (Bad::LeftOver, format!("{one} of {held:?}, closed"))));
        }
        wrong
    }
}

/// What nobody had got of those instances, by their names.
pub fn pending<'a>(found: &'a Found, dead: &BTreeSet<String>) -> Vec<&'a str> {
    let of_dead = (found.containers.iter())
        .filter(|one| one.name.starts_with(PENDING) && dead.contains(&one.instance));
    of_dead.map(|one| &*one.name).collect()
}
