//! What was promised, and how it came out.

use serde::Serialize;

use crate::cell::{Cell, Run};
use crate::common::statistics::Estimate;

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing was promised.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    NotMet,
    /// The interval has the bound in it.
    Undecided,
}

impl Limit {
    pub fn judge(self, estimate: &Estimate) -> Option<Verdict> {
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

/// A figure of one cell: a ratio of two of its subjects, or one subject's value.
pub struct Bound {
    pub what: &'static str,
    pub cell: &'static str,
    pub over: &'static str,
    pub under: Option<&'static str>,
    pub figure: &'static str,
    pub limit: Limit,
}

const fn ratio(
    what: &'static str,
    cell: &'static str,
    (over, under): (&'static str, &'static str),
    limit: Limit,
) -> Bound {
    Bound {
        what,
        cell,
        over,
        under: Some(under),
        figure: "time_us",
        limit,
    }
}

const fn value(what: &'static str, cell: &'static str, over: &'static str, limit: Limit) -> Bound {
    Bound {
        what,
        cell,
        over,
        under: None,
        figure: "time_us",
        limit,
    }
}

impl Bound {
    const fn of(self, figure: &'static str) -> Self {
        Self { figure, ..self }
    }

    pub fn estimate(&self, cells: &[Cell]) -> Result<Estimate, String> {
        let cell = cells.iter().find(|cell| cell.name == self.cell);
        let cell = cell.ok_or_else(|| format!("{} was left out of this run", self.cell))?;
        match self.under {
            Some(under) => cell.ratio(self.over, under, self.figure),
            None => cell.value(self.over, self.figure),
        }
    }
}

use Limit::{AtLeast, AtMost};

/// The bounds that the project has set itself.
pub const BOUNDS: &[Bound] = &[
    ratio(
        "unix call, one caller: async over bollard as it comes",
        "unix/ping/1",
        ("async", "bollard"),
        AtMost(0.60),
    ),
    ratio(
        "unix call, one caller: async over the raw floor",
        "unix/ping/1",
        ("async", "floor"),
        AtMost(1.4),
    ),
    ratio(
        "unix, 256 callers, calls a second: async over bollard as it comes",
        "unix/ping/256",
        ("bollard", "async"),
        AtLeast(1.8),
    ),
    ratio(
        "unix, 256 callers, calls a second: async over plain hyper",
        "unix/ping/256",
        ("hyper", "async"),
        AtLeast(0.9),
    ),
    ratio(
        "TLS call, one caller: async over bollard as it comes",
        "tls/ping/1",
        ("async", "bollard"),
        AtMost(1.0 / 50.0),
    ),
    ratio(
        "TLS call, 16 callers: async over bollard as it comes",
        "tls/ping/16",
        ("async", "bollard"),
        AtMost(1.0 / 15.0),
    ),
    ratio(
        "TLS call, one caller: async over plain hyper over TLS",
        "tls/ping/1",
        ("async", "hyper"),
        AtMost(1.3),
    ),
    ratio(
        "TLS call, 16 callers: async over plain hyper over TLS",
        "tls/ping/16",
        ("async", "hyper"),
        AtMost(1.3),
    ),
    ratio(
        "list of 1,000 containers: async over bollard as it comes",
        "canned/list-1000",
        ("async", "bollard"),
        AtMost(0.6),
    ),
    ratio(
        "list of 1,000 containers, allocations: async over bollard",
        "allocations/canned/list",
        ("async", "bollard"),
        AtMost(0.5),
    )
    .of("allocations"),
    ratio(
        "full stack over the bare async engine, a ping",
        "unix/ping/1",
        ("full", "async"),
        AtMost(1.10),
    ),
    ratio(
        "blocking engine over shiplift as it comes behind `spawn_blocking`, a ping",
        "unix/ping/1",
        ("blocking", "shiplift"),
        AtMost(0.5),
    ),
    value(
        "memory of a call under way, async: resident bytes",
        "memory/in-flight",
        "async",
        AtMost(16.0 * 1024.0),
    )
    .of("rss_bytes"),
    value(
        "the same, bollard over kept connections",
        "memory/in-flight",
        "bollard-pooled",
        Limit::None,
    )
    .of("rss_bytes"),
];

/// All of them, in a run.
pub fn judged(run: &Run) -> impl Iterator<Item = (&'static Bound, Result<Estimate, String>)> {
    BOUNDS
        .iter()
        .map(|bound| (bound, bound.estimate(&run.cells)))
}
