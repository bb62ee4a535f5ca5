//! Sessions, whose they are, and their files.

use super::*;

#[tokio::test]
async fn a_session_is_opened_found_and_closed() {
    let service = knowing().await;
    let opened = service
        .post(ALICE, "/sessions", json!({ "name": "note book" }))
        .await;
    assert_eq!(opened.status, StatusCode::CREATED);
    let at = opened.header("location").expect("a place").to_owned();
    assert_eq!(at, "/sessions/note%20book");
    let told = opened.json();
    assert_eq!(
        (&told["name"], &told["state"]),
        (&json!("note book"), &json!("ready"))
    );
    assert_eq!(told["opening"]["origin"], "cold");
    assert!(told["opening"]["timings"]["total"].is_number());

    let again = service
        .post(ALICE, "/sessions", json!({ "name": "note book" }))
        .await;
    assert_eq!(
        (again.status, &again.json()["opening"]["origin"]),
        (StatusCode::OK, &json!("existing"))
    );
    assert_eq!(service.engine.containers().len(), 1, "it is one");

    let listed = service.get(ALICE, "/sessions").await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(service.get(ALICE, &at).await.json()["name"], "note book");

    assert_eq!(
        service.delete(ALICE, &at).await.status,
        StatusCode::NO_CONTENT
    );
    service.delete(ALICE, &at).await.problem(404, "no-session");
    service.get(ALICE, &at).await.problem(404, "no-session");
    assert!(service.engine.containers().is_empty(), "nothing is left");
}

#[tokio::test]
async fn owners_are_apart() {
    let service = knowing().await;
    service.open(ALICE, "demo").await;
    let body = json!({ "command": ["true"] });
    for answer in [
        service.get(BOB, "/sessions/demo").await,
        service.delete(BOB, "/sessions/demo").await,
        service.post(BOB, "/sessions/demo/exec", body).await,
        service.get(BOB, "/sessions/demo/logs").await,
        service.get(BOB, "/sessions/demo/files/etc/passwd").await,
        service
            .send(request(
                BOB,
                "PUT",
                "/sessions/demo/files/tmp/x",
                "x".into(),
            ))
            .await,
    ] {
        answer.problem(404, "no-session");
    }
    assert_eq!(
        service.get(BOB, "/sessions").await.json(),
        json!({ "sessions": [] })
    );
    // The same name is another session.
    service.open(BOB, "demo").await;
    assert_eq!(
        service.delete(BOB, "/sessions/demo").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        service.get(ALICE, "/sessions/demo").await.status,
        StatusCode::OK
    );
    // Whose it is says the token alone.
    let body = json!({ "name": "x", "owner": "alice" });
    service
        .post(BOB, "/sessions", body)
        .await
        .problem(400, "invalid-input");
}

#[tokio::test]
async fn files_come_back_as_they_went() {
    let service = served(&[]).await;
    service.open(ALICE, "demo").await;
    let bytes: Vec<u8> = (0..70_000u32).map(|n| (n % 251) as u8).collect();
    let path = "/sessions/demo/files/tmp/a%20file.bin";
    let put = request(ALICE, "PUT", path, bytes.clone().into());
    assert_eq!(service.send(put).await.status, StatusCode::NO_CONTENT);
    let got = service.get(ALICE, path).await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(got.body == bytes, "{} bytes", got.body.len());
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
    // The session sees it under its own name.
    let body = json!({ "command": ["wc", "-c", "/tmp/a file.bin"] });
    let ran = service
        .post(ALICE, "/sessions/demo/exec", body)
        .await
        .lines();
    assert_eq!(ran[0]["stdout"], "70000 /tmp/a file.bin\n");

    service
        .get(ALICE, "/sessions/demo/files/tmp/nothing")
        .await
        .problem(404, "not-found");
    let put = request(ALICE, "PUT", "/sessions/demo/files/nowhere/x", "x".into());
    service.send(put).await.problem(404, "not-found");
    service
        .get(ALICE, "/sessions/demo/files/tmp")
        .await
        .problem(400, "invalid-input");
}

#[tokio::test]
async fn what_isnt_known_yet_isnt_denied() {
    let engine = FakeEngine::start().await.expect("an engine");
    // Whether one that was there before lives shows in a lease's time.
    let _other = app(&engine, &[]).await;
    let app = app(&engine, &[]).await;
    let service = Served {
        routes: routes::router(&app),
        app,
        engine,
    };
    for path in ["/sessions", "/sessions/demo", "/sessions/demo/logs"] {
        let answer = service.get(ALICE, path).await;
        answer.problem(503, "recovering");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let closed = service.delete(ALICE, "/sessions/demo").await;
    closed.problem(503, "recovering");
    let ready = service.ask("/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let why = json!(["it isn't known yet which sessions there are"]);
    assert_eq!(ready.json()["reasons"], why);
    let health = service.ask("/health").await;
    assert_eq!(health.status, StatusCode::OK, "calls are served");
    assert_eq!(health.json()["status"], "degraded");
    // What nobody has can be opened at once.
    service.open(ALICE, "demo").await;
    let found = service.get(ALICE, "/sessions/demo").await;
    assert_eq!(found.status, StatusCode::OK);
}
