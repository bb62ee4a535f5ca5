//! The mode and the rollout of a live backend, shared by all its handles.

use std::sync::atomic::{AtomicU8, Ordering};

use super::rollout::Rollout;
use crate::backend::CallContext;
use crate::config::Mode;
use crate::policy::Route;

/// A [`Mode`] and a share that can be changed while calls are under way.
#[derive(Debug)]
pub(super) struct Switch {
    mode: AtomicU8,
    pub(super) rollout: Rollout,
}

impl Switch {
    pub(super) fn new(mode: Mode, percent: u8) -> Self {
        Self {
            mode: AtomicU8::new(mode as u8),
            rollout: Rollout::new(percent),
        }
    }

    pub(super) fn get(&self) -> Mode {
        mode_of(self.mode.load(Ordering::Relaxed))
    }

    /// Sets the mode and gives back the one before.
    pub(super) fn set(&self, mode: Mode) -> Mode {
        mode_of(self.mode.swap(mode as u8, Ordering::Relaxed))
    }

    /// By which way a call of this context goes.
    pub(super) fn route(&self, context: &CallContext) -> Route {
        match self.get() {
            Mode::Auto if !self.rollout.takes(context) => Route {
                mode: Mode::Blocking,
                left_out: true,
            },
            mode => mode.into(),
        }
    }
}

fn mode_of(number: u8) -> Mode {
    [Mode::Async, Mode::Blocking]
        .into_iter()
        .find(|candidate| *candidate as u8 == number)
        .unwrap_or(Mode::Auto)
}
