//! What engines of several API versions answer is read, and read alike, by both engines.
//!
//! README.md says where the answers come from.

mod asked;
#[path = "../common/mod.rs"]
mod common;
mod lacking;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use catamaran::{ApiVersion, AsyncEngine, BlockingEngine, Config, ContainerBackend};
use serde_json::{Value, json};

use asked::Read;
use common::peer::{Answer, Peer};

type Engines = [Arc<dyn ContainerBackend>; 2];

/// Engines that speak that version, or the newest they know to an engine that is newer.
fn engines(peer: &Peer, api: ApiVersion) -> Engines {
    let config = Config::builder()
        .endpoint(peer.endpoint())
        .api_version(api.min(ApiVersion::NEWEST));
    let config = config.build().expect("a configuration");
    [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
    ]
}

/// What both engines read of an answer, which must be the same.
async fn read(
    peer: &Peer,
    engines: &Engines,
    name: &str,
    answer: Answer,
) -> Option<Result<Read, String>> {
    peer.follow(Arc::new(move |_, _| answer.clone()));
    let [first, second] = engines;
    let told = |read: catamaran::Result<Read>| read.map_err(|error| format!("{:?}", error.kind()));
    let first = asked::ask(&**first, name).await.map(told);
    let second = asked::ask(&**second, name).await.map(told);
    assert_eq!(first, second, "{name}: by async and by blocking");
    first
}

/// Facts by answer; those of a set come before those of all.
fn expected() -> BTreeMap<String, BTreeMap<String, Value>> {
    serde_json::from_str(include_str!("expected.json")).expect("facts")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_read_to_the_same_facts() {
    let expected = expected();
    let peer = Peer::start();
    let (mut differing, mut compared) = (Vec::new(), 0);
    for set in shapes::all() {
        let engines = engines(&peer, set.api);
        for (name, shape) in &set.shapes {
            let Some(read) = read(&peer, &engines, name, shape.answer()).await else {
                continue;
            };
            let facts = read.map_or_else(|kind| json!({ "error": kind }), |read| read.facts);
            let own = expected.get(&set.name).and_then(|own| own.get(name));
            compared += 1;
            if Some(&facts) != own.or(expected["all"].get(name)) {
                differing.push(format!("{} {name}: {facts}", set.name));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(compared > 200, "only {compared} answers");
}

/// Nothing is expected of a set or an answer that isn't there.
#[test]
fn every_expectation_has_its_answer() {
    let sets = shapes::all();
    for (name, facts) in expected() {
        let mut of = sets.iter().filter(|set| name == "all" || set.name == name);
        let first = of.next().unwrap_or_else(|| panic!("no set {name}"));
        for answer in facts.keys() {
            assert!(first.shapes.contains_key(answer), "{name} has no {answer}");
        }
    }
}
