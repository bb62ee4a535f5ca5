mod property;

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, poll};
use tokio::time::Instant;

use super::*;
use crate::error::{Effect, Error, ErrorKind};

type Asked<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

const SMALL: Needs = Needs {
    memory: 1,
    cpus: 0.001,
};

fn limits(sessions: usize) -> SessionLimits {
    SessionLimits::default()
        .with_sessions(sessions)
        .with_owner_sessions(None)
}

fn none() -> Deadline {
    Deadline::new(None, None)
}

fn ask(admission: &Admission, owner: &str) -> Asked<Admitted> {
    need(admission, owner, SMALL)
}

fn need(admission: &Admission, owner: &str, needs: Needs) -> Asked<Admitted> {
    let (admission, owner) = (admission.clone(), Arc::from(owner));
    Box::pin(async move { admission.admit(&owner, needs, none()).await })
}

fn turn(admission: &Admission, owner: &str) -> Asked<Turn> {
    let (admission, owner) = (admission.clone(), Arc::from(owner));
    Box::pin(async move { admission.turn(&owner, none()).await })
}

fn at_once<T>(asked: Asked<T>) -> T {
    let answer = asked.now_or_never().expect("no waiting");
    answer.expect("it may")
}

fn refused<T>(asked: Asked<T>) -> Error {
    let answer = asked.now_or_never().expect("no waiting");
    answer.err().expect("it may not")
}

fn waits<T>(asked: &mut Asked<T>) -> bool {
    asked.now_or_never().is_none()
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_at_once() {
    let gib = 1 << 30;
    let limits = limits(99)
        .with_owner_sessions(3)
        .with_owner_memory(4 * gib)
        .with_owner_cpus(2.0);
    let needs = |memory, cpus| Needs { memory, cpus };
    for (first, second, setting, told) in [
        (
            needs(3 * gib, 0.1),
            needs(2 * gib, 0.1),
            "limits.owner_memory",
            ["3221225472", "4294967296 bytes", "2147483648 bytes"],
        ),
        (
            needs(gib, 1.25),
            needs(gib, 0.8),
            "limits.owner_cpus",
            ["1.25", "2 CPUs", "0.8 CPUs"],
        ),
    ] {
        let admission = Admission::new(&limits);
        let held = at_once(need(&admission, "alice", first));
        let error = refused(need(&admission, "alice", second));
        assert_eq!(error.kind(), ErrorKind::Saturated);
        assert_eq!(error.effect(), Effect::NotSent);
        assert_eq!(error.retry_after(), None, "only the owner makes room");
        let text = error.to_string();
        for part in told.into_iter().chain([setting, "\"alice\""]) {
            assert!(text.contains(part), "{part}: {text}");
        }
        at_once(need(&admission, "bob", second));
        drop(held);
        at_once(need(&admission, "alice", second));
    }
    let admission = Admission::new(&limits);
    let held: Vec<_> = (0..3).map(|_| at_once(ask(&admission, "alice"))).collect();
    let text = refused(ask(&admission, "alice")).to_string();
    assert!(text.contains("it has 3 of at most 3 sessions"), "{text}");
    assert!(text.contains("limits.owner_sessions"), "{text}");
    drop(held);
    at_once(ask(&admission, "alice"));
}

#[tokio::test]
async fn what_never_fits_is_invalid() {
    let limits = limits(9).with_owner_memory(100).with_owner_cpus(2.0);
    let admission = Admission::new(&limits);
    for (memory, cpus, field) in [
        (101, 1.0, "resources.memory"),
        (0, 1.0, "resources.memory"),
        (1, 2.001, "resources.cpus"),
        (1, 0.0, "resources.cpus"),
        (1, f64::NAN, "resources.cpus"),
        (1, f64::INFINITY, "resources.cpus"),
    ] {
        let error = refused(need(&admission, "alice", Needs { memory, cpus }));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.field(), Some(field), "{error}");
    }
    let (memory, cpus) = (100, 2.0);
    at_once(need(&admission, "alice", Needs { memory, cpus }));
    assert_eq!(admission.usage(), Usage::default());
}

#[tokio::test]
async fn tenths_of_cpus_add_up() {
    let admission = Admission::new(&limits(99).with_owner_cpus(1.0));
    let tenth = Needs {
        memory: u64::MAX,
        cpus: 0.1,
    };
    let held: Vec<_> = (0..10)
        .map(|_| at_once(need(&admission, "alice", tenth)))
        .collect();
    let used = admission.usage().by_owner["alice"];
    assert!((used.cpus - 1.0).abs() < f64::EPSILON);
    assert_eq!(used.memory, u64::MAX, "no sum overflows");
    refused(need(&admission, "alice", tenth));
    drop(held);
    assert_eq!(admission.usage(), Usage::default());
}

#[tokio::test]
async fn one_owner_may_have_all_but_delays_nobody() {
    let admission = Admission::new(&limits(4));
    let mut held: Vec<_> = (0..4).map(|_| at_once(ask(&admission, "greedy"))).collect();
    let mut many: Vec<_> = (0..100).map(|_| ask(&admission, "greedy")).collect();
    assert!(many.iter_mut().all(waits));
    let mut one = ask(&admission, "modest");
    assert!(waits(&mut one));
    let usage = admission.usage();
    assert_eq!((usage.sessions, usage.waiting), (4, 101));
    assert_eq!(usage.by_owner["greedy"].waiting, 100);
    held.pop();
    let _first = many.remove(0).now_or_never().expect("it came first");
    held.pop();
    at_once(one);
}

