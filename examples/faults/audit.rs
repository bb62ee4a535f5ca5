//! What there is at the engine once all is quiet, against what all callers were told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::model::Container;
use crate::report::{Bad, Report};
use crate::things::Thing;
use crate::witness::{Found, Witness};
use crate::worker::Worker;

/// How many there are, by token.
type Counts = BTreeMap<String, u64>;

/// What the engine has.
struct Inventory {
    containers: Counts,
    networks: Counts,
    volumes: Counts,
}

fn counts(found: Vec<Found>) -> Counts {
    let mut counts = Counts::new();
    for one in found {
        *counts.entry(one.token).or_default() += 1;
    }
    counts
}

impl Inventory {
    async fn take(witness: &Witness) -> Outcome<Self> {
        Ok(Self {
            containers: counts(witness.containers().await?),
            networks: counts(witness.networks().await?),
            volumes: counts(witness.volumes().await?),
        })
    }

    fn of(&self, thing: &Thing) -> u64 {
        let counts = match thing.is_network {
            true => &self.networks,
            false => &self.volumes,
        };
        counts.get(&thing.token).copied().unwrap_or_default()
    }

    fn of_container(&self, container: &Container) -> u64 {
        let found = self.containers.get(&container.token);
        found.copied().unwrap_or_default()
    }

    /// Whether there is nothing that shouldn't be.
    fn is_clean(&self, workers: &[Worker]) -> bool {
        let mut containers = workers.iter().flat_map(|worker| &worker.containers);
        let mut things = workers.iter().flat_map(|worker| &worker.things);
        containers.all(|one| self.of_container(one) <= expected(one).1)
            && things.all(|one| self.of(one) <= one.expected().1)
    }
}

/// How many there are to be of a container: the least and the most.
fn expected(container: &Container) -> (u64, u64) {
    let now = u64::from(container.now.present);
    let maybe = container
        .maybe
        .as_ref()
        .map_or(now, |(maybe, _)| u64::from(maybe.present));
    (now.min(maybe), now.max(maybe))
}

/// Waits until what runs in the background has done its work, or should have.
pub async fn quiet(
    witness: &Witness,
    workers: &[Worker],
    doubt: Duration,
    settle: Duration,
) -> Outcome<()> {
    // What is on its way arrives.
    tokio::time::sleep(doubt).await;
    let began = Instant::now();
    while !Inventory::take(witness).await?.is_clean(workers) && began.elapsed() < settle {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    eprintln!("quiet after {:.1?}", began.elapsed());
    Ok(())
}

/// Counts how many there are too many, or too few.
fn judge(
    report: &Report,
    found: u64,
    (least, most): (u64, u64),
    (too_few, too_many): (Bad, Bad),
    what: &dyn Fn() -> String,
) {
    if found < least {
        report.bad(
            too_few,
            least - found,
            &format!("it isn't there: {}", what()),
        );
    }
    if most == 0 && found > 0 {
        report.bad(too_many, 1, &format!("it is there: {}", what()));
    }
    if found > most.max(1) {
        let many = format!("there are {found}: {}", what());
        report.bad(Bad::Duplicate, found - most.max(1), &many);
    }
}

pub async fn audit(witness: &Witness, workers: &mut [Worker], report: &Report) -> Outcome<()> {
    let inventory = Inventory::take(witness).await?;
    let tally = witness.tally().await?;
    let times = |token: String| tally.get(&token).copied().unwrap_or_default();
    for worker in workers {
        for thing in &worker.things {
            let kind = if thing.is_network {
                "network"
            } else {
                "volume"
            };
            let what = || format!("{kind} {}: {:?}", thing.token, thing.history);
            judge(
                report,
                inventory.of(thing),
                thing.expected(),
                (thing.too_few(), thing.too_many()),
                &what,
            );
        }
        for container in &mut worker.containers {
            let found = inventory.of_container(container);
            let what = || container.to_string();
            judge(
                report,
                found,
                expected(container),
                (Bad::Lost, Bad::Orphan),
                &what,
            );
            if let (Some(id), 1) = (&container.id, found)
                && container.now.present
            {
                let seen = witness.look(id).await?;
                container.settle(seen.as_ref(), None, report);
            }
            let runs = times(format!("r-{}", container.token));
            if runs > container.runs {
                let what = format!("it ran {runs} times, not {}: {container}", container.runs);
                report.bad(Bad::Duplicate, runs - container.runs, &what);
            }
            for exec in &container.execs {
                let ran = times(format!("x-{}", exec.token));
                let what = format!("{} ran {ran} times: {container}", exec.token);
                if ran < exec.least {
                    report.bad(Bad::Lost, exec.least - ran, &what);
                }
                if ran > 0 && exec.most == 0 {
                    report.bad(Bad::Orphan, 1, &what);
                }
                if ran > 1 {
                    report.bad(Bad::DoubleExec, ran - 1, &what);
                }
            }
        }
    }
    witness.audit_foreign(report).await
}
