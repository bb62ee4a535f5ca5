//! What goes wrong, and what callers are told of it.

use catamaran::testing::{Fault, Rule};

use super::*;

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let service = knowing().await;
    let ask = |authorization: Option<&str>| {
        let mut request = Request::get("/sessions");
        if let Some(text) = authorization {
            request = request.header("authorization", text);
        }
        service.send(request.body(Body::empty()).expect("a request"))
    };
    let answer = ask(None).await;
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for wrong in [
        format!("Bearer {ALICE}x"),
        format!("Bearer {}", &ALICE[1..]),
        "Bearer ".to_owned(),
    ] {
        let answer = ask(Some(&wrong)).await;
        answer.problem(401, "unauthorized");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some(r#"Bearer error="invalid_token""#));
    }
    ask(Some(&format!("Basic {ALICE}")))
        .await
        .problem(401, "unauthorized");
    assert_eq!(
        ask(Some(&format!("bearer {ALICE}"))).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn paths_and_methods_that_there_arent_are_problems_too() {
    let service = served(&[]).await;
    service
        .get(ALICE, "/nothing")
        .await
        .problem(404, "no-route");
    let health = service.send(post(ALICE, "/health", &json!({}))).await;
    health.problem(405, "no-method");
    let answer = service.delete(ALICE, "/sessions").await;
    answer.problem(405, "no-method");
    assert!(
        answer.header("x-request-id").is_some(),
        "by which the log is found"
    );
}

#[tokio::test]
async fn what_cant_be_right_is_refused_by_name() {
    let service = served(&[]).await;
    for body in [
        json!({}),
        json!({ "name": 1 }),
        json!({ "name": "" }),
        json!({ "name": "a\u{0}" }),
    ] {
        service
            .post(ALICE, "/sessions", body)
            .await
            .problem(400, "invalid-input");
    }
    let no_json = request(ALICE, "POST", "/sessions", r#"{"name":"x"}"#.into());
    service.send(no_json).await.problem(415, "media-type");
    service.open(ALICE, "demo").await;
    let problem = service
        .post(ALICE, "/sessions/demo/exec", json!({ "command": [] }))
        .await;
    let problem = problem.problem(400, "invalid-input");
    assert_eq!(
        problem["detail"],
        "exec.command: there is no program to run"
    );
    service
        .get(ALICE, "/sessions/demo/logs?tail=many")
        .await
        .problem(400, "invalid-input");
    assert_eq!(service.engine.containers().len(), 1);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let service = served(&[("BODY_LIMIT", "1k")]).await;
    service.open(ALICE, "demo").await;
    let put = |size| {
        request(
            ALICE,
            "PUT",
            "/sessions/demo/files/tmp/x",
            vec![b'x'; size].into(),
        )
    };
    service.send(put(1025)).await.problem(413, "too-large");
    assert_eq!(service.send(put(1024)).await.status, StatusCode::NO_CONTENT);
    let name = "x".repeat(2000);
    service
        .post(ALICE, "/sessions", json!({ "name": name }))
        .await
        .problem(413, "too-large");
    // Out of it as well.
    let body = json!({ "command": ["sh", "-c", "cat /tmp/x /tmp/x >/tmp/y"] });
    let ran = service
        .post(ALICE, "/sessions/demo/exec", body)
        .await
        .lines();
    assert_eq!(ran, [json!({ "exit_code": 0 })]);
    service
        .get(ALICE, "/sessions/demo/files/tmp/y")
        .await
        .problem(413, "too-large");
}

#[tokio::test]
async fn who_has_enough_gets_no_more() {
    let service = served(&[("OWNER_SESSIONS", "1")]).await;
    service.open(ALICE, "one").await;
    let answer = service
        .post(ALICE, "/sessions", json!({ "name": "two" }))
        .await;
    let problem = answer.problem(429, "saturated");
    assert_eq!(problem["phase"], "admission");
    let seconds: u64 = answer
        .header("retry-after")
        .and_then(|s| s.parse().ok())
        .expect("a time");
    assert_eq!(problem["retry_after"], seconds);
    service.open(BOB, "one").await;
    service.delete(ALICE, "/sessions/one").await;
    service.open(ALICE, "two").await;
}

#[tokio::test]
async fn streams_are_counted_to_their_ends() {
    let service = served(&[("STREAMS", "1")]).await;
    let events = || request(ALICE, "GET", "/events", Body::empty());
    let one = service.begin(events()).await;
    assert_eq!(one.status(), StatusCode::OK);
    let answer = service.send(events()).await;
    answer.problem(503, "busy");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Other requests go on.
    service.open(ALICE, "demo").await;
    drop(one);
    assert_eq!(service.begin(events()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_failed_open_says_where_and_not_more() {
    let service = knowing().await;
    let refused = Rule::new("POST", "/containers/*/start", Fault::Status(500));
    service.engine.faults().add(refused);
    let answer = service
        .post(ALICE, "/sessions", json!({ "name": "demo" }))
        .await;
    let problem = answer.problem(502, "engine");
    assert_eq!(problem["phase"], "start");
    let text = problem.to_string();
    for inner in [".sock", "unix:", "/containers", "busybox"] {
        assert!(!text.contains(inner), "{text}");
    }
    eventually("nothing is left", || service.engine.containers().is_empty()).await;
    service
        .get(ALICE, "/sessions/demo")
        .await
        .problem(404, "no-session");
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_told_with_its_exit_code() {
    let more = [("COMMAND", r#"["sh", "-c", "echo a secret; exit 7"]"#)];
    let service = served(&more).await;
    let answer = service
        .post(ALICE, "/sessions", json!({ "name": "demo" }))
        .await;
    let problem = answer.problem(502, "container");
    assert_eq!(
        (&problem["phase"], &problem["exit_code"]),
        (&json!("ready"), &json!(7))
    );
    assert!(!problem.to_string().contains("secret"));
}
