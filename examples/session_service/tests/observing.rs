//! What whoever runs it is shown.

use super::*;
use crate::routes::page::PAGE;

const OPERATED: &[(&str, &str)] = &[("LEASE", "3s"), ("OPERATORS", "alice")];

fn put(token: &str, percent: Value) -> Request<Body> {
    let mut request = post(token, "/rollout", &json!({ "percent": percent }));
    *request.method_mut() = axum::http::Method::PUT;
    request
}

#[tokio::test]
async fn who_routes_here_is_told_how_it_is() {
    let service = served(&[("LEASE", "3s"), ("WARM", "1")]).await;
    service.until("/ready", 200).await;
    service.open(ALICE, "demo").await;
    let health = service.ask("/health").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(health.header("cache-control"), Some("no-store"));
    let health = health.json();
    assert_eq!(health["sessions"]["states"]["ready"], 1, "{health:#}");
    assert_eq!(health["sessions"]["recovered"], true);
    assert_eq!(health["engines"][0]["reachable"], true);
    assert_eq!(health["engines"][1]["engine"], "blocking");
    assert_eq!(
        (&health["live"], &health["ready"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(health["sessions"]["pools"][0]["target"], 1);
}

#[tokio::test]
async fn without_an_engine_it_is_live_and_not_ready() {
    let service = knowing().await;
    assert_eq!(
        service.until("/ready", 200).await.json(),
        json!({ "ready": true, "reasons": [] })
    );
    service.engine.disconnect();
    // Its lease runs out meanwhile, which is another reason.
    let away = json!("no container engine answers");
    while service.until("/ready", 503).await.json()["reasons"][0] != away {
        sleep(Duration::from_millis(50)).await;
    }
    let health = service.ask("/health").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    let health = health.json();
    assert_eq!(
        (&health["status"], &health["ready"]),
        (&json!("unhealthy"), &json!(false))
    );
    let reasons = health["reasons"].to_string();
    assert!(
        reasons.contains("the async engine") && reasons.contains("the blocking engine"),
        "{reasons}"
    );
    assert_eq!(service.ask("/live").await.status, StatusCode::OK);
    assert_eq!(service.ask("/").await.status, StatusCode::OK);
    assert_eq!(service.ask("/metrics").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_page_runs_nothing_but_itself() {
    let service = served(&[]).await;
    let page = service.ask("/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.contains("connect-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    // Of each there is one, and none by the way, to which the policy's hashes wouldn't fit.
    for element in ["<script", "<style", "<link"] {
        assert_eq!(PAGE.matches(element).count(), 1, "{element}");
    }
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        " style=",
        " onclick=",
        "//cdn",
    ] {
        assert!(!PAGE.contains(way), "{way}");
    }
}

#[tokio::test]
async fn nobody_is_shown_whose_sessions_there_are() {
    let service = served(OPERATED).await;
    service.until("/ready", 200).await;
    service.open(BOB, "diary").await;
    // What names a session, told as the crate tells it.
    let alerts = service.app.alerts.clone();
    use catamaran::telemetry::alerts::AlertKind;
    alerts.event(
        AlertKind::LimitsNotEffective,
        Some("bob/diary"),
        "bob's diary",
    );
    alerts.raise(
        AlertKind::BreakerOpen,
        Some("async"),
        "at last: bob.diary isn't there",
    );
    alerts.event(
        AlertKind::OrphansFound,
        None,
        "x.bob.diary belonged to no session",
    );
    let shown = |answer: Answer| String::from_utf8(answer.body.to_vec()).expect("text");
    let health = loop {
        let health = service.ask("/health").await;
        if health.json()["alerts"]
            .as_array()
            .is_some_and(|alerts| alerts.len() == 3)
        {
            break shown(health);
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert!(health.contains("limits_not_effective") && health.contains(r#""subject":"async""#));
    for text in [
        health,
        shown(service.ask("/metrics").await),
        shown(service.ask("/ready").await),
    ] {
        assert!(!text.contains("diary") && !text.contains("bob"), "{text}");
    }
    let all = shown(service.get(ALICE, "/health").await);
    assert!(all.contains("bob/diary"), "an operator is: {all}");
    let all = shown(service.get(BOB, "/health").await);
    assert!(!all.contains("bob/diary"), "who is none isn't: {all}");
    service
        .get("nobodys-token-0123456789", "/health")
        .await
        .problem(401, "unauthorized");
}

#[tokio::test]
async fn where_it_isnt_for_everybody_it_takes_an_operators_token() {
    let service = served(&[
        ("LEASE", "3s"),
        ("OPERATORS", "alice"),
        ("OBSERVE", "operators"),
    ])
    .await;
    service.until("/ready", 200).await;
    let health = service.ask("/health").await.json();
    let fields: Vec<_> = health.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["live", "ready", "status"]);
    service.ask("/metrics").await.problem(401, "unauthorized");
    service.get(BOB, "/metrics").await.problem(403, "forbidden");
    assert_eq!(service.get(ALICE, "/metrics").await.status, StatusCode::OK);
    assert!(service.get(ALICE, "/health").await.json()["engines"].is_array());
    assert_eq!(service.ask("/live").await.status, StatusCode::OK);
    // Elsewhere than on loopback that is so unless told otherwise.
    let beyond = settings(&[("ADDR", "0.0.0.0:80")]).observe;
    assert_eq!(beyond, crate::config::Observe::Operators);
}

#[tokio::test]
async fn operators_turn_the_rollout_and_see_what_comes_of_it() {
    let service = served(OPERATED).await;
    let answer = service.send(put(ALICE, json!(10))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let told = answer.json();
    assert_eq!(
        (&told["before"], &told["percent"]),
        (&json!(100), &json!(10))
    );
    assert!(
        told["status"].is_string() && told["engines"][0]["error_rate"].is_number(),
        "{told}"
    );
    assert_eq!(service.app.backend.rollout(), 10);
    let health = service.ask("/health").await.json();
    assert_eq!(health["rollout"], 10, "it is shown at once");

    service
        .send(put(BOB, json!(0)))
        .await
        .problem(403, "forbidden");
    service
        .send(put(ALICE, json!(101)))
        .await
        .problem(400, "invalid-input");
    service
        .send(put(ALICE, json!(300)))
        .await
        .problem(400, "invalid-input");
    service
        .send(put("nobodys-token-0123456789", json!(0)))
        .await
        .problem(401, "unauthorized");
    assert_eq!(service.app.backend.rollout(), 10);
}

#[tokio::test]
async fn what_is_done_is_on_record_by_its_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("audit.jsonl");
    let service = served(&[("LEASE", "3s"), ("AUDIT", path.to_str().expect("text"))]).await;
    service.until("/ready", 200).await;
    service.open(BOB, "demo").await;
    let body = json!({ "command": ["sh", "-c", "echo hunter2"] });
    service.post(BOB, "/sessions/demo/exec", body).await.lines();
    let audit = service.app.audit.as_ref().expect("one");
    audit.close(LONG).await.expect("all is written");
    let text = std::fs::read_to_string(&path).expect("records");
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of_bob = |operation| {
        let mut found = records
            .iter()
            .filter(|record| record["operation"] == operation);
        found.any(|record| record["actor"] == "bob" && record["outcome"] == "ok")
    };
    assert!(
        of_bob("create") && of_bob("start") && of_bob("start_exec"),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !text.contains(BOB));
}
