//! A process with a session manager, which is killed: it opens, uses and closes sessions, and says so.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use catamaran::model::ImageRef;
use catamaran::session::{
    OwnNetwork, PoolOptions, ReapOptions, SessionKey, SessionLimits, SessionManager, SessionSpec,
    Shutdown,
};
use catamaran::{Error, ErrorKind, HybridBackend, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::hand::{Hand, open, use_it};
use super::said::{Held, Life, Said, is_of};
use crate::Outcome;
use crate::dice::Dice;

/// What the hands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Phase {
    /// Open alone: what is theirs isn't known yet.
    Early,
    Work,
    Rest,
}

/// Without its parent, a child ends.
fn listen(orders: mpsc::UnboundedSender<String>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(|line| line.ok()) {
            match line.parse() {
                Ok(number) => Said::Here(number).say(),
                Err(_) => drop(orders.send(line)),
            }
        }
        std::process::exit(3);
    });
}

/// Says that a call failed.
pub fn failed(what: &str, key: &str, error: &Error) {
    let what = format!("{what} {key}: {error:#}");
    let unavailable = error.kind() == ErrorKind::Unavailable;
    Said::Failed { what, unavailable }.say();
}

/// Of three kinds: as it is in the warm pool, with a volume of its own, and with a network as well.
pub fn spec(life: &Life, kind: u64) -> Result<SessionSpec> {
    let plain = SessionSpec::new(ImageRef::new(&life.image)?)
        .with_command(["sh", "-c", "exec sleep 3600"])
        .with_stop_timeout(Duration::ZERO);
    Ok(match kind {
        0 => plain,
        1 => plain.with_volume("/data").with_volume("/more"),
        // It ignores what asks it to end: its close takes a while.
        2 => plain
            .with_volume("/data")
            .with_stop_timeout(Duration::from_secs(1)),
        _ => plain
            .with_volume("/data")
            .with_own_network(OwnNetwork::Internal)
            .allowing(catamaran::session::Loosening::Network),
    })
}

pub async fn live(life: &str) -> Outcome<()> {
    let life: Life = serde_json::from_str(life)?;
    // What the crate itself warns of, past what is said to the parent.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let (orders, mut ordered) = mpsc::unbounded_channel();
    listen(orders);
    let manager = SessionManager::builder(&life.host)?
        .with_lease(life.lease)?
        .with_limits(SessionLimits::default().with_opens(4usize))?
        .with_pool(spec(&life, 0)?, PoolOptions::new(2, 3))?
        .with_reconcile_interval(Duration::from_secs(2))?
        .start(Arc::new(HybridBackend::from_env()?))
        .await?;
    tokio::spawn(tell_instance(manager.clone()));
    let (phase, phases) = watch::channel(Phase::Early);
    let mut hands = JoinSet::new();
    for number in 0..life.hands {
        let hand = Hand {
            manager: manager.clone(),
            dice: Dice::new(life.seed, life.number * 1000 + number),
            number,
            life: life.clone(),
        };
        hands.spawn(hand.work(phases.clone()));
    }
    let mut recovered = std::pin::pin!(manager.recovered());
    let mut waits = true;
    loop {
        let order = tokio::select! {
            ended = &mut recovered, if waits => {
                waits = false;
                match ended {
                    Ok(()) => tell_all(&manager, life.set),
                    Err(error) => failed("recovered", "", &error),
                }
                Said::Recovered.say();
                phase.send_replace(Phase::Work);
                continue;
            }
            order = ordered.recv() => order.ok_or("no more orders")?,
        };
        match order.split_once(' ').unwrap_or((&order, "")) {
            ("list", set) => {
                tell_all(&manager, set.parse()?);
                Said::Listed.say();
            }
            ("use", set) => use_up(&manager, &life, set.parse()?).await,
            ("strays", _) => tell_strays(&manager).await,
            ("rest", _) => {
                phase.send_replace(Phase::Rest);
                while let Some(hand) = hands.join_next().await {
                    hand?;
                }
                Said::Rests.say();
            }
            ("check", _) => {
                check(&manager, &life).await;
                Said::Checked.say();
            }
            ("end", _) => break,
            _ => return Err(format!("{order} is no order").into()),
        }
    }
    let ended = manager.shutdown(Shutdown::CloseAll, Duration::from_secs(120));
    Said::Ended(ended.await.err().map(|error| format!("{error:#}"))).say();
    Ok(())
}

async fn tell_instance(manager: SessionManager) {
    let mut told = String::new();
    loop {
        let instance = manager.host().instance();
        if instance != told {
            Said::Begun(instance.clone()).say();
            told = instance;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn keys(manager: &SessionManager) -> Vec<SessionKey> {
    manager
        .sessions()
        .into_iter()
        .map(|info| info.key)
        .collect()
}

/// All of a set, of which none is being closed: else it would be said to be there though it is about to go.
fn tell_all(manager: &SessionManager, set: u64) {
    let all = keys(manager).into_iter();
    let of_set = all.filter(|key| is_of(set, &key.to_string()));
    for session in of_set.filter_map(|key| manager.get(&key)) {
        Said::Has(Held {
            key: session.key().to_string(),
            id: session.id().to_string(),
            container: session.container().to_string(),
        })
        .say();
    }
}

async fn tell_strays(manager: &SessionManager) {
    match manager
        .reap(&ReapOptions::default().with_dry_run(true))
        .await
    {
        Ok(report) => Said::Strays(report.strays).say(),
        Err(error) => failed("reap", "", &error),
    }
}

/// What another has left is as good as its own.
async fn use_up(manager: &SessionManager, life: &Life, set: u64) {
    for key in keys(manager) {
        if is_of(set, &key.to_string())
            && let Some(session) = open(manager, &key, life).await
        {
            use_it(&session).await;
            super::hand::close(manager, &key).await;
        }
    }
    Said::Used.say();
}

async fn check(manager: &SessionManager, life: &Life) {
    for key in keys(manager) {
        if let Some(session) = open(manager, &key, life).await {
            use_it(&session).await;
        }
    }
}
