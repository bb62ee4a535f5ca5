//! What can be said of rounds, whatever their distribution.

use serde::Serialize;

/// The median of rounds, and two of them around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub rounds: usize,
    /// How surely the true median lies between the two.
    pub confidence: f64,
}

impl Estimate {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values = sorted(values.into_iter().collect());
        let rounds = values.len();
        let middle = rounds.checked_sub(1)?.div_ceil(2);
        let (low, high, confidence) = interval(rounds);
        Some(Self {
            median: f64::midpoint(values[middle], values[rounds - 1 - middle]),
            low: values[low],
            high: values[high],
            rounds,
            confidence,
        })
    }
}

pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The least of sorted values that this share of them doesn't exceed (the nearest rank); there is at least one.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.saturating_sub(1)]
}

/// Which two of so many sorted samples enclose the median in at least 95 of 100 cases, whatever their
/// distribution, and how surely: a sample lies below it as a coin falls. Of five and fewer, the first and the last, less
/// surely.
pub fn interval(samples: usize) -> (usize, usize, f64) {
    let all = 2f64.powi(i32::try_from(samples).expect("few samples"));
    let (mut low, mut tail, mut ways) = (0, 1.0, 1.0);
    loop {
        // One more of the samples below: their number of ways, by the binomial's recurrence.
        let next = ways * (samples - low) as f64 / (low + 1) as f64;
        if (tail + next) / all > 0.025 {
            return (low, samples - 1 - low, 1.0 - 2.0 * tail / all);
        }
        (low, tail, ways) = (low + 1, tail + next, next);
    }
}
