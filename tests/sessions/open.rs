//! Opening and closing.

use catamaran::model::{ContainerPath, ExecOptions};
use catamaran::session::{
    Loosening, OpenFailure, Origin, OwnNetwork, Phase, Ready, SessionState, Setup,
};
use catamaran::testing::{Fault, Hold, Rule, When};
use catamaran::{ContainerBackend, ErrorKind};
use futures::future::join_all;

use super::stage::*;

#[tokio::test]
async fn a_session_is_opened_used_and_closed() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let alice = key("alice@example.com", "demo");
    let session = manager.open(&alice, &spec()).await.expect("it opens");
    assert_eq!(session.opening().origin, Origin::Cold);
    assert_eq!(session.info().state, SessionState::Ready);
    assert_eq!(
        names(&engine),
        ["catamaran.notebooks.alice_40example_2ecom.demo"]
    );

    let ran = session
        .exec(&ExecOptions::new(["echo", "hello"]))
        .await
        .expect("it runs");
    assert_eq!(&ran.stdout[..], b"hello\n");
    let path: ContainerPath = "/tmp/note".parse().expect("a path");
    session
        .write_file(&path, "kept")
        .await
        .expect("it is written");
    assert_eq!(
        &session.read_file(&path, 100).await.expect("it is read")[..],
        b"kept"
    );

    let again = manager.open(&alice, &spec()).await.expect("it is there");
    assert_eq!(again.opening().origin, Origin::Existing);
    assert_eq!(again.container(), session.container());
    let other = manager
        .open(&alice, &spec().with_command(["sleep", "1"]))
        .await;
    assert_eq!(other.expect_err("another spec").kind(), ErrorKind::Conflict);

    assert!(session.close().await.expect("it closes"));
    assert_eq!(names(&engine), [""; 0]);
    assert!(!session.close().await.expect("it is closed"));
    assert!(!manager.close(&alice).await.expect("it is closed"));
    let gone = session
        .exec(&ExecOptions::new(["true"]))
        .await
        .expect_err("it is gone");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(manager.sessions().is_empty() && manager.usage().sessions == 0);
}

#[tokio::test]
async fn who_opens_the_same_at_once_gets_the_same() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let (key, spec) = (key("alice", "demo"), spec());
    let opened = join_all((0..20).map(|_| manager.open(&key, &spec))).await;
    let sessions: Vec<_> = opened
        .into_iter()
        .map(|opened| opened.expect("it opens"))
        .collect();
    assert!(
        sessions
            .iter()
            .all(|session| session.id() == sessions[0].id())
    );
    assert_eq!(names(&engine).len(), 1);
}

#[tokio::test]
async fn whoever_goes_away_leaves_it_to_the_next_and_the_last_leaves_nothing() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let (key, spec) = (key("alice", "demo"), spec().with_volume("/work"));
    let never = spec
        .clone()
        .with_ready(Ready::Exec(vec!["false".to_owned()]));
    let mut first = Box::pin(manager.open(&key, &never));
    let pending = futures::poll!(&mut first);
    assert!(pending.is_pending());
    let running = || engine.containers().iter().any(|one| one.state == "running");
    tokio::select! {
        _ = &mut first => panic!("it is never ready"),
        () = until("it runs", running) => {}
    }
    drop(first);
    until("nothing is left", || {
        names(&engine).is_empty() && volumes(&engine).is_empty()
    })
    .await;
    until("the place is free", || manager.usage().sessions == 0).await;
    let session = manager.open(&key, &spec).await.expect("another one");
    assert_eq!(session.opening().origin, Origin::Cold);
}

