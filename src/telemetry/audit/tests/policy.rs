use std::time::Duration;

use futures::future::join_all;

use super::*;
use crate::error::{Effect, ErrorKind};

const SOON: Duration = Duration::from_secs(20);

/// Tried again only when it is asked for.
fn options() -> AuditOptions {
    AuditOptions::default()
        .with_patience(SOON)
        .with_pause(Duration::from_secs(3600))
}

fn started(options: AuditOptions) -> (AuditLog, Scripted) {
    let sink = Scripted::default();
    let log = AuditLog::new(sink.clone(), options).expect("a log");
    (log, sink)
}

fn names(kept: &[(String, u64)]) -> Vec<&str> {
    kept.iter().map(|(actor, _)| actor.as_str()).collect()
}

#[tokio::test]
async fn blocking_refuses_while_it_fails_and_loses_nothing() {
    let (log, sink) = started(options().with_pending(4usize));
    let mut failing = log.failing();
    log.admit().await.expect("it works");
    assert_eq!(log.append(entry("a")).await, Appended::Written { seq: 1 });

    sink.set(|script| script.fails = true);
    assert_eq!(log.append(entry("b")).await, Appended::Pending);
    let seen = failing.wait_for(Option::is_some).await.expect("a log");
    assert!(
        seen.as_deref()
            .is_some_and(|why| why.contains("told to fail"))
    );
    drop(seen);
    let writes = sink.writes();
    let error = log.admit().await.expect_err("a refusal");
    assert_eq!(sink.writes(), writes + 1, "it was tried once more");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Host, Effect::NotSent)
    );
    assert!(error.to_string().contains("told to fail"), "{error}");
    // Calls that were under way, more of them than may wait.
    for number in 0..9 {
        let appended = log.append(entry(&number.to_string())).await;
        assert_eq!(appended, Appended::Pending);
    }
    let status = log.status();
    assert_eq!((status.pending, status.dropped, status.written), (10, 0, 1));

    sink.set(|script| script.fails = false);
    log.admit().await.expect("it works again");
    failing.wait_for(Option::is_none).await.expect("a log");
    log.close(SOON).await.expect("an end");
    let all = ["a", "b", "0", "1", "2", "3", "4", "5", "6", "7", "8"];
    assert_eq!(names(&sink.kept()), all);
    let status = log.status();
    assert_eq!((status.pending, status.dropped, status.written), (0, 0, 11));
}

#[tokio::test]
async fn it_is_tried_again_by_itself() {
    let (log, sink) = started(options().with_pause(Duration::from_millis(1)));
    sink.set(|script| script.fails = true);
    assert_eq!(log.append(entry("a")).await, Appended::Pending);
    sink.set(|script| script.fails = false);
    log.failing()
        .wait_for(Option::is_none)
        .await
        .expect("a log");
    assert_eq!(names(&sink.kept()), ["a"]);
}

#[tokio::test]
async fn a_call_waits_for_room() {
    let (log, sink) = started(options().with_pending(2usize));
    sink.set(|script| script.holds = true);
    drop([log.append(entry("a")), log.append(entry("b"))]);
    let mut admitted = Box::pin(log.admit());
    assert!(futures::poll!(&mut admitted).is_pending());
    sink.set(|script| script.holds = false);
    admitted.await.expect("room");

    let (log, sink) = started(
        options()
            .with_pending(1usize)
            .with_patience(Duration::from_millis(20)),
    );
    sink.set(|script| script.holds = true);
    drop(log.append(entry("a")));
    let error = log.admit().await.expect_err("no room");
    assert!(error.to_string().contains("too many"), "{error}");
    sink.set(|script| script.holds = false);
}

#[tokio::test]
async fn a_sink_that_is_silent_fails() {
    let (log, sink) = started(options().with_patience(Duration::from_millis(20)));
    sink.set(|script| script.holds = true);
    assert_eq!(log.append(entry("a")).await, Appended::Pending);
    let error = log.admit().await.expect_err("a refusal");
    assert!(error.to_string().contains("nothing for 20ms"), "{error}");
    assert_eq!(log.append(entry("b")).await, Appended::Pending);
    log.close(Duration::from_millis(20))
        .await
        .expect_err("it is silent");
    sink.set(|script| script.holds = false);
    log.close(SOON).await.expect("an end");
    assert_eq!(names(&sink.kept()), ["a", "b"]);
    assert_eq!(log.status().failing, None);
}

