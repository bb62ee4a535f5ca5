//! What a child tells on its standard output, a line each: what it is about to do before it asks, what was done after it was
//! told. A line counts once its parent has read it.

use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A session as it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub key: String,
    /// The session's.
    pub id: String,
    pub container: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It has a lease, under this instance.
    Begun(String),
    Opening(String),
    Opened {
        held: Held,
        origin: String,
    },
    Closing(String),
    Closed(String),
    /// One of those that its manager has, said before `Recovered` and `Listed`.
    Has(Held),
    Listed,
    /// What was left behind is adopted or gone, as the crate says.
    Recovered,
    /// All of a set have been opened, used and closed.
    Used,
    /// Nobody asks any more but by an order.
    Rests,
    /// All that there are have been opened and used.
    Checked,
    /// What the manager takes for nobody's.
    Strays(Vec<String>),
    /// A call failed, though nothing stood in its way; unless it was refused for now, since this process is too slow for its
    /// lease.
    Failed {
        what: String,
        unavailable: bool,
    },
    /// The answer to a question: all that was said before has been heard.
    Here(u64),
    /// It has ended in order, or as this error says.
    Ended(Option<String>),
}

impl Said {
    /// Says it, in one write: a child that is killed has said it or not.
    pub fn say(&self) {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        let mut out = std::io::stdout().lock();
        // A parent that is gone ends this process by another way.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// What a child is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Life {
    pub number: u64,
    /// The host's name.
    pub host: String,
    pub lease: Duration,
    pub seed: u64,
    pub image: String,
    /// Whose keys are its own.
    pub set: u64,
    /// How many tasks ask at once.
    pub hands: u64,
    /// How long each waits between two calls.
    pub pause: Duration,
}

/// The owner of a hand's sessions.
pub fn owner(set: u64, hand: u64) -> String {
    format!("set-{set}-{hand}")
}

/// Whether a key is one of a set's.
pub fn is_of(set: u64, key: &str) -> bool {
    key.starts_with(&format!("set-{set}-"))
}

/// The name that a session's container has: owners and names need no escapes here.
pub fn container_name(host: &str, key: &str) -> String {
    format!("catamaran.{host}.{}", key.replace('/', "."))
}

/// What is nobody's yet.
pub const PENDING: &str = "catamaran-pending-";
