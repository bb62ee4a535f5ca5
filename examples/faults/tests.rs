//! What must not be is found out: `cargo test --features testing --example faults`.

use std::time::Duration;

use catamaran::Effect;
use tokio::time::Instant;

use crate::calls::{Answer, Call, Ended, Failure, Program};
use crate::model::Container;
use crate::report::{Line, Report};
use crate::witness::Seen;

const ID: &str = "0123456789abcdef";

fn container(program: Program) -> Container {
    let made = Ended::Told(Ok(Answer::Made(ID.to_owned())));
    Container::new("0-1".to_owned(), program, Some("one".to_owned()), &made)
}

fn seen(status: &str) -> Option<Seen> {
    Some(Seen {
        id: ID.to_owned(),
        name: "one".to_owned(),
        status: status.to_owned(),
        shares: 0,
    })
}

fn failed(effect: Effect) -> Ended {
    Ended::Told(Err(Failure {
        effect,
        not_found: false,
        text: String::new(),
    }))
}

fn done() -> Ended {
    Ended::Told(Ok(Answer::Done))
}

/// What is counted where a call ends so, and the engine then has it so.
fn counted(call: Call, ended: &Ended, found: Option<&Seen>) -> Line {
    let report = Report::default();
    let mut container = container(Program::Service);
    if let Some(if_done) = container.told(&call, ended, Instant::now(), &report) {
        container.settle(found, Some(&if_done), &report);
    } else {
        container.settle(found, None, &report);
    }
    report.line(0, 0, Duration::ZERO)
}

#[test]
fn what_was_told_is_held_against_what_is() {
    let id = || ID.to_owned();
    let (created, running) = (seen("created"), seen("running"));
    let refused = failed(Effect::Rejected);
    let unknown = failed(Effect::Unknown);
    for (call, ended, found, lost, orphans) in [
        (Call::Start(id()), &done(), &running, 0, 0),
        (Call::Start(id()), &done(), &created, 1, 0),
        (Call::Start(id()), &refused, &created, 0, 0),
        (Call::Start(id()), &refused, &running, 0, 1),
        (Call::Start(id()), &refused, &None, 1, 0),
        (Call::Start(id()), &unknown, &created, 0, 0),
        (Call::Start(id()), &unknown, &running, 0, 0),
        (Call::Start(id()), &Ended::Dropped, &running, 0, 0),
        (Call::Remove(id()), &done(), &None, 0, 0),
        (Call::Remove(id()), &done(), &created, 1, 0),
        (Call::Remove(id()), &failed(Effect::NotSent), &None, 0, 1),
        (Call::Update(id(), 8), &done(), &created, 1, 0),
        (
            Call::Rename(id(), "two".to_owned()),
            &done(),
            &created,
            1,
            0,
        ),
    ] {
        let line = counted(call.clone(), ended, found.as_ref());
        let what = format!("{call:?} {ended:?} {found:?}");
        assert_eq!((line.lost, line.orphans), (lost, orphans), "{what}");
        assert_eq!(line.is_good(), lost + orphans == 0, "{what}");
    }
}

#[test]
fn exit_codes_are_the_programs() {
    let told = |code| Ended::Told(Ok(Answer::Code(code)));
    let call = Call::Wait(ID.to_owned());
    for (code, forced, invented) in [
        (7, false, 0),
        (0, false, 1),
        (137, false, 1),
        (137, true, 0),
    ] {
        let report = Report::default();
        let mut container = container(Program::Job(7));
        container.forced = forced;
        container.told(&call, &told(code), Instant::now(), &report);
        let line = report.line(0, 0, Duration::ZERO);
        assert_eq!(line.invented_exit_codes, invented, "{code} {forced}");
    }
}

#[test]
fn runs_are_counted_as_they_were_asked() {
    let call = Call::Start(ID.to_owned());
    for (ended, runs) in [
        (done(), 1),
        (failed(Effect::Unknown), 1),
        (Ended::Dropped, 1),
        (failed(Effect::Rejected), 0),
        (failed(Effect::NotSent), 0),
    ] {
        let mut container = container(Program::Job(7));
        container.told(&call, &ended, Instant::now(), &Report::default());
        assert_eq!(container.runs, runs, "{ended:?}");
    }
}
