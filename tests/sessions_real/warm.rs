//! What a warm pool is for.

use std::time::Duration;

use catamaran::session::{Origin, PoolOptions, Shutdown};

use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_ready_is_given_away_once_and_what_is_left_goes_with_the_manager() {
    let stage = Stage::new("warm");
    let spec = idle().await;
    let builder = stage
        .builder()
        .with_pool(spec.clone(), PoolOptions::new(2, 2));
    let manager = stage.start(builder.expect("a pool")).await;
    let warm = tokio::time::timeout(Duration::from_secs(120), manager.warm());
    warm.await.expect("it is filled");
    assert_eq!(stage.things().len(), 2);
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let session = manager
            .open(&key("alice", name), &spec)
            .await
            .expect("it opens");
        assert_eq!(session.opening().origin, Origin::Warm);
        println!("warm: {:?}", session.opening().timings);
        assert_eq!(run(&session, "id -u").await, "65534\n");
        let name = inspect(session.container())["Name"].take();
        let theirs = name.as_str().expect("a name");
        assert!(theirs.starts_with("/catamaran."), "{theirs}");
        ids.push(session.id());
    }
    assert_ne!(ids[0], ids[1]);
    let other = spec.clone().with_idle_timeout(Duration::from_secs(6_000));
    let cold = manager
        .open(&key("alice", "cold"), &other)
        .await
        .expect("it opens");
    assert_eq!(cold.opening().origin, Origin::Cold);
    println!("cold: {:?}", cold.opening().timings);
    let ended = manager.shutdown(Shutdown::CloseAll, Duration::from_secs(120));
    ended.await.expect("it ends");
    stage.gone().await;
}
