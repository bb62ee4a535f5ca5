//! `GET /metrics`: the numbers, for Prometheus.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::health::report;
use crate::auth::Sight;
use crate::problem::{Problem, sorts};
use crate::state::App;

/// Labels are of operations, engines and kinds alone: no session is named.
pub async fn metrics(
    State(app): State<App>,
    sight: Result<Sight, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if sight? == Sight::Status {
        return Err(match headers.contains_key(AUTHORIZATION) {
            true => Problem::new(&sorts::FORBIDDEN),
            false => Problem::unauthorized(false),
        });
    }
    // So that what goes up and down is as it is now, where no call has shown it lately.
    report(&app).await;
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, app.metrics.render()).into_response())
}
