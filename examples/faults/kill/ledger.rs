//! What is known of the children's containers by what they have said, against what there is.

use std::collections::{BTreeMap, BTreeSet};

use catamaran::Fate;

use super::said::{Said, Token};
use crate::Outcome;
use crate::report::Bad;
use crate::witness::Found;

/// A container that a child was told was made.
#[derive(Debug, Clone)]
struct Known {
    token: Token,
    /// `None` while it is in doubt.
    running: Option<bool>,
    removed: bool,
}

/// What is wrong, and with what.
pub type Wrong = (Bad, String);

#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Those that live, and the names of their hosts.
    alive: BTreeMap<u64, String>,
    known: BTreeMap<String, Known>,
    /// Who was offered what there is to adopt, and lives.
    heirs: BTreeMap<String, u64>,
    /// Whose removal somebody has asked for.
    going: BTreeSet<String>,
    /// What was counted, so that it isn't again.
    told: BTreeSet<(Bad, String)>,
    pub adoptions: u64,
}

/// What dead ones have left that nobody has dealt with yet, by id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub to_remove: Vec<String>,
    pub to_offer: Vec<String>,
}

impl Left {
    pub fn is_empty(&self) -> bool {
        self.to_remove.is_empty() && self.to_offer.is_empty()
    }
}

impl Ledger {
    pub fn born(&mut self, child: u64, host: &str) {
        self.alive.insert(child, host.to_owned());
    }

    /// It has been killed, or has ended: what it was offered is to be offered to another.
    pub fn gone(&mut self, child: u64) {
        self.alive.remove(&child);
        self.heirs.retain(|_, heir| *heir != child);
    }

    pub fn made(&self) -> usize {
        self.known.len()
    }

    pub fn heard(&mut self, child: u64, said: &Said) -> Outcome<Option<Wrong>> {
        match said {
            Said::Made { id, token } => {
                let known = Known {
                    token: token.parse()?,
                    running: Some(false),
                    removed: false,
                };
                if let Some(before) = self.known.insert(id.clone(), known) {
                    // One container was given to two.
                    let what = format!("{id:.12} is of {token} and of {}", before.token);
                    return Ok(Some((Bad::Lost, what)));
                }
            }
            Said::Starting(id) => self.change(id, |known| known.running = None),
            Said::Started(id) => self.change(id, |known| known.running = Some(true)),
            Said::Removing(id) => {
                self.going.insert(id.clone());
            }
            Said::Removed(id) => self.change(id, |known| known.removed = true),
            Said::Offered(id) => return Ok(self.offered(child, id)),
            Said::NotAdopted(id, why) if !self.going.contains(id) => {
                let what = format!("{id:.12} was offered to {child} and not to be had: {why}");
                return Ok(Some((Bad::AdoptLost, what)));
            }
            Said::Adopted(_) => self.adoptions += 1,
            _ => {}
        }
        Ok(None)
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Known)) {
        // What was never acknowledged can be adopted as well, and removed then.
        if let Some(known) = self.known.get_mut(id) {
            change(known);
        }
    }

    /// An orphan is offered to one alone, of whom it can be.
    fn offered(&mut self, child: u64, id: &str) -> Option<Wrong> {
        let before = self.heirs.insert(id.to_owned(), child);
        let before = before.filter(|heir| *heir != child);
        let of_living = (self.known.get(id))
            .map(|known| &known.token)
            .filter(|token| self.alive.contains_key(&token.child) || token.fate == Fate::Remove);
        let why = match (before, of_living) {
            (Some(before), _) => format!("{id:.12} is {before}'s"),
            (None, Some(token)) => format!("{id:.12} is {token}"),
            (None, None) => return None,
        };
        let what = format!("{why}, and was offered to {child}");
        Some((Bad::WronglyOffered, what))
    }

    /// What dead ones have left, among what there is; or of that only what was surely there when they died.
    pub fn left(&self, found: &[Found], sure_only: bool) -> Left {
        let mut left = Left::default();
        for one in found {
            let Ok(token) = one.token.parse::<Token>() else {
                continue;
            };
            let sure = self.known.contains_key(&one.id) && !self.going.contains(&one.id);
            if self.alive.contains_key(&token.child) || (sure_only && !sure) {
                continue;
            }
            match token.fate {
                Fate::Remove => left.to_remove.push(one.id.clone()),
                _ if self.heirs.contains_key(&one.id) => {}
                _ => left.to_offer.push(one.id.clone()),
            }
        }
        left
    }

    /// Once for each.
    pub fn first_time(&mut self, bad: Bad, id: &str) -> bool {
        self.told.insert((bad, id.to_owned()))
    }

    pub fn describe(&self, id: &str) -> String {
        match self.known.get(id) {
            Some(known) => format!("{id:.12}, {}", known.token),
            None => format!("{id:.12}, which nobody was told of"),
        }
    }

    /// What isn't as it must be. Before: as it was before they were looked for; now all has been heard that was said until
    /// then. What `remove` ones of dead ones come to is asked by [`left`](Self::left).
    pub fn judge(&mut self, before: &Self, found: &[Found]) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let mut tokens = BTreeMap::<&str, u64>::new();
        for one in found {
            *tokens.entry(&one.token).or_default() += 1;
        }
        for (token, count) in tokens {
            if count > 1 {
                wrong.push((
                    Bad::Duplicate,
                    token,
                    format!("{token} is there {count} times"),
                ));
            }
        }
        let found: BTreeMap<&str, &Found> = found.iter().map(|one| (&*one.id, one)).collect();
        for (id, then) in &before.known {
            let Some(now) = self.known.get(id) else {
                continue;
            };
            let seen = found.get(&**id);
            let lives = self.alive.contains_key(&now.token.child);
            if then.removed && seen.is_some() {
                let what = format!("removed and there: {}", self.describe(id));
                wrong.push((Bad::Lost, id, what));
            }
            if self.going.contains(id) || (!lives && now.token.fate == Fate::Remove) {
                continue;
            }
            let bad = if lives {
                Bad::LivingTouched
            } else {
                Bad::AdoptLost
            };
            let state = seen.map_or("gone", |seen| &*seen.state);
            if seen.is_none() || (then.running == Some(true) && state != "running") {
                wrong.push((bad, id, format!("it is {state}: {}", self.describe(id))));
            }
        }
        let mut counted = Vec::new();
        for (bad, of, what) in wrong {
            if self.told.insert((bad, of.to_owned())) {
                counted.push((bad, what));
            }
        }
        counted
    }
}
