//! `GET /health`: whether requests can be served, for whoever routes them here.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use catamaran::CallContext;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::state::App;

/// Who asks often, or without a token, doesn't make the engine answer more often than this.
const FRESH: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(2);

/// When the engine was last looked at, and whether it was there.
pub type LastLook = Mutex<Option<(Instant, bool)>>;

pub async fn health(State(app): State<App>) -> Response {
    let engine = engine(&app).await;
    let status = if app.stopping.asked.is_cancelled() {
        "stopping"
    } else if !engine {
        "no engine"
    } else if !app.is_recovered() {
        "recovering"
    } else {
        "ok"
    };
    let code = match status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    // For everybody's eyes: numbers alone.
    let pools = app.manager.pools();
    let pools = pools.iter().map(
        |pool| json!({ "ready": pool.ready, "starting": pool.starting, "target": pool.target }),
    );
    let health = json!({
        "status": status,
        "engine": engine,
        "sessions": app.manager.sessions().len(),
        "pools": pools.collect::<Vec<_>>(),
    });
    (code, Json(health)).into_response()
}

async fn engine(app: &App) -> bool {
    let mut last = app.last_look.lock().await;
    if let Some((at, there)) = *last
        && at.elapsed() < FRESH
    {
        return there;
    }
    let hurried = app
        .backend
        .with_context(CallContext::new().with_timeout(WITHIN));
    let there = match timeout(WITHIN, hurried.ping()).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!("no engine: {error:#}");
            false
        }
        Err(_) => false,
    };
    *last = Some((Instant::now(), there));
    there
}
