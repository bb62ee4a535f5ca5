//! A host's own part of the pipeline.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::engine_kind::EngineKind;
use crate::error::{Error, Result};
use crate::operation::Operation;

/// An attempt that is about to be made.
#[non_exhaustive]
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// What is asked.
    pub operation: Operation,
    /// By which engine.
    pub engine: EngineKind,
    /// Which attempt of the call it is, from 1.
    pub number: u32,
}

/// A part of the host's own, passed by every attempt before it begins, inside the deadline, the fallback and the
/// retry: a limit of its own kind, a quota, a kill switch, a log.
///
/// ```no_run
/// use std::sync::Arc;
/// use async_trait::async_trait;
/// use catamaran::{Attempt, Error, ErrorKind, Gate, HybridBackend, Passed, Result};
///
/// struct ReadOnly;
///
/// #[async_trait]
/// impl Gate for ReadOnly {
///     async fn pass(&self, attempt: Attempt) -> Result<Box<dyn Passed>> {
///         if attempt.operation.is_read_only() {
///             return Ok(Box::new(()));
///         }
///         Err(Error::new(ErrorKind::Unsupported, "this host only looks"))
///     }
/// }
///
/// # fn example(backend: HybridBackend) {
/// let looking = backend.with_gate(Arc::new(ReadOnly));
/// # }
/// ```
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Lets an attempt through, now or later, or refuses it. What it gives back lives as long as the attempt; of a
    /// caller that goes away, it is dropped.
    ///
    /// # Errors
    /// As it likes: nothing has been sent, whatever the error says. A failure of the path is treated as one.
    ///
    /// # Cancel safety
    /// It must be: the call's deadline or its caller may end the waiting.
    async fn pass(&self, attempt: Attempt) -> Result<Box<dyn Passed>>;
}

/// An attempt that was let through.
pub trait Passed: Send {
    /// It has ended, with this failure if any.
    fn ended(self: Box<Self>, failure: Option<&Error>) {
        let _ = failure;
    }
}

/// Whoever doesn't care how it ends.
impl Passed for () {}

/// The gates of a handle.
#[derive(Clone, Default)]
pub(crate) struct Gates(Vec<Arc<dyn Gate>>);

impl Gates {
    pub(crate) fn push(&mut self, gate: Arc<dyn Gate>) {
        self.0.push(gate);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Gate>> {
        self.0.iter()
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gates", self.0.len())
    }
}
