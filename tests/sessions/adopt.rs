//! What a dead host has left: its sessions go on, and what nobody had goes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catamaran::ContainerBackend;
use catamaran::ErrorKind;
use catamaran::model::{ContainerName, ContainerSpec, ImageRef, Resources, UpdateOptions};
use catamaran::session::{Change, Origin, PoolOptions, Ready, SessionManager, SessionState};
use catamaran::telemetry::alerts::{AlertKind, Alerts};
use catamaran::telemetry::audit::{AuditLog, AuditOptions, AuditSink};

use super::stage::*;

/// An audit in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl AuditSink for Lines {
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.0.lock().expect("no panic").extend_from_slice(lines);
        Ok(())
    }
}

impl Lines {
    /// The records of an operation.
    fn of(&self, operation: &str) -> Vec<serde_json::Value> {
        let written = self.0.lock().expect("no panic").clone();
        let text = String::from_utf8(written).expect("text");
        let records = text.lines().map(serde_json::from_str);
        let records: Result<Vec<serde_json::Value>, _> = records.collect();
        let mut records = records.expect("JSON");
        records.retain(|record| record["operation"] == operation);
        records
    }
}

fn audited() -> (Lines, AuditLog) {
    let lines = Lines::default();
    let audit = AuditLog::new(lines.clone(), AuditOptions::default());
    (lines, audit.expect("a log"))
}

async fn recovered(manager: &SessionManager) {
    let recovered = tokio::time::timeout(Duration::from_secs(60), manager.recovered()).await;
    recovered.expect("in time").expect("it lives");
}

#[tokio::test]
async fn acknowledged_sessions_are_adopted_and_what_nobody_had_is_removed() {
    let engine = engine().await;
    let foreign = ContainerSpec::new(ImageRef::new("busybox").expect("an image"))
        .with_name(ContainerName::new("catamaran-pending-foreign").expect("a name"));
    backend(&engine)
        .create(&foreign)
        .await
        .expect("somebody else's");
    let (alice, bob) = (key("alice", "demo"), key("bob", "demo"));
    let dead = crate::stage::dead(&engine, async |manager: &SessionManager| {
        let session = manager
            .open(&alice, &spec().with_volume("/work"))
            .await
            .expect("it opens");
        let stopped = manager.open(&bob, &spec()).await.expect("it opens");
        let backend = backend(&engine);
        backend
            .stop(stopped.container(), &Default::default())
            .await
            .expect("it stops");
        // One that is never ready: nobody has it.
        let never = spec()
            .with_ready(Ready::Exec(vec!["false".to_owned()]))
            .with_volume("/x");
        let (eve, opening) = (key("eve", "demo"), manager.clone());
        tokio::spawn(async move { opening.open(&eve, &never).await.map(drop) });
        let running = |one: &catamaran::testing::FakeContainer| one.state == "running";
        let both = || {
            engine
                .containers()
                .iter()
                .filter(|one| running(one))
                .count()
                == 2
        };
        until("it runs", both).await;
        session.id()
    });
    let id = dead.await;
    assert_eq!(names(&engine).len(), 4);

    let manager = manager(&engine).await;
    let mut events = manager.subscribe();
    recovered(&manager).await;
    told(&mut events, |change| *change == Change::Adopted).await;
    let session = manager.get(&alice).expect("it is adopted");
    assert_eq!((session.id(), session.info().origin), (id, Origin::Adopted));
    assert_eq!(session.info().state, SessionState::Ready);
    assert_eq!(
        manager.get(&bob).expect("it is adopted").info().state,
        SessionState::Stopped
    );
    until("what nobody had is gone", || names(&engine).len() == 3).await;
    until("and its volume", || volumes(&engine).len() == 1).await;
    let again = manager.open(&bob, &spec()).await.expect("it starts again");
    assert_eq!(again.opening().origin, Origin::Resumed);
    session.close().await.expect("it closes");
    assert_eq!(volumes(&engine), [""; 0]);
}