#[tokio::test]
async fn dropping_goes_on_and_tells_how_many_are_lost() {
    let options = options()
        .with_policy(AuditPolicy::Drop)
        .with_pending(3usize);
    let (log, sink) = started(options.with_pause(Duration::from_millis(1)));
    sink.set(|script| script.fails = true);
    for (number, becomes) in [
        (0, Appended::Pending),
        (1, Appended::Pending),
        (2, Appended::Pending),
        (3, Appended::Dropped),
        (4, Appended::Dropped),
    ] {
        log.admit().await.expect("it goes on");
        assert_eq!(log.append(entry(&number.to_string())).await, becomes);
    }
    let status = log.status();
    assert_eq!((status.pending, status.dropped), (3, 2));
    assert!(status.failing.is_some());
    sink.set(|script| script.fails = false);
    log.failing()
        .wait_for(Option::is_none)
        .await
        .expect("a log");
    let appended = log.append(entry("5")).await;
    assert_eq!(appended, Appended::Written { seq: 4 });
    let kept = [("0", 0), ("1", 0), ("2", 0), ("5", 2)];
    assert_eq!(
        sink.kept(),
        kept.map(|(actor, lost)| (actor.to_owned(), lost))
    );
}

#[tokio::test]
async fn a_record_is_written_though_nobody_waits_for_it() {
    let (log, sink) = started(options());
    for actor in ["a", "b"] {
        drop(log.append(entry(actor)));
    }
    let left = log.append(entry("c"));
    drop(log);
    assert_eq!(left.await, Appended::Written { seq: 3 });
    assert_eq!(names(&sink.kept()), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let (log, sink) = started(options());
    sink.set(|script| script.panics = true);
    assert_eq!(log.append(entry("a")).await, Appended::Pending);
    let failing = log.status().failing.expect("a failure");
    assert!(failing.contains("as it was told"), "{failing}");
    sink.set(|script| script.panics = false);
    log.admit().await.expect("it works again");
    assert_eq!(names(&sink.kept()), ["a"]);
}

#[tokio::test]
async fn what_is_closed_takes_no_more() {
    let (log, sink) = started(options());
    sink.set(|script| script.fails = true);
    assert_eq!(log.append(entry("a")).await, Appended::Pending);
    let writes = sink.writes();
    let error = log.close(SOON).await.expect_err("a record is left");
    assert!(error.to_string().contains("1 records"), "{error}");
    assert_eq!(sink.writes(), writes + 1, "it was tried once more");
    assert_eq!(log.append(entry("b")).await, Appended::Dropped);
    let error = log.admit().await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Cancelled);

    let (log, sink) = started(options());
    drop(log.append(entry("a")));
    log.clone().close(SOON).await.expect("an end");
    assert_eq!(names(&sink.kept()), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_written_at_once_and_none_twice() {
    let (log, sink) = started(options());
    sink.set(|script| script.holds = true);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                let all = (0..100).map(|number| log.append(entry(&format!("{task}-{number}"))));
                join_all(all).await
            })
        })
        .collect();
    while log.status().pending < 800 {
        tokio::task::yield_now().await;
    }
    sink.set(|script| script.holds = false);
    let mut numbers = Vec::new();
    for task in tasks {
        for appended in task.await.expect("no panic") {
            let Appended::Written { seq } = appended else {
                panic!("{appended:?}")
            };
            numbers.push(seq);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=800).collect::<Vec<_>>());
    let kept = sink.kept();
    assert_eq!(kept.len(), 800);
    for task in 0..8 {
        let own = format!("{task}-");
        let own: Vec<_> = names(&kept)
            .into_iter()
            .filter(|name| name.starts_with(&own))
            .collect();
        let expected: Vec<_> = (0..100).map(|number| format!("{task}-{number}")).collect();
        assert_eq!(own, expected, "in the order in which they were appended");
    }
    assert!(sink.writes() < 800, "{}", sink.writes());
}
