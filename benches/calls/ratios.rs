//! Ratios between clients, from samples taken in turn, so that what the machine does besides falls on
//! both sides of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::{Client, Operation};

/// Many and short, since what disturbs a round comes in bursts. Odd, so that the median is one of the ratios.
const ROUNDS: usize = 61;
/// How many calls a client makes in a round.
const CALLS: u64 = 60;

/// Whose time over whose, less the floor's where only what the clients add is compared, and the promise
/// where there is one.
const RATIOS: [(&str, &str, bool, Option<f64>); 9] = [
    ("async", "bollard", false, Some(0.6)),
    ("blocking", "shiplift", false, Some(0.6)),
    ("hybrid", "async", false, Some(1.05)),
    ("blocking", "async", false, None),
    ("async", "floor", false, None),
    ("blocking", "floor", false, None),
    // How far down the engine itself lets such a ratio go, and how it is without the engine's share.
    ("floor", "bollard", false, None),
    ("async", "bollard", true, None),
    ("blocking", "shiplift", true, None),
];

/// Prints how those that were measured stand to each other.
pub fn judge(
    operation: Operation,
    clients: &[(&'static str, Arc<dyn Client>)],
    sample: impl Fn(&Arc<dyn Client>, u64) -> Duration,
) {
    let measured = |name: &str| clients.iter().any(|(client, _)| *client == name);
    let wanted: Vec<_> = RATIOS
        .iter()
        .filter(|(over, under, less, _)| {
            measured(over) && measured(under) && (!less || measured("floor"))
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    let mut times: HashMap<&str, Vec<f64>> = HashMap::new();
    for round in 0..ROUNDS {
        for turn in 0..clients.len() {
            // Rotated, and every other time backwards, so that nobody always comes after the same one.
            let place = (round + turn) % clients.len();
            let backwards = clients.len() - 1 - place;
            let (name, client) = &clients[if round % 2 == 0 { place } else { backwards }];
            let time = sample(client, CALLS).as_secs_f64();
            times.entry(name).or_default().push(time);
        }
    }
    let (name, (low, high, confidence)) = (operation.name(), interval(ROUNDS));
    println!("{name}/unix: {ROUNDS} rounds of {CALLS} calls each, in turn");
    for (name, _) in clients {
        let median = sorted(times[name].clone())[ROUNDS / 2] / CALLS as f64;
        println!("  {name:<36} {:>8.1} µs a call (median)", median * 1e6);
    }
    println!(
        "  {:<36} {:>8}  {:<16} {:<8} (the median's distribution-free {:.1} % interval)",
        "ratio",
        "median",
        "interval",
        "target",
        confidence * 100.0,
    );
    for (over, under, less, target) in wanted {
        let ratio = |round| {
            let floor = if *less { times["floor"][round] } else { 0.0 };
            (times[over][round] - floor) / (times[under][round] - floor)
        };
        let ratios = sorted((0..ROUNDS).map(ratio).collect());
        let (low, high) = (ratios[low], ratios[high]);
        let (target, verdict) = match *target {
            None => (String::new(), ""),
            Some(target) if high <= target => (format!("<= {target}"), "met"),
            Some(target) if low > target => (format!("<= {target}"), "not met"),
            Some(target) => (format!("<= {target}"), "undecided"),
        };
        println!(
            "  {:<36} {:>8.3}  {:<16} {target:<8} {verdict}",
            if *less {
                format!("({over} - floor)/({under} - floor)")
            } else {
                format!("{over}/{under}")
            },
            ratios[ROUNDS / 2],
            format!("{low:.3} .. {high:.3}"),
        );
    }
    println!();
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Which two of so many sorted samples enclose the median in at least 95 of 100 cases, whatever their
/// distribution, and how surely: a sample lies below it as a coin falls.
fn interval(samples: usize) -> (usize, usize, f64) {
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
