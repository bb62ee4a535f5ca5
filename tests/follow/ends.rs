//! How a followed log ends where it can't go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use catamaran::model::LogsOptions;
use catamaran::{
    CallContext, ContainerBackend, ContainerBackendExt, Effect, Error, ErrorKind, Operation,
};

use crate::engine::{Answer, Engine};
use crate::logs::{Container, Record, SECOND, START, container, follow, read};
use crate::{backends, hasty};

const LINES: &[Record] = &[
    (1, START, "1\n"),
    (1, START + 5 * SECOND, "2\n"),
    (1, START + 9 * SECOND, "3\n"),
];

fn lines() -> Container {
    Container {
        records: LINES,
        tty: false,
    }
}

/// Answers the first connection with two lines and a break or an end, and what comes then by the script.
fn breaking(engine: &Engine, ended: bool, then: impl Fn(&str) -> Answer + Send + Sync + 'static) {
    let connections = Arc::new(AtomicUsize::new(0));
    engine.follow(move |target| {
        let logs = target.contains("/logs");
        if connections.load(Ordering::SeqCst) > 0 {
            return then(target);
        }
        if !logs {
            return lines().details("running");
        }
        connections.fetch_add(1, Ordering::SeqCst);
        let log = Answer::ended(lines().content_type(), &lines().log(target, 2));
        let length = log.len();
        if ended { log } else { log.cut(length - 1) }
    });
}

/// What a followed log has given, and its error.
async fn outcome(backend: &dyn ContainerBackend) -> (String, Option<catamaran::Error>) {
    let options = LogsOptions::default();
    let log = follow(backend, &options, &hasty()).await;
    let ([stdout, ..], error) = read(log).await;
    if let Some(error) = &error {
        assert_eq!(error.subject(), Some("c0ffee"), "{error}");
        assert!(error.operation().is_some(), "{error}");
    }
    (stdout, error)
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let engine = Engine::start();
    for (status, kind) in [
        (400, ErrorKind::Refused),
        (403, ErrorKind::Denied),
        (404, ErrorKind::NotFound),
    ] {
        for (name, backend) in backends(&engine.endpoint()) {
            breaking(&engine, false, move |_| {
                Answer::new(status, r#"{"message":"no"}"#)
            });
            let (stdout, error) = outcome(&*backend).await;
            let error = error.unwrap_or_else(|| panic!("{name}: {status} ends it"));
            assert_eq!((error.kind(), error.status()), (kind, Some(status)));
            assert_eq!(stdout, "1\n2\n");
        }
    }
}

#[tokio::test]
async fn a_container_that_is_removed_after_its_end_ends_its_log() {
    let engine = Engine::start();
    let gone = || Answer::new(404, r#"{"message":"no such container"}"#);
    for (name, backend) in backends(&engine.endpoint()) {
        breaking(&engine, true, move |_| gone());
        let (stdout, error) = outcome(&*backend).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(stdout, "1\n2\n");
        // While its last words are looked for.
        for status in [404, 409] {
            breaking(&engine, true, move |target| {
                match target.contains("/logs") {
                    true => Answer::new(status, r#"{"message":"it is being removed"}"#),
                    false => lines().details("exited"),
                }
            });
            let (stdout, error) = outcome(&*backend).await;
            assert!(error.is_none(), "{name}: {error:?}");
            assert_eq!(stdout, "1\n2\n");
        }
    }
}

/// A log that was rotated away during the outage, whether or not there is more in it.
#[tokio::test]
async fn a_loss_is_told() {
    const ROTATED: &[Record] = &[(1, START + 9 * SECOND, "3\n")];
    let engine = Engine::start();
    for records in [ROTATED, &[]] {
        let container = Container {
            records,
            tty: false,
        };
        for (name, backend) in backends(&engine.endpoint()) {
            let container = container.clone();
            breaking(&engine, false, move |target| {
                match target.contains("/logs") {
                    true => Answer::ended(
                        container.content_type(),
                        &container.log(target, records.len()),
                    ),
                    false => container.details("exited"),
                }
            });
            let (stdout, error) = outcome(&*backend).await;
            let error = error.unwrap_or_else(|| panic!("{name}: a loss is told"));
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Engine, Effect::Unknown),
                "{error}"
            );
            assert!(
                error.message().contains("2023-11-14T22:13:25.000000000Z"),
                "{error}"
            );
            assert_eq!(stdout, "1\n2\n");
        }
    }
}

/// An engine that is started anew refuses connections and answers 500 or 503 for a while.
#[tokio::test]
async fn an_engine_that_comes_back_goes_on() {
    let engine = Engine::start();
    for (name, backend) in backends(&engine.endpoint()) {
        let count = Arc::new(AtomicUsize::new(0));
        breaking(&engine, false, move |target| {
            match (
                count.fetch_add(1, Ordering::SeqCst),
                target.contains("/logs"),
            ) {
                (0, _) => Answer::new(503, r#"{"message":"starting"}"#),
                (1, _) => Answer::new(500, r#"{"message":"starting"}"#),
                (2..5, _) => Answer::new(200, "").cut(0),
                (_, true) => Answer::ended(lines().content_type(), &lines().log(target, 3)),
                (..6, false) => Answer::new(500, "").cut(20),
                (_, false) => lines().details("exited"),
            }
        });
        let (stdout, error) = outcome(&*backend).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(stdout, "1\n2\n3\n", "{name}");
    }
}

#[tokio::test]
async fn an_engine_that_stays_away_is_given_up() {
    let limit = Duration::from_millis(50);
    for kind in 0..3 {
        // One for each: a request that is given up may come late.
        let engines = [Engine::start(), Engine::start()];
        for engine in &engines {
            breaking(engine, false, |_| Answer::new(200, "").cut(0));
        }
        let [first, second] = engines.each_ref().map(|engine| {
            let (_, backend) = &backends(&engine.endpoint())[kind];
            Arc::clone(backend)
        });
        let reconnect = hasty().with_give_up_after(limit);
        let log = follow(&*first, &LogsOptions::default(), &reconnect).await;
        let ([stdout, ..], error) = read(log).await;
        let error = error.expect("it is given up");
        // After so many failures in a row the hybrid's breakers may be open.
        let away =
            |error: &Error| error.is_path_failure() || error.kind() == ErrorKind::Unavailable;
        assert!(away(&error), "{error}");
        assert!(
            error
                .advice()
                .is_some_and(|advice| advice.contains("given up"))
        );
        assert_eq!(stdout, "1\n2\n");

        let moment = tokio::time::Instant::now() + limit;
        let hurried = second.with_context(CallContext::new().with_deadline(moment));
        let (_, error) = outcome(&*hurried).await;
        let error = error.expect("the deadline ends it");
        assert!(away(&error), "{error}");
        assert!(tokio::time::Instant::now() >= moment);
    }
}

#[tokio::test]
async fn nobody_at_first_is_an_error_at_once() {
    let nowhere = catamaran::Endpoint::unix("/nonexistent/docker.sock");
    for (name, backend) in backends(&nowhere) {
        let error = backend
            .follow_logs(&container(), &LogsOptions::default())
            .await;
        let error = error.map(|_| ()).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Connect);
        let nothing = LogsOptions::default().with_stdout(false).with_stderr(false);
        let error = backend.follow_logs(&container(), &nothing).await;
        let error = error.map(|_| ()).expect_err(name);
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::InvalidInput, Some(Operation::Logs))
        );
    }
}

