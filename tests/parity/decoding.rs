//! What is read.

use std::sync::Arc;

use bytes::Bytes;
use catamaran::model::{ExecOptions, LogSource, StartOutcome, StopOutcome, VolumeList};
use catamaran::{ApiVersion, Effect, ErrorKind, Operation};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::answers::{self, Body};
use crate::calls::{self, Call, Reply};
use crate::changes::{self, Change};
use crate::common::peer::{Answer, Recorded, Script};
use crate::common::peer::{MULTIPLEXED, frame};
use crate::{Fixture, any_call, cases, plainly};

fn fixture() -> Fixture {
    Fixture::new(&[ApiVersion::NEWEST])
}

/// An exec is asked for until it has ended: only the first answer may be at odds.
fn asks_again(index: usize, request: &Recorded) -> bool {
    index > 2 && request.path.contains("/exec/") && request.path.ends_with("/json")
}

#[test]
fn every_answer_reads_the_same() {
    let fixture = fixture();
    for operation in Operation::ALL {
        let given = (
            changes::changes(),
            changes::delivery(),
            option::weighted(0.1, 200..300u16),
        );
        proptest!(cases(96), |(call in calls::call(*operation), (changes, delivery, status) in given)| {
            let harmless = delivery.is_whole()
                && status.is_none()
                && changes.iter().all(|(_, change)| matches!(change, Change::Add));
            let script = Arc::new(move |index: usize, request: &_| {
                if asks_again(index, request) {
                    return answers::plain(request);
                }
                let mut answer = changes::changed(request, &changes, &delivery);
                answer.status = status.unwrap_or(answer.status);
                answer
            });
            let exchange = fixture.same(&fixture.pairs[0], &call, script)?;
            match exchange.reply {
                // What nobody knows is no error.
                Err(failure) if harmless => prop_assert!(exchange.sent.is_empty(), "{failure:?}"),
                Err(failure) => prop_assert_eq!(failure.operation, Some(*operation)),
                Ok(_) => {}
            }
        });
    }
}

/// Whatever else an engine leaves out or writes as `null`, an answer is an answer.
#[test]
fn only_ids_states_and_exit_codes_must_be_there() {
    // A volume has no other id than its name.
    const VOLUME: &[&str] = &["Name"];
    const NEEDED: &[&str] = &["Id", "State", "Running", "StatusCode", "status"];
    let fixture = fixture();
    let pair = &fixture.pairs[0];
    let mut runner = TestRunner::deterministic();
    for operation in Operation::ALL {
        let calls = calls::call(*operation);
        // One that is valid, and what it asks.
        let call = loop {
            let call = calls.new_tree(&mut runner).expect("a call").current();
            let plain = fixture.same(pair, &call, plainly());
            if plain.expect("parity").reply.is_ok() {
                break call;
            }
        };
        for (step, request) in fixture.peer.recorded().iter().enumerate() {
            let (status, Body::Json(messages)) = answers::sound(request) else {
                continue;
            };
            let needed = match request.path.contains("/volumes") {
                true => VOLUME,
                false => NEEDED,
            };
            for (whole, lacking) in changes::lacking(&messages, needed) {
                let script = Arc::new(move |index: usize, request: &_| match index == step {
                    true => Answer::new(status).with_body(answers::lines(&whole)),
                    false => answers::plain(request),
                });
                let exchange = fixture.same(pair, &call, script).expect("parity");
                assert!(
                    exchange.reply.is_ok(),
                    "{operation} without {lacking}: {exchange:?}"
                );
            }
        }
    }
}

#[test]
fn an_empty_list_may_be_null() {
    let fixture = fixture();
    for (call, empty) in [
        (Call::List(Default::default()), Reply::Summaries(vec![])),
        (Call::ListImages(Default::default()), Reply::Images(vec![])),
        (
            Call::ListNetworks(Default::default()),
            Reply::Networks(vec![]),
        ),
        (
            Call::ListVolumes(Default::default()),
            Reply::Volumes(VolumeList::default()),
        ),
    ] {
        let script = Arc::new(|_: usize, _: &_| Answer::new(200).with_body("null"));
        let exchange = fixture
            .same(&fixture.pairs[0], &call, script)
            .expect("parity");
        assert_eq!(exchange.reply, Ok(empty));
    }
}

