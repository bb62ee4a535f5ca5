//! What must not become of a dead one's containers is found out.

use catamaran::Fate;

use super::ledger::Ledger;
use super::said::{Said, Token};
use crate::report::Bad;
use crate::witness::Found;

const REMOVE: &str = "1-remove-0-1";
const ADOPT: &str = "1-adopt-0-2";

fn found(token: &str, state: &str) -> Found {
    Found {
        id: format!("id of {token}"),
        token: token.to_owned(),
        state: state.to_owned(),
    }
}

fn id(token: &str) -> String {
    found(token, "").id
}

/// One that has made two containers, of which they run as many as are told, and another of the same name.
fn ledger(running: &[&str]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.born(1, "host");
    ledger.born(2, "host");
    for token in [REMOVE, ADOPT] {
        let (id, token) = (id(token), token.to_owned());
        hear(&mut ledger, 1, &Said::Made { id, token });
    }
    for token in running {
        hear(&mut ledger, 1, &Said::Starting(id(token)));
        hear(&mut ledger, 1, &Said::Started(id(token)));
    }
    ledger
}

fn hear(ledger: &mut Ledger, child: u64, said: &Said) -> Option<Bad> {
    let wrong = ledger.heard(child, said).expect("a token");
    wrong.map(|(bad, _)| bad)
}

fn judged(ledger: &mut Ledger, found: &[Found]) -> Vec<Bad> {
    let before = ledger.clone();
    let wrong = ledger.judge(&before, found);
    wrong.into_iter().map(|(bad, _)| bad).collect()
}

#[test]
fn tokens_are_read_as_they_are_written() {
    let token: Token = ADOPT.parse().expect("a token");
    assert_eq!((token.child, token.fate, token.number), (1, Fate::Adopt, 2));
    assert_eq!(token.to_string(), ADOPT);
    for odd in ["", "1-2", "1-keep-0-2", "1-adopt-0", "1-adopt-0-2-3"] {
        assert!(odd.parse::<Token>().is_err(), "{odd}");
    }
}

#[test]
fn who_lives_keeps_all() {
    let both = [found(REMOVE, "running"), found(ADOPT, "running")];
    assert!(judged(&mut ledger(&[REMOVE, ADOPT]), &both).is_empty());
    assert!(ledger(&[]).left(&both, false).is_empty());
    let gone = judged(&mut ledger(&[]), &both[1..]);
    assert_eq!(gone, [Bad::LivingTouched]);
    let mut stopped = ledger(&[REMOVE]);
    let both = [found(REMOVE, "exited"), found(ADOPT, "created")];
    assert_eq!(judged(&mut stopped, &both), [Bad::LivingTouched]);
    // Each is counted once.
    assert!(judged(&mut stopped, &both).is_empty());
    let offered = hear(&mut stopped, 2, &Said::Offered(id(ADOPT)));
    assert_eq!(offered, Some(Bad::WronglyOffered));
}

#[test]
fn what_a_dead_one_has_left_is_dealt_with() {
    let mut ledger = ledger(&[ADOPT]);
    ledger.gone(1);
    let both = [found(REMOVE, "created"), found(ADOPT, "running")];
    let left = ledger.left(&both, true);
    assert_eq!(left.to_remove, [id(REMOVE)]);
    assert_eq!(left.to_offer, [id(ADOPT)]);
    assert_eq!(hear(&mut ledger, 2, &Said::Offered(id(ADOPT))), None);
    assert!(ledger.left(&both[1..], false).is_empty());
    assert!(judged(&mut ledger, &both[1..]).is_empty());
    // Two at once.
    ledger.born(3, "host");
    let offered = hear(&mut ledger, 3, &Said::Offered(id(ADOPT)));
    assert_eq!(offered, Some(Bad::WronglyOffered));
    // After its heir's death it is to be offered again.
    ledger.gone(3);
    assert_eq!(ledger.left(&both[1..], false).to_offer, [id(ADOPT)]);
    let exited = [found(ADOPT, "exited")];
    assert_eq!(judged(&mut ledger, &exited), [Bad::AdoptLost]);
}

#[test]
fn what_is_to_be_adopted_may_go_only_where_somebody_removes_it() {
    let mut lost = ledger(&[]);
    lost.gone(1);
    assert_eq!(judged(&mut lost.clone(), &[]), [Bad::AdoptLost]);
    let refused = Said::NotAdopted(id(ADOPT), String::new());
    assert_eq!(hear(&mut lost, 2, &refused), Some(Bad::AdoptLost));
    hear(&mut lost, 2, &Said::Removing(id(ADOPT)));
    assert!(judged(&mut lost, &[]).is_empty());
    assert_eq!(hear(&mut lost, 2, &refused), None);
    hear(&mut lost, 2, &Said::Removed(id(ADOPT)));
    let there = [found(ADOPT, "created")];
    assert_eq!(judged(&mut lost, &there), [Bad::Lost]);
}

#[test]
fn a_creation_has_one_container() {
    let mut twice = found(ADOPT, "created");
    twice.id = "another".to_owned();
    let all = [found(REMOVE, "created"), found(ADOPT, "created"), twice];
    assert_eq!(judged(&mut ledger(&[]), &all), [Bad::Duplicate]);
    // One that was never acknowledged, and is there, is a dead one's as well.
    let mut dead = ledger(&[]);
    dead.gone(1);
    let late = [found("1-remove-0-3", "created")];
    assert!(dead.left(&late, true).is_empty());
    assert_eq!(dead.left(&late, false).to_remove.len(), 1);
}
