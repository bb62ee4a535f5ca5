//! What the conformance suite claims to have done, against what the engine itself says happened: its events, heard
//! on a connection that none of the crate's code made.

#[path = "../common/mod.rs"]
mod common;
mod heard;
mod recording;

use std::collections::BTreeSet;
use std::sync::Arc;

use catamaran::conformance::{self, CHECKS, LABEL};
use catamaran::model::{VolumeName, VolumeSpec};
use catamaran::{ContainerBackend, HybridBackend};
use futures::StreamExt;
use heard::Events;
use recording::{CONTAINER, IMAGE, NETWORK, Recording, Tally, VOLUME};
use serde_json::Value;

/// How many checks run at once.
const AT_ONCE: usize = 6;

/// What an engine does as often as it is told, and by nobody else's word.
const EXACT: &[(&str, &str)] = &[
    (CONTAINER, "create"),
    (CONTAINER, "rename"),
    (CONTAINER, "update"),
    (CONTAINER, "restart"),
    (CONTAINER, "top"),
    (CONTAINER, "attach"),
    (CONTAINER, "resize"),
    (CONTAINER, "extract-to-dir"),
    (CONTAINER, "archive-path"),
    (CONTAINER, "destroy"),
    (NETWORK, "create"),
    (NETWORK, "destroy"),
    (VOLUME, "destroy"),
];

/// What it also does by itself, or tells twice: a stop kills, a restart stops and starts, a health check executes;
/// Docker 20.10 under load tells of a short pause when it is made and again when its shim reports it.
const AT_LEAST: &[(&str, &str)] = &[
    (CONTAINER, "start"),
    (CONTAINER, "stop"),
    (CONTAINER, "kill"),
    (CONTAINER, "pause"),
    (CONTAINER, "unpause"),
    (CONTAINER, "exec_start"),
    (IMAGE, "import"),
    (VOLUME, "create"),
    (VOLUME, "prune"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_saw_what_the_suite_claims() {
    let config = common::config();
    let image = common::image().await;
    let backend: Arc<dyn ContainerBackend> =
        Arc::new(HybridBackend::new(&config).expect("both engines"));
    let recording = Recording::new(Arc::clone(&backend));
    let Some(events) = Events::listen(config.endpoint()) else {
        eprintln!("skipped: the listener speaks over unix sockets alone");
        return;
    };

    let run = format!("claims-{}", std::process::id());
    let failed: Vec<_> = futures::stream::iter(CHECKS)
        .map(|check| conformance::in_run(&run, check.outcome(&recording, &image)))
        .buffer_unordered(AT_ONCE)
        .filter_map(async |outcome| Some(format!("{}: {}", outcome.check.name(), outcome.failure?)))
        .collect()
        .await;
    assert!(failed.is_empty(), "{failed:#?}");

    // Events come in order: with the last one heard, all before it were.
    let last = VolumeName::new(format!("catamaran-claims-{}", std::process::id()));
    let last = last.expect("a name");
    let spec = VolumeSpec::named(last.clone());
    backend.create_volume(&spec).await.expect("a volume");
    let removed = backend.remove_volume(&last, &Default::default()).await;
    removed.expect("the volume's removal");
    let heard = async {
        while !events.heard(&[last.as_str(), "destroy"]) {
            tokio::task::yield_now().await;
        }
    };
    let heard = tokio::time::timeout(std::time::Duration::from_secs(30), heard).await;
    heard.expect("the last event");

    compare(&recording.claims().done, &tally(&events.end(), &run));
}

/// Counts what was done to the suite's own containers, networks and volumes.
fn tally(events: &[Value], run: &str) -> Tally {
    let mut tally = Tally::new();
    let names = names();
    for event in events {
        let (Some(kind), Some(action)) = (event["Type"].as_str(), event["Action"].as_str()) else {
            panic!("an event of no type: {event}");
        };
        let action = action.split(':').next().unwrap_or_default();
        let known = EXACT.iter().chain(AT_LEAST);
        let Some((kind, action)) = known.copied().find(|known| *known == (kind, action)) else {
            continue;
        };
        let actor = &event["Actor"];
        let ours = match kind {
            CONTAINER => actor["Attributes"][LABEL] == run,
            NETWORK => {
                let name = actor["Attributes"]["name"].as_str();
                name.is_some_and(|name| name.starts_with(&names))
            }
            // Their events say nothing but the name; what wasn't claimed is looked for by the suite itself.
            _ => true,
        };
        if let (true, Some(id)) = (ours, actor["ID"].as_str()) {
            *tally.entry((kind, id.to_owned(), action)).or_default() += 1;
        }
    }
    tally
}

/// How the names begin that the suite gives in this process.
fn names() -> String {
    let name = conformance::unique_name().to_string();
    let (names, _count) = name.rsplit_once('-').expect("a count at its end");
    format!("{names}-")
}

fn compare(claimed: &Tally, seen: &Tally) {
    let mut differences = Vec::new();
    let keys: BTreeSet<_> = claimed.keys().chain(seen.keys()).collect();
    for key in keys {
        let (kind, id, action) = key;
        let [claims, sights] = [claimed, seen].map(|tally| tally.get(key).copied().unwrap_or(0));
        let fits = match (*kind, *action) {
            // Those of others, which ran beside the suite.
            (VOLUME | IMAGE, _) if claims == 0 => true,
            // One that exists is made again without a word.
            (VOLUME, "create") => sights > 0,
            exact if EXACT.contains(&exact) => claims == sights,
            _ => claims <= sights,
        };
        if !fits {
            differences.push(format!(
                "{kind} {id}: {action} claimed {claims} times, seen {sights} times"
            ));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    for (kind, action) in EXACT.iter().chain(AT_LEAST) {
        let claimed = claimed.keys().any(|key| (key.0, key.2) == (*kind, *action));
        assert!(
            claimed,
            "nothing claims a {kind} {action}: nothing was compared"
        );
    }
}
