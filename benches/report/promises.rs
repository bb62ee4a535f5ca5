//! What was promised: by the project, and by the document that it began with. And what else is worth comparing.

use crate::bounds::Bound;
use crate::bounds::Limit::{self, AtLeast, AtMost};
use crate::bounds::Of::{self, Difference, Ratio, Value};

const fn bound(
    what: &'static str,
    cell: &'static str,
    figure: &'static str,
    of: Of,
    limit: Limit,
) -> Bound {
    Bound {
        what,
        cell,
        of,
        figure,
        limit,
    }
}

#[rustfmt::skip]
pub const BOUNDS: &[Bound] = &[
    bound("unix call, one caller: async over bollard as it comes", "unix/ping/1", "time_us", Ratio("async", "bollard"), AtMost(0.60)),
    bound("unix call, one caller: async over the raw floor", "unix/ping/1", "time_us", Ratio("async", "floor"), AtMost(1.4)),
    bound("unix, 256 callers, calls a second: async over bollard as it comes", "unix/ping/256", "per_s", Ratio("async", "bollard"), AtLeast(1.8)),
    bound("unix, 256 callers, calls a second: async over plain hyper", "unix/ping/256", "per_s", Ratio("async", "hyper"), AtLeast(0.9)),
    bound("TLS call, one caller: async over bollard as it comes", "tls/ping/1", "time_us", Ratio("async", "bollard"), AtMost(1.0 / 50.0)),
    bound("TLS call, 16 callers: async over bollard as it comes", "tls/ping/16", "time_us", Ratio("async", "bollard"), AtMost(1.0 / 15.0)),
    bound("TLS call, one caller: async over plain hyper over TLS", "tls/ping/1", "time_us", Ratio("async", "hyper"), AtMost(1.3)),
    bound("TLS call, 16 callers: async over plain hyper over TLS", "tls/ping/16", "time_us", Ratio("async", "hyper"), AtMost(1.3)),
    bound("list of 1,000 containers: async over bollard as it comes", "canned/list/1", "time_us", Ratio("async", "bollard"), AtMost(0.6)),
    bound("list of 1,000 containers, allocations: async over bollard", "allocations/canned/list", "allocations", Ratio("async", "bollard"), AtMost(0.5)),
    bound("full stack over the bare async engine, a ping", "unix/ping/1", "time_us", Ratio("full", "async, apart"), AtMost(1.10)),
    bound("hybrid over the bare async engine, a ping", "unix/ping/1", "time_us", Ratio("hybrid", "async"), AtMost(1.06)),
    bound("blocking engine over shiplift as it comes behind `spawn_blocking`, a ping", "unix/ping/1", "time_us", Ratio("blocking", "shiplift"), AtMost(0.5)),
    bound("warm claim, cold open over it (p50)", "sessions/warm", "p50_ms", Ratio("cold", "warm"), AtLeast(40.0)),
    bound("warm claim, p50 in ms", "sessions/warm", "p50_ms", Value("warm"), AtMost(5.0)),
    bound("event-loop lag p99 in ms, 100 opens in flight on the fake engine", LAG, "lag_p99_ms", Value("async, all at once"), AtMost(5.0)),
    bound("the same: over that of naive", LAG, "lag_p99_ms", Ratio("async, all at once", "naive"), AtMost(1.0 / 50.0)),
    bound("memory of a call under way, async: resident bytes", "memory/in-flight", "rss_bytes", Value("async"), AtMost(16.0 * 1024.0)),
    bound("the same, bollard over kept connections", "memory/in-flight", "rss_bytes", Value("bollard-pooled"), Limit::None),
    bound("a ping while the breaker is open, over one by the blocking engine", "fallback/open", "time_us", Ratio("hybrid, breaker open", "blocking engine"), AtMost(1.05)),
    bound("the first ping that finds the async path refused: µs more than by the blocking engine", "fallback/first", "time_us", Difference("hybrid, first failure", "blocking engine"), Limit::None),
    bound("time until a mended path is used again, ms (the breaker rests 500 ms)", "fallback/back", "back_ms", Value("hybrid"), Limit::None),
    bound("pipeline: µs added to a call that changes nothing", "pipeline/list", "time_us", Difference("pipeline", "bare"), AtMost(5.0)),
    bound("pipeline: µs added to one that can be looked at (`remove`)", "pipeline/remove", "time_us", Difference("pipeline", "bare"), AtMost(5.0)),
    bound("pipeline: µs added to one that is sent once (`exec`)", "pipeline/exec", "time_us", Difference("pipeline", "bare"), AtMost(5.0)),
    bound("all on: µs added to a call that changes nothing", "pipeline/all-on/list", "time_us", Difference("pipeline", "bare"), AtMost(10.0)),
    bound("all on: µs added to `remove`, which waits until it is on record", "pipeline/all-on/remove", "time_us", Difference("pipeline", "bare"), AtMost(10.0)),
    bound("all on: µs added to `exec`, which waits until it is on record", "pipeline/all-on/exec", "time_us", Difference("pipeline", "bare"), AtMost(10.0)),
];

