//! Whether limits hold that an engine says are in force.

use std::collections::HashSet;
use std::sync::Mutex;

use super::managed::Managed;
use super::spec::SessionSpec;
use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;

/// Specs of which a container was seen to be held to its memory. An engine shows what it was asked for, whatever its kernel makes
/// of it; that is the same for all containers of a spec, and a sample takes Docker up to a second: so the first one is looked at.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashSet<String>>);

impl Verified {
    /// It may be another engine, or another kernel, by now.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Whether the kernel holds a container to the memory of its spec.
    ///
    /// # Errors
    /// `Weakened` where it doesn't; as [`stats`](ContainerBackend::stats).
    pub(super) async fn limits_hold(
        &self,
        backend: &dyn ContainerBackend,
        managed: &Managed,
        spec: &SessionSpec,
    ) -> Result<()> {
        let (Some(asked), true) = (spec.container.resources.memory, spec.container.strict) else {
            return Ok(());
        };
        if lock(&self.0).contains(&managed.written.what.spec) {
            return Ok(());
        }
        let stats = match backend.stats(&managed.container).await {
            Ok(stats) => stats,
            // Whether it is there, and runs, others ask.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // Of a container that has ended there is nothing to see.
        let Some(held) = stats.memory.and_then(|memory| memory.limit) else {
            return Ok(());
        };
        // Kernels round to pages.
        if held > asked + asked / 64 {
            let message =
                format!("its memory is limited to {held} bytes where {asked} were asked for");
            let advice = "the engine's kernel doesn't hold the limit: see catamaran::doctor";
            return Err(Error::new(ErrorKind::Weakened, message).with_advice(advice));
        }
        lock(&self.0).insert(managed.written.what.spec.clone());
        Ok(())
    }
}
