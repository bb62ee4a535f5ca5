use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::error::{Effect, Error, ErrorKind};
use crate::model::Resources;
use crate::telemetry::audit::chain::{Chain, LONGEST_LINE, Told};

fn line(chain: &mut Chain, entry: &AuditEntry) -> Vec<u8> {
    let told = Told {
        entry,
        time: UNIX_EPOCH + Duration::from_millis(1_767_268_800_250),
        lost: 0,
    };
    let mut lines = Vec::new();
    chain.add(&told, &mut lines).expect("a line");
    assert_eq!(lines.pop(), Some(b'\n'));
    lines
}

#[test]
fn a_record_is_one_line_that_a_person_can_hash() {
    let mut chain = Chain::after(None);
    let refused = Error::answered(404, "a message that is nobody's business");
    let entry = entry("user-17")
        .with_session("s-1".to_owned())
        .with_subject("notebook".to_owned())
        .with_reason(AuditReason::Fallback {
            kind: ErrorKind::Connect,
            effect: Effect::NotSent,
        })
        .with_attempts(2u32)
        .with_spec("9f".to_owned())
        .with_image("sha256:ab".to_owned())
        .with_limits(AuditLimits::from(&Resources::untrusted()))
        .with_outcome(AuditOutcome::of(&Err::<(), _>(refused)))
        .with_elapsed(Duration::from_micros(1500));
    let first = line(&mut chain, &entry);
    let text = String::from_utf8(first.clone()).expect("text");
    let body = concat!(
        r#"{"v":1,"seq":1,"time":"2026-01-01T12:00:00.250000Z","actor":"user-17","session":"s-1","#,
        r#""operation":"start","subject":"notebook","engine":"async","reason":"fallback","#,
        r#""path_failure":"connect","path_effect":"not_sent","attempts":2,"spec":"9f","#,
        r#""image":"sha256:ab","limits":{"memory":268435456,"memory_swap":{"total":268435456},"#,
        r#""cpus":1.0,"pids":128},"outcome":"failed","failure":"not_found","effect":"rejected","#,
        r#""status":404,"elapsed_ms":1.5,"#,
        r#""prev":"0000000000000000000000000000000000000000000000000000000000000000""#,
    );
    let hash = AuditHash::of(body.as_bytes());
    assert_eq!(text, format!("{body},\"hash\":\"{hash}\"}}"));

    let mut reading = Chain::after(None);
    let record = reading.follow(&first).expect("a record");
    assert_eq!(
        (record.seq, record.hash, record.prev),
        (1, hash, AuditHash::NONE)
    );
    assert_eq!(record.limits, entry.limits);
    assert_eq!(record.path_failure.as_deref(), Some("connect"));
    assert_eq!(
        (record.failure.as_deref(), record.status),
        (Some("not_found"), Some(404))
    );
    let second = line(&mut chain, &entry);
    let record = reading.follow(&second).expect("the next one");
    assert_eq!((record.seq, record.prev), (2, hash));
    assert_eq!(Some(record.head()), chain.head());
}

#[test]
fn texts_are_bounded_and_obeyed_by_no_terminal() {
    for text in ["\u{1}", "\u{9b}", "\u{7f}", "\n", "\"", "\\", "𝄞", "é"] {
        let long = text.repeat(10_000);
        let entry = entry(&long)
            .with_session(long.clone())
            .with_subject(long.clone())
            .with_spec(long.clone())
            .with_image(long.clone())
            .with_limits(AuditLimits {
                cpus: Some(f64::NAN),
                ..AuditLimits::from(&Resources::untrusted())
            });
        let line = line(&mut Chain::after(None), &entry);
        assert!(line.len() < LONGEST_LINE, "{}", line.len());
        let shown = str::from_utf8(&line).expect("text");
        assert!(!shown.contains(char::is_control), "{shown}");
        let record = Chain::after(None).follow(&line).expect("a record");
        let actor = record.actor.expect("an actor");
        assert!(actor.ends_with('…'));
        assert_eq!(actor.chars().count(), 257);
    }
    let short = line(&mut Chain::after(None), &entry("a\u{9b}b\nc"));
    let record = Chain::after(None).follow(&short).expect("a record");
    assert_eq!(record.actor.as_deref(), Some("a\u{fffd}b\nc"));
}

#[test]
fn what_does_not_follow_is_told_apart() {
    let mut chain = Chain::after(None);
    let lines: Vec<_> = ["a", "b", "c", "d"]
        .map(|actor| line(&mut chain, &entry(actor)))
        .into();
    let mut other = Chain::after(None);
    line(&mut other, &entry("somebody else"));
    let foreign = line(&mut other, &entry("b"));

    let mut reading = Chain::after(None);
    reading.follow(&lines[0]).expect("the first");
    let problem = |line: &[u8]| reading.clone().follow(line).expect_err("a problem");
    let removed = AuditProblem::OutOfSequence {
        expected: 2,
        found: 3,
    };
    assert_eq!(problem(&lines[2]), removed);
    assert!(removed.to_string().contains("a record was removed"));
    let twice = AuditProblem::OutOfSequence {
        expected: 2,
        found: 1,
    };
    assert_eq!(problem(&lines[0]), twice);
    assert_eq!(problem(&foreign), AuditProblem::Unlinked { seq: 2 });
    let text = str::from_utf8(&lines[1]).expect("text");
    let altered = text.replace("\"b\"", "\"x\"");
    assert_eq!(problem(altered.as_bytes()), AuditProblem::Altered);
    for nothing in [&b""[..], b"{}", b"\xff", &lines[1][1..], &lines[1][..200]] {
        problem(nothing);
    }
    // The first one that is read may be a later one, but number 1 follows on nothing.
    Chain::anywhere().follow(&lines[2]).expect("a later one");
    let begun = Chain::after(None).follow(&lines[2]);
    assert_eq!(
        begun.expect_err("not the first"),
        AuditProblem::OutOfSequence {
            expected: 1,
            found: 3
        }
    );
    let text = str::from_utf8(&lines[1]).expect("text");
    let body = text.split(",\"hash\"").next().expect("a body");
    let forged = body.replace("\"seq\":2", "\"seq\":1");
    let hash = AuditHash::of(forged.as_bytes());
    let forged = format!("{forged},\"hash\":\"{hash}\"}}");
    let found = Chain::anywhere().follow(forged.as_bytes());
    assert_eq!(
        found.expect_err("no first one"),
        AuditProblem::Unlinked { seq: 1 }
    );
}

#[test]
fn hashes_have_one_text() {
    let hash = AuditHash::of(b"abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), text);
    assert_eq!(AuditHash::read(text), Some(hash));
    for odd in [
        &text[1..],
        &text.to_uppercase(),
        &text.replace('b', "g"),
        "",
    ] {
        assert_eq!(AuditHash::read(odd), None, "{odd}");
    }
}