/// Output as it should be framed, or nearly so.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![8 => 0..3u8, 1 => any::<u8>()];
    let piece = prop_oneof![
        16 => (stream, vec(any::<u8>(), 0..40)).prop_map(|(stream, text)| frame(stream, &text)),
        1 => vec(any::<u8>(), 0..12),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn every_output_reads_the_same() {
    let fixture = fixture();
    let call = prop_oneof![
        calls::call(Operation::Logs),
        calls::call(Operation::Exec),
        calls::call(Operation::StartExec),
        calls::call(Operation::Attach),
    ];
    let kinds = [
        None,
        Some(MULTIPLEXED),
        Some("application/vnd.docker.raw-stream"),
    ];
    let given = (
        output(),
        changes::delivery(),
        prop::sample::select(kinds.to_vec()),
        any::<bool>(),
    );
    proptest!(cases(256), |(call in call, (output, delivery, content_type, tty) in given)| {
        let raw = tty && content_type != Some(MULTIPLEXED) && matches!(call, Call::Logs(..));
        let whole = delivery.is_whole().then(|| output.clone());
        let output = Bytes::from(output);
        let script = Arc::new(move |_: usize, request: &Recorded| {
            let reads = ["/logs", "/start", "/attach"];
            if reads.iter().any(|end| request.path.ends_with(end)) {
                let mut answer = delivery.deliver(Answer::new(200), output.clone());
                if request.headers.contains_key("upgrade") {
                    answer.headers.clear();
                    answer = answer.handing_over(answers::program(request));
                }
                return match content_type {
                    Some(kind) => answer.with_header("content-type", kind),
                    None => answer,
                };
            }
            if request.path.contains("/containers/") && request.path.ends_with("/json") {
                let details = json!({"Config": {"Tty": tty}});
                return Answer::new(200).with_body(details.to_string());
            }
            answers::plain(request)
        });
        let reply = fixture.same(&fixture.pairs[0], &call, script)?.reply;
        if let (true, Ok(Reply::Log(chunks, failure)), Some(whole)) = (raw, reply, whole) {
            prop_assert_eq!(failure, None);
            prop_assert!(chunks.iter().all(|chunk| chunk.source == LogSource::Console));
            prop_assert_eq!(chunks.first().map_or(&[][..], |chunk| &chunk.bytes), whole);
        }
    });
}

fn answering(status: u16, body: impl Into<Bytes>) -> Script {
    let answer = Answer::new(status).with_body(body);
    Arc::new(move |_, _| answer.clone())
}

#[test]
fn every_refusal_is_the_same_error() {
    let fixture = fixture();
    let container = || catamaran::model::ContainerRef::new("web").expect("a name");
    // One for each way that a call can go.
    let calls = [
        Call::Inspect(container()),
        Call::Start(container()),
        Call::Logs(container(), Default::default()),
        Call::StartExec(container(), ExecOptions::new(["cat"]), Bytes::new()),
    ];
    for status in 400..600u16 {
        let kind = match status {
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            401 | 403 => ErrorKind::Denied,
            400..500 => ErrorKind::Refused,
            _ => ErrorKind::Engine,
        };
        for body in [r#"{"message":"no such thing"}"#, "no such thing\n", ""] {
            for call in &calls {
                let failure = fixture
                    .same(&fixture.pairs[0], call, answering(status, body))
                    .unwrap_or_else(|error| panic!("{status} {body}: {error}"))
                    .reply
                    .expect_err("a refusal");
                // Without a word of the engine's: the status's own.
                let reason = http::StatusCode::from_u16(status).expect("a status");
                let said = match body.is_empty() {
                    true => reason.canonical_reason().unwrap_or_default(),
                    false => "no such thing",
                };
                // A gateway knows nothing of the engine; but an exec that wasn't started has done nothing.
                let effect = match (call, status) {
                    (Call::StartExec(..), 502..=504) => Effect::NotSent,
                    _ => Effect::Rejected,
                };
                assert_eq!(
                    (
                        failure.kind,
                        failure.effect,
                        failure.status,
                        failure.message.as_str()
                    ),
                    (kind, effect, Some(status), said)
                );
            }
        }
    }
}

#[test]
fn every_status_that_is_no_refusal_is_the_same() {
    let fixture = fixture();
    let mut runner = TestRunner::deterministic();
    for operation in Operation::ALL {
        let call = calls::call(*operation).new_tree(&mut runner);
        let call = call.expect("a call").current();
        for status in [200, 201, 202, 204, 205, 206, 300, 301, 302, 304, 307, 399] {
            let exchange = fixture.same(&fixture.pairs[0], &call, answering(status, ""));
            let reply = exchange
                .unwrap_or_else(|error| panic!("{status}: {error}"))
                .reply;
            let unchanged = match operation {
                Operation::Start => Reply::Started(StartOutcome::AlreadyRunning),
                Operation::Stop => Reply::Stopped(StopOutcome::AlreadyStopped),
                _ => continue,
            };
            assert_eq!(
                reply == Ok(unchanged),
                status == 304,
                "{operation} {status}"
            );
        }
    }
}

/// What an engine, or what stands before it, may say to a request that it refuses.
fn words_of_refusal() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        ".{0,20}".prop_map(|text| json!({"message": text, "code": 7}).to_string().into_bytes()),
        Just(json!({"message": null}).to_string().into_bytes()),
        Just(
            json!({"message": "x".repeat(3000)})
                .to_string()
                .into_bytes()
        ),
        Just("<html>é</html>".repeat(1000).into_bytes()),
        // Beyond what is read of a refusal.
        Just(vec![b' '; 100_000]),
        vec(any::<u8>(), 0..40),
    ]
}

#[test]
fn a_refusal_at_any_step_is_the_same_error() {
    let fixture = fixture();
    let wait = option::of("[0-9]{1,6}|soon|");
    let given = (
        300..600u16,
        words_of_refusal(),
        changes::delivery(),
        wait,
        0..3usize,
    );
    proptest!(cases(512), |(call in any_call(), (status, body, delivery, wait, step) in given)| {
        let body = Bytes::from(body);
        let script = Arc::new(move |index: usize, request: &_| {
            if index < step {
                return answers::plain(request);
            }
            let answer = delivery.deliver(Answer::new(status), body.clone());
            match &wait {
                Some(time) => answer.with_header("retry-after", time),
                None => answer,
            }
        });
        let exchange = fixture.same(&fixture.pairs[0], &call, script)?;
        if let Err(failure) = exchange.reply {
            // Where changes fail so, a look follows, and looks where it isn't known whether a command has begun.
            let looked = match call {
                Call::Changes(_) => status == 500,
                Call::Exec(..) => !(400..500).contains(&status),
                _ => false,
            };
            let refused = failure.status == Some(status) && (exchange.sent.len() == step + 1 || looked);
            prop_assert!(refused || exchange.sent.is_empty(), "{failure:?}");
        }
    });
}
