//! One of two roads: which engine is there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::backend::{CallContext, ContainerBackend};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::quote::quote;

/// Which engine it is. Copies of one machine's disk bear the same ID; their hosts' names mostly differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) host: Option<String>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ID {}", quote(&self.id))?;
        match &self.host {
            Some(host) => write!(f, " on host {}", quote(host)),
            None => Ok(()),
        }
    }
}

/// Asks within that time, by a handle that outlives the caller's runtime or not.
type Ask = dyn Fn(Duration, bool) -> BoxFuture<'static, Result<Identity>> + Send + Sync;

/// A road, and what to call its end.
pub(crate) struct Side {
    ask: Box<Ask>,
    pub(super) place: String,
}

impl Side {
    pub(crate) fn new(engine: Arc<dyn ContainerBackend>, place: String) -> Self {
        let ask = move |within, detached| {
            let engine = match detached {
                true => engine.detached(),
                false => Arc::clone(&engine),
            };
            identity(engine, within).boxed()
        };
        Self::asking(ask, place)
    }

    pub(super) fn asking(
        ask: impl Fn(Duration, bool) -> BoxFuture<'static, Result<Identity>> + Send + Sync + 'static,
        place: String,
    ) -> Self {
        Self {
            ask: Box::new(ask),
            place,
        }
    }

    pub(super) async fn identity(&self, within: Duration, detached: bool) -> Result<Identity> {
        (self.ask)(within, detached).await
    }

    /// Nothing was sent to an engine of which nobody knows which it is. A failure of the path stays one.
    pub(super) fn unknown(&self, error: &Error) -> Error {
        let kind = match error.kind() {
            // It is this process's, not the road's.
            ErrorKind::Saturated => ErrorKind::Saturated,
            kind if kind.is_path_failure() => kind,
            _ => ErrorKind::Unavailable,
        };
        let (why, stays) = match is_unfit(error) {
            true => (error.message().to_owned(), true),
            false => (error.to_string(), false),
        };
        let message = format!("the ID of the engine at {} isn't known: {why}", self.place);
        let unknown = Error::new(kind, message)
            .with_effect(Effect::NotSent)
            .with_source(error.clone());
        match stays {
            true => {
                unknown.with_advice("unset DOCKER_FALLBACK_HOST: it needs an engine whose ID stays")
            }
            false => unknown,
        }
    }
}

async fn identity(engine: Arc<dyn ContainerBackend>, within: Duration) -> Result<Identity> {
    let context = CallContext::new().with_timeout(within);
    let info = engine.with_context(context).info().await?;
    match info.id.filter(|id| !id.is_empty()) {
        Some(id) => Ok(Identity {
            id,
            host: info.name,
        }),
        None => Err(unfit("it gives none")),
    }
}

/// An engine that can't be told by its ID.
pub(super) fn unfit(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, why)
}

pub(super) fn is_unfit(error: &Error) -> bool {
    error.kind() == ErrorKind::Unsupported
}
