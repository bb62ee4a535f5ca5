//! A session's own volume: its user's, and there for as long as the session is.

use std::time::Duration;

use catamaran::model::StopOptions;
use catamaran::session::{Change, Origin, SessionState};

use crate::common::witness;
use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_its_users_and_outlives_a_stop() {
    let stage = Stage::new("volume");
    let manager = stage.manager().await;
    // The image has a directory at the one, and none at the other.
    let spec = idle().await.with_volume("/root").with_volume("/data/deep");
    let alice = key("alice", "files");
    let session = manager.open(&alice, &spec).await.expect("it opens");
    assert_eq!(stage.things().len(), 3, "{:?}", stage.things());
    let user = "id -u; stat -c %u:%g /root /data/deep";
    assert_eq!(
        run(&session, user).await,
        "65534\n65534:65534\n65534:65534\n"
    );
    run(
        &session,
        "echo one >/root/a; echo two >/data/deep/b; echo three >/tmp/c",
    )
    .await;
    assert_eq!(
        &session
            .read_file(&"/root/a".parse().expect("a path"), 100)
            .await
            .expect("a file")[..],
        b"one\n"
    );
    let path = "/root/d".parse().expect("a path");
    let written = session.write_file(&path, "four");
    written.await.expect("it is written");

    let (witness, options) = (witness(), StopOptions::default());
    let stopped = witness.stop(session.container(), &options).await;
    stopped.expect("it stops");
    until("it is seen", async || {
        session.info().state == SessionState::Stopped
    })
    .await;
    let again = manager.open(&alice, &spec).await.expect("it starts again");
    assert_eq!(again.opening().origin, Origin::Resumed);
    let all = "cat /root/a /data/deep/b /root/d; ls /tmp; echo more >>/root/a";
    assert_eq!(run(&again, all).await, "one\ntwo\nfour");
    again.close().await.expect("it closes");
    stage.gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_idle_stops_and_keeps_its_files_but_not_its_memory() {
    let stage = Stage::new("idle");
    let manager = stage.manager().await;
    let mut told = Told::of(&manager);
    let spec = idle().await.with_volume("/work");
    let spec = spec.with_idle_timeout(Duration::from_secs(2));
    let alice = key("alice", "idle");
    let session = manager.open(&alice, &spec).await.expect("it opens");
    run(&session, "echo kept >/work/a; echo lost >/tmp/b").await;
    told.of_session(&alice, |change| *change == Change::Idle)
        .await;
    assert_eq!(inspect(session.container())["State"]["Running"], false);
    let again = manager.open(&alice, &spec).await.expect("it starts again");
    assert_eq!(
        (again.opening().origin, again.container()),
        (Origin::Resumed, session.container())
    );
    assert_eq!(run(&again, "cat /work/*; ls -A /tmp").await, "kept\n");
    told.of_session(&alice, |change| *change == Change::Resumed)
        .await;
    again.close().await.expect("it closes");
    stage.gone().await;
}
