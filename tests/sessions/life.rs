//! What becomes of a session with time, and by what happens to it.

use std::time::Duration;

use catamaran::ContainerBackend;
use catamaran::model::{ContainerRef, KillOptions, RemoveOptions};
use catamaran::session::{Change, Origin, ReapOptions, Restart, SessionState, Shutdown};

use super::stage::*;

const SOON: Duration = Duration::from_millis(300);

async fn kill(engine: &catamaran::testing::FakeEngine, container: &ContainerRef) {
    let killed = backend(engine)
        .kill(container, &KillOptions::default())
        .await;
    killed.expect("it is killed");
}

#[tokio::test]
async fn what_is_idle_is_stopped_and_starts_again_when_it_is_opened() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let mut events = manager.subscribe();
    let (alice, spec) = (key("alice", "demo"), spec().with_idle_timeout(SOON));
    let session = manager.open(&alice, &spec).await.expect("it opens");
    let in_use = session.activity().expect("it is there");
    tokio::time::sleep(3 * SOON).await;
    assert_eq!(session.info().state, SessionState::Ready, "it is in use");
    drop(in_use);
    told(&mut events, |change| *change == Change::Idle).await;
    assert_eq!(session.info().state, SessionState::Stopped);
    assert_eq!(engine.containers()[0].state, "exited");
    let again = manager.open(&alice, &spec).await.expect("it starts again");
    assert_eq!(
        (again.opening().origin, again.id()),
        (Origin::Resumed, session.id())
    );
    assert_eq!(engine.containers()[0].state, "running");
}

#[tokio::test]
async fn what_is_too_old_is_stopped_then_removed_and_made_anew_when_it_is_opened() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let mut events = manager.subscribe();
    let alice = key("alice", "demo");
    let short = spec()
        .with_max_age(SOON)
        .with_retention(Duration::from_secs(3600));
    let session = manager.open(&alice, &short).await.expect("it opens");
    told(&mut events, |change| *change == Change::Expired).await;
    let again = manager.open(&alice, &short).await.expect("another one");
    assert_ne!(again.id(), session.id());
    assert_eq!(again.opening().origin, Origin::Cold);
    assert_eq!(names(&engine).len(), 1);
    again.close().await.expect("it closes");

    let brief = short.with_retention(Duration::ZERO).with_volume("/work");
    manager.open(&alice, &brief).await.expect("it opens");
    told(&mut events, |change| *change == Change::Expired).await;
    told(&mut events, |change| {
        *change == Change::Removed { by_others: false }
    })
    .await;
    until("nothing is left", || {
        names(&engine).is_empty() && volumes(&engine).is_empty()
    })
    .await;
    assert!(manager.get(&alice).is_none());
}

#[tokio::test]
async fn a_longer_life_is_a_longer_life() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let spec = spec().with_max_age(Duration::from_secs(1));
    let session = manager
        .open(&key("alice", "demo"), &spec)
        .await
        .expect("it opens");
    let left = session
        .extend(Duration::from_secs(3600))
        .expect("it has an age");
    assert!(left > Duration::from_secs(3590));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(session.info().state, SessionState::Ready);
}

#[tokio::test]
async fn what_dies_is_told_with_its_code_and_started_again_where_it_is_asked_for() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let mut events = manager.subscribe();
    let plain = manager
        .open(&key("alice", "plain"), &spec())
        .await
        .expect("it opens");
    kill(&engine, plain.container()).await;
    let died = told(&mut events, |change| matches!(change, Change::Died { .. })).await;
    assert_eq!(
        died,
        Change::Died {
            exit_code: Some(137),
            oom_killed: false
        }
    );
    assert_eq!(plain.info().exit_code, Some(137));

    let restarting = spec().with_restart(Restart::OnFailure { most: 1 });
    let session = manager
        .open(&key("alice", "again"), &restarting)
        .await
        .expect("it opens");
    kill(&engine, session.container()).await;
    told(&mut events, |change| {
        *change == Change::Restarting { attempt: 1 }
    })
    .await;
    told(&mut events, |change| *change == Change::Restarted).await;
    assert_eq!(session.info().state, SessionState::Ready);
    kill(&engine, session.container()).await;
    told(&mut events, |change| matches!(change, Change::Died { .. })).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        session.info().state,
        SessionState::Stopped,
        "once was enough"
    );
}

#[tokio::test]
async fn what_others_remove_is_told_and_what_it_had_goes() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let mut events = manager.subscribe();
    let alice = key("alice", "demo");
    let session = manager
        .open(&alice, &spec().with_volume("/work"))
        .await
        .expect("it opens");
    let removed = backend(&engine)
        .remove(session.container(), &RemoveOptions::force())
        .await;
    removed.expect("it is removed");
    told(&mut events, |change| {
        *change == Change::Removed { by_others: true }
    })
    .await;
    assert!(manager.get(&alice).is_none());
    until("its volume is gone", || volumes(&engine).is_empty()).await;
    assert_eq!(manager.usage().sessions, 0);
}

