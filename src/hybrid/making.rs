//! A creation under way: what it may leave behind is found and removed, however the call ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::HybridBackend;
use crate::backend::Cleanup;
use crate::backend::leftover::{Kind, Leftover};
use crate::error::{Effect, Error, Result};
use crate::model::ContainerRef;

/// Dropped before its end (the caller has gone), what comes of it is removed in the background.
pub(super) struct Making {
    cleanup: Cleanup,
    doubted: Arc<AtomicBool>,
}

impl HybridBackend {
    pub(super) fn making(&self, kind: Kind, operation: &str) -> Result<Making> {
        let doubted = Arc::default();
        let leftover = Leftover::creation(kind, operation)?.doubted(&doubted);
        Ok(Making {
            cleanup: Cleanup::new(Arc::new(self.clone()), leftover),
            doubted,
        })
    }
}

impl Making {
    /// An attempt may have happened, or may still.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// The call has ended: what the caller doesn't get is removed. `id` is whom to spare.
    pub(super) fn made<T>(
        self,
        made: Result<T>,
        id: impl FnOnce(&T) -> Option<&ContainerRef>,
    ) -> Result<T> {
        let doubted = self.doubted.load(Ordering::Relaxed);
        match made {
            Ok(made) => {
                match id(&made).filter(|_| doubted) {
                    // An attempt that was given up may yet come to something, once the name is free again.
                    Some(id) => self.cleanup.sweep(id),
                    None => self.cleanup.disarm(),
                }
                Ok(made)
            }
            Err(error) => {
                if !doubted && error.effect() != Effect::Unknown {
                    self.cleanup.disarm();
                    return Err(error);
                }
                drop(self.cleanup);
                Err(told(error))
            }
        }
    }
}

fn told(error: Error) -> Error {
    if error.effect() != Effect::Unknown || error.advice().is_some() {
        return error;
    }
    error.with_advice("where it comes to be all the same, it is removed in the background")
}
