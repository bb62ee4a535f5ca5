//! What a stream must not do is found out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use catamaran::model::{Gap, GapReason};

use super::streams::{Told, Watching, judge_events, judge_log, read};
use crate::report::{Bad, Report};

/// What is missing, and what was told twice.
fn counted(judge: impl Fn(&Report)) -> (u64, u64) {
    let report = Report::default();
    judge(&report);
    (report.count(Bad::Missing), report.count(Bad::ToldTwice))
}

#[test]
fn each_line_comes_once() {
    for (followed, expected) in [
        ("1\n2\n3\n", (0, 0)),
        ("1\n3\n", (1, 0)),
        ("1\n2\n2\n3\n", (0, 1)),
        ("", (3, 0)),
    ] {
        let told = counted(|report| judge_log(followed, "1\n2\n3\n", report));
        assert_eq!(told, expected, "{followed:?}");
    }
}

fn event(at: u64) -> Told {
    (at.into(), "id".to_owned(), "create".to_owned())
}

#[test]
fn each_event_comes_once_or_is_in_a_gap() {
    let at = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
    let mut gap = Gap::new(GapReason::Forgotten);
    gap.from = Some(at(15));
    let witnessed = BTreeSet::from([event(10), event(20), event(30)]);
    for (told, gap_until, expected) in [
        (vec![10, 20, 30], None, (0, 0)),
        (vec![10, 30, 40], None, (1, 0)),
        (vec![10, 30], Some(25), (0, 0)),
        (vec![30], Some(25), (1, 0)),
        (vec![10], Some(25), (1, 0)),
        (vec![10, 20, 20, 30], Some(25), (0, 1)),
    ] {
        let mut watched = Watching::default();
        for one in &told {
            *watched.told.entry(event(*one)).or_default() += 1;
        }
        watched.gaps = gap_until
            .map(|until| (gap.clone(), at(until)))
            .into_iter()
            .collect();
        let counts = counted(|report| judge_events(&watched, &witnessed, report));
        assert_eq!(counts, expected, "{told:?} {gap_until:?}");
    }
    let watched = Watching {
        told: BTreeMap::new(),
        gaps: Vec::new(),
        error: Some("refused".to_owned()),
    };
    let ended = counted(|report| judge_events(&watched, &BTreeSet::new(), report));
    assert_eq!(ended, (1, 0));
}

#[test]
fn events_are_read_and_heads_are_not() {
    let line = r#"{"Action":"exec_create: sh","Actor":{"ID":"id"},"timeNano":12}"#;
    let told = (12, "id".to_owned(), "exec_create".to_owned());
    assert_eq!(read(line), Some(told));
    assert_eq!(read("HTTP/1.0 200 OK"), None);
}
