//! A share of the calls or sessions takes the async engine.

use std::sync::Arc;

use catamaran::session::{SessionKey, SessionManager, SessionSpec};
use catamaran::{CallContext, ContainerBackend, EngineKind, Mode, Reason};

use crate::stage::*;

#[tokio::test]
async fn calls_of_a_session_go_by_one_way_and_a_greater_share_moves_nobody_back() {
    let engine = engine().await;
    let backend = direct(&engine);
    let (reports, observed) = Reports::of(&backend);
    let sessions: Vec<_> = (0..60).map(|n| format!("owner/session-{n}")).collect();
    let mut before = vec![EngineKind::Blocking; sessions.len()];
    for percent in [0, 10, 50, 100] {
        backend.set_rollout(percent).expect("in range");
        let mut now = Vec::new();
        for session in &sessions {
            let of = observed.with_context(CallContext::new().with_session(session.as_str()));
            for _ in 0..3 {
                of.ping().await.expect("it answers");
            }
            let reports = reports.take();
            assert!(reports.iter().all(|one| one.engine == reports[0].engine));
            let reason = match reports[0].engine {
                EngineKind::Blocking => Reason::Rollout,
                _ => Reason::Mode,
            };
            assert_eq!(reports[0].reason, reason);
            now.push(reports[0].engine);
        }
        let back = |(before, now): (&EngineKind, &EngineKind)| {
            *before == EngineKind::Async && *now != EngineKind::Async
        };
        assert!(!before.iter().zip(&now).any(back), "{percent}");
        before = now;
    }
    assert!(before.iter().all(|engine| *engine == EngineKind::Async));
}

#[tokio::test]
async fn who_has_no_session_is_taken_by_share_and_a_mode_that_is_set_wins() {
    let engine = engine().await;
    let (reports, backend) = Reports::of(&direct(&engine));
    assert_eq!(backend.set_rollout(25).expect("in range"), 100);
    calls(&backend, 100).await;
    let by_async = |all: &[catamaran::CallReport]| {
        let of = all.iter().filter(|one| one.engine == EngineKind::Async);
        of.count()
    };
    let share = by_async(&reports.take());
    assert!((22..=28).contains(&share), "{share}");
    for (mode, all) in [(Mode::Async, 10), (Mode::Blocking, 0)] {
        backend.set_mode(mode);
        calls(&backend, 10).await;
        let reports = reports.take();
        assert_eq!(by_async(&reports), all, "{mode}");
        assert!(reports.iter().all(|one| one.reason == Reason::Mode));
    }
    backend.set_rollout(101).expect_err("more than all");
    assert_eq!(backend.rollout(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managers_sessions_are_rolled_out_one_by_one() {
    let engine = engine().await;
    let (reports, backend) = Reports::of(&direct(&engine));
    backend.set_rollout(50).expect("in range");
    let manager = SessionManager::builder("notebooks").expect("a name");
    let manager = manager.start(Arc::new(backend)).await.expect("a manager");
    let image = catamaran::model::ImageRef::new("busybox").expect("an image");
    let spec = SessionSpec::new(image).with_command(["sleep", "6000"]);
    let mut by = [0, 0];
    for number in 0..12 {
        let key = SessionKey::new("alice", format!("session-{number}")).expect("a key");
        let session = manager.open(&key, &spec).await.expect("it opens");
        session.close().await.expect("it closes");
        // What the manager does by itself is nobody's.
        let container = session.container().to_string();
        let mut all = reports.take();
        all.retain(|one| one.subject.as_deref() == Some(&*container));
        assert!(all.len() > 2, "{all:?}");
        let first = all[0].engine;
        assert!(all.iter().all(|one| one.engine == first), "{all:?}");
        by[usize::from(first == EngineKind::Async)] += 1;
    }
    assert!(by[0] > 0 && by[1] > 0, "one owner's go both ways: {by:?}");
    let end = std::time::Duration::from_secs(10);
    let ended = manager.shutdown(catamaran::session::Shutdown::CloseAll, end);
    ended.await.expect("it ends");
}
