//! What sessions cost the engine doesn't grow with how many there are: counted, not timed. How long it takes, the example
//! `session_scale` shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catamaran::model::{ContainerRef, KillOptions};
use catamaran::session::{
    Change, SessionKey, SessionLimits, SessionManager, SessionNotice, Shutdown,
};
use catamaran::testing::FakeEngine;
use catamaran::{Config, ContainerBackend, HybridBackend, LimitOptions};
use futures::StreamExt;
use std::sync::Arc;

use super::stage::*;

/// Opened before the journal is read, which keeps only the last few thousand requests.
const BATCH: usize = 200;
/// All containers at once.
const LIST: &str = "GET containers/json";
/// Opening so many keeps a small machine busy for longer than a short lease.
const LEASE: Duration = Duration::from_secs(10);
const MANY: Duration = Duration::from_secs(600);

fn numbered(number: usize) -> SessionKey {
    key(
        &format!("owner-{}", number / 8),
        &format!("session-{number}"),
    )
}

/// Without what comes by time alone: the watch of resources and the looks at all there is.
async fn quiet(engine: &FakeEngine, count: usize) -> SessionManager {
    let limits = LimitOptions::default().with_queue(4 * count);
    let limits = limits.with_queue_time(MANY);
    let config = Config::builder().endpoint(engine.endpoint().clone());
    let config = config.limits(limits).build().expect("a configuration");
    let limits = SessionLimits::default()
        .with_sessions(count)
        .with_owner_sessions(None)
        .with_queue(count)
        .with_queue_time(MANY);
    let started = builder("notebooks")
        .with_lease(LEASE)
        .expect("a lease")
        .with_limits(limits)
        .expect("limits")
        .with_reconcile_interval(MANY)
        .expect("an interval")
        .with_resource_watch(None)
        .start(Arc::new(HybridBackend::new(&config).expect("a backend")));
    started.await.expect("a manager")
}

/// How often what was asked, without the lease's own.
fn asked(engine: &FakeEngine) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for one in engine.journal().requests() {
        let parts: Vec<_> = one
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let what = match parts[..] {
            [version, "containers", "json" | "create"] | [version, "images", ..] => {
                parts[1..].join("/").replace(version, "")
            }
            [_, "containers", _] => "containers/*".to_owned(),
            [_, "containers", _, what] => format!("containers/*/{what}"),
            _ => continue,
        };
        *asked.entry(format!("{} {what}", one.method)).or_default() += 1;
    }
    engine.journal().clear();
    asked
}

/// The same for each session, but for those that come by time: the host's looks for what others have left, and looks whether
/// a container is ready by now, of which a machine that is busy needs more.
fn each(what: &str, asked: &BTreeMap<String, usize>, sessions: usize) -> usize {
    let of_one = asked.iter().filter(|(what, _)| *what != LIST);
    let all: usize = of_one.map(|(_, count)| count).sum();
    let each = (all + sessions / 2) / sessions;
    let slack = all.abs_diff(each * sessions);
    assert!(
        slack <= 8 + sessions / 4,
        "{what}: {asked:?} for {sessions}"
    );
    each
}

/// What each open, and each adoption, asked for.
async fn costs(count: usize) -> (usize, usize) {
    let engine = engine().await;
    let manager = quiet(&engine, count).await;
    let spec = spec().with_idle_timeout(None);
    let (mut opens, began) = (Vec::new(), Instant::now());
    for batch in (0..count).collect::<Vec<_>>().chunks(BATCH) {
        engine.journal().clear();
        let all = batch.iter().map(|number| {
            let (manager, spec, key) = (&manager, &spec, numbered(*number));
            async move { manager.open(&key, spec).await.map(drop) }
        });
        for opened in futures::future::join_all(all).await {
            opened.expect("it opens");
        }
        let asked = asked(&engine);
        opens.push(each("an open", &asked, batch.len()));
        if opens.len() == 1 {
            println!("{} opens: {asked:?}", batch.len());
        }
    }
    let opening = began.elapsed();
    // The last cost what the first did.
    assert!(opens.iter().all(|open| *open == opens[0]), "{opens:?}");

    // One look at all of them is one list, and nothing for each.
    manager.reap(&Default::default()).await.expect("a report");
    let looked = asked(&engine);
    assert!(looked.values().sum::<usize>() <= 3, "{looked:?}");

    let began = Instant::now();
    told_of_one(&engine, &manager, count / 2).await;
    let event = began.elapsed();
    let looked = asked(&engine);
    assert!(looked.values().sum::<usize>() <= 4, "{looked:?}");

    manager
        .shutdown(Shutdown::LeaveRunning, MANY)
        .await
        .expect("it ends");
    engine.journal().clear();
    let began = Instant::now();
    let heir = quiet(&engine, count).await;
    heir.recovered().await.expect("it lives");
    let adopting = began.elapsed();
    assert_eq!(heir.sessions().len(), count);
    let asked = asked(&engine);
    let inspects = asked
        .get("GET containers/*/json")
        .copied()
        .unwrap_or_default();
    let adoption = each("an adoption", &asked, count);
    println!(
        "{count} sessions: opened in {opening:?}, {} requests each; one event in {event:?}; adopted in {adopting:?}, {adoption} each ({inspects} inspects)",
        opens[0]
    );
    (opens[0], adoption)
}

async fn told_of_one(engine: &FakeEngine, manager: &SessionManager, number: usize) {
    let key = numbered(number);
    let container = manager.get(&key).expect("it is there").container().clone();
    let mut events = manager.subscribe();
    kill(engine, &container).await;
    loop {
        match events.next().await.expect("it goes on") {
            SessionNotice::Change(event) if matches!(event.change, Change::Died { .. }) => {
                return assert_eq!(event.key, key);
            }
            _ => {}
        }
    }
}

async fn kill(engine: &FakeEngine, container: &ContainerRef) {
    let killed = backend(engine)
        .kill(container, &KillOptions::default())
        .await;
    killed.expect("it is killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_costs_the_same_however_many_there_are() {
    let few = costs(100).await;
    let many = costs(1_000).await;
    assert_eq!(few, many);
}
