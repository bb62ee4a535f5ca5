//! What happened in the last minute, in a few kilobytes however much it was.

use std::time::Duration;

use tokio::time::Instant;

/// The last minute, in parts that are forgotten one by one.
pub(super) const LOOKS_BACK: Duration = Duration::from_secs(SLOTS as u64 * SLOT.as_secs());
const SLOTS: usize = 12;
const SLOT: Duration = Duration::from_secs(5);

/// Durations are counted from the first bucket's end on, two buckets for each doubling: a percentile is at most 1.42 times
/// what it was.
const BUCKETS: usize = 42;
const FIRST: Duration = Duration::from_micros(50);

/// Counts of the last minute.
#[derive(Debug)]
pub(super) struct Window {
    began: Instant,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    number: u64,
    all: u32,
    marked: u32,
    took: [u32; BUCKETS],
}

/// What the last minute sums up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) all: u64,
    pub(super) marked: u64,
    /// Of so many durations.
    pub(super) timed: u64,
    /// 95 of a hundred took no longer than this.
    pub(super) p95: Option<Duration>,
}

impl Sum {
    /// The share of those that are marked, 0 where there are none at all.
    pub(super) fn share(&self) -> f64 {
        match self.all {
            0 => 0.0,
            all => self.marked as f64 / all as f64,
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        let empty = Slot {
            number: 0,
            all: 0,
            marked: 0,
            took: [0; BUCKETS],
        };
        Self {
            began: Instant::now(),
            slots: [empty; SLOTS],
        }
    }
}

impl Window {
    /// Counts one just now, marked or not, with how long it took where that says something.
    pub(super) fn add(&mut self, now: Instant, marked: bool, took: Option<Duration>) {
        let number = self.number(now);
        let slot = &mut self.slots[(number % SLOTS as u64) as usize];
        if slot.number != number {
            *slot = Slot {
                number,
                all: 0,
                marked: 0,
                took: [0; BUCKETS],
            };
        }
        slot.all = slot.all.saturating_add(1);
        slot.marked = slot.marked.saturating_add(u32::from(marked));
        if let Some(took) = took {
            let count = &mut slot.took[bucket(took)];
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn sum(&self) -> Sum {
        let (now, mut sum) = (self.number(Instant::now()), Sum::default());
        let mut took = [0; BUCKETS];
        let recent = |slot: &&Slot| slot.number + SLOTS as u64 > now;
        for slot in self.slots.iter().filter(recent) {
            sum.all += u64::from(slot.all);
            sum.marked += u64::from(slot.marked);
            for (all, one) in took.iter_mut().zip(slot.took) {
                *all += u64::from(one);
            }
        }
        sum.timed = took.iter().sum();
        let mut left = (sum.timed * 95).div_ceil(100);
        sum.p95 = (sum.timed > 0).then(|| {
            let at = took.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            end(at.unwrap_or(BUCKETS - 1))
        });
        sum
    }

    fn number(&self, now: Instant) -> u64 {
        (now - self.began).as_secs() / SLOT.as_secs()
    }
}

fn bucket(took: Duration) -> usize {
    let doublings = (took.as_secs_f64() / FIRST.as_secs_f64()).max(1.0).log2();
    // A float that is too great saturates.
    ((doublings * 2.0).ceil() as usize).min(BUCKETS - 1)
}

fn end(bucket: usize) -> Duration {
    FIRST.mul_f64(2_f64.powf(bucket as f64 / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_a_minute_is_forgotten() {
        let mut window = Window::default();
        for _ in 0..3 {
            window.add(Instant::now(), true, None);
        }
        tokio::time::advance(Duration::from_secs(50)).await;
        window.add(Instant::now(), false, None);
        let sum = window.sum();
        assert_eq!((sum.all, sum.marked, sum.share()), (4, 3, 0.75));
        tokio::time::advance(Duration::from_secs(15)).await;
        let sum = window.sum();
        assert_eq!((sum.all, sum.marked, sum.share()), (1, 0, 0.0));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(window.sum(), Sum::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_percentile_is_what_it_was_within_a_bucket() {
        let mut window = Window::default();
        assert_eq!(window.sum().p95, None);
        for milliseconds in 1..=100 {
            window.add(
                Instant::now(),
                false,
                Some(Duration::from_millis(milliseconds)),
            );
        }
        let p95 = window.sum().p95.expect("one").as_secs_f64() / 0.095;
        assert!((1.0..=1.42).contains(&p95), "{p95}");
        for extreme in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            window.add(Instant::now(), false, Some(extreme));
        }
        assert_eq!(window.sum().timed, 103);
    }
}
