//! Who did what to which container is on record.

use catamaran::model::{ContainerName, ContainerRef, RemoveOptions};
use catamaran::telemetry::audit::{AuditLog, AuditRecord, VerifyOptions, read, verify};
use catamaran::testing::{Fault, Hold, Rule};
use catamaran::{CallContext, ContainerBackend, HybridBackend};
use std::time::Duration;

use crate::stage::*;

struct Kept {
    directory: tempfile::TempDir,
    log: AuditLog,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = AuditLog::open(directory.path().join("audit.jsonl")).expect("a log");
        Self { directory, log }
    }

    async fn records(self) -> Vec<AuditRecord> {
        let closed = self.log.close(Duration::from_secs(5));
        closed.await.expect("all is written");
        let path = self.directory.path().join("audit.jsonl");
        verify(&path, &VerifyOptions::default()).expect("a chain");
        let records: Result<Vec<_>, _> = read(&path).collect();
        records.expect("records")
    }
}

fn of<'a>(records: &'a [AuditRecord], operation: &str) -> Vec<&'a AuditRecord> {
    let all = records
        .iter()
        .filter(|record| record.operation == operation);
    all.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_on_record_with_who_and_what_came_of_it() {
    let engine = engine().await;
    let kept = Kept::new();
    let backend = direct(&engine).with_audit(&kept.log);
    let context = CallContext::new()
        .with_actor("alice")
        .with_session("alice/demo");
    let hers = backend.with_context(context);
    let created = hers.create(&spec("one")).await.expect("it is made");
    hers.start(&created.id).await.expect("it starts");
    hers.inspect(&created.id).await.expect("it is there");
    let nobody = ContainerRef::new("nobody").expect("a name");
    let force = RemoveOptions::force();
    hers.remove(&nobody, &force)
        .await
        .expect_err("it isn't there");
    hers.remove(&created.id, &force).await.expect("it goes");
    let records = kept.records().await;
    let what: Vec<_> = records.iter().map(|one| &*one.operation).collect();
    assert_eq!(
        what,
        ["create", "start", "remove", "remove"],
        "looks aren't"
    );
    let [create] = of(&records, "create")[..] else {
        panic!("one");
    };
    assert_eq!(create.actor.as_deref(), Some("alice"));
    assert_eq!(create.session.as_deref(), Some("alice/demo"));
    assert_eq!(create.subject.as_deref(), Some(created.id.as_str()));
    assert_eq!(
        (&*create.engine, &*create.reason, &*create.outcome),
        ("async", "mode", "ok")
    );
    assert!(create.spec.as_ref().is_some_and(|hash| hash.len() >= 32));
    assert!(
        create
            .image
            .as_ref()
            .is_some_and(|id| id.starts_with("sha256:"))
    );
    let limits = create.limits.as_ref().expect("limits");
    assert_eq!(limits.memory, spec("one").resources.memory);
    assert!(limits.pids.is_some() && limits.cpus.is_some());
    let failed = of(&records, "remove")[0];
    assert_eq!((&*failed.outcome, failed.status), ("failed", Some(404)));
    assert_eq!(failed.failure.as_deref(), Some("not_found"));
    assert_eq!(failed.effect.as_deref(), Some("rejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_the_other_engine_served_is_on_record() {
    let (engine, gone) = (engine().await, engine().await);
    let proxy = proxy(&gone).await;
    let dead = catamaran::AsyncEngine::new(&proxy.config().expect("one")).expect("an engine");
    let live = catamaran::BlockingEngine::new(&engine.config().expect("one")).expect("an engine");
    proxy.disconnect();
    let kept = Kept::new();
    let backend = HybridBackend::over(std::sync::Arc::new(dead), std::sync::Arc::new(live));
    let backend = backend.with_audit(&kept.log);
    backend.create(&spec("one")).await.expect("it is made");
    let records = kept.records().await;
    let [create] = of(&records, "create")[..] else {
        panic!("one: {records:?}");
    };
    assert_eq!((&*create.engine, &*create.reason), ("blocking", "fallback"));
    assert_eq!(create.path_failure.as_deref(), Some("connect"));
    assert_eq!(create.path_effect.as_deref(), Some("not_sent"));
    assert!(create.attempts >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_and_what_is_cleaned_up_then_are_on_record() {
    let engine = engine().await;
    let kept = Kept::new();
    let backend = direct(&engine).with_audit(&kept.log);
    let hold = Hold::new();
    let held = Fault::HoldAnswerUntil(hold.clone());
    engine
        .faults()
        .add(Rule::new("POST", "/containers/create", held));
    let name = ContainerName::new("left").expect("a name");
    let mut making = Box::pin(async { backend.create(&spec(name.as_str())).await });
    until("it is there", || {
        let _ = futures::FutureExt::now_or_never(&mut making);
        engine.containers().iter().any(|one| one.name == "left")
    })
    .await;
    drop(making);
    hold.release();
    until("it is gone", || {
        !engine.containers().iter().any(|one| one.name == "left")
    })
    .await;
    backend
        .shutdown(Duration::from_secs(60))
        .await
        .expect("nothing is left to do");
    let records = kept.records().await;
    assert_eq!(
        of(&records, "create")[0].outcome,
        "abandoned",
        "{records:?}"
    );
    let removed = of(&records, "remove");
    assert!(
        removed.iter().any(|record| record.outcome == "ok"),
        "{records:?}"
    );
}
