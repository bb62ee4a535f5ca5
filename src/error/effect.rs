//! What is known of what a failed call has done.

use std::fmt;

/// What is known of a failed call's effect on the engine.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing reached the engine: repeating is safe.
    NotSent,
    /// The engine answered and refused; it did not do it.
    Rejected,
    /// It may or may not have happened: look before repeating.
    Unknown,
    /// It happened, though the call failed: what it gave is lost.
    Done,
}

impl Effect {
    /// The name as serde has it, for labels.
    ///
    /// ```
    /// assert_eq!(catamaran::Effect::NotSent.as_str(), "not_sent");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "nothing was sent",
            Self::Rejected => "the engine refused it",
            Self::Unknown => "it may have happened",
            Self::Done => "it has happened",
        })
    }
}
