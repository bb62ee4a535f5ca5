//! Commands, logs and events, as they come.

use std::sync::atomic::{AtomicBool, Ordering};

use catamaran::testing::Process;

use super::*;

const EXEC: &str = "/sessions/demo/exec";

#[tokio::test]
async fn output_comes_in_order_and_the_exit_code_last() {
    let service = served(&[]).await;
    service.open(ALICE, "demo").await;
    let script = "echo one; echo two >&2; sleep 0.05; echo three; exit 3";
    let answer = service
        .post(ALICE, EXEC, json!({ "command": ["sh", "-c", script] }))
        .await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines = answer.lines();
    let all = |name: &str| -> String {
        lines
            .iter()
            .filter_map(|line| line[name].as_str())
            .collect()
    };
    assert_eq!(
        (all("stdout").as_str(), all("stderr").as_str()),
        ("one\nthree\n", "two\n")
    );
    assert_eq!(lines.last(), Some(&json!({ "exit_code": 3 })));
}

#[tokio::test]
async fn a_command_reads_what_it_is_given() {
    let service = served(&[]).await;
    service.open(ALICE, "demo").await;
    let body = json!({ "command": ["sort"], "stdin": "b\na\n" });
    let lines = service.post(ALICE, EXEC, body).await.lines();
    assert_eq!(
        lines,
        [json!({ "stdout": "a\nb\n" }), json!({ "exit_code": 0 })]
    );
    // Bytes that are no text go in and come out.
    let body = json!({ "command": ["cat"], "stdin_base64": "/wD+" });
    let lines = service.post(ALICE, EXEC, body).await.lines();
    assert_eq!(
        lines,
        [
            json!({ "stdout_base64": "/wD+" }),
            json!({ "exit_code": 0 })
        ]
    );
    let body = json!({ "command": ["cat"], "stdin_base64": "?" });
    service
        .post(ALICE, EXEC, body)
        .await
        .problem(400, "invalid-input");
}

#[tokio::test]
async fn what_breaks_off_in_a_character_is_still_text() {
    async fn halves(process: Process) -> i64 {
        let euro = "€".as_bytes();
        let mut told = process.write_stdout(&euro[..1]).await;
        sleep(Duration::from_millis(50)).await;
        told = told.and(process.write_stdout(&euro[1..]).await);
        // One that is never whole is told as it is.
        told = told.and(process.write_stdout(&euro[..2]).await);
        i64::from(told.is_err())
    }
    let engine = FakeEngine::builder()
        .image("busybox")
        .program("halves", halves);
    let service = served_by(engine, &[]).await;
    service.open(ALICE, "demo").await;
    let lines = service
        .post(ALICE, EXEC, json!({ "command": ["halves"] }))
        .await
        .lines();
    let text: String = lines
        .iter()
        .filter_map(|line| line["stdout"].as_str())
        .collect();
    assert_eq!(text, "€");
    let last = [
        json!({ "stdout_base64": "4oI=" }),
        json!({ "exit_code": 0 }),
    ];
    assert_eq!(lines[lines.len() - 2..], last);
}

#[tokio::test]
async fn a_command_ends_with_its_time() {
    let service = served(&[("EXEC_TIMEOUT", "300ms")]).await;
    service.open(ALICE, "demo").await;
    // Longer than the service allows.
    let body = json!({ "command": ["sh", "-c", "echo begun; sleep 600"], "timeout": 60 });
    let lines = service.post(ALICE, EXEC, body).await.lines();
    let last = json!({ "exit_code": 137, "timed_out": true });
    assert_eq!(lines, [json!({ "stdout": "begun\n" }), last]);
}

/// A program that says when it has gone.
fn staying(gone: &Arc<AtomicBool>) -> FakeEngineBuilder {
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let gone = Arc::clone(gone);
    let stay = move |process: Process| {
        let gone = Gone(Arc::clone(&gone));
        async move {
            let _gone = gone;
            let _ = process.write_stdout("begun\n").await;
            std::future::pending().await
        }
    };
    FakeEngine::builder().image("busybox").program("stay", stay)
}

#[tokio::test]
async fn a_command_ends_with_its_caller() {
    let gone = Arc::new(AtomicBool::new(false));
    let service = served_by(staying(&gone), &[]).await;
    service.open(ALICE, "demo").await;
    let body = json!({ "command": ["stay"] });
    let mut reading = Reading::of(service.begin(post(ALICE, EXEC, &body)).await);
    reading.until("begun").await;
    assert!(!gone.load(Ordering::Relaxed));
    drop(reading);
    eventually("it is ended", || gone.load(Ordering::Relaxed)).await;
    let lines = service
        .post(ALICE, EXEC, json!({ "command": ["true"] }))
        .await
        .lines();
    assert_eq!(lines, [json!({ "exit_code": 0 })], "the session goes on");
}

#[tokio::test]
async fn logs_are_told_once_and_to_the_end() {
    let command = r#"["sh", "-c", "echo one; sleep 0.01; echo two >&2; sleep 0.01; echo three; sleep 86400"]"#;
    let service = served(&[("COMMAND", command)]).await;
    service.open(ALICE, "demo").await;
    let path = "/sessions/demo/logs?follow=true";
    let follow = |path: &str| service.begin(request(ALICE, "GET", path, Body::empty()));
    let answer = follow(path).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut reading = Reading::of(answer);
    let text = reading.until(r#"{"stdout":"three\n"}"#).await;
    let place = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("no {what} in {text}"))
    };
    assert!(
        place(r#"{"stdout":"one\n"}"#) < place(r#"{"stderr":"two\n"}"#),
        "{text}"
    );

    // Who comes back goes on where it was.
    let second = text
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .nth(1)
        .expect("an id");
    let mut again = request(ALICE, "GET", path, Body::empty());
    again
        .headers_mut()
        .insert("last-event-id", second.parse().expect("a value"));
    let mut again = Reading::of(service.begin(again).await);
    let rest = again.until(r#"{"stdout":"three\n"}"#).await;
    assert!(!rest.contains("one") && !rest.contains("two"), "{rest}");
    let last = Reading::of(follow("/sessions/demo/logs?tail=1").await);
    let last = last.rest().await;
    assert!(last.contains("three") && !last.contains("two"), "{last}");
    assert!(
        last.contains("event: end\ndata: {\"complete\":true}"),
        "{last}"
    );

    service.delete(ALICE, "/sessions/demo").await;
    let end = reading.rest().await;
    assert!(
        end.contains("event: end\ndata: {\"complete\":true}"),
        "{end}"
    );
    let mut wrong = request(ALICE, "GET", path, Body::empty());
    wrong
        .headers_mut()
        .insert("last-event-id", "yesterday".parse().expect("a value"));
    service.open(ALICE, "demo").await;
    service.send(wrong).await.problem(400, "invalid-input");
}

#[tokio::test]
async fn owners_are_told_of_their_own_sessions() {
    let service = served(&[]).await;
    let events = request(ALICE, "GET", "/events", Body::empty());
    let mut reading = Reading::of(service.begin(events).await);
    service.open(BOB, "bobs").await;
    service.open(ALICE, "demo").await;
    service.delete(ALICE, "/sessions/demo").await;
    let text = reading.until(r#""kind":"closed""#).await;
    assert!(
        text.contains("event: change") && text.contains(r#""kind":"opened""#),
        "{text}"
    );
    assert!(
        text.contains(r#""session":"demo""#) && !text.contains("bobs"),
        "{text}"
    );
}