#[tokio::test]
async fn a_dry_run_says_what_is_due_and_does_nothing() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let alice = key("alice", "demo");
    let spec = spec().with_idle_timeout(Duration::from_millis(1));
    let session = manager.open(&alice, &spec).await.expect("it opens");
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Upkeep itself comes by once a second: what it has done already isn't due.
    let report = manager
        .reap(&ReapOptions::default().with_dry_run(true))
        .await
        .expect("a report");
    let stopped = session.info().state == SessionState::Stopped;
    assert!(report.idle == [alice] || stopped, "{report:?}");
    let done = manager
        .reap(&ReapOptions::default())
        .await
        .expect("a report");
    assert_eq!(done.failed, []);
    until("it is stopped", || {
        session.info().state == SessionState::Stopped
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_leaves_or_closes_what_it_is_told_to() {
    let engine = engine().await;
    for (how, left) in [(Shutdown::LeaveRunning, 1), (Shutdown::CloseAll, 0)] {
        let manager = manager(&engine).await;
        manager.recovered().await.expect("it lives");
        manager
            .open(&key("alice", "demo"), &spec())
            .await
            .expect("it opens");
        manager
            .shutdown(how, Duration::from_secs(20))
            .await
            .expect("it ends");
        assert_eq!(names(&engine).len(), left, "{how:?}");
        let refused = manager.open(&key("alice", "late"), &spec()).await;
        assert_eq!(
            refused.expect_err("it is over").kind(),
            catamaran::ErrorKind::Cancelled
        );
        // The lease was given back.
        until("no lease is left", || engine.volumes().len() <= left).await;
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_users() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let session = manager
        .open(&key("alice", "demo"), &spec())
        .await
        .expect("it opens");
    let drained = manager.shutdown(Shutdown::Drain, Duration::from_secs(20));
    let (drained, closed) = tokio::join!(drained, session.close());
    assert!(closed.expect("it closes"));
    drained.expect("all are gone");
    assert_eq!(names(&engine), [""; 0]);
}

#[tokio::test]
async fn after_an_end_in_order_nobody_waits() {
    let engine = engine().await;
    // Nothing is left of others: it knows at once.
    let lease = Duration::from_secs(600);
    let patient = || builder("notebooks").with_lease(lease).expect("a lease");
    let one = start(patient(), &engine).await;
    let soon = Duration::from_secs(60);
    tokio::time::timeout(soon, one.recovered())
        .await
        .expect("at once")
        .expect("it lives");
    let alice = key("alice", "demo");
    let id = one.open(&alice, &spec()).await.expect("it opens").id();
    one.shutdown(Shutdown::LeaveRunning, soon)
        .await
        .expect("it ends");
    drop(one);
    let next = start(patient(), &engine).await;
    tokio::time::timeout(soon, next.recovered())
        .await
        .expect("at once")
        .expect("it lives");
    let session = next.get(&alice).expect("it is adopted");
    assert_eq!(session.id(), id);
    next.shutdown(Shutdown::CloseAll, soon)
        .await
        .expect("it ends");
    drop(next);
    until("nothing is left", || engine.volumes().is_empty()).await;
    assert_eq!(names(&engine), [""; 0]);
}

/// What a host's tasks do goes from thread to thread.
#[test]
fn every_future_can_go_to_another_thread() {
    use catamaran::session::{Session, SessionKey, SessionManager, SessionSpec};
    fn is_send<T: Send>(_: impl FnOnce(&SessionManager, &Session, &SessionKey, &SessionSpec) -> T) {
    }
    async fn all(
        manager: SessionManager,
        session: Session,
        key: SessionKey,
        spec: SessionSpec,
    ) -> catamaran::Result<()> {
        manager.open(&key, &spec).await?;
        manager.open_scoped(&key, &spec).await?.end().await?;
        manager.close(&key).await?;
        manager.recovered().await?;
        manager.warm().await;
        manager.reap(&ReapOptions::default()).await?;
        manager.shutdown(Shutdown::Drain, Duration::ZERO).await?;
        let exec = catamaran::model::ExecOptions::new(["true"]);
        session.exec(&exec).await?;
        drop(session.start_exec(&exec).await?);
        session.logs(&Default::default()).await?;
        session.follow_logs(&Default::default()).await?;
        session.stats().await?;
        let path = "/tmp/x".parse()?;
        session.write_file(&path, "x").await?;
        session.read_file(&path, 1).await?;
        session
            .copy_in("/x".as_ref(), &path, &Default::default())
            .await?;
        session
            .copy_out(&path, "/x".as_ref(), &Default::default())
            .await?;
        session.close().await?;
        Ok(())
    }
    is_send(|manager, session, key, spec| {
        all(manager.clone(), session.clone(), key.clone(), spec.clone())
    });
}
