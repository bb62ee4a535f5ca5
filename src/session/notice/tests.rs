use futures::{FutureExt, StreamExt};
use serde_json::json;

use super::*;

fn event(change: Change) -> SessionEvent {
    let key = SessionKey::new("alice", "shell").expect("a key");
    SessionEvent::now(key, ContainerRef::new("c1").expect("a name"), change)
}

#[tokio::test]
async fn all_who_have_subscribed_are_told_in_order() {
    let notices = Notices::new(8);
    notices.tell(event(Change::Healthy));
    let (mut one, mut other) = (notices.subscribe(), notices.subscribe());
    let told = [event(Change::Paused), event(Change::Resumed)];
    notices.tell(told[0].clone());
    notices.engine_gap();
    notices.tell(told[1].clone());
    drop(notices);
    for events in [&mut one, &mut other] {
        let heard: Vec<_> = events.by_ref().collect().await;
        let expected = [
            SessionNotice::Change(told[0].clone()),
            SessionNotice::EngineGap,
            SessionNotice::Change(told[1].clone()),
        ];
        assert_eq!(heard, expected, "what was told before isn't heard");
        assert_eq!(events.next().await, None, "it may be asked again");
    }
}

#[tokio::test]
async fn who_is_slow_is_told_how_much_it_missed() {
    let notices = Notices::new(4);
    let mut events = notices.subscribe();
    for attempts in 0..7 {
        notices.tell(event(Change::GaveUp { attempts }));
    }
    let gap = SessionNotice::Gap { missed: 3 };
    assert_eq!(events.next().await, Some(gap));
    for kept in 3..7 {
        let Some(SessionNotice::Change(event)) = events.next().await else {
            panic!("what the channel has kept");
        };
        assert_eq!(event.change, Change::GaveUp { attempts: kept });
    }
    assert!(events.next().now_or_never().is_none(), "nothing more");
}

#[tokio::test]
async fn nothing_is_lost_to_who_stops_waiting() {
    let notices = Notices::new(0);
    let mut events = notices.subscribe();
    assert!(events.next().now_or_never().is_none());
    notices.engine_gap();
    let heard = events.next().now_or_never();
    assert_eq!(heard, Some(Some(SessionNotice::EngineGap)));
}

#[test]
fn nobody_need_listen() {
    Notices::new(1).tell(event(Change::Closed));
}

#[test]
fn notices_are_tagged() {
    let died = Change::Died {
        exit_code: Some(137),
        oom_killed: true,
    };
    let told = serde_json::to_value(SessionNotice::Change(event(died))).expect("JSON");
    assert_eq!(told["notice"], "change");
    assert_eq!(told["container"], "c1");
    let expected = json!({"kind": "died", "exit_code": 137, "oom_killed": true});
    assert_eq!(told["change"], expected);
    let gap = serde_json::to_value(SessionNotice::Gap { missed: 2 }).expect("JSON");
    assert_eq!(gap, json!({"notice": "gap", "missed": 2}));
    let gap = serde_json::to_value(SessionNotice::EngineGap).expect("JSON");
    assert_eq!(gap, json!({"notice": "engine_gap"}));
}