/// A log until a time that has passed ends there, though the container runs.
#[tokio::test]
async fn a_time_that_has_passed_is_the_end() {
    let engine = Engine::start();
    for (name, backend) in backends(&engine.endpoint()) {
        breaking(&engine, true, |target| {
            panic!("nothing more is asked: {target}")
        });
        let until = UNIX_EPOCH + Duration::from_nanos(START + 6 * SECOND);
        let options = LogsOptions::default().with_until(until);
        let log = follow(&*backend, &options, &hasty()).await;
        let ([stdout, ..], error) = read(log).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(stdout, "1\n2\n");
    }
}

/// What is no log, or none with timestamps, is an error, and not tried for ever.
#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let engine = Engine::start();
    let lies: [(&[u8], ErrorKind); 4] = [
        (b"no frames at all", ErrorKind::Decode),
        (&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], ErrorKind::TooLarge),
        (b"\x01\0\0\0\0\0\0\x08no time\n", ErrorKind::Decode),
        (b"\x03\0\0\0\0\0\0\x06broken", ErrorKind::Engine),
    ];
    for (body, kind) in lies {
        for (name, backend) in backends(&engine.endpoint()) {
            breaking(&engine, false, move |_| {
                Answer::ended(lines().content_type(), body)
            });
            let (stdout, error) = outcome(&*backend).await;
            let error = error.unwrap_or_else(|| panic!("{name}: {kind} ends it"));
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(stdout, "1\n2\n");
        }
    }
}
