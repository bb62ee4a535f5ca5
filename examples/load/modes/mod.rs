//! Who opens sessions, and closes them.

mod bollard;
mod naive;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catamaran::Endpoint;

use crate::Outcome;
use crate::args::{Mode, Options};

/// A session that is open.
pub struct Opened {
    /// A key, or a container's id.
    pub handle: String,
    /// How it came to be, where a manager says.
    pub how: Option<How>,
}

/// What a manager tells of an opening.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// It stood by.
    pub warm: bool,
    /// What took how long, in the order of its happening.
    pub phases: Vec<(&'static str, Duration)>,
}

#[async_trait]
pub trait Opener: Send + Sync {
    /// Opens the session of this number, for that user: when it returns, its container has been seen running.
    async fn open(&self, user: u64, number: u64) -> Outcome<Opened>;

    /// Ends a session, and removes its container.
    async fn close(&self, opened: Opened) -> Outcome<()>;

    /// Ends all there is.
    async fn end(&self) -> Outcome<()>;
}

/// Of these options; `run` names all that it makes.
pub async fn opener(options: &Options, way: &Endpoint, run: &str) -> Outcome<Arc<dyn Opener>> {
    Ok(match options.mode {
        Mode::Naive => Arc::new(naive::Naive::new(way, run)),
        Mode::Bollard => Arc::new(bollard::Bollard::connect(way, run).await?),
        Mode::Blocking | Mode::Async | Mode::Hybrid => {
            Arc::new(sessions::Sessions::start(options, way, run).await?)
        }
    })
}
