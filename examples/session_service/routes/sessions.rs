//! `/sessions`: opening, listing, showing and closing.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use catamaran::session::{Origin, SessionInfo, SessionKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::Owner;
use crate::problem::{Problem, sorts};
use crate::state::{App, Named};

/// What needn't be escaped in a path's segment (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A session is the service's to make; callers give it its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    name: String,
}

/// Opens a session, or finds the one of that name: 201 where it has just been made, 200 where it was there.
pub async fn open(
    State(app): State<App>,
    Owner(owner): Owner,
    body: Result<Json<Open>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(Open { name }) = body?;
    let key = SessionKey::new(owner, name)?;
    if app.stopping.asked.is_cancelled() {
        return Err(Problem::new(&sorts::STOPPING));
    }
    let session = app.manager.open(&key, &app.spec).await?;
    let opening = session.opening();
    let status = match opening.origin {
        Origin::Cold | Origin::Warm => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let location = format!("/sessions/{}", utf8_percent_encode(key.name(), SEGMENT));
    let mut shown = shown(&session.info());
    // Where it came from, and what took how long, in seconds.
    shown["opening"] = json!(opening);
    Ok((status, [(LOCATION, location)], Json(shown)).into_response())
}

/// The owner's sessions.
pub async fn list(State(app): State<App>, Owner(owner): Owner) -> Result<Json<Value>, Problem> {
    if !app.is_recovered() {
        return Err(Problem::new(&sorts::RECOVERING));
    }
    let all = app.manager.sessions();
    let own = all.iter().filter(|info| info.key.owner() == &*owner);
    let shown: Vec<_> = own.map(shown).collect();
    Ok(Json(json!({ "sessions": shown })))
}

pub async fn show(
    State(app): State<App>,
    named: Result<Named, Problem>,
) -> Result<Json<Value>, Problem> {
    let session = app.session(&named?.0)?;
    Ok(Json(shown(&session.info())))
}

pub async fn close(
    State(app): State<App>,
    named: Result<Named, Problem>,
) -> Result<StatusCode, Problem> {
    match app.manager.close(&named?.0).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(app.no_session()),
    }
}

/// What owners are shown of their sessions: nothing of the engine's, such as ids.
fn shown(info: &SessionInfo) -> Value {
    json!({
        "name": info.key.name(),
        "state": info.state,
        "created": humantime::format_rfc3339_seconds(info.created).to_string(),
        "idle_seconds": info.idle.as_secs(),
        "expires_in_seconds": info.expires_in.map(|left| left.as_secs()),
        "exit_code": info.exit_code,
        "out_of_memory": info.oom_killed,
        "failures": info.failures,
    })
}
