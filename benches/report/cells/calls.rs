//! Calls over a unix socket, through each client: what one takes, and how many there are at once.

use std::sync::Arc;

use catamaran::{AsyncEngine, Config, LimitOptions};

use crate::apart::{self, Apart};
use crate::cell::{Figures, Run};
use crate::common::clients::{Client, Operation};
use crate::common::samples::{Sample, sample};
use crate::common::statistics::{percentile, sorted};
use crate::common::unix;
use crate::ground::Ground;

/// By itself, the crate has twenty calls under way at once, and the rest waits its turn.
const ALL_AT_ONCE: &str = "async, all under way";

/// One who is measured, here or in a process of its own.
pub enum Who {
    Here(Arc<dyn Client>),
    Apart(Apart),
}

impl Who {
    pub fn sample(
        &mut self,
        ground: &Ground<'_>,
        of: Operation,
        callers: u64,
        calls: u64,
    ) -> Result<Figures, String> {
        match self {
            Self::Here(client) => Ok(figures(&sample(
                ground.runtime,
                client,
                of,
                callers,
                calls,
            )?)),
            Self::Apart(apart) => apart.sample(of, callers, calls),
        }
    }
}

/// In microseconds: a call's share of the time of all, the percentiles of single ones, and what a call takes of the
/// processors in this process.
pub fn figures(sample: &Sample) -> Figures {
    let micros = sample.calls.iter().map(|took| took.as_secs_f64() * 1e6);
    let took = sorted(micros.collect());
    let share = |time: std::time::Duration| time.as_secs_f64() * 1e6 / took.len() as f64;
    vec![
        ("time_us", share(sample.elapsed)),
        ("per_s", took.len() as f64 / sample.elapsed.as_secs_f64()),
        ("p50_us", percentile(&took, 0.50)),
        ("p99_us", percentile(&took, 0.99)),
        ("cpu_us", share(sample.cpu)),
    ]
}

/// Everybody who can be asked, for so many callers at once.
pub fn clients(
    ground: &Ground<'_>,
    callers: u64,
) -> Result<Vec<(String, Who)>, Box<dyn std::error::Error>> {
    let Ground {
        runtime,
        driver,
        socket,
        target,
        ..
    } = ground;
    let mut clients = unix::clients(runtime, driver, socket, target, callers)?;
    let calls = usize::try_from(callers)?;
    if calls > LimitOptions::default().calls {
        let limits = LimitOptions::default().with_calls(calls);
        let config = Config::builder()
            .endpoint(ground.endpoint.clone())
            .limits(limits);
        let engine = AsyncEngine::new(&config.build()?)?;
        clients.push((
            ALL_AT_ONCE,
            Arc::new((Arc::new(engine) as _, target.clone())),
        ));
    }
    let here = clients
        .into_iter()
        .map(|(name, client)| (name.to_owned(), Who::Here(client)));
    let mut all: Vec<_> = here.collect();
    for who in [apart::BARE, apart::FULL] {
        let apart = Apart::start(who, socket, target)?;
        all.push((who.to_owned(), Who::Apart(apart)));
    }
    Ok(all)
}

pub fn measure(run: &mut Run, ground: &Ground<'_>) {
    for (callers, calls, rounds, operations) in [
        (1, 100, (41, 61), &[Operation::Ping][..]),
        (1, 100, (11, 61), &[Operation::List, Operation::Inspect]),
        (16, 320, (11, 61), &[Operation::Ping]),
        (256, 1024, (21, 61), &[Operation::Ping]),
    ] {
        let rounds = run.options.either(rounds.0, rounds.1);
        let names = operations
            .iter()
            .map(|of| format!("unix/{}/{callers}", of.name()));
        if !names.clone().any(|name| run.wants(&name)) {
            continue;
        }
        let title = |of: &Operation| match callers {
            1 => format!("{} over a unix socket, one caller", of.name()),
            _ => format!(
                "{} over a unix socket, {callers} callers at once",
                of.name()
            ),
        };
        let mut clients = match clients(ground, callers) {
            Ok(clients) => clients,
            Err(why) => {
                for (name, of) in names.zip(operations) {
                    run.missing(&name, &title(of), &why);
                }
                continue;
            }
        };
        for (name, of) in names.zip(operations) {
            // The first call of each makes its connections.
            for (_, client) in &mut clients {
                drop(client.sample(ground, *of, callers, callers));
            }
            run.measure(&name, &title(of), rounds, &mut clients, |_, client| {
                client.sample(ground, *of, callers, calls)
            });
        }
    }
}
