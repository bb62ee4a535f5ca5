use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use futures::{FutureExt, StreamExt};
use serde_json::json;
use tokio::task::unconstrained;
use tokio::time::advance;

use super::*;
use crate::lock::lock;

mod docs;
mod log;

use AlertKind::{
    AsyncPathFailing, AuditFailing, BreakerOpen, EngineRestarted, LimitsNotEffective, OrphansFound,
    SlowEngine,
};

/// What was told since, each as a line.
fn heard(events: &mut AlertEvents) -> Vec<String> {
    let mut lines = Vec::new();
    // Else the runtime makes who reads much at once wait.
    while let Some(Some(notice)) = unconstrained(events.next()).now_or_never() {
        lines.push(match notice {
            AlertNotice::Alert(alert) => alert.to_string(),
            AlertNotice::Gap { missed } => format!("{missed} missed"),
        });
    }
    lines
}

fn listening() -> (Alerts, AlertEvents) {
    let alerts = Alerts::default();
    let events = alerts.subscribe();
    (alerts, events)
}

#[tokio::test(start_paused = true)]
async fn what_lasts_is_told_when_it_begins_and_when_it_is_over() {
    let (alerts, mut events) = listening();
    alerts.recover(BreakerOpen, Some("async"), "it never was");
    alerts.raise(BreakerOpen, Some("async"), "5 in a row");
    alerts.raise(BreakerOpen, Some("blocking"), "refused");
    for failures in 6..9 {
        alerts.raise(
            BreakerOpen,
            Some("async"),
            format_args!("{failures} in a row"),
        );
    }
    let expected = [
        "warning breaker_open [async]: 5 in a row",
        "warning breaker_open [blocking]: refused",
    ];
    assert_eq!(heard(&mut events), expected);
    advance(Duration::from_secs(3600)).await;
    alerts.tick();
    let active = alerts.active();
    assert_eq!(active.len(), 2, "it lasts");
    assert_eq!((active[0].count, &*active[0].message), (3, "8 in a row"));
    assert_eq!(active[1].count, 0);
    alerts.recover(BreakerOpen, Some("async"), "a probe did");
    alerts.recover(BreakerOpen, Some("async"), "it is already");
    alerts.recover(SlowEngine, Some("blocking"), "another kind");
    let expected = ["recovered breaker_open [async]: a probe did"];
    assert_eq!(heard(&mut events), expected);
    assert_eq!(alerts.active().len(), 1);
    alerts.raise(BreakerOpen, Some("async"), "again");
    let expected = ["warning breaker_open [async]: again"];
    assert_eq!(heard(&mut events), expected, "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_is_told_once() {
    let (alerts, mut events) = listening();
    alerts.subside(SlowEngine, Some("async"));
    for _ in 0..100 {
        alerts.raise(SlowEngine, Some("async"), "2 s");
        alerts.subside(SlowEngine, Some("async"));
        advance(Duration::from_secs(30)).await;
        // It is asked again and again meanwhile.
        alerts.subside(SlowEngine, Some("async"));
        advance(Duration::from_secs(29)).await;
        alerts.tick();
    }
    assert_eq!(heard(&mut events), ["warning slow_engine [async]: 2 s"]);
    assert_eq!(alerts.active()[0].count, 99);
    alerts.raise(SlowEngine, Some("async"), "3 s");
    advance(Duration::from_secs(600)).await;
    assert_eq!(alerts.active().len(), 1, "it lasts");
    alerts.subside(SlowEngine, Some("async"));
    advance(Duration::from_secs(60)).await;
    alerts.subside(SlowEngine, Some("async"));
    let expected = ["recovered slow_engine [async]: it hasn't happened again for 1m"];
    assert_eq!(heard(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_over_when_it_has_not_for_a_while() {
    let (alerts, mut events) = listening();
    alerts.event(EngineRestarted, None, "once");
    advance(Duration::from_secs(59)).await;
    alerts.event(EngineRestarted, None, "twice");
    advance(Duration::from_secs(59)).await;
    alerts.tick();
    let expected = ["warning engine_restarted: once"];
    assert_eq!(heard(&mut events), expected, "it still happens");
    assert_eq!(alerts.active()[0].message, "twice");
    advance(Duration::from_secs(1)).await;
    alerts.tick();
    let expected = ["recovered engine_restarted: it hasn't happened again for 1m"];
    assert_eq!(heard(&mut events), expected);
    alerts.tick();
    assert!(heard(&mut events).is_empty() && alerts.active().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whatever_is_called_next_ends_what_is_over() {
    let calls: [fn(&Alerts); 5] = [
        |alerts| alerts.raise(SlowEngine, None, "slow"),
        |alerts| alerts.recover(SlowEngine, None, "not slow"),
        |alerts| alerts.event(EngineRestarted, None, "anew"),
        |alerts| drop(alerts.active()),
        Alerts::tick,
    ];
    for call in calls {
        let (alerts, mut events) = listening();
        alerts.event(EngineRestarted, None, "once");
        advance(Duration::from_secs(60)).await;
        call(&alerts);
        let heard = heard(&mut events);
        let over = "recovered engine_restarted: it hasn't happened again for 1m";
        assert_eq!(heard[1], over, "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_lasts_does_not_end_because_it_happens_too() {
    let (alerts, _) = listening();
    alerts.raise(AuditFailing, None, "the disk is full");
    alerts.event(AuditFailing, None, "a record was dropped");
    alerts.event(OrphansFound, None, "3 of them");
    alerts.raise(OrphansFound, None, "they can't be removed");
    advance(Duration::from_secs(600)).await;
    assert_eq!(alerts.active().len(), 2);
    alerts.recover(AuditFailing, None, "there is room");
    assert_eq!(alerts.active().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_told_again_where_that_is_wanted() {
    let options = AlertOptions::default();
    let options = options.with_repeat(Duration::from_secs(300)).expect("fits");
    let alerts = Alerts::new(options);
    let mut events = alerts.subscribe();
    alerts.raise(AuditFailing, None, "full");
    advance(Duration::from_secs(299)).await;
    alerts.tick();
    assert_eq!(heard(&mut events).len(), 1);
    advance(Duration::from_secs(1)).await;
    alerts.tick();
    alerts.raise(AuditFailing, None, "still full");
    let expected = ["critical audit_failing: full"];
    assert_eq!(heard(&mut events), expected, "and once");
    advance(Duration::from_secs(300)).await;
    alerts.tick();
    let expected = ["critical audit_failing: still full (raised again: 1)"];
    assert_eq!(heard(&mut events), expected);
    for _ in 0..6 {
        alerts.event(EngineRestarted, None, "once more");
        advance(Duration::from_secs(59)).await;
    }
    let told = heard(&mut events).join("\n");
    let again = "warning engine_restarted: once more (raised again: 5)";
    assert!(
        !told.contains("recovered") && !told.contains(again),
        "{told}"
    );
    alerts.event(EngineRestarted, None, "once more");
    let told = heard(&mut events).join("\n");
    assert!(
        told.contains("engine_restarted: once more (raised again: 6)"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_told_apart() {
    let (alerts, mut events) = listening();
    for session in 0..1_200 {
        let session = session.to_string();
        alerts.event(LimitsNotEffective, Some(&session), "memory");
        alerts.raise(AsyncPathFailing, Some(&session), "refused");
    }
    // As many of each kind, and one for the rest of each.
    let active = alerts.active();
    assert_eq!(active.len(), 1_002);
    let rest: Vec<_> = active
        .iter()
        .filter(|alert| alert.subject.is_none())
        .collect();
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|alert| alert.count == 699), "{rest:?}");
    assert_eq!(heard(&mut events).len(), 1_002);
    // What has its place keeps it.
    alerts.raise(AsyncPathFailing, Some("3"), "refused");
    assert!(heard(&mut events).is_empty());
    advance(Duration::from_secs(60)).await;
    let left = alerts.active();
    assert_eq!(left.len(), 500, "what lasts and was told apart");
    alerts.raise(AsyncPathFailing, Some("new"), "there is room");
    assert_eq!(alerts.active().len(), 501);
}

#[tokio::test]
async fn the_most_urgent_is_first() {
    let (alerts, _) = listening();
    for kind in [
        OrphansFound,
        SlowEngine,
        AuditFailing,
        BreakerOpen,
        AsyncPathFailing,
    ] {
        alerts.raise(kind, Some("b"), "so");
        alerts.raise(kind, Some("a"), "so");
    }
    let order: Vec<_> = alerts
        .active()
        .into_iter()
        .map(|alert| (alert.kind, alert.subject))
        .collect();
    let expected = [
        AsyncPathFailing,
        AuditFailing,
        BreakerOpen,
        SlowEngine,
        OrphansFound,
    ]
    .into_iter()
    .flat_map(|kind| ["a", "b"].map(|subject| (kind, Some(subject.to_owned()))));
    assert_eq!(order, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_slow_is_told_how_much_it_missed_and_the_end_is_told() {
    let (alerts, mut events) = listening();
    for count in 0..1_100 {
        alerts.raise(SlowEngine, Some(&count.to_string()), "slow");
        alerts.recover(SlowEngine, Some(&count.to_string()), "quick");
    }
    let heard = heard(&mut events);
    assert_eq!(heard[0], "1176 missed");
    assert_eq!(heard.len(), 1 + 1_024);
    drop(alerts);
    assert_eq!(events.next().await, None);
    assert_eq!(events.next().await, None, "it may be asked again");
}

#[test]
fn hooks_hear_in_order_may_panic_and_may_raise_themselves() {
    let alerts = Alerts::default();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    alerts.on_alert(Arc::new(|alert: &Alert| {
        assert!(alert.kind != SlowEngine, "a hook that panics");
    }));
    let (seen, same) = (Arc::clone(&told), alerts.clone());
    alerts.on_alert(Arc::new(move |alert: &Alert| {
        lock(&seen).push(alert.to_string());
        if alert.kind == SlowEngine {
            same.event(EngineRestarted, None, "from the hook");
            assert_eq!(same.active().len(), 2, "no lock is held");
            lock(&seen).push("the hook ends".to_owned());
        }
    }));
    alerts.raise(SlowEngine, None, "slow");
    alerts.raise(AuditFailing, None, "full");
    let expected = [
        "warning slow_engine: slow",
        "the hook ends",
        "warning engine_restarted: from the hook",
        "critical audit_failing: full",
    ];
    assert_eq!(*lock(&told), expected);
}

#[test]
fn of_many_threads_each_alert_is_told_once_and_in_order() {
    let (alerts, mut events) = listening();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&told);
    alerts.on_alert(Arc::new(move |alert: &Alert| {
        lock(&seen).push(alert.to_string())
    }));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    alerts.raise(SlowEngine, None, "slow");
                    alerts.recover(SlowEngine, None, "quick");
                }
            });
        }
    });
    let heard = heard(&mut events);
    let strip = |line: &String| line.split(':').next().map(str::to_owned);
    let kinds: Vec<_> = heard.iter().map(strip).collect();
    assert!(kinds.len() >= 2 && kinds.len() % 2 == 0);
    for pair in kinds.chunks(2) {
        assert_eq!(pair[0].as_deref(), Some("warning slow_engine"));
        assert_eq!(pair[1].as_deref(), Some("recovered slow_engine"));
    }
    assert_eq!(*lock(&told), heard, "hooks hear what subscribers do");
}

#[test]
fn what_comes_from_elsewhere_is_one_bounded_line() {
    let alerts = Alerts::default();
    let long = "x\n".repeat(10_000);
    alerts.raise(BreakerOpen, Some(&long), &long);
    let alert = &alerts.active()[0];
    assert_eq!(alert.to_string().lines().count(), 1);
    assert_eq!(alert.message.chars().filter(|c| *c == 'x').count(), 256);
    assert!(
        alert
            .subject
            .as_ref()
            .is_some_and(|subject| subject.ends_with('…'))
    );
    alerts.recover(BreakerOpen, Some(&long), "over");
    assert!(alerts.active().is_empty(), "it is found by the whole");
    alerts.raise(BreakerOpen, Some(""), "of nothing");
    assert_eq!(alerts.active()[0].subject, None);
}

#[test]
fn it_is_written_as_the_health_report_has_it() {
    let alerts = Alerts::default();
    alerts.raise(BreakerOpen, Some("async"), "5 in a row");
    let mut alert = alerts.active().remove(0);
    alert.since = UNIX_EPOCH;
    alert.at = UNIX_EPOCH + Duration::from_millis(1_500);
    let expected = json!({
        "kind": "breaker_open", "severity": "warning", "subject": "async", "state": "raised",
        "message": "5 in a row", "advice": BreakerOpen.advice(),
        "since": "1970-01-01T00:00:00Z", "at": "1970-01-01T00:00:01.500000000Z", "count": 0,
    });
    assert_eq!(serde_json::to_value(&alert).expect("JSON"), expected);
    let notice = serde_json::to_value(AlertNotice::Alert(alert)).expect("JSON");
    assert_eq!(notice["notice"], "alert");
    assert_eq!(notice["state"], "raised");
    let gap = serde_json::to_value(AlertNotice::Gap { missed: 2 }).expect("JSON");
    assert_eq!(gap, json!({"notice": "gap", "missed": 2}));
}

#[test]
fn what_can_not_be_is_refused_by_its_field() {
    let options = AlertOptions::default;
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for (field, result) in [
        ("least_calls", options().with_least_calls(0)),
        ("error_share", options().with_error_share(0.0)),
        ("fallback_share", options().with_fallback_share(f64::NAN)),
        ("queue_share", options().with_queue_share(1.01)),
        ("slow", options().with_slow(Duration::ZERO)),
        ("event_window", options().with_event_window(hours(25))),
        ("repeat", options().with_repeat(Duration::ZERO)),
    ] {
        let error = result.expect_err(field);
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
        assert_eq!(error.field(), Some(field), "{error}");
    }
    let longest = options()
        .with_event_window(hours(24))
        .and_then(|options| options.with_queue_share(1.0))
        .and_then(|options| options.with_repeat(None));
    assert_eq!(longest.expect("the greatest").queue_share(), 1.0);
}
