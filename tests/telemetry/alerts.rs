//! Each alert is raised by what it is for, and recovers.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{ContainerRef, Resources};
use catamaran::telemetry::alerts::{AlertKind, AlertNotice, AlertOptions, AlertState, Alerts};
use catamaran::telemetry::audit::{AuditLog, AuditOptions, AuditPolicy, AuditSink};
use catamaran::testing::{Fault, Hold, Rule};
use catamaran::{
    BreakerOptions, CallContext, ContainerBackend, ErrorKind, HybridBackend, LimitOptions,
};
use futures::StreamExt;

use crate::stage::*;

fn alerts() -> Alerts {
    let options = AlertOptions::default();
    Alerts::new(options.with_least_calls(5).expect("in range"))
}

fn is_active(alerts: &Alerts, kind: AlertKind) -> bool {
    alerts.active().iter().any(|alert| alert.kind == kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_fails_is_told_of_once_and_so_is_its_recovery() {
    let engine = engine().await;
    let mut proxy = proxy(&engine).await;
    let alerts = alerts();
    let rests = BreakerOptions::default().with_rest(Duration::from_millis(20));
    let backend = through(&proxy).with_breaker(rests).with_alerts(&alerts);
    let mut told = alerts.subscribe();
    calls(&backend, 2).await;
    proxy.disconnect();
    calls(&backend, 20).await;
    backend.health().await;
    for kind in [
        AlertKind::BreakerOpen,
        AlertKind::AsyncPathFailing,
        AlertKind::FallbackShare,
    ] {
        assert!(is_active(&alerts, kind), "{kind:?}: {:?}", alerts.active());
    }
    proxy.reconnect().await.expect("it is back");
    until("it is well", || {
        backend.breaker(catamaran::EngineKind::Async) == catamaran::BreakerState::Closed || {
            let backend = backend.clone();
            tokio::spawn(async move { backend.ping().await.map(drop) });
            false
        }
    })
    .await;
    let engine_back = || is_active(&alerts, AlertKind::EngineRestarted);
    until("it is told that it is back", engine_back).await;
    // Nothing is sent by the other path any more: a look at the health finds that it is well.
    let begun = std::time::Instant::now();
    while is_active(&alerts, AlertKind::BreakerOpen) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            alerts.active()
        );
        backend.health().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Raised and recovered, once each.
    let mut of_async = Vec::new();
    while let Some(Some(notice)) = futures::FutureExt::now_or_never(told.next()) {
        match notice {
            AlertNotice::Alert(alert)
                if alert.kind == AlertKind::BreakerOpen
                    && alert.subject.as_deref() == Some("async") =>
            {
                of_async.push(alert.state);
            }
            _ => {}
        }
    }
    assert_eq!(of_async, [AlertState::Raised, AlertState::Recovered]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_engine_and_a_full_queue() {
    let engine = engine().await;
    let options = AlertOptions::default()
        .with_least_calls(5)
        .expect("in range");
    let options = options
        .with_slow(Duration::from_millis(50))
        .expect("in range");
    let alerts = Alerts::new(options);
    let limits = LimitOptions::default()
        .with_calls(1usize)
        .with_queue(0usize);
    let backend = narrow(&engine, limits).with_alerts(&alerts);
    backend.version().await.expect("it answers");
    assert!(alerts.active().is_empty());
    engine
        .faults()
        .add(Rule::any(Fault::HoldAnswer(Duration::from_millis(80))));
    calls(&backend, 6).await;
    backend.health().await;
    assert!(
        is_active(&alerts, AlertKind::SlowEngine),
        "{:?}",
        alerts.active()
    );
    engine.faults().clear();

    let hold = Hold::new();
    let held = Rule::new("GET", "/info", Fault::HoldAnswerUntil(hold.clone()));
    engine.faults().add(held);
    let first = tokio::spawn({
        let backend = backend.clone();
        async move { backend.info().await.map(drop) }
    });
    until("it is under way", || {
        engine
            .journal()
            .requests()
            .iter()
            .any(|one| one.path.ends_with("/info"))
    })
    .await;
    let hurried = backend.with_context(CallContext::new().with_timeout(Duration::from_millis(50)));
    let refused = hurried.version().await.expect_err("there is no place");
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    backend.health().await;
    assert!(
        is_active(&alerts, AlertKind::QueueSaturated),
        "{:?}",
        alerts.active()
    );
    hold.release();
    first.await.expect("no panic").expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_made_weaker() {
    let engine = engine().await;
    let proxy = proxy(&engine).await;
    let alerts = alerts();
    let backend = through(&proxy).with_alerts(&alerts);
    // Somebody raises its limit before it is looked at.
    let raised = {
        let (engine, name) = (
            direct(&engine),
            ContainerRef::new("weaker").expect("a name"),
        );
        move || {
            let (engine, name) = (engine.clone(), name.clone());
            async move {
                let more = Resources::default().with_memory(1u64 << 40);
                let update = catamaran::model::UpdateOptions::default().with_resources(more);
                engine.update(&name, &update).await.expect("it is raised");
            }
        }
    };
    let hold = Hold::new();
    let rule = Rule::new(
        "GET",
        "/containers/*/json",
        Fault::DelayRequestUntil(hold.clone()),
    );
    proxy.faults().add(rule);
    let made = tokio::spawn({
        let backend = backend.clone();
        async move {
            let strict = spec("weaker").with_strict(true);
            backend.create(&strict).await.map(drop)
        }
    });
    until("it is made", || {
        engine.containers().iter().any(|one| one.name == "weaker")
    })
    .await;
    raised().await;
    hold.release();
    let error = made.await.expect("no panic").expect_err("it is weaker");
    assert_eq!(error.kind(), ErrorKind::Weakened, "{error}");
    assert!(
        is_active(&alerts, AlertKind::LimitsNotEffective),
        "{:?}",
        alerts.active()
    );
}

/// A disk that is full, until it isn't.
struct Disk(Arc<std::sync::atomic::AtomicBool>);

impl AuditSink for Disk {
    fn append(&mut self, _lines: &[u8]) -> std::io::Result<()> {
        match self.0.load(std::sync::atomic::Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_cannot_be_written_stops_what_it_could_not_tell_of() {
    let engine = engine().await;
    let alerts = alerts();
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let audit = AuditLog::new(Disk(Arc::clone(&full)), AuditOptions::default()).expect("a log");
    let backend: HybridBackend = direct(&engine).with_alerts(&alerts).with_audit(&audit);
    backend.create(&spec("one")).await.expect("it is made");
    full.store(true, std::sync::atomic::Ordering::SeqCst);
    // Its record waits; the next isn't begun.
    backend.create(&spec("two")).await.expect("it is made");
    let refused = backend
        .create(&spec("three"))
        .await
        .expect_err("it can't be told of");
    assert_eq!(refused.kind(), ErrorKind::Host, "{refused}");
    assert!(!engine.containers().iter().any(|one| one.name == "three"));
    backend.ping().await.expect("what only looks goes on");
    assert!(
        is_active(&alerts, AlertKind::AuditFailing),
        "{:?}",
        alerts.active()
    );
    full.store(false, std::sync::atomic::Ordering::SeqCst);
    backend.create(&spec("three")).await.expect("it is made");
    backend.health().await;
    assert!(
        !is_active(&alerts, AlertKind::AuditFailing),
        "{:?}",
        alerts.active()
    );
    audit
        .close(Duration::from_secs(5))
        .await
        .expect("all is written");
}

/// Takes one record after the other, each when it may.
struct Takes(std::sync::mpsc::Receiver<()>);

impl AuditSink for Takes {
    fn append(&mut self, _lines: &[u8]) -> std::io::Result<()> {
        let _ = self.0.recv();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_dropped_are_told_of() {
    let engine = engine().await;
    let (alerts, (leave, may)) = (alerts(), std::sync::mpsc::channel());
    let options = AuditOptions::default()
        .with_policy(AuditPolicy::Drop)
        .with_patience(Duration::from_millis(1))
        .with_pending(1_usize);
    let log = AuditLog::new(Takes(may), options).expect("a log");
    let backend = direct(&engine).with_alerts(&alerts).with_audit(&log);
    let nobody = ContainerRef::new("nobody").expect("a name");
    while log.status().dropped == 0 {
        let _ = backend.start(&nobody).await;
    }
    backend.health().await;
    assert!(is_active(&alerts, AlertKind::AuditFailing));
    drop(leave);
    until("all is written", || log.status().pending == 0).await;
    backend.health().await;
    assert!(!is_active(&alerts, AlertKind::AuditFailing));
}
