//! Ratios between clients, from samples taken in turn, so that what the machine does besides falls on
//! both sides of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::common::clients::Client;
use crate::common::statistics::{interval, sorted};

/// What is judged, and by how many samples.
pub struct Plan {
    /// Many and short, since what disturbs a round comes in bursts. Odd, so that the median is one of the
    /// ratios.
    pub rounds: usize,
    /// How many calls a client makes in a round: fewer where each takes long.
    pub calls: fn(&str) -> u64,
    pub ratios: &'static [Ratio],
}

/// Whose time over whose, less the floor's where only what the clients add is compared, and the promise
/// where there is one.
pub type Ratio = (&'static str, &'static str, bool, Option<f64>);

/// Prints how those that were measured stand to each other.
pub fn judge(
    title: &str,
    plan: &Plan,
    clients: &[(&'static str, Arc<dyn Client>)],
    sample: impl Fn(&Arc<dyn Client>, u64) -> Duration,
) {
    let measured = |name: &str| clients.iter().any(|(client, _)| *client == name);
    let wanted: Vec<_> = plan
        .ratios
        .iter()
        .filter(|(over, under, less, _)| {
            measured(over) && measured(under) && (!less || measured("floor"))
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    let Plan { rounds, calls, .. } = *plan;
    let mut times: HashMap<&str, Vec<f64>> = HashMap::new();
    for round in 0..rounds {
        for turn in 0..clients.len() {
            // Rotated, and every other time backwards, so that nobody always comes after the same one.
            let place = (round + turn) % clients.len();
            let backwards = clients.len() - 1 - place;
            let (name, client) = &clients[if round % 2 == 0 { place } else { backwards }];
            let time = sample(client, calls(name)).as_secs_f64() / calls(name) as f64;
            times.entry(name).or_default().push(time);
        }
    }
    let (low, high, confidence) = interval(rounds);
    println!("{title}: {rounds} rounds, in turn");
    for (name, _) in clients {
        let (median, calls) = (sorted(times[name].clone())[rounds / 2] * 1e6, calls(name));
        println!("  {name:<36} {median:>8.1} µs a call (median; {calls} calls in a round)");
    }
    println!(
        "  {:<36} {:>8}  {:<18} {:<9} (the median's distribution-free {:.1} % interval)",
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
        let ratios = sorted((0..rounds).map(ratio).collect());
        let (low, high) = (ratios[low], ratios[high]);
        let (target, verdict) = match *target {
            None => (String::new(), ""),
            Some(target) if high <= target => (format!("<= {target:.3}"), "met"),
            Some(target) if low > target => (format!("<= {target:.3}"), "not met"),
            Some(target) => (format!("<= {target:.3}"), "undecided"),
        };
        println!(
            "  {:<36} {:>8.4}  {:<18} {target:<9} {verdict}",
            if *less {
                format!("({over} - floor)/({under} - floor)")
            } else {
                format!("{over}/{under}")
            },
            ratios[rounds / 2],
            format!("{low:.4} .. {high:.4}"),
        );
    }
    println!();
}
