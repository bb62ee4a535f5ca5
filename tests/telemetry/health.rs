//! The right verdict, whatever the engine is like, within a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::telemetry::{HealthReport, HealthStatus};
use catamaran::testing::{Fault, Hold, Rule};
use catamaran::{
    AsyncEngine, BlockingEngine, ContainerBackend, EngineKind, HybridBackend, LimitOptions, Mode,
};

use crate::stage::*;

/// What the users are promised; a probe takes half of it.
const PROMPT: Duration = Duration::from_secs(1);

/// One of three is in time: the machine may be held up during one.
async fn report(backend: &HybridBackend) -> HealthReport {
    for _ in 0..3 {
        let began = Instant::now();
        let report = backend.health().await;
        if began.elapsed() < PROMPT {
            return report;
        }
    }
    panic!("three times it took longer than {PROMPT:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_well_says_so_with_what_is_known() {
    let engine = engine().await;
    let backend = direct(&engine);
    calls(&backend, 10).await;
    let report = report(&backend).await;
    assert_eq!(report.status, HealthStatus::Healthy, "{report:?}");
    assert!(report.reasons.is_empty() && report.live && report.ready);
    let [by_async, by_blocking] = &report.engines[..] else {
        panic!("two engines: {report:?}");
    };
    assert_eq!(by_async.engine, EngineKind::Async);
    assert!(by_async.reachable && by_blocking.reachable);
    assert_eq!((by_async.attempts, by_blocking.attempts), (10, 0));
    assert!(by_async.last_success.is_some() && by_blocking.last_success.is_none());
    assert!(by_async.p95_ms.is_some() && by_async.api_version.is_some());
    assert_eq!(report.limits.len(), 3);
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["status"], "healthy");
    assert_eq!(json["mode"], "auto");
    assert_eq!(json["rollout"], 100);
    assert_eq!(json["engines"][0]["breaker"], "closed");
    assert_eq!(json["limits"][0]["kind"], "calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_dead_and_comes_back() {
    let engine = engine().await;
    let mut proxy = proxy(&engine).await;
    let backend = through(&proxy);
    calls(&backend, 3).await;
    proxy.disconnect();
    let dead = report(&backend).await;
    assert_eq!(dead.status, HealthStatus::Unhealthy);
    assert!(
        dead.live && !dead.ready,
        "a new process would find it as it is"
    );
    assert!(
        dead.reasons[0].contains("doesn't answer"),
        "{:?}",
        dead.reasons
    );
    proxy.reconnect().await.expect("it is back");
    let back = report(&backend).await;
    assert!(
        back.ready && back.status != HealthStatus::Unhealthy,
        "{back:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_or_is_slow() {
    let engine = engine().await;
    let proxy = proxy(&engine).await;
    let backend = through(&proxy);
    calls(&backend, 3).await;
    let hold = Hold::new();
    let hangs = Rule::any(Fault::HoldAnswerUntil(hold.clone()));
    proxy.faults().add(hangs);
    let hung = report(&backend).await;
    assert_eq!(hung.status, HealthStatus::Unhealthy, "{hung:?}");
    hold.release();
    proxy.faults().clear();
    // Slower than a probe waits is as good as gone.
    proxy.faults().add(Rule::any(Fault::HoldAnswer(PROMPT * 2)));
    assert_eq!(report(&backend).await.status, HealthStatus::Unhealthy);
    proxy.faults().clear();
    // Slow, and it answers.
    let slow = Duration::from_millis(100);
    proxy.faults().add(Rule::any(Fault::HoldAnswer(slow)));
    let slow = report(&backend).await;
    assert_eq!(slow.status, HealthStatus::Healthy, "{slow:?}");
    assert!(
        slow.engines.iter().all(|one| one.probe_ms >= 100.0),
        "{slow:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_path_that_fails_is_worse_than_none_and_better_than_both() {
    let (engine, gone) = (engine().await, engine().await);
    let proxy = proxy(&gone).await;
    let one = through(&proxy);
    let dead = catamaran::AsyncEngine::new(&proxy.config().expect("one")).expect("an engine");
    let live = catamaran::BlockingEngine::new(&engine.config().expect("one")).expect("an engine");
    let backend = HybridBackend::over(std::sync::Arc::new(dead), std::sync::Arc::new(live));
    proxy.disconnect();
    calls(&backend, 10).await;
    let degraded = report(&backend).await;
    assert_eq!(degraded.status, HealthStatus::Degraded, "{degraded:?}");
    assert!(degraded.ready, "the other one serves");
    assert_eq!(degraded.fallback_share, 1.0);
    assert!(degraded.engines[0].error_rate > 0.9, "{degraded:?}");
    // Where the mode leaves no other, nothing is served.
    backend.set_mode(Mode::Async);
    assert_eq!(report(&backend).await.status, HealthStatus::Unhealthy);
    backend.set_mode(Mode::Blocking);
    let blocking = report(&backend).await;
    assert!(blocking.ready, "{blocking:?}");
    drop(one);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_permits_taken_it_is_told_at_once() {
    let engine = engine().await;
    let limits = LimitOptions::default().with_calls(2usize);
    let backend = narrow(&engine, limits);
    backend.version().await.expect("it is learnt");
    let hold = Hold::new();
    let held = Rule::new("GET", "/info", Fault::HoldAnswerUntil(hold.clone()));
    engine.faults().add(held);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let backend = backend.clone();
            tokio::spawn(async move { backend.info().await.map(drop) })
        })
        .collect();
    let calls = |report: &HealthReport| report.limits[0].clone();
    let mut full = report(&backend).await;
    while calls(&full).in_use < 2 || calls(&full).waiting < 2 {
        full = report(&backend).await;
    }
    assert_eq!(full.status, HealthStatus::Degraded, "{full:?}");
    assert!(
        full.reasons[0].contains("all 2 permits"),
        "{:?}",
        full.reasons
    );
    assert!(full.engines.iter().all(|engine| engine.reachable));
    hold.release();
    for call in waiting {
        call.await.expect("no panic").expect("it answers");
    }
    assert_eq!(report(&backend).await.status, HealthStatus::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_too_busy_for_a_ping_and_answers_calls_is_there() {
    let engine = engine().await;
    let proxy = proxy(&engine).await;
    let backend = through(&proxy);
    backend.version().await.expect("the version is agreed on");
    let hold = Hold::new();
    let held = Fault::HoldAnswerUntil(hold.clone());
    let rule = (proxy.faults()).add(Rule::new("GET", "/_ping", held));
    let mut busy = None;
    for turn in 1..=3 {
        let (told, ()) = tokio::join!(report(&backend), async {
            // While both are probed, a call comes through.
            let probed = (proxy.faults()).until(rule, |count| count.matched >= 2 * turn);
            probed.await;
            backend.version().await.expect("an answer");
        });
        // Unless the machine was held up for as long as a probe waits.
        let came_through = told.engines[0].reachable;
        busy = Some(told);
        if came_through {
            break;
        }
    }
    let busy = busy.expect("a report");
    let [by_async, by_blocking] = &busy.engines[..] else {
        panic!("two engines: {busy:?}");
    };
    assert!(by_async.reachable && !by_blocking.reachable, "{busy:?}");
    assert_eq!(busy.status, HealthStatus::Degraded, "{busy:?}");
    assert!(busy.ready, "{busy:?}");
    assert!(busy.reasons[0].contains("does answer calls"), "{busy:?}");
    hold.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_road_that_leads_elsewhere_serves_nothing() {
    let (one, other) = (engine().await, engine().await);
    let proxy = proxy(&one).await;
    let backend = HybridBackend::over(
        Arc::new(AsyncEngine::new(&proxy.config().expect("one")).expect("an engine")),
        Arc::new(BlockingEngine::new(&other.config().expect("one")).expect("an engine")),
    );
    let backend = backend.with_same_engine_check();
    backend.version().await.expect("a version");
    let elsewhere = |report: &HealthReport| {
        let refused = report.engines[1].refused.as_ref();
        refused.is_some_and(|refused| refused.contains("another engine answers"))
    };
    // On a busy machine a look may not find it out in time, and says that.
    let mut well = report(&backend).await;
    while !elsewhere(&well) {
        assert_ne!(well.engines[1].refused, None, "{well:?}");
        well = report(&backend).await;
    }
    assert!(well.ready, "by the one that is right: {well:?}");
    assert_eq!(well.status, HealthStatus::Degraded, "{well:?}");
    proxy.disconnect();
    let cut = report(&backend).await;
    assert!(!cut.ready, "{cut:?}");
    assert_eq!(cut.status, HealthStatus::Unhealthy, "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_started_anew() {
    let engine = engine().await;
    let mut proxy = proxy(&engine).await;
    let backend = through(&proxy);
    calls(&backend, 3).await;
    // As a daemon does that restarts: nothing listens, then it answers 503, then it is back.
    proxy.disconnect();
    assert_eq!(report(&backend).await.status, HealthStatus::Unhealthy);
    proxy.reconnect().await.expect("it listens");
    let rule = Rule::any(Fault::Status(503));
    proxy.faults().add(rule);
    let starting = report(&backend).await;
    assert_eq!(starting.status, HealthStatus::Unhealthy, "{starting:?}");
    assert!(starting.live && !starting.ready, "{starting:?}");
    proxy.faults().clear();
    let back = report(&backend).await;
    assert!(back.ready, "{back:?}");
    assert_ne!(back.status, HealthStatus::Unhealthy, "{back:?}");
}
