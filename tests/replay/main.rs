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
use shapes::Set;

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

/// What both engines read of an answer, which must be the same. The set has what is asked for beside it.
async fn read(
    peer: &Peer,
    engines: &Engines,
    set: &Set,
    name: &str,
    answer: Answer,
) -> Option<Result<Read, String>> {
    let beside = set.beside(name);
    peer.follow(Arc::new(move |_, request| match &beside {
        Some(beside) if request.path.ends_with("/json") => beside.clone(),
        _ => answer.clone(),
    }));
    let [first, second] = engines;
    let told = |read: catamaran::Result<Read>| read.map_err(|error| format!("{:?}", error.kind()));
    let first = asked::ask(&**first, name).await.map(told);
    let second = asked::ask(&**second, name).await.map(told);
    assert_eq!(first, second, "{name}: by async and by blocking");
    first
}

/// Facts by answer; what a set has otherwise comes before what all have.
fn expected() -> BTreeMap<String, BTreeMap<String, Value>> {
    serde_json::from_str(include_str!("expected.json")).expect("facts")
}

/// The facts that all have, but for those that a set has otherwise. A refusal has nothing in common with an answer.
fn facts(all: Option<&Value>, own: Option<&Value>) -> Value {
    match (all, own) {
        (Some(Value::Object(all)), Some(Value::Object(own)))
            if !all.contains_key("error") && !own.contains_key("error") =>
        {
            let mut facts = all.clone();
            facts.extend(own.clone());
            facts.into()
        }
        (all, own) => own.or(all).cloned().unwrap_or_default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_read_to_the_same_facts() {
    let expected = expected();
    let peer = Peer::start();
    let (mut differing, mut compared) = (Vec::new(), 0);
    for set in shapes::all() {
        let engines = engines(&peer, set.api);
        for (name, shape) in &set.shapes {
            let Some(read) = read(&peer, &engines, &set, name, shape.answer()).await else {
                continue;
            };
            let found = read.map_or_else(|kind| json!({ "error": kind }), |read| read.facts);
            let own = expected.get(&set.name).and_then(|own| own.get(name));
            compared += 1;
            if found != facts(expected["all"].get(name), own) {
                differing.push(format!("{} {name}: {found}", set.name));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(compared > 400, "only {compared} answers");
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
