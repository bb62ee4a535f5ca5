//! The mode of a live backend, shared by all its handles.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::config::Mode;

/// A [`Mode`] that can be changed while calls are under way.
#[derive(Debug)]
pub(super) struct Switch(AtomicU8);

impl Switch {
    pub(super) fn new(mode: Mode) -> Self {
        Self(AtomicU8::new(mode as u8))
    }

    pub(super) fn get(&self) -> Mode {
        mode_of(self.0.load(Ordering::Relaxed))
    }

    /// Sets the mode and gives back the one before.
    pub(super) fn set(&self, mode: Mode) -> Mode {
        mode_of(self.0.swap(mode as u8, Ordering::Relaxed))
    }
}

fn mode_of(number: u8) -> Mode {
    [Mode::Async, Mode::Blocking]
        .into_iter()
        .find(|candidate| *candidate as u8 == number)
        .unwrap_or(Mode::Auto)
}
