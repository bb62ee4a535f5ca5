//! What must not become of a session is found out.

use std::collections::BTreeSet;

use super::ledger::{Ledger, pending};
use super::line::{Bad, Times, Wrongs};
use super::look::{Container, Found};
use super::said::{Held, PENDING, Said, container_name, is_of, owner};

const KEY: &str = "set-0-1/2";

fn held(id: &str) -> Held {
    Held {
        key: KEY.to_owned(),
        id: format!("session {id}"),
        container: format!("container {id}"),
    }
}

fn seen(id: &str, state: &str) -> Container {
    Container {
        id: format!("container {id}"),
        name: container_name("h", KEY),
        state: state.to_owned(),
        instance: "i".to_owned(),
        session: format!("session {id}"),
    }
}

fn found(containers: &[Container]) -> Found {
    Found {
        containers: containers.to_vec(),
        ..Found::default()
    }
}

fn opened(id: &str) -> Said {
    let origin = "cold".to_owned();
    let held = held(id);
    Said::Opened { held, origin }
}

fn opening() -> Said {
    Said::Opening(KEY.to_owned())
}

fn closing() -> Said {
    Said::Closing(KEY.to_owned())
}

fn closed() -> Said {
    Said::Closed(KEY.to_owned())
}

/// Child 1, of set 0, that has said so much.
fn ledger(said: &[Said]) -> Ledger {
    let mut ledger = Ledger::new("h");
    ledger.born(1, 0);
    for said in said {
        assert_eq!(hear(&mut ledger, 1, said), [], "{said:?}");
    }
    ledger
}

fn hear(ledger: &mut Ledger, child: u64, said: &Said) -> Vec<Bad> {
    let wrong = ledger.heard(child, said).into_iter();
    wrong.map(|(bad, _)| bad).collect()
}

fn judged(ledger: &Ledger, found: &Found, must_run: bool) -> Vec<Bad> {
    let wrong = ledger.judge(&ledger.clone(), found, must_run).into_iter();
    wrong.map(|(bad, _)| bad).collect()
}

#[test]
fn keys_and_names_are_the_sets() {
    assert_eq!(owner(0, 1), "set-0-1");
    assert!(is_of(0, KEY) && !is_of(1, KEY) && !is_of(0, "set-01-1/2"));
    assert_eq!(container_name("h", KEY), "catamaran.h.set-0-1.2");
}

#[test]
fn what_is_open_is_there_and_runs() {
    let open = ledger(&[opening(), opened("a")]);
    let running = found(&[seen("a", "running")]);
    assert_eq!(judged(&open, &running, true), []);
    assert_eq!(judged(&open, &found(&[]), true), [Bad::Lost]);
    let stopped = found(&[seen("a", "exited")]);
    assert_eq!(judged(&open, &stopped, true), [Bad::Lost]);
    assert_eq!(judged(&open, &stopped, false), []);
    let mut renamed = seen("a", "running");
    renamed.name = format!("{PENDING}1");
    assert_eq!(judged(&open, &found(&[renamed]), true), [Bad::Doubled]);
    let mut twice = seen("a", "running");
    twice.id = "another".to_owned();
    let twice = found(&[seen("a", "running"), twice]);
    assert_eq!(judged(&open, &twice, true), [Bad::Doubled, Bad::Doubled]);
}

#[test]
fn what_is_in_doubt_may_be_or_not() {
    for said in [
        vec![opening()],
        vec![opening(), opened("a"), closing()],
        vec![opening(), opened("a"), closing(), opening()],
    ] {
        let ledger = ledger(&said);
        assert_eq!(judged(&ledger, &found(&[]), true), [], "{said:?}");
        let there = found(&[seen("a", "exited")]);
        assert_eq!(judged(&ledger, &there, true), [], "{said:?}");
    }
    // It was being closed when its manager died: the next one has it, stopped.
    let mut adopted = ledger(&[opening(), opened("a"), closing()]);
    adopted.born(2, 0);
    assert_eq!(hear(&mut adopted, 2, &Said::Has(held("a"))), []);
    let stopped = found(&[seen("a", "exited")]);
    assert_eq!(judged(&adopted, &stopped, true), []);
    assert_eq!(hear(&mut adopted, 2, &opened("a")), []);
    assert_eq!(judged(&adopted, &stopped, true), [Bad::Lost]);
    // It was closed while it was looked.
    let before = ledger(&[opening(), opened("a")]);
    let mut after = before.clone();
    hear(&mut after, 1, &closing());
    assert_eq!(after.judge(&before, &found(&[]), true), []);
}

#[test]
fn what_is_closed_is_gone_with_all_that_it_had() {
    let mut ledger = ledger(&[opening(), opened("a"), closing(), closed()]);
    assert_eq!(judged(&ledger, &found(&[]), true), []);
    let mut left = found(&[seen("a", "exited")]);
    let thing = ("volume", "v".to_owned(), "session a".to_owned());
    left.things.push(thing);
    let both = [Bad::LeftOver, Bad::LeftOver];
    assert_eq!(judged(&ledger, &left, true), both);
    left.containers.clear();
    assert_eq!(left.strays(), ["volume v"]);
    assert_eq!(hear(&mut ledger, 1, &opened("a")), [Bad::WrongSession]);
}

#[test]
fn an_open_after_a_death_gives_what_was_there() {
    let open = ledger(&[opening(), opened("a")]);
    let mut again = open.clone();
    again.born(2, 0);
    assert_eq!(hear(&mut again, 2, &opening()), []);
    assert_eq!(hear(&mut again, 2, &opened("a")), []);
    // That it has opened it says that it has it.
    assert_eq!(hear(&mut again, 2, &Said::Recovered), []);
    assert_eq!((again.adopted, again.opens), (1, 2));
    let mut another = open.clone();
    another.born(2, 0);
    hear(&mut another, 2, &opening());
    assert_eq!(hear(&mut another, 2, &opened("b")), [Bad::WrongSession]);
    let mut lost = open.clone();
    lost.born(2, 0);
    assert_eq!(hear(&mut lost, 2, &Said::Recovered), [Bad::Lost]);
    let mut adopted = open;
    adopted.born(2, 0);
    assert_eq!(hear(&mut adopted, 2, &Said::Has(held("a"))), []);
    assert_eq!(hear(&mut adopted, 2, &Said::Recovered), []);
    // Each list is for itself.
    assert_eq!(adopted.missing(2, 0).len(), 1);
    assert_eq!(adopted.missing(2, 1), []);
}

#[test]
fn what_nobody_got_is_the_dead_ones() {
    let mut one = seen("a", "running");
    one.name = format!("{PENDING}1");
    let found = found(&[one, seen("b", "running")]);
    assert!(pending(&found, &BTreeSet::new()).is_empty());
    let dead = BTreeSet::from(["i".to_owned()]);
    assert_eq!(pending(&found, &dead), [format!("{PENDING}1")]);
}

#[test]
fn each_wrong_is_counted_once() {
    let mut wrongs = Wrongs::default();
    for what in ["a", "b", "a"] {
        wrongs.note(Bad::Lost, what.to_owned());
    }
    assert_eq!(wrongs.count(Bad::Lost), 2);
    assert_eq!(wrongs.count(Bad::Doubled), 0);
    let times = (1..=3).map(std::time::Duration::from_secs).collect();
    let shown = serde_json::to_string(&Times::of(times)).expect("JSON");
    assert_eq!(shown, r#"{"p50":2000.0,"p99":3000.0,"max":3000.0}"#);
}
