//! Who served a call, and why.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind};
use crate::lock::lock;
use crate::operation::Operation;

/// Why an engine was chosen.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The mode says so.
    Mode,
    /// The rollout hasn't come to it: see [`HybridBackend::set_rollout`](crate::HybridBackend::set_rollout).
    Rollout,
    /// The async engine's path has failed before and is left alone for a while.
    Breaker,
    /// The path of the async engine failed first.
    Fallback {
        /// What failed there.
        kind: ErrorKind,
        /// What was known of its effect.
        effect: Effect,
        /// The failure in one line, its causes included.
        message: String,
    },
}

impl Reason {
    pub(crate) fn fallback(failed: &Error) -> Self {
        Self::Fallback {
            kind: failed.kind(),
            effect: failed.effect(),
            message: format!("{failed:#}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode => f.write_str("by mode"),
            Self::Rollout => f.write_str("by rollout"),
            Self::Breaker => f.write_str("by breaker"),
            Self::Fallback { kind, .. } => write!(f, "by fallback ({kind})"),
        }
    }
}

/// A call that has ended.
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct CallReport {
    /// What was asked.
    pub operation: Operation,
    /// What it was about, by the id or the name that it was called by: a container, an image, a network, a volume, an exec.
    pub subject: Option<String>,
    /// The engine whose answer, or failure, the caller got.
    pub engine: EngineKind,
    /// Why that engine.
    pub reason: Reason,
    /// How often an engine was asked, the looks at what had become of it not counted.
    pub attempts: u32,
    /// How long the whole call took, the failed path included.
    pub elapsed: Duration,
    /// The kind of failure; `None` is success.
    pub failure: Option<ErrorKind>,
}

/// Hears of every call through a [`HybridBackend`](crate::HybridBackend) when it has ended; closures
/// are observers too.
///
/// It is called on the caller's task: it should be quick, and must not block. A stream or a session (`logs`, `events`,
/// `pull_image`, `attach` …) is reported when it has begun. A call whose future is dropped is
/// reported as [`Cancelled`](ErrorKind::Cancelled) while it is dropped.
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::{CallReport, HybridBackend};
///
/// # fn example(backend: HybridBackend) {
/// let seen = backend.with_observer(Arc::new(|report: &CallReport| {
///     println!("{} by the {} engine, {}", report.operation, report.engine, report.reason);
/// }));
/// # }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A call has ended.
    fn on_call(&self, report: &CallReport);
}

impl<F: Fn(&CallReport) + Send + Sync + 'static> Observer for F {
    fn on_call(&self, report: &CallReport) {
        self(report);
    }
}

/// An [`Observer`] that keeps the last report.
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::{ContainerBackend, HybridBackend, LastCall};
///
/// # async fn example(backend: HybridBackend) -> catamaran::Result<()> {
/// let last = Arc::new(LastCall::default());
/// backend.with_observer(last.clone()).ping().await?;
/// if let Some(report) = last.get() {
///     println!("{} by the {} engine, {}", report.operation, report.engine, report.reason);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct LastCall(Mutex<Option<CallReport>>);

impl LastCall {
    /// The report of the call that ended last, if any has.
    #[must_use]
    pub fn get(&self) -> Option<CallReport> {
        lock(&self.0).clone()
    }
}

impl Observer for LastCall {
    fn on_call(&self, report: &CallReport) {
        *lock(&self.0) = Some(report.clone());
    }
}
