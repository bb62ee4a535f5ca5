//! Calls that only look are asked of the other engine, too.

use std::sync::Arc;

use catamaran::model::{ContainerRef, ListOptions};
use catamaran::testing::{Fault, Rule, When};
use catamaran::{AsyncEngine, BlockingEngine, ContainerBackend, HybridBackend};

use crate::stage::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_engine_by_both_ways_differs_in_nothing() {
    let engine = engine().await;
    let backend = direct(&engine).with_shadow(100).expect("in range");
    let created = backend.create(&spec("one")).await.expect("it is made");
    backend.start(&created.id).await.expect("it starts");
    backend.inspect(&created.id).await.expect("it is there");
    backend.list(&ListOptions::all()).await.expect("a list");
    backend.version().await.expect("a version");
    until("it was compared", || {
        let report = backend.shadow();
        report.compared + report.failed + report.skipped >= 3
    })
    .await;
    let report = backend.shadow();
    assert!(report.compared >= 1, "{report:?}");
    assert!(report.fields.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_difference_is_found_by_its_field_and_no_caller_waits() {
    let (one, other) = (engine().await, engine().await);
    let config = |engine: &catamaran::testing::FakeEngine| engine.config().expect("one");
    let backend = HybridBackend::over(
        Arc::new(AsyncEngine::new(&config(&one)).expect("an engine")),
        Arc::new(BlockingEngine::new(&config(&other)).expect("an engine")),
    );
    let backend = backend.with_shadow(100).expect("in range");
    for (engine, memory) in [(&one, 64_u64 << 20), (&other, 128 << 20)] {
        let mut spec = spec("twin");
        spec.resources = spec.resources.clone().with_memory(memory);
        direct(engine).create(&spec).await.expect("it is made");
    }
    let twin = ContainerRef::new("twin").expect("a name");
    // Whatever becomes of the other one, the caller has its answer.
    let details = backend.inspect(&twin).await.expect("it is there");
    assert_eq!(details.resources.memory, Some(64 << 20));
    until("it was compared", || backend.shadow().compared == 1).await;
    let report = backend.shadow();
    assert_eq!(report.different, 1, "{report:?}");
    assert_eq!(report.fields["inspect.resources.memory"], 1, "{report:?}");
    // Its id differs as well, and no value is told.
    assert!(report.fields.contains_key("inspect.id"), "{report:?}");
    assert!(
        report
            .fields
            .keys()
            .all(|field| field.starts_with("inspect."))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fallback_answered_is_compared_with_the_other_engine() {
    let (one, other) = (engine().await, engine().await);
    let proxy = proxy(&one).await;
    let backend = HybridBackend::over(
        Arc::new(AsyncEngine::new(&proxy.config().expect("one")).expect("an engine")),
        Arc::new(BlockingEngine::new(&other.config().expect("one")).expect("an engine")),
    );
    let backend = backend.with_shadow(100).expect("in range");
    for engine in [&one, &other] {
        (direct(engine).create(&spec("twin")).await).expect("it is made");
    }
    let lost = Rule::new("GET", "/containers/twin/json", Fault::Refuse);
    proxy.faults().add(lost.when(When::First(1)));
    let twin = ContainerRef::new("twin").expect("a name");
    backend.inspect(&twin).await.expect("by the blocking one");
    until("it was compared", || backend.shadow().compared == 1).await;
    // Their ids differ: who is compared with itself differs in nothing.
    let report = backend.shadow();
    assert!(report.fields.contains_key("inspect.id"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_road_that_leads_elsewhere_nothing_is_compared() {
    let (one, other) = (engine().await, engine().await);
    let backend = HybridBackend::over(
        Arc::new(AsyncEngine::new(&one.config().expect("one")).expect("an engine")),
        Arc::new(BlockingEngine::new(&other.config().expect("one")).expect("an engine")),
    );
    let backend = backend.with_same_engine_check();
    let backend = backend.with_shadow(100).expect("in range");
    backend.version().await.expect("a version");
    until("it was left out", || backend.shadow().skipped == 1).await;
    assert_eq!(backend.shadow().compared, 0, "{:?}", backend.shadow());
}

#[tokio::test]
async fn what_changes_meanwhile_is_no_difference() {
    let engine = engine().await;
    let backend = direct(&engine).with_shadow(100).expect("in range");
    let created = backend.create(&spec("one")).await.expect("it is made");
    // On one thread, the comparison begins when this task waits next: by then it has been started.
    backend.inspect(&created.id).await.expect("it is there");
    backend.start(&created.id).await.expect("it starts");
    until("it was compared", || {
        let report = backend.shadow();
        report.compared >= 1 || report.failed >= 1
    })
    .await;
    let report = backend.shadow();
    assert!(report.fields.is_empty(), "{report:?}");
    assert!(backend.clone().with_shadow(101).is_err());
}
