//! How much the machine does besides: a fixed piece of work before each round, and what the kernel counts.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

/// About a millisecond of arithmetic, whose length tells only of the machine.
const STEPS: u64 = 1_000_000;

pub fn spin() -> Duration {
    let start = Instant::now();
    let mut state = 1_u64;
    for step in 0..STEPS {
        state = black_box(state.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step);
    }
    black_box(state);
    start.elapsed()
}

/// What all processors did, in ticks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ticks {
    all: u64,
    idle: u64,
    steal: u64,
}

/// Shares of that, from one look to another.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Shares {
    pub busy: f64,
    /// Time that the machine was ready to run and its host gave to others.
    pub steal: f64,
}

impl Ticks {
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let numbers: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|number| number.parse().ok())
            .collect();
        let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
        Self {
            // What guests take is among the users' already.
            all: numbers.iter().take(8).sum(),
            idle: at(3) + at(4),
            steal: at(7),
        }
    }

    pub fn since(self, earlier: Self) -> Shares {
        let all = (self.all - earlier.all).max(1) as f64;
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / all;
        Shares {
            busy: 1.0 - share(self.idle, earlier.idle),
            steal: share(self.steal, earlier.steal),
        }
    }
}

/// The average number of tasks that ran or waited to, over the last minute.
pub fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}
