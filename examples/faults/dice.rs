//! Numbers by a seed.

use std::time::Duration;

/// splitmix64, by Vigna.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// One of many that a seed has, each with numbers of its own.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        let of_seed = dice.roll();
        let mut dice = Self(of_seed ^ number);
        dice.roll();
        dice
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, chance: f64) -> bool {
        self.fraction() < chance
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        let at = self.below(among.len() as u64);
        among.get(usize::try_from(at).ok()?)
    }

    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.fraction())
    }
}
