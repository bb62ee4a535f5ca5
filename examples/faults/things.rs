//! Networks and volumes, as their callers know of them.

use crate::calls::{Certainty, Ended};
use crate::report::Bad;

/// A network or a volume that a caller asked for.
pub struct Thing {
    pub is_network: bool,
    pub token: String,
    /// What it is asked for by; `None` where its creation didn't end well and nobody named it.
    pub name: Option<String>,
    pub created: Certainty,
    /// `None` where nobody asked.
    pub removed: Option<Certainty>,
    pub history: Vec<String>,
}

impl Thing {
    /// Whether its caller may go on with it.
    pub fn is_ready(&self) -> bool {
        self.created == Certainty::Done
            && self.name.is_some()
            && !matches!(self.removed, Some(Certainty::Done | Certainty::Unsure))
    }

    pub fn note(&mut self, call: &str, ended: &Ended) {
        let more = match ended {
            Ended::Told(Err(failure)) => format!(": {}", failure.text),
            _ => String::new(),
        };
        self.history.push(format!("{call}: {}{more}", ended.word()));
    }

    /// What it is if there is one too many.
    pub fn too_many(&self) -> Bad {
        match self.removed {
            Some(Certainty::Done) => Bad::Lost,
            _ => Bad::Orphan,
        }
    }

    /// What it is if it isn't there.
    pub fn too_few(&self) -> Bad {
        match self.removed {
            Some(_) => Bad::Orphan,
            None => Bad::Lost,
        }
    }

    /// How many there are to be: the least and the most.
    pub fn expected(&self) -> (u64, u64) {
        match (self.created, self.removed) {
            (Certainty::Done, None | Some(Certainty::NotDone)) => (1, 1),
            (Certainty::Done, Some(Certainty::Unsure)) => (0, 1),
            // Others may have been given a volume of that name: it isn't taken back from who goes away.
            (Certainty::Unsure, None) if !self.is_network && self.name.is_some() => (0, 1),
            _ => (0, 0),
        }
    }
}
