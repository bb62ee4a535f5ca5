//! A ping over TLS with certificates on both sides, by one caller and by sixteen at once.

use std::cell::LazyCell;
use std::time::Duration;

use catamaran::Endpoint;
use criterion::{Criterion, SamplingMode};
use tokio::runtime::Runtime;

use crate::common::clients::Operation;
use crate::common::fixture::Target;
use crate::common::over_tls::Setup;
use crate::ratios::{Plan, Ratio};
use crate::{compare, sample};

const CALLERS: u64 = 16;

const NAMES: [&str; 7] = [
    "floor",
    "bollard",
    "bollard-nodelay",
    "bollard-pooled",
    "async",
    "blocking",
    "hybrid",
];

/// All but the first have no promise: where the gain comes from, and what is left of it over bollard at
/// its best.
const fn ratios(to_bollard: f64) -> [Ratio; 9] {
    [
        ("async", "bollard", false, Some(to_bollard)),
        ("hybrid", "async", false, None),
        ("blocking", "bollard", false, None),
        ("bollard-nodelay", "bollard", false, None),
        ("bollard-pooled", "bollard", false, None),
        ("async", "bollard-nodelay", false, None),
        ("async", "bollard-pooled", false, None),
        ("async", "floor", false, None),
        ("blocking", "floor", false, None),
    ]
}

const ALONE: Plan = Plan {
    rounds: 41,
    calls: |name| match name {
        "bollard" => 4,
        "bollard-nodelay" => 20,
        _ => 60,
    },
    ratios: &ratios(1.0 / 50.0),
};

const AT_ONCE: Plan = Plan {
    rounds: 41,
    calls: |name| match name {
        "bollard" => 2 * CALLERS,
        "bollard-nodelay" => 4 * CALLERS,
        _ => 10 * CALLERS,
    },
    ratios: &ratios(1.0 / 15.0),
};

pub fn compare_all(
    criterion: &mut Criterion,
    runtime: &Runtime,
    behind: &Endpoint,
    target: &Target,
) {
    let setup = LazyCell::new(|| {
        let setup = Setup::new(runtime, behind, target, CALLERS);
        println!("ping/tls: {}", setup.on);
        setup
    });
    for (title, callers, plan) in [("ping/tls", 1, ALONE), ("ping/tls/16", CALLERS, AT_ONCE)] {
        let mut group = criterion.benchmark_group(title);
        // Few samples, each of few calls: bollard's own take long.
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.warm_up_time(Duration::from_secs(1));
        let sample = |client: &_, calls| sample(runtime, client, Operation::Ping, callers, calls);
        compare(&mut group, title, &NAMES, || &setup.clients, &plan, sample);
        group.finish();
    }
}
