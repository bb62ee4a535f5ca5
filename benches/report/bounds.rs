//! How a figure stands to what was promised.

use crate::cell::Cell;
use crate::common::statistics::Estimate;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing was promised.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    NotMet,
    /// The interval has the bound in it.
    Undecided,
}

impl Limit {
    /// `None` where nothing was promised, or one round is all there is.
    pub fn judge(self, estimate: &Estimate) -> Option<Verdict> {
        if estimate.rounds < 2 {
            return None;
        }
        let (surely, surely_not) = match self {
            Self::AtMost(bound) => (estimate.high <= bound, estimate.low > bound),
            Self::AtLeast(bound) => (estimate.low >= bound, estimate.high < bound),
            Self::None => return None,
        };
        Some(match (surely, surely_not) {
            (true, _) => Verdict::Met,
            (_, true) => Verdict::NotMet,
            _ => Verdict::Undecided,
        })
    }
}

/// What is made of one cell's figures, in each round.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// The one over the other.
    Ratio(&'static str, &'static str),
    /// The one without the other.
    Difference(&'static str, &'static str),
    Value(&'static str),
}

pub struct Bound {
    pub what: &'static str,
    pub cell: &'static str,
    pub of: Of,
    pub figure: &'static str,
    pub limit: Limit,
}

impl Bound {
    pub fn estimate(&self, cells: &[Cell]) -> Result<Estimate, String> {
        estimate(cells, self.cell, self.of, self.figure)
    }
}

/// `Err` says why there is none.
pub fn estimate(cells: &[Cell], cell: &str, of: Of, figure: &str) -> Result<Estimate, String> {
    let found = cells.iter().find(|found| found.name == cell);
    let cell = found.ok_or_else(|| format!("`{cell}` was left out of this run"))?;
    match of {
        Of::Ratio(over, under) => cell.both(over, under, figure, |over, under| over / under),
        Of::Difference(whole, part) => cell.both(whole, part, figure, |whole, part| whole - part),
        Of::Value(name) => cell.value(name, figure),
    }
}