#[tokio::test]
async fn a_full_queue_refuses_who_has_the_most_in_it() {
    let limits = limits(1).with_queue(3usize).with_owner_sessions(4);
    let admission = Admission::new(&limits);
    let _held = at_once(ask(&admission, "greedy"));
    let mut many: Vec<_> = (0..3).map(|_| ask(&admission, "greedy")).collect();
    assert!(many.iter_mut().all(waits));
    let mut one = ask(&admission, "modest");
    assert!(waits(&mut one));
    let error = refused(many.pop().expect("three of them"));
    assert_eq!(error.kind(), ErrorKind::Saturated);
    assert!(error.to_string().contains("limits.sessions"), "{error}");
    assert!(error.retry_after() >= Some(Duration::from_millis(50)));
    assert_eq!(admission.usage().by_owner["greedy"].memory, 3);
    // Its quota is free again: this one is refused for the queue alone.
    let error = refused(ask(&admission, "greedy"));
    assert!(
        error.to_string().contains("too many wait already"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_in_time() {
    let limits = limits(1).with_opens(1usize);
    let admission = Admission::new(&limits);
    let (_held, _opening) = (
        at_once(ask(&admission, "alice")),
        at_once(turn(&admission, "alice")),
    );
    let began = Instant::now();
    let refused = ask(&admission, "bob").await.expect_err("none is closed");
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    let hurried = Deadline::new(Some(Duration::from_secs(1)), None);
    let bob: Arc<str> = "bob".into();
    let began = Instant::now();
    let refused = admission.admit(&bob, SMALL, hurried).await;
    let refused = refused.expect_err("none in time");
    assert_eq!(began.elapsed().as_secs(), 1);
    assert_eq!(refused.kind(), ErrorKind::Saturated);
    assert_eq!(refused.effect(), Effect::NotSent);
    let refused = turn(&admission, "bob").await.expect_err("none in time");
    assert!(refused.to_string().contains("limits.opens"), "{refused}");
    assert_eq!(admission.usage().by_owner.len(), 1, "bob has nothing");
}

#[tokio::test]
async fn nobody_is_told_to_come_back_at_once() {
    let limits = limits(1)
        .with_queue(0usize)
        .with_queue_time(Duration::from_millis(1));
    let admission = Admission::new(&limits);
    let _held = at_once(ask(&admission, "alice"));
    let error = refused(ask(&admission, "bob"));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(50)));
}

#[tokio::test]
async fn who_goes_away_takes_nothing_along() {
    let admission = Admission::new(&limits(1));
    let held = at_once(ask(&admission, "alice"));
    let (mut leaves, mut given, mut next) = (
        ask(&admission, "bob"),
        ask(&admission, "carol"),
        ask(&admission, "dave"),
    );
    assert!(waits(&mut leaves) && waits(&mut given) && waits(&mut next));
    drop(leaves);
    // Carol has a place, and goes away without having looked.
    drop(held);
    drop(given);
    let held = at_once(next);
    assert_eq!(admission.usage().by_owner.len(), 1);
    drop(held);
    assert_eq!(admission.usage(), Usage::default());
}

#[tokio::test]
async fn what_is_there_anyway_is_never_refused() {
    let limits = limits(2).with_owner_sessions(2).with_owner_cpus(1.0);
    let admission = Admission::new(&limits);
    let needs = Needs {
        memory: 0,
        cpus: 4.0,
    };
    let mut held: Vec<_> = (0..4)
        .map(|_| admission.readmit(&"alice".into(), needs))
        .collect();
    let usage = admission.usage();
    assert_eq!(usage.sessions, 4);
    assert!((usage.by_owner["alice"].cpus - 16.0).abs() < f64::EPSILON);
    // The limits hold for new ones.
    refused(ask(&admission, "alice"));
    let mut other = ask(&admission, "bob");
    assert!(waits(&mut other));
    held.truncate(2);
    assert!(waits(&mut other), "still as many as there may be");
    held.truncate(1);
    let Poll::Ready(Ok(_other)) = poll!(&mut other) else {
        panic!("there is room");
    };
    let text = refused(ask(&admission, "alice")).to_string();
    assert!(text.contains("limits.owner_cpus"), "{text}");
}

#[tokio::test]
async fn turns_leave_room_for_others() {
    let admission = Admission::new(&limits(99).with_opens(4usize));
    let mut held: Vec<_> = (0..2)
        .map(|_| at_once(turn(&admission, "greedy")))
        .collect();
    let mut more = turn(&admission, "greedy");
    assert!(waits(&mut more), "half of them at most");
    held.push(at_once(turn(&admission, "modest")));
    let usage = admission.usage();
    assert_eq!((usage.opening, usage.waiting, usage.sessions), (3, 1, 0));
    drop(held);
    at_once(more);
    assert_eq!(admission.usage(), Usage::default());
}

#[test]
fn what_is_held_goes_between_threads() {
    fn both<T: Send + Sync + 'static>() {}
    both::<Admission>();
    both::<Admitted>();
    both::<Turn>();
}