#[tokio::test]
async fn an_open_after_a_crash_waits_and_gets_the_same_session() {
    let engine = engine().await;
    let alice = key("alice", "demo");
    let id = crate::stage::dead(&engine, async |manager: &SessionManager| {
        manager.open(&alice, &spec()).await.expect("it opens").id()
    })
    .await;
    let alerts = Alerts::default();
    let manager = start(builder("notebooks").with_alerts(&alerts), &engine).await;
    let session = manager.open(&alice, &spec()).await.expect("the same");
    assert_eq!(
        (session.id(), session.opening().origin),
        (id, Origin::Adopted)
    );
    assert_eq!(names(&engine).len(), 1);
    // That is how a restart goes.
    assert_eq!(alerts.active(), []);
}

#[tokio::test]
async fn who_lives_keeps_its_sessions_and_nobody_else_opens_them() {
    let engine = engine().await;
    let (one, other) = (manager(&engine).await, manager(&engine).await);
    let alice = key("alice", "demo");
    let session = one.open(&alice, &spec()).await.expect("it opens");
    let refused = other
        .open(&alice, &spec())
        .await
        .expect_err("another has it");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    recovered(&other).await;
    tokio::time::sleep(2 * LEASE).await;
    assert!(other.sessions().is_empty());
    session
        .exec(&catamaran::model::ExecOptions::new(["true"]))
        .await
        .expect("it is there");
    assert!(session.close().await.expect("it closes"));
    other.open(&alice, &spec()).await.expect("it is free");
}

#[tokio::test]
async fn raised_limits_are_set_again() {
    let engine = engine().await;
    let alice = key("alice", "demo");
    let container = crate::stage::dead(&engine, async |manager: &SessionManager| {
        let session = manager.open(&alice, &spec()).await.expect("it opens");
        session.container().clone()
    })
    .await;
    let raised = Resources::default()
        .with_memory_and_no_swap(1 << 40)
        .with_pids(10_000u32);
    let raised = UpdateOptions::default().with_resources(raised);
    backend(&engine)
        .update(&container, &raised)
        .await
        .expect("somebody raises them");
    let (lines, audit) = audited();
    let heir = Arc::new(backend(&engine).with_audit(&audit));
    let manager = builder("notebooks").start(heir).await.expect("a manager");
    let mut events = manager.subscribe();
    let weakened = told(&mut events, |change| {
        matches!(change, Change::Weakened { .. })
    })
    .await;
    let fields = ["memory", "pids"].map(str::to_owned).to_vec();
    assert_eq!(weakened, Change::Weakened { fields });
    let details = backend(&engine)
        .inspect(&container)
        .await
        .expect("it is there");
    assert_eq!(details.resources.memory, spec().container.resources.memory);
    assert_eq!(details.resources.pids, spec().container.resources.pids);
    // Whose it is stands there, too, though nobody has asked for it yet.
    let closed = audit.close(Duration::from_secs(5)).await;
    closed.expect("all is written");
    let [update] = &lines.of("update")[..] else {
        panic!("one");
    };
    assert_eq!(update["session"], alice.to_string());
    assert_eq!(update["actor"], "alice");
}

#[tokio::test]
async fn what_a_dead_hosts_pool_held_is_swept() {
    let engine = engine().await;
    crate::stage::dead_with(
        &engine,
        |builder| {
            builder
                .with_pool(spec(), PoolOptions::new(2, 2))
                .expect("a pool")
        },
        async |_: &SessionManager| {
            until("the pool is full", || engine.containers().len() == 2).await;
        },
    )
    .await;
    let alerts = Alerts::default();
    let manager = start(builder("notebooks").with_alerts(&alerts), &engine).await;
    recovered(&manager).await;
    until("it is swept", || names(&engine).is_empty()).await;
    assert!(manager.sessions().is_empty());
    let active = alerts.active();
    let [orphans] = &active[..] else {
        panic!("both are one alert: {active:?}");
    };
    assert_eq!(orphans.kind, AlertKind::OrphansFound);
    assert_eq!(orphans.count, 1, "{orphans}");
    assert!(orphans.message.contains("made for nobody yet"), "{orphans}");
}
