//! Who did what to which container is on record.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use catamaran::model::{
    ConnectOptions, ContainerName, ContainerPath, ContainerRef, ExecOptions, ImageRef, NetworkRef,
    NetworkSpec, RemoveOptions, Resources, UpdateOptions, VolumeSpec,
};
use catamaran::session::{SessionKey, SessionManager, SessionSpec, Shutdown};
use catamaran::telemetry::audit::{
    AuditLog, AuditOptions, AuditRecord, AuditSink, VerifyOptions, read, verify,
};
use catamaran::testing::{Fault, Hold, Rule};
use catamaran::{CallContext, ContainerBackend, Host, HostOptions, HybridBackend};

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
    let hers = CallContext::new()
        .with_actor("alice")
        .with_session("alice/demo");
    let theirs = backend.with_context(hers);
    let hold = Hold::new();
    let held = Fault::HoldAnswerUntil(hold.clone());
    engine
        .faults()
        .add(Rule::new("POST", "/containers/create", held));
    let name = ContainerName::new("left").expect("a name");
    let mut making = Box::pin(async { theirs.create(&spec(name.as_str())).await });
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
    let create = of(&records, "create")[0];
    assert_eq!(create.outcome, "abandoned", "{records:?}");
    assert_eq!(create.attempts, 1, "as it was when its caller went away");
    assert!(create.elapsed_ms > 0.0, "{create:?}");
    let removed = of(&records, "remove");
    let removed = removed.iter().find(|record| record.outcome == "ok");
    let removed = removed.unwrap_or_else(|| panic!("one: {records:?}"));
    assert_eq!(removed.actor.as_deref(), Some("alice"), "{removed:?}");
    assert_eq!(removed.session.as_deref(), Some("alice/demo"));
    assert_eq!(removed.attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_was_about_is_on_record() {
    let engine = engine().await;
    let kept = Kept::new();
    let backend = direct(&engine).with_audit(&kept.log);
    let name = |name: &str| NetworkRef::new(name).expect("a name");
    let network = NetworkSpec::new(name("quay"));
    let network = backend.create_network(&network).await.expect("it is made");
    let volume = VolumeSpec::new();
    let volume = backend.create_volume(&volume).await.expect("it is made");
    let created = backend.create(&spec("one")).await.expect("it is made");
    let options = ConnectOptions::default();
    let joined = backend.connect_network(&network.id, &created.id, &options);
    joined.await.expect("it joins");
    let renamed = ContainerName::new("two").expect("a name");
    let renamed = backend.rename(&created.id, &renamed);
    renamed.await.expect("it has another name");
    let less = Resources::default().with_pids(7_u32);
    let less = UpdateOptions::default().with_resources(less);
    let updated = backend.update(&created.id, &less);
    updated.await.expect("it gets other limits");
    let path = ContainerPath::new("/etc").expect("a path");
    let copied = backend.get_archive(&created.id, &path).await;
    drop(copied.expect("it is copied out"));
    let records = kept.records().await;
    let one = |operation| {
        let record = of(&records, operation)[0];
        (record.subject.as_deref(), record.object.as_deref())
    };
    let id = Some(created.id.as_str());
    assert_eq!(one("create_network"), (Some("quay"), None));
    assert_eq!(one("create_volume"), (Some(&*volume.name), None));
    assert_eq!(one("connect_network"), (id, Some(network.id.as_str())));
    assert_eq!(one("rename"), (id, Some("two")));
    assert_eq!(one("get_archive"), (id, None));
    let limits = of(&records, "update")[0].limits.as_ref().expect("limits");
    assert_eq!(limits.pids, Some(7), "{limits:?}");
    assert!(limits.memory.is_some(), "those that it had: {limits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_a_session_is_on_record() {
    let engine = engine().await;
    let kept = Kept::new();
    let backend = Arc::new(direct(&engine).with_audit(&kept.log));
    let manager = SessionManager::builder("notebooks").expect("a name");
    let manager = manager.start(backend).await.expect("a manager");
    let image = ImageRef::new("busybox").expect("an image");
    let spec = SessionSpec::new(image).with_command(["sleep", "6000"]);
    let key = SessionKey::new("alice", "demo").expect("a key");
    let session = manager.open(&key, &spec).await.expect("it opens");
    let admin = manager.on_behalf_of("admin");
    let theirs = admin.get(&key).expect("it is there");
    let ran = theirs.exec(&ExecOptions::new(["true"])).await;
    ran.expect("it runs");
    session
        .exec(&ExecOptions::new(["true"]))
        .await
        .expect("it runs");
    assert!(admin.close(&key).await.expect("it goes"));
    let ended = manager.shutdown(Shutdown::CloseAll, Duration::from_secs(20));
    ended.await.expect("it ends");
    let records = kept.records().await;
    let actors = |operation| {
        let of = of(&records, operation).into_iter();
        of.map(|record| record.actor.as_deref()).collect::<Vec<_>>()
    };
    assert_eq!(actors("create"), [Some("alice")]);
    assert_eq!(actors("exec"), [Some("admin"), Some("alice")]);
    assert_eq!(actors("remove"), [Some("admin")]);
    let of_session = Some("alice/demo");
    let sessions = records.iter().map(|record| record.session.as_deref());
    assert!(
        sessions.clone().all(|session| session == of_session),
        "{records:?}"
    );
}

/// Takes what it is given once it may.
struct Stalls {
    may: mpsc::Receiver<()>,
    took: Arc<Mutex<Vec<u8>>>,
}

impl AuditSink for Stalls {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // The test's end is leave, too.
        let _ = self.may.recv();
        self.took.lock().expect("no panic").extend_from_slice(lines);
        Ok(())
    }
}

fn stalled() -> (AuditLog, mpsc::Sender<()>, Arc<Mutex<Vec<u8>>>) {
    let (leave, may) = mpsc::channel();
    let took = Arc::default();
    let sink = Stalls {
        may,
        took: Arc::clone(&took),
    };
    let patient = AuditOptions::default().with_patience(Duration::from_secs(600));
    let log = AuditLog::new(sink, patient).expect("a log");
    (log, leave, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_its_record_within_its_time() {
    let engine = engine().await;
    let (log, leave, _) = stalled();
    let backend = direct(&engine).with_audit(&log);
    let time = Duration::from_secs(1);
    let hurried = backend.with_context(CallContext::new().with_timeout(time));
    let began = Instant::now();
    hurried.create(&spec("one")).await.expect("it is made");
    let took = began.elapsed();
    assert!((time / 2..time * 5).contains(&took), "{took:?}");
    assert_eq!(log.status().pending, 1);
    drop(leave);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_leases_are_its_own_books() {
    let engine = engine().await;
    let (log, leave, took) = stalled();
    let backend: Arc<dyn ContainerBackend> = Arc::new(direct(&engine).with_audit(&log));
    let options = HostOptions::new("ship").expect("a name");
    let options = options.with_lease(Duration::from_secs(1)).expect("a lease");
    let host = Host::start(Arc::clone(&backend), options).await;
    let host = host.expect("it has a lease");
    let first = engine.volumes();
    until("it is renewed", || {
        let volumes = engine.volumes();
        !volumes.is_empty() && volumes != first
    })
    .await;
    host.end(Duration::from_secs(20)).await.expect("it ends");
    assert_eq!(log.status().pending, 0, "no record of a lease");
    drop(leave);
    assert!(took.lock().expect("no panic").is_empty());
}
