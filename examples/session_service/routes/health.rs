//! `GET /live`, `/ready` and `/health`: for whoever starts this process anew, routes requests to it, or is called when it fails.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use catamaran::EngineKind;
use catamaran::telemetry::alerts::{Alert, AlertKind};
use catamaran::telemetry::{HealthReport, HealthStatus};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::auth::Sight;
use crate::problem::Problem;
use crate::state::App;

/// Who asks often, or without a token, doesn't make the engines be probed more often than this.
const FRESH: Duration = Duration::from_secs(1);

/// When the engines were last looked at, and what was seen.
pub type LastLook = Mutex<Option<(Instant, HealthReport)>>;

/// It answers, and so it is live: an engine that is away is no reason to start this process anew.
pub async fn live() -> Response {
    told(StatusCode::OK, json!({ "live": true }))
}

/// Whether something new should be sent here; if not, why not, in words for everybody's eyes.
pub async fn ready(State(app): State<App>) -> Response {
    let report = report(&app).await;
    let reasons = unready(&app, &report);
    let code = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    told(
        code,
        json!({ "ready": reasons.is_empty(), "reasons": reasons }),
    )
}

/// All of it, as far as whoever asks may see it.
pub async fn health(State(app): State<App>, sight: Sight) -> Result<Response, Problem> {
    let mut report = report(&app).await;
    let code = match report.status {
        HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let status = json!({ "status": report.status, "live": report.live, "ready": report.ready });
    Ok(match sight {
        Sight::Status => told(code, status),
        Sight::Numbers => {
            report.alerts = report.alerts.into_iter().map(unnamed).collect();
            told(code, judged(&app, report))
        }
        Sight::All => told(code, report),
    })
}

fn told(code: StatusCode, what: impl Serialize) -> Response {
    (code, [(CACHE_CONTROL, "no-store")], Json(what)).into_response()
}

/// How the service is; the engines as they were at most a second ago.
pub async fn report(app: &App) -> HealthReport {
    let mut last = app.last_look.lock().await;
    let report = match &*last {
        Some((at, report)) if at.elapsed() < FRESH => report.clone(),
        _ => {
            let report = app.backend.health().await;
            *last = Some((Instant::now(), report.clone()));
            report
        }
    };
    drop(last);
    judged(app, report)
}

/// With what stands on the engines, and what is this service's own.
fn judged(app: &App, report: HealthReport) -> HealthReport {
    let findings = app.findings.get().into_iter().flatten().cloned();
    let mut report = report
        .with_findings(findings)
        .with_sessions(app.manager.health());
    report.ready = unready(app, &report).is_empty();
    if app.stopping.asked.is_cancelled() {
        report.status = report.status.max(HealthStatus::Degraded);
        report.reasons.insert(0, STOPPING.to_owned());
    }
    report
}

const STOPPING: &str = "it is being stopped";

/// Why nothing new should be sent here.
fn unready(app: &App, report: &HealthReport) -> Vec<&'static str> {
    let lease = report.sessions.as_ref().is_none_or(|of| of.lease_held);
    let reasons = [
        (app.stopping.asked.is_cancelled(), STOPPING),
        (
            report.status == HealthStatus::Unhealthy,
            "no container engine answers",
        ),
        (
            !lease,
            "its lease has run out: another instance may have its sessions",
        ),
        // What is asked for may have been left by an earlier instance.
        (
            !app.is_recovered(),
            "it isn't known yet which sessions there are",
        ),
    ];
    let so = reasons.into_iter().filter(|(is_so, _)| *is_so);
    so.map(|(_, why)| why).collect()
}

/// An alert that names no session: of these kinds the messages are numbers, the others may tell of a container.
fn unnamed(alert: Alert) -> Alert {
    use AlertKind as K;
    let engine = |subject: &String| {
        [EngineKind::Async, EngineKind::Blocking]
            .map(EngineKind::as_str)
            .contains(&&**subject)
    };
    let numbers = matches!(
        alert.kind,
        K::AsyncPathFailing
            | K::FallbackShare
            | K::SlowEngine
            | K::QueueSaturated
            | K::EngineRestarted
    );
    let mut alert = alert;
    alert.subject = alert.subject.filter(engine);
    if !numbers {
        alert.message = "the log says more".to_owned();
    }
    alert
}
