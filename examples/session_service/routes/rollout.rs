//! `PUT /rollout`: which share of the sessions the async engine serves, turned step by step.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};

use super::health::report;
use crate::auth::Operator;
use crate::problem::Problem;
use crate::state::App;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    percent: u8,
}

/// Answers what it was before, and how the service does: look again after some minutes, and go on or back.
pub async fn set(
    State(app): State<App>,
    operator: Result<Operator, Problem>,
    body: Result<Json<Rollout>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    operator?;
    let Json(Rollout { percent }) = body?;
    let before = app.backend.set_rollout(percent)?;
    let report = report(&app).await;
    Ok(Json(json!({
        "before": before,
        "percent": percent,
        "status": report.status,
        "reasons": report.reasons,
        "fallback_share": report.fallback_share,
        "engines": report.engines,
    })))
}
