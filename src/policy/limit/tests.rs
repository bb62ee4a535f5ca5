use std::future::Future;
use std::task::Poll;

use futures::{FutureExt, poll};

use super::*;

fn limit(size: usize, queue: usize) -> Limits {
    Limits::new(
        &LimitOptions::default()
            .with_calls(size)
            .with_streams(size)
            .with_queue(queue),
    )
}

fn ask<'a>(
    limits: &'a Limits,
    key: Option<&'a Key>,
) -> std::pin::Pin<Box<impl Future<Output = Result<Permit>> + 'a>> {
    Box::pin(turn(limits, Traffic::Call, key, Deadline::none()))
}

async fn turn(
    limits: &Limits,
    traffic: Traffic,
    key: Option<&Key>,
    deadline: Deadline,
) -> Result<Permit> {
    let turn = limits.turn(traffic, key, deadline, Instant::now());
    turn.await.map(|(permit, _)| permit)
}

fn at_once(limits: &Limits, key: Option<&Key>) -> Permit {
    let turn = ask(limits, key).now_or_never().expect("no waiting");
    turn.expect("a permit")
}

fn key(name: &str) -> Option<Key> {
    Some(name.into())
}

#[tokio::test]
async fn kinds_have_permits_of_their_own() {
    let limits = limit(1, 0);
    let _call = at_once(&limits, None);
    let none = Deadline::new(None, None);
    let stream = turn(&limits, Traffic::Stream, None, none).await;
    let pull = turn(&limits, Traffic::Pull, None, none).await;
    stream.and(pull).expect("permits of their own");
}

#[tokio::test]
async fn who_came_first_is_served_first() {
    let limits = limit(1, 9);
    let held = at_once(&limits, None);
    let (mut first, mut second) = (ask(&limits, None), ask(&limits, None));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(held);
    assert!(poll!(&mut second).is_pending());
    let Poll::Ready(Ok(held)) = poll!(&mut first) else {
        panic!("its turn");
    };
    drop(held);
    assert!(poll!(&mut second).is_ready());
}

#[tokio::test]
async fn a_key_leaves_room_for_others() {
    let limits = limit(8, 99);
    let (greedy, other) = (key("greedy"), key("other"));
    let mut asked: Vec<_> = (0..8).map(|_| ask(&limits, greedy.as_ref())).collect();
    let mut held = Vec::new();
    for turn in &mut asked {
        if let Poll::Ready(permit) = poll!(turn) {
            held.push(permit.expect("a permit"));
        }
    }
    assert_eq!(held.len(), 4, "half of them");
    // Two now: a third each, and the rest for a third.
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(at_once(&limits, other.as_ref()));
    }
    assert!(ask(&limits, other.as_ref()).now_or_never().is_none());
    // And whoever has no key takes what there is.
    others.push(at_once(&limits, None));
    others.push(at_once(&limits, None));
    assert!(ask(&limits, None).now_or_never().is_none());
}

#[tokio::test]
async fn keys_are_served_in_turn() {
    let limits = limit(1, 99);
    let (greedy, modest) = (key("greedy"), key("modest"));
    let mut held = Some(at_once(&limits, greedy.as_ref()));
    let mut many: Vec<_> = (0..10).map(|_| ask(&limits, greedy.as_ref())).collect();
    for turn in &mut many {
        assert!(poll!(turn).is_pending());
    }
    let mut one = ask(&limits, modest.as_ref());
    assert!(poll!(&mut one).is_pending());
    for turn in many.iter_mut().take(1) {
        drop(held.take());
        let Poll::Ready(Ok(permit)) = poll!(turn) else {
            panic!("the greedy one came first");
        };
        held = Some(permit);
    }
    drop(held);
    assert!(poll!(&mut one).is_ready(), "second of all, not eleventh");
}

#[tokio::test]
async fn a_full_queue_refuses_who_has_the_most_in_it() {
    let limits = limit(1, 4);
    let (greedy, modest) = (key("greedy"), key("modest"));
    let _held = at_once(&limits, None);
    let mut many: Vec<_> = (0..4).map(|_| ask(&limits, greedy.as_ref())).collect();
    for turn in &mut many {
        assert!(poll!(turn).is_pending());
    }
    let refused = ask(&limits, greedy.as_ref()).await.expect_err("full");
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    assert_eq!(refused.effect(), Effect::NotSent);
    assert!(refused.retry_after().is_some());
    let mut one = ask(&limits, modest.as_ref());
    assert!(poll!(&mut one).is_pending());
    let newest = many.pop().expect("four of them").await;
    assert_eq!(newest.expect_err("pushed out").kind(), ErrorKind::Saturated);
    assert!(poll!(&mut many[2]).is_pending());
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_in_time() {
    let limits = limit(1, 9);
    let _held = at_once(&limits, None);
    let began = Instant::now();
    let error = ask(&limits, None).await.expect_err("nobody gives back");
    assert_eq!(began.elapsed().as_secs(), 10);
    assert!(error.to_string().contains("ASYNC_POOL_SIZE"), "{error}");
    let hurried = Deadline::new(Some(Duration::from_secs(1)), None);
    let began = Instant::now();
    let error = turn(&limits, Traffic::Call, None, hurried).await;
    assert_eq!(
        error.expect_err("none in time").kind(),
        ErrorKind::Saturated
    );
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn who_goes_away_takes_nothing_along() {
    let limits = limit(1, 1);
    let held = at_once(&limits, None);
    let mut waits = ask(&limits, None);
    assert!(poll!(&mut waits).is_pending());
    drop(waits);
    let mut next = ask(&limits, None);
    assert!(poll!(&mut next).is_pending(), "there is room again");
    // It has its permit, and goes away without having looked.
    drop(held);
    drop(next);
    let _permit = at_once(&limits, None);
}

#[tokio::test(start_paused = true)]
async fn the_estimate_follows_the_pace() {
    let limits = limit(1, 0);
    for _ in 0..50 {
        let permit = at_once(&limits, None);
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(permit);
    }
    let _held = at_once(&limits, None);
    let error = ask(&limits, None).await.expect_err("no queue");
    let estimate = error.retry_after().expect("an estimate");
    assert!(
        (1500..=2000).contains(&estimate.as_millis()),
        "{estimate:?}"
    );
}
