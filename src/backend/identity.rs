//! Which handles lead to the same backend.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the handles to one backend share and no other's have, see
/// [`ContainerBackend::identity`](super::ContainerBackend::identity).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackendId(u64);

impl BackendId {
    /// One that nobody else in this process has; for implementors of a backend, one for each that is made.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(COUNT.fetch_add(1, Ordering::Relaxed))
    }
}
