//! What others do to sessions at the engine is told.

use catamaran::model::{KillOptions, RemoveOptions};
use catamaran::session::{Change, SessionState};

use crate::common::witness;
use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_is_told() {
    let stage = Stage::new("outside");
    let manager = stage.manager().await;
    let (mut told, witness) = (Told::of(&manager), witness());
    let alice = key("alice", "demo");
    let spec = idle().await.with_volume("/work");
    let session = manager.open(&alice, &spec).await.expect("it opens");
    let container = session.container();

    witness.pause(container).await.expect("it is paused");
    told.of_session(&alice, |change| *change == Change::Paused)
        .await;
    assert_eq!(session.info().state, SessionState::Paused);
    witness.unpause(container).await.expect("it goes on");
    told.of_session(&alice, |change| *change == Change::Unpaused)
        .await;
    assert_eq!(session.info().state, SessionState::Ready);

    let killed = witness.kill(container, &KillOptions::default()).await;
    killed.expect("it is killed");
    let died = told.of_session(&alice, |change| matches!(change, Change::Died { .. }));
    let expected = Change::Died {
        exit_code: Some(137),
        oom_killed: false,
    };
    assert_eq!(died.await, expected);
    assert_eq!(session.info().state, SessionState::Stopped);

    witness.start(container).await.expect("it is started");
    told.of_session(&alice, |change| *change == Change::Restarted)
        .await;
    let removed = witness.remove(container, &RemoveOptions::force()).await;
    removed.expect("it is removed");
    told.of_session(&alice, |change| {
        *change == Change::Removed { by_others: true }
    })
    .await;
    assert!(manager.get(&alice).is_none());
    assert_eq!(manager.usage().sessions, 0);
    // Its volume goes as well.
    stage.gone().await;
}