#[tokio::test]
async fn a_failed_open_says_why_and_leaves_nothing() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let alice = key("alice", "demo");
    let dying = spec()
        .with_command(["sh", "-c", "echo out of luck; exit 3"])
        .with_ready(Ready::LogLine("never".to_owned()))
        .with_volume("/work");
    let error = manager.open(&alice, &dying).await.expect_err("it dies");
    let failure = OpenFailure::of(&error).expect("an open's");
    assert_eq!(
        (error.kind(), failure.phase()),
        (ErrorKind::Container, Phase::Ready)
    );
    assert_eq!(
        (failure.exit_code(), failure.oom_killed()),
        (Some(3), false)
    );
    assert_eq!(failure.log().trim(), "out of luck");
    assert!(!error.to_string().contains("out of luck"), "{error}");
    assert!((names(&engine).is_empty(), volumes(&engine).is_empty()) == (true, true));

    let setup = Setup::exec(ExecOptions::new(["sh", "-c", "exit 4"]));
    let error = manager
        .open(&alice, &spec().with_setup(setup))
        .await
        .expect_err("no setup");
    let failure = OpenFailure::of(&error).expect("an open's");
    assert_eq!(
        (failure.phase(), error.exit_code()),
        (Phase::Setup, Some(4))
    );
    assert_eq!(names(&engine), [""; 0]);

    engine
        .faults()
        .add(Rule::new("POST", "/containers/*/start", Fault::Status(500)).when(When::Always));
    let error = manager.open(&alice, &spec()).await.expect_err("no start");
    assert_eq!(
        OpenFailure::of(&error).expect("an open's").phase(),
        Phase::Start
    );
    engine.faults().clear();
    assert_eq!((names(&engine).len(), manager.usage().sessions), (0, 0));
    manager
        .open(&alice, &spec())
        .await
        .expect("it is as if nothing had been");
}

#[tokio::test]
async fn what_is_weaker_must_be_named() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let (mut rooted, key) = (spec(), key("alice", "demo"));
    rooted.container.security.user = None;
    let refused = manager
        .open(&key, &rooted)
        .await
        .expect_err("it may be root");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert_eq!(names(&engine), [""; 0]);
    let allowed = rooted.allowing(Loosening::Root);
    manager.open(&key, &allowed).await.expect("it was named");
}

#[tokio::test]
async fn what_it_has_for_itself_goes_with_it() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let spec = spec()
        .with_volume("/work")
        .with_volume("/cache")
        .with_own_network(OwnNetwork::Internal)
        .allowing(Loosening::Network);
    let session = manager
        .open(&key("alice", "demo"), &spec)
        .await
        .expect("it opens");
    assert_eq!(volumes(&engine).len(), 2);
    let details = session
        .backend()
        .inspect(session.container())
        .await
        .expect("it is there");
    assert_eq!(details.networks.len(), 1);
    assert!(
        details
            .networks
            .keys()
            .all(|name| name.starts_with("catamaran-session-"))
    );
    session.close().await.expect("it closes");
    assert_eq!(volumes(&engine), [""; 0]);
    let networks = backend(&engine)
        .list_networks(&Default::default())
        .await
        .expect("networks");
    assert!(
        !networks
            .iter()
            .any(|one| one.name.starts_with("catamaran-session-"))
    );
}

#[tokio::test]
async fn a_scoped_session_goes_however_its_scope_ends() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let scoped = manager
        .open_scoped(&key("alice", "a"), &spec())
        .await
        .expect("it opens");
    scoped.end().await.expect("it ends");
    assert_eq!(names(&engine), [""; 0]);
    drop(
        manager
            .open_scoped(&key("alice", "b"), &spec())
            .await
            .expect("it opens"),
    );
    assert!(manager.get(&key("alice", "b")).is_none());
    until("it is gone", || names(&engine).is_empty()).await;
    let kept = manager
        .open_scoped(&key("alice", "c"), &spec())
        .await
        .expect("it opens");
    kept.keep();
    assert!(manager.get(&key("alice", "c")).is_some());
}

#[tokio::test]
async fn a_container_that_comes_after_its_open_was_dropped_goes_with_what_the_engine_made_for_it() {
    let engine = engine().await;
    let manager = manager(&engine).await;
    let hold = Hold::new();
    let late = Fault::DelayRequestUntil(hold.clone());
    let rule = (engine.faults()).add(Rule::new("POST", "/containers/create", late));
    let (key, spec) = (key("alice", "demo"), spec().with_volume("/work"));
    let mut opening = Box::pin(manager.open(&key, &spec));
    tokio::select! {
        _ = &mut opening => panic!("its container isn't made yet"),
        () = engine.faults().until(rule, |count| count.faulted > 0) => {}
    }
    assert_eq!(volumes(&engine).len(), 1);
    drop(opening);
    until("its volume goes", || volumes(&engine).is_empty()).await;
    // An engine makes the volumes that a container lacks.
    hold.release();
    engine.faults().until(rule, |count| count.acted > 0).await;
    until("all is gone", || {
        names(&engine).is_empty() && volumes(&engine).is_empty()
    })
    .await;
}
