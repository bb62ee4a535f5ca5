//! How many there may be.

use std::time::Duration;

use catamaran::ErrorKind;
use catamaran::session::{OpenFailure, Phase, SessionLimits};
use futures::future::join_all;

use super::stage::*;

#[tokio::test]
async fn an_owner_who_has_enough_is_refused_at_once_and_others_are_not() {
    let engine = engine().await;
    let limits = SessionLimits::default()
        .with_owner_sessions(2)
        .with_owner_memory(600 << 20);
    let manager = start(
        builder("notebooks").with_limits(limits).expect("limits"),
        &engine,
    )
    .await;
    for name in ["a", "b"] {
        manager
            .open(&key("alice", name), &spec())
            .await
            .expect("it opens");
    }
    let refused = manager
        .open(&key("alice", "c"), &spec())
        .await
        .expect_err("it is too much");
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    assert_eq!(
        OpenFailure::of(&refused).expect("an open's").phase(),
        Phase::Admission
    );
    manager
        .open(&key("bob", "a"), &spec())
        .await
        .expect("bob has none");
    assert!(manager.close(&key("alice", "a")).await.expect("it closes"));
    manager
        .open(&key("alice", "c"), &spec())
        .await
        .expect("there is room");
}

#[tokio::test]
async fn who_is_over_the_cap_waits_and_is_told_when_it_is_in_vain() {
    let engine = engine().await;
    let limits = SessionLimits::default()
        .with_sessions(2usize)
        .with_queue(2usize);
    let limits = limits.with_queue_time(Duration::from_secs(20));
    let manager = start(
        builder("notebooks").with_limits(limits).expect("limits"),
        &engine,
    )
    .await;
    let first = manager
        .open(&key("a", "x"), &spec())
        .await
        .expect("it opens");
    manager
        .open(&key("b", "x"), &spec())
        .await
        .expect("it opens");
    let keys = ["c", "d", "e"].map(|owner| key(owner, "x"));
    let wanted = spec();
    let waiting = join_all(keys.iter().map(|key| manager.open(key, &wanted)));
    let closing = async {
        until("two wait", || manager.usage().waiting == 2).await;
        first.close().await.expect("it closes");
        manager.close(&key("b", "x")).await.expect("it closes");
    };
    let (opened, ()) = tokio::join!(waiting, closing);
    let (opened, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (2, 1));
    let refused = refused.into_iter().find_map(Result::err).expect("one");
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    assert!(refused.retry_after().is_some());
}
