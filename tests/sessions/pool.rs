//! Warm pools.

use std::collections::BTreeSet;
use std::time::Duration;

use catamaran::ContainerBackend;
use catamaran::model::{ContainerPath, ContainerRef, RemoveOptions};
use catamaran::session::{Origin, PoolOptions, SessionManager, Setup};
use catamaran::testing::FakeEngine;
use futures::future::join_all;

use super::stage::*;

async fn with_pool(engine: &FakeEngine, options: PoolOptions) -> SessionManager {
    let builder = builder("notebooks")
        .with_pool(spec(), options)
        .expect("a pool");
    start(builder, engine).await
}

fn ready(manager: &SessionManager) -> usize {
    manager.pools().iter().map(|pool| pool.ready).sum()
}

#[tokio::test]
async fn a_claim_is_an_owners_alone_and_the_pool_is_filled_again() {
    let engine = engine().await;
    let manager = with_pool(&engine, PoolOptions::new(4, 4)).await;
    until("it is full", || ready(&manager) == 4).await;
    let path: ContainerPath = "/tmp/mine".parse().expect("a path");
    let opened = (0..4).map(|number| {
        let own = spec().with_setup(Setup::file(path.clone(), number.to_string()));
        let (manager, path) = (&manager, &path);
        async move {
            let session = manager
                .open(&key(&format!("user{number}"), "demo"), &own)
                .await;
            let session = session.expect("it opens");
            let mine = session.read_file(path, 10).await.expect("its own file");
            assert_eq!(&mine[..], number.to_string().as_bytes());
            assert_eq!(session.opening().origin, Origin::Warm);
            session
        }
    });
    let sessions = join_all(opened).await;
    let containers: BTreeSet<_> = sessions.iter().map(|one| one.container().clone()).collect();
    assert_eq!(containers.len(), 4);
    assert!(names(&engine).contains(&"catamaran.notebooks.user0.demo".to_owned()));
    until("it is full again", || ready(&manager) == 4).await;
    let other = manager
        .open(&key("eve", "demo"), &spec().with_command(["sleep", "9"]))
        .await;
    assert_eq!(other.expect("it opens").opening().origin, Origin::Cold);
}

#[tokio::test]
async fn one_that_is_not_well_is_never_given_away() {
    let engine = engine().await;
    let manager = with_pool(&engine, PoolOptions::new(2, 2)).await;
    until("it is full", || ready(&manager) == 2).await;
    for container in engine.containers() {
        let id = ContainerRef::new(&container.id).expect("an id");
        let removed = backend(&engine).remove(&id, &RemoveOptions::force()).await;
        removed.expect("somebody removes it");
    }
    let session = manager
        .open(&key("alice", "demo"), &spec())
        .await
        .expect("it opens");
    let there = session.backend().inspect(session.container()).await;
    assert!(there.expect("it is there").state.is_running());
    until("it is filled again", || ready(&manager) == 2).await;
}

#[tokio::test]
async fn another_spec_drains_it_and_so_does_the_end() {
    let engine = engine().await;
    let manager = with_pool(&engine, PoolOptions::new(2, 2)).await;
    until("it is full", || ready(&manager) == 2).await;
    let before: BTreeSet<_> = names(&engine).into_iter().collect();
    let other = spec().with_command(["sleep", "1234"]);
    manager
        .set_pools([(other, PoolOptions::new(1, 1))])
        .expect("another pool");
    until("the old ones are gone", || {
        let now = names(&engine);
        now.len() == 1 && !before.contains(&now[0])
    })
    .await;
    drop(manager);
    until("all are gone", || names(&engine).is_empty()).await;
}

#[tokio::test]
async fn misses_raise_what_is_kept_up_to_the_most() {
    let engine = engine().await;
    let manager = with_pool(&engine, PoolOptions::new(0, 2)).await;
    for number in 0..3 {
        let opened = manager
            .open(&key("alice", &number.to_string()), &spec())
            .await;
        assert!(opened.expect("it opens").opening().origin == Origin::Cold || number > 0);
    }
    until("it is filled", || ready(&manager) >= 1).await;
    let pool = &manager.pools()[0];
    assert!(pool.target <= 2 && pool.misses >= 1, "{pool:?}");
}

#[tokio::test]
async fn what_is_too_old_is_replaced() {
    let engine = engine().await;
    let options = PoolOptions::new(1, 1).with_max_age(Duration::from_secs(1));
    let manager = with_pool(&engine, options).await;
    until("it is full", || ready(&manager) == 1).await;
    let before = names(&engine);
    until("another one is there", || {
        ready(&manager) == 1 && names(&engine) != before
    })
    .await;
    assert!(manager.pools()[0].discarded >= 1);
}
