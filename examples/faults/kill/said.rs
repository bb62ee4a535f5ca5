//! What a child tells on its standard output, a line each. What it is about to do it says before it asks, what was done
//! after it was told: so much is known whenever it is killed.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use catamaran::Fate;
use serde::{Deserialize, Serialize};

use crate::options::ClientChoice;

/// Containers are told by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It has a lease, under this instance.
    Begun(String),
    /// It asks for its first container.
    Asking,
    Made {
        id: String,
        token: String,
    },
    Starting(String),
    Started(String),
    Removing(String),
    Removed(String),
    /// All that was left behind has been found, as the crate says.
    Recovered,
    Offered(String),
    Adopted(String),
    NotAdopted(String, String),
    /// A call failed, though nothing stood in its way.
    Failed(String),
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
    pub run: String,
    pub image: String,
    pub client: ClientChoice,
    /// How many tasks ask at once.
    pub tasks: u64,
    /// How long each waits between two calls.
    pub pause: Duration,
}

/// A creation: whose it is, and what shall become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub child: u64,
    pub fate: Fate,
    pub task: u64,
    pub number: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            child,
            fate,
            task,
            number,
        } = self;
        write!(f, "{child}-{fate}-{task}-{number}")
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.split('-');
            let child = parts.next()?.parse().ok()?;
            let fate = match parts.next()? {
                "remove" => Fate::Remove,
                "adopt" => Fate::Adopt,
                _ => return None,
            };
            let (task, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(Self {
                child,
                fate,
                task,
                number,
            })
        };
        read().ok_or_else(|| format!("{text} is nobody's"))
    }
}
