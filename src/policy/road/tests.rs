//! Two roads to scripted engines, in paused time.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;

use futures::FutureExt;

use super::*;

/// What the end of a road says now.
#[derive(Clone)]
enum Says {
    Id(&'static str),
    /// One after the other, the last for ever.
    Ids(VecDeque<&'static str>),
    Nothing,
    Gone,
    Silent,
}

/// An engine at the end of a road.
#[derive(Clone)]
struct Script(Arc<Mutex<Says>>, Arc<AtomicUsize>);

impl Script {
    fn new(says: Says) -> Self {
        Self(Arc::new(Mutex::new(says)), Arc::default())
    }

    fn say(&self, says: Says) {
        *lock(&self.0) = says;
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }

    fn side(&self, place: &str) -> Side {
        let own = self.clone();
        let ask = move |within: Duration, _| {
            own.1.fetch_add(1, Ordering::Relaxed);
            let says = match &mut *lock(&own.0) {
                Says::Ids(ids) if ids.len() > 1 => ids.pop_front().map_or(Says::Nothing, Says::Id),
                Says::Ids(ids) => ids.front().map_or(Says::Nothing, |id| Says::Id(id)),
                says => says.clone(),
            };
            async move {
                // An engine takes its time.
                tokio::time::sleep(Duration::from_millis(10).min(within)).await;
                match says {
                    Says::Id(id) => Ok(Identity {
                        id: id.to_owned(),
                        host: Some("host".to_owned()),
                    }),
                    Says::Gone => Err(Error::new(ErrorKind::Connect, "gone")),
                    Says::Silent => {
                        tokio::time::sleep(within).await;
                        Err(Error::new(ErrorKind::Timeout, "silence"))
                    }
                    Says::Nothing | Says::Ids(_) => Err(unfit("it gives none")),
                }
            }
            .boxed()
        };
        Side::asking(ask, place.to_owned())
    }
}

fn roads(here: Says, there: Says) -> (Arc<Road>, Script, Script) {
    let (here, there) = (Script::new(here), Script::new(there));
    let road = Road::new(here.side("tcp://here:1"), there.side("unix:///there"));
    (road, here, there)
}

fn within(time: Duration) -> Deadline {
    Deadline::new(Some(time), None)
}

async fn check(road: &Arc<Road>) -> Result<()> {
    road.check(within(Duration::from_secs(30)), false).await
}

/// A call that is served by the async engine, and what is learnt beside it.
async fn served(road: &Arc<Road>) {
    road.ended(EngineKind::Async, Instant::now(), &Ok(()));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn broke(road: &Arc<Road>, engine: EngineKind) {
    let gone = Err::<(), _>(Error::new(ErrorKind::Connect, "gone"));
    road.ended(engine, Instant::now(), &gone);
}

async fn later(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_learnt_while_it_served_counts_when_it_is_gone() {
    let (road, here, there) = roads(Says::Id("a"), Says::Id("a"));
    served(&road).await;
    assert_eq!((here.asked(), there.asked()), (1, 0));
    here.say(Says::Gone);
    broke(&road, EngineKind::Async);
    check(&road).await.expect("the same");
    check(&road).await.expect("still believed");
    assert_eq!((here.asked(), there.asked()), (1, 1));
    later(BELIEVED).await;
    there.say(Says::Id("b"));
    let error = check(&road).await.expect_err("another engine");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Unavailable, crate::Effect::NotSent)
    );
    let text = error.to_string();
    for part in [
        "tcp://here:1",
        "unix:///there",
        "\"a\"",
        "\"b\"",
        "DOCKER_FALLBACK_HOST",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_road_that_came_back_is_another_until_it_is_known() {
    let (road, here, there) = roads(Says::Id("a"), Says::Id("a"));
    served(&road).await;
    check(&road).await.expect("the same");
    later(SPACING).await;
    let straggler = Instant::now();
    later(Duration::from_millis(1)).await;
    broke(&road, EngineKind::Async);
    here.say(Says::Gone);
    // It was sent before the road broke.
    road.ended(EngineKind::Async, straggler, &Ok(()));
    check(&road).await.expect("what was learnt holds");
    later(Duration::from_millis(1)).await;
    // It serves again, for one call: by whom, nobody knows.
    road.ended(EngineKind::Async, Instant::now(), &Ok(()));
    let error = check(&road).await.expect_err("it may be another engine");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    here.say(Says::Id("b"));
    later(SPACING).await;
    served(&road).await;
    let error = check(&road).await.expect_err("it is another engine");
    assert!(error.to_string().contains("another engine"), "{error}");
    there.say(Says::Id("b"));
    later(BELIEVED).await;
    check(&road).await.expect("both are");
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_anew_now_and_then_and_no_more_often_than_that() {
    let (road, here, _) = roads(Says::Id("a"), Says::Id("a"));
    for _ in 0..1000 {
        served(&road).await;
    }
    // 50 s.
    assert_eq!(here.asked(), 2);
    for _ in 0..1000 {
        broke(&road, EngineKind::Async);
        later(Duration::from_millis(1)).await;
        served(&road).await;
    }
    // 51 s, with a failure before each call.
    assert!(here.asked() <= 55, "{}", here.asked());
}

#[tokio::test(start_paused = true)]
async fn all_calls_share_one_look_and_its_failure() {
    let (road, here, there) = roads(Says::Id("a"), Says::Silent);
    served(&road).await;
    let began = Instant::now();
    let checks = futures::future::join_all((0..100).map(|_| check(&road))).await;
    for error in checks {
        let error = error.expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert!(began.elapsed() < ASKS * 2, "{:?}", began.elapsed());
    assert_eq!((here.asked(), there.asked()), (1, 1));
    there.say(Says::Id("a"));
    later(REST).await;
    let checks = futures::future::join_all((0..100).map(|_| check(&road))).await;
    assert!(checks.iter().all(Result::is_ok));
    assert_eq!(there.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_says_nothing_to_others() {
    let (road, _, there) = roads(Says::Id("a"), Says::Silent);
    served(&road).await;
    let began = Instant::now();
    let hurried = road.check(within(Duration::from_millis(100)), false);
    let error = hurried.await.expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(began.elapsed() < Duration::from_millis(100), "time is left");
    there.say(Says::Id("a"));
    check(&road).await.expect("it is asked at once");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_asked_for_once_in_a_while() {
    let (road, here, there) = roads(Says::Gone, Says::Id("a"));
    for _ in 0..100 {
        let error = check(&road).await.expect_err("nobody knows");
        // It isn't the blocking engine's path that failed.
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("tcp://here:1"), "{error}");
    }
    assert_eq!((here.asked(), there.asked()), (1, 1));
    here.say(Says::Id("a"));
    later(REST).await;
    check(&road).await.expect("it is asked, too");
}

#[tokio::test(start_paused = true)]
async fn its_own_failure_asks_for_another_look() {
    let (road, _, there) = roads(Says::Id("a"), Says::Id("a"));
    served(&road).await;
    check(&road).await.expect("the same");
    broke(&road, EngineKind::Blocking);
    there.say(Says::Id("b"));
    check(&road).await.expect_err("it was replaced");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_another_each_time_is_told_as_such() {
    let (road, _, there) = roads(Says::Id("a"), Says::Ids(["b", "c", "d"].into()));
    served(&road).await;
    let error = check(&road).await.expect_err("nobody can tell");
    assert!(error.to_string().contains("Podman"), "{error}");
    check(&road).await.expect_err("nor now");
    assert_eq!(there.asked(), 2);
    for nothing in [Says::Nothing, Says::Gone] {
        let (road, ..) = roads(Says::Id("a"), nothing);
        check(&road).await.expect_err("no ID");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_else_asks_is_asked_anew_beside_a_look() {
    let (road, here, there) = roads(Says::Id("a"), Says::Id("a"));
    check(&road).await.expect("the same");
    here.say(Says::Id("b"));
    later(RENEWED).await;
    check(&road).await.expect("as far as is known");
    later(BELIEVED).await;
    check(&road).await.expect_err("it was replaced");
    assert_eq!((here.asked(), there.asked()), (2, 4));
}

/// Who changes what is learnt hears of it in the background: a runtime that is gone takes it along.
#[test]
fn a_runtime_that_ends_takes_nothing_along_but_the_question() {
    let (road, here, _) = roads(Says::Id("a"), Says::Id("a"));
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().expect("a runtime");
        runtime.block_on(async { road.ended(EngineKind::Async, Instant::now(), &Ok(())) });
        drop(runtime);
        assert!(!road.learning.load(Ordering::Relaxed));
    }
    road.ended(EngineKind::Async, Instant::now(), &Ok(()));
    assert_eq!(here.asked(), 0);
}
