//! What is served where, for how long, and for how many at once.

mod events;
mod exec;
mod files;
pub mod health;
mod logs;
mod metrics;
pub mod page;
mod rollout;
mod sessions;
mod text;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderName;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, Span, field};

use crate::auth::authenticate;
use crate::problem::{Problem, sorts};
use crate::state::App;

/// All routes.
pub fn router(app: &App) -> Router {
    let settings = &app.settings;
    let requests = Arc::new(Semaphore::new(settings.requests));
    let streams = Arc::new(Semaphore::new(settings.streams));
    let brief = Class::new(&requests, settings.request_timeout);
    let opening = Class::new(&requests, settings.open_timeout);
    // Of these the time is that until the answer begins.
    let streamed = Class::new(&streams, settings.request_timeout);
    let sessions = opening
        .of(post(sessions::open))
        .merge(brief.of(get(sessions::list)));
    let files = brief.of(put(files::write).get(files::read));

    let id = HeaderName::from_static("x-request-id");
    Router::new()
        .route("/sessions", sessions)
        .route(
            "/sessions/{name}",
            brief.of(get(sessions::show).delete(sessions::close)),
        )
        .route("/sessions/{name}/exec", streamed.of(post(exec::exec)))
        .route("/sessions/{name}/logs", streamed.of(get(logs::logs)))
        .route("/sessions/{name}/files/{*path}", files)
        .route("/events", streamed.of(get(events::events)))
        .route("/rollout", brief.of(put(rollout::set)))
        .method_not_allowed_fallback(no_method)
        .route_layer(from_fn_with_state(app.clone(), authenticate))
        .fallback(|| async { Problem::new(&sorts::NO_ROUTE) })
        .layer(DefaultBodyLimit::max(settings.body_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(PropagateRequestIdLayer::new(id.clone()))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_response(DefaultOnResponse::new().level(Level::INFO))
                // What failed is logged where it is known why.
                .on_failure(()),
        )
        .layer(SetRequestIdLayer::new(id, MakeRequestUuid))
        // Asked every few seconds: not for the log.
        .route("/", get(page::page).fallback(no_method))
        .route("/health", get(health::health).fallback(no_method))
        .route("/live", get(health::live).fallback(no_method))
        .route("/ready", get(health::ready).fallback(no_method))
        .route("/metrics", get(metrics::metrics).fallback(no_method))
        .with_state(app.clone())
}

/// Requests of one sort: how many there may be at once, and how long each may take to be answered.
#[derive(Clone)]
struct Class {
    permits: Arc<Semaphore>,
    within: Duration,
}

impl Class {
    fn new(permits: &Arc<Semaphore>, within: Duration) -> Self {
        Self {
            permits: Arc::clone(permits),
            within,
        }
    }

    fn of(&self, routes: MethodRouter<App>) -> MethodRouter<App> {
        routes.layer(from_fn_with_state(self.clone(), admit))
    }
}

async fn admit(
    State(class): State<Class>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let permit = class
        .permits
        .try_acquire_owned()
        .map_err(|_| Problem::new(&sorts::BUSY))?;
    let response = timeout(class.within, next.run(request)).await;
    let response = response.map_err(|_| Problem::new(&sorts::TIMEOUT))?;
    // A stream counts to its end.
    Ok(response.map(|body| {
        Body::new(body.map_err(move |error| {
            let _ = &permit;
            error
        }))
    }))
}

/// A request in the log: never with its headers, among which its token is.
fn span(request: &Request) -> Span {
    let id = request.headers().get("x-request-id");
    tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        id = id.and_then(|id| id.to_str().ok()),
        owner = field::Empty,
    )
}

/// One request's fault is no other's.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::new(&sorts::INTERNAL).into_response()
}

async fn no_method() -> Problem {
    Problem::new(&sorts::NO_METHOD)
}
