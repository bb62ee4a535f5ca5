//! Which share of the traffic takes the async engine.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::backend::CallContext;
use crate::error::{Error, Result};

/// 2⁶⁴ over the golden ratio: its multiples fill the range evenly, however many there are (Knuth, "The Art of Computer
/// Programming", vol. 3, 6.4).
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;
const ALL: u8 = 100;

/// A share in percent that can be changed while calls are under way.
#[derive(Debug)]
pub(super) struct Rollout {
    percent: AtomicU8,
    calls: AtomicU64,
}

impl Rollout {
    /// A share in percent, at most all.
    pub(super) fn new(percent: u8) -> Self {
        Self {
            percent: AtomicU8::new(percent.min(ALL)),
            calls: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Sets the share and gives back the one before.
    ///
    /// # Errors
    /// `InvalidInput` for more than all.
    pub(super) fn set(&self, percent: u8) -> Result<u8> {
        let percent = in_range("rollout", percent)?;
        Ok(self.percent.swap(percent, Ordering::Relaxed))
    }

    /// Whether a call belongs to the share: by its session, or else by whose it is, and always alike; without either, so many of
    /// a hundred calls.
    pub(super) fn takes(&self, context: &CallContext) -> bool {
        match self.get() {
            0 => false,
            percent if percent < ALL => {
                let whose = context.session.as_ref().or(context.key.as_ref());
                let place = match whose {
                    Some(whose) => place_of(whose),
                    None => (self.calls.fetch_add(1, Ordering::Relaxed)).wrapping_mul(STRIDE),
                };
                is_among(place, percent)
            }
            _ => true,
        }
    }
}

/// A share of that name, where it can be one.
///
/// # Errors
/// `InvalidInput` for more than all.
pub(super) fn in_range(field: &'static str, percent: u8) -> Result<u8> {
    match percent {
        0..=ALL => Ok(percent),
        _ => {
            let message = format!("{percent} is out of range; accepted: 0 to 100 percent");
            Err(Error::invalid(field, message))
        }
    }
}

/// Where a key lies, the same in every process and version: a session stays where it is when its host is started anew.
fn place_of(key: &str) -> u64 {
    let digest = Sha256::digest(key.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// A greater share holds all that a smaller one does.
fn is_among(place: u64, percent: u8) -> bool {
    u128::from(place) * u128::from(ALL) < u128::from(percent) << 64
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: usize = 100_000;

    fn of_session(number: usize) -> CallContext {
        CallContext::new().with_session(format!("owner-{}/session-{number}", number / 7))
    }

    fn taken(rollout: &Rollout, context: impl Fn(usize) -> CallContext) -> Vec<bool> {
        (0..KEYS).map(|n| rollout.takes(&context(n))).collect()
    }

    #[test]
    fn it_is_the_share_sticky_and_grows_only() {
        let rollout = Rollout::new(0);
        let mut before = vec![false; KEYS];
        for percent in [0, 1, 10, 50, 100] {
            rollout.set(percent).expect("in range");
            let now = taken(&rollout, of_session);
            assert_eq!(now, taken(&rollout, of_session), "sticky");
            let all = (before.iter().zip(&now)).all(|(before, now)| *now || !*before);
            assert!(all, "nobody is moved back at {percent}");
            let share = now.iter().filter(|taken| **taken).count() as f64 / KEYS as f64;
            assert!(
                (share * 100.0 - f64::from(percent)).abs() <= 1.0,
                "{share} for {percent}"
            );
            before = now;
        }
    }

    #[test]
    fn calls_of_nobody_are_spread_evenly() {
        for percent in [1, 10, 50, 99] {
            let rollout = Rollout::new(percent);
            let taken = taken(&rollout, |_| CallContext::new());
            // Not only on the whole: of any thousand in a row.
            for some in taken.chunks(1000) {
                let share = some.iter().filter(|taken| **taken).count();
                assert!(
                    share.abs_diff(usize::from(percent) * 10) <= 10,
                    "{share} for {percent}"
                );
            }
        }
    }

    #[test]
    fn a_session_stays_where_it_is_from_version_to_version() {
        assert_eq!(place_of("alice/notebook"), 5_045_747_754_480_659_218);
    }

    #[test]
    fn more_than_all_is_refused() {
        Rollout::new(0).set(101).expect_err("too much");
    }
}
