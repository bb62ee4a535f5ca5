//! What a container uses, from one look to the next.

use std::fmt;
use std::sync::Arc;

use super::ContainerBackend;
use crate::error::Result;
use crate::model::{ContainerRef, ContainerStats, Usage};

/// Takes samples of what a container uses and keeps the last, to tell what was used in between; made by
/// [`usage_meter`](super::ContainerBackendExt::usage_meter).
///
/// A sample is one call that the engine answers at once. Where a container was started anew and had
/// used more by the second sample than by the first, nothing shows it, and the percentage is too low.
pub struct UsageMeter {
    backend: Arc<dyn ContainerBackend>,
    container: ContainerRef,
    last: Option<ContainerStats>,
}

impl UsageMeter {
    pub(super) fn new(backend: Arc<dyn ContainerBackend>, container: ContainerRef) -> Self {
        Self {
            backend,
            container,
            last: None,
        }
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// As [`stats`](ContainerBackend::stats); the sample that is kept stays.
    ///
    /// # Cancel safety
    /// Safe: dropped before the answer, the sample that is kept stays.
    pub async fn sample(&mut self) -> Result<Usage> {
        let stats = self.backend.stats(&self.container).await?;
        let last = self.last.replace(stats.clone());
        let cpu_percent = last.and_then(|last| stats.cpu_percent_since(&last));
        Ok(Usage { stats, cpu_percent })
    }
}

impl fmt::Debug for UsageMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsageMeter").field(&self.container).finish()
    }
}