/// Where a hundred sessions are being opened at once.
const LAG: &str = "sessions/fake/25ms/100";

/// A line of the seed's table: what of whom, over what of a client that blocks.
pub struct Claim {
    pub what: &'static str,
    pub figure: &'static str,
    /// Whom it is held against.
    pub beside: &'static str,
    /// Theirs over ours, where less of it is better and the claim is of how much faster.
    pub inverse: bool,
    pub limit: Limit,
}

#[rustfmt::skip]
pub const CLAIMS: &[Claim] = &[
    Claim { what: "mean time to create −60 %: ours over naive", figure: "mean_ms", beside: "naive", inverse: false, limit: AtMost(0.4) },
    Claim { what: "3 × as many sessions a minute: ours over naive", figure: "per_min", beside: "naive", inverse: false, limit: AtLeast(3.0) },
    Claim { what: "creation 3–5 × faster under load (p95): naive over ours", figure: "p95_ms", beside: "naive", inverse: true, limit: AtLeast(3.0) },
    Claim { what: "threads −40 %: ours over blocking", figure: "threads", beside: "blocking", inverse: false, limit: AtMost(0.6) },
];

/// Who of ours is held against it.
pub const OURS: [&str; 3] = ["async", "hybrid", "hybrid + pool"];

/// How long a user waits for a session, at most, in 95 of 100 cases: by it the seed's "most users" are counted.
pub const PATIENCE_MS: f64 = 5_000.0;

/// A table of ratios: a column for each cell, a row for each pair.
pub struct Ratios {
    pub title: &'static str,
    pub figure: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
    pub rows: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
pub const RATIOS: &[Ratios] = &[
    Ratios {
        title: "time of a call over a unix socket",
        figure: "time_us",
        columns: &[
            ("ping", "unix/ping/1"), ("list of one", "unix/list/1"), ("inspect", "unix/inspect/1"), ("list of 1,000", "canned/list/1"),
            ("ping, 16 callers", "unix/ping/16"), ("ping, 256 callers", "unix/ping/256"),
        ],
        rows: &[
            ("async", "bollard"), ("async", "bollard-pooled"), ("async", "hyper"), ("async", "floor"), ("floor", "bollard"),
            ("hybrid", "async"), ("full", "async, apart"), ("blocking", "shiplift"), ("blocking", "async"),
        ],
    },
    Ratios {
        title: "what a call takes of the processors in its client, over a unix socket",
        figure: "cpu_us",
        columns: &[
            ("ping", "unix/ping/1"), ("list of one", "unix/list/1"), ("inspect", "unix/inspect/1"), ("list of 1,000", "canned/list/1"),
            ("ping, 16 callers", "unix/ping/16"), ("ping, 256 callers", "unix/ping/256"),
        ],
        rows: &[("async", "bollard"), ("async", "bollard-pooled"), ("async", "hyper"), ("hybrid", "async"), ("blocking", "shiplift")],
    },
    Ratios {
        title: "time of a ping over TLS",
        figure: "time_us",
        columns: &[("one caller", "tls/ping/1"), ("16 callers", "tls/ping/16"), ("256 callers", "tls/ping/256")],
        rows: &[
            ("async", "bollard"), ("blocking", "bollard"), ("hybrid", "async"), ("bollard-nodelay", "bollard"),
            ("bollard-pooled", "bollard"), ("async", "bollard-pooled"), ("async", "hyper"), ("async", "floor"),
        ],
    },
    Ratios {
        title: "sessions a minute",
        figure: "per_min",
        columns: &[
            ("5 users", "sessions/real/0ms/5"), ("10 users", "sessions/real/0ms/10"), ("50 users", "sessions/real/0ms/50"), ("100 users", "sessions/real/0ms/100"),
            ("100 users, fake engine, 25 ms", LAG),
        ],
        rows: &[
            ("async", "bollard"), ("async, all at once", "bollard"), ("blocking", "bollard"), ("hybrid", "async"),
            ("hybrid + pool", "bollard"), ("async", "naive"),
        ],
    },
];
