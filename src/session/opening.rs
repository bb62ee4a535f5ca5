//! How a session was come by, and how long that took.

use std::time::Duration;

use serde::Serialize;

/// How a session was come by.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its container was made.
    Cold,
    /// It came from the warm pool.
    Warm,
    /// It was there already.
    Existing,
    /// It had stopped, and was started again.
    Resumed,
    /// An earlier host had made it.
    Adopted,
}

impl Origin {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Existing => "existing",
            Self::Resumed => "resumed",
            Self::Adopted => "adopted",
        }
    }
}

/// How a session was opened.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// How it was come by.
    pub origin: Origin,
    /// How long that took.
    pub timings: Timings,
}

/// How long the [phases](super::Phase) of an open took; one that there wasn't took no time. Serialised in seconds.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Timings {
    /// Waiting: for a place, for others that open or close the same session, for a turn.
    #[serde(serialize_with = "seconds")]
    pub admission: Duration,
    /// Making sure of the image.
    #[serde(serialize_with = "seconds")]
    pub image: Duration,
    /// Making the container, with its volumes and its network.
    #[serde(serialize_with = "seconds")]
    pub create: Duration,
    /// Starting it.
    #[serde(serialize_with = "seconds")]
    pub start: Duration,
    /// Waiting until it was ready.
    #[serde(serialize_with = "seconds")]
    pub ready: Duration,
    /// Looking at one of the warm pool's before it is given away.
    #[serde(serialize_with = "seconds")]
    pub claim: Duration,
    /// Making it its owner's.
    #[serde(serialize_with = "seconds")]
    pub setup: Duration,
    /// Giving it its name.
    #[serde(serialize_with = "seconds")]
    pub confirm: Duration,
    /// From the call to its answer.
    #[serde(serialize_with = "seconds")]
    pub total: Duration,
}

pub(super) fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}
