//! Calls over a unix socket, through each client: what one takes, and how many there are at once.

use std::sync::Arc;

use catamaran::AsyncEngine;
use tokio::net::UnixStream;

use crate::cell::{Figures, Run};
use crate::common::backends;
use crate::common::clients::{Bollard, Client, Floor, Operation, Shiplift};
use crate::common::pooled::{self, Hyper};
use crate::common::samples::{Sample, sample};
use crate::common::statistics::{percentile, sorted};
use crate::full_stack::FullStack;
use crate::ground::Ground;

/// One who is measured, here or in a process of its own.
pub enum Who {
    Here(Arc<dyn Client>),
    Apart(FullStack),
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
            Self::Apart(full) => full.sample(of, callers, calls),
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
    let (socket, target) = (ground.socket(), &ground.target);
    let connections: Result<Vec<_>, _> = ground.runtime.block_on(async {
        let connect = (0..callers).map(|_| UnixStream::connect(socket));
        futures::future::join_all(connect)
            .await
            .into_iter()
            .collect()
    });
    let address = "http://localhost";
    let pooled_bollard = pooled::bollard(pooled::unix(&ground.socket), address, usize::MAX);
    let mut clients: Vec<(&str, Arc<dyn Client>)> = vec![
        ("floor", Arc::new(Floor::new(connections?, target))),
        (
            "hyper",
            Arc::new(Hyper::new(pooled::unix(&ground.socket), address, target)),
        ),
        ("bollard", Arc::new(Bollard::unix(socket, target)?)),
        (
            "bollard-pooled",
            Arc::new(Bollard::new(pooled_bollard, target)),
        ),
        (
            "shiplift",
            Arc::new(Shiplift::new(socket, target, ground.driver.handle())),
        ),
    ];
    let config = ground.config_for(callers)?;
    for (name, backend) in backends(&config)? {
        clients.push((name, Arc::new((backend, target.clone()))));
    }
    if config.pool_size() > ground.config.pool_size() {
        let as_it_comes = AsyncEngine::new(&ground.config_for(1)?)?;
        let client: Arc<dyn Client> = Arc::new((Arc::new(as_it_comes) as _, target.clone()));
        clients.push(("async, 20 at once", client));
    }
    let here = clients
        .into_iter()
        .map(|(name, client)| (name.to_owned(), Who::Here(client)));
    let full = FullStack::start(&ground.socket, target, callers)?;
    Ok(here
        .chain([("full".to_owned(), Who::Apart(full))])
        .collect())
}

pub fn measure(run: &mut Run, ground: &Ground<'_>) {
    let rounds = run.options.either(31, 61);
    for (callers, calls, operations) in [
        (1, 100, &Operation::ALL[..]),
        (16, 320, &[Operation::Ping]),
        (256, 1024, &[Operation::Ping]),
    ] {
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
