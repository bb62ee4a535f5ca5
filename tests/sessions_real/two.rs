//! Two managers of one service.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::ExecOptions;
use catamaran::session::{Change, Origin};
use catamaran::testing::{Fault, FaultProxy, Rule};
use catamaran::{ErrorKind, HybridBackend};

use crate::common::config;
use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_gets_a_session_only_when_the_first_is_silent_for_longer_than_its_lease() {
    let stage = Stage::new("two");
    let proxy = FaultProxy::start(config().endpoint())
        .await
        .expect("a proxy");
    let backend = HybridBackend::new(&proxy.config().expect("a configuration"));
    let backend = Arc::new(backend.expect("a backend"));
    let first = stage.builder().start(backend).await.expect("a manager");
    let mut told = Told::of(&first);
    let (alice, spec) = (key("alice", "demo"), idle().await.with_volume("/work"));
    let session = first.open(&alice, &spec).await.expect("it opens");
    run(&session, "echo mine >/work/a").await;

    let second = stage.manager().await;
    let refused = second
        .open(&alice, &spec)
        .await
        .expect_err("it is the first's");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    // As long as the first lives, so it is.
    tokio::time::sleep(2 * LEASE).await;
    let refused = second
        .open(&alice, &spec)
        .await
        .expect_err("it is the first's");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(run(&session, "cat /work/a").await, "mine\n");

    proxy.faults().add(Rule::any(Fault::Refuse));
    proxy.disconnect();
    let mut proxy = proxy;
    let mut theirs = Told::of(&second);
    theirs
        .of_session(&alice, |change| *change == Change::Adopted)
        .await;
    let adopted = second
        .open(&alice, &spec)
        .await
        .expect("it is the second's");
    assert_eq!(
        (adopted.opening().origin, adopted.id()),
        (Origin::Existing, session.id())
    );
    assert_eq!(adopted.info().origin, Origin::Adopted);
    assert_eq!(run(&adopted, "cat /work/a").await, "mine\n");

    // The first comes back, and knows that it isn't its own any more.
    proxy.faults().clear();
    proxy.reconnect().await.expect("it answers again");
    told.of_session(&alice, |change| *change == Change::Lost)
        .await;
    assert!(first.get(&alice).is_none());
    let late = session.exec(&ExecOptions::new(["true"])).await;
    assert_eq!(
        late.expect_err("it is the second's").kind(),
        ErrorKind::NotFound
    );
    assert!(!session.close().await.expect("there is nothing to close"));
    // Its way to the engine was given up, and is tried again in its own time.
    until("the first sees whose it is", async || {
        let refused = first.open(&alice, &spec).await;
        let refused = refused.expect_err("it is the second's");
        assert!(
            matches!(refused.kind(), ErrorKind::Conflict | ErrorKind::Unavailable),
            "{refused}"
        );
        refused.kind() == ErrorKind::Conflict
    })
    .await;
    assert_eq!(run(&adopted, "cat /work/a").await, "mine\n");
    adopted.close().await.expect("it closes");
    let within = Duration::from_secs(60);
    first
        .shutdown(catamaran::session::Shutdown::CloseAll, within)
        .await
        .expect("it ends");
    stage.gone().await;
}
