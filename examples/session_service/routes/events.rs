//! `GET /events`: what happens to the owner's sessions, as server-sent events.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use catamaran::session::{SessionEvent, SessionNotice};
use futures::{Stream, StreamExt, future};
use serde_json::json;

use crate::auth::Owner;
use crate::state::App;

/// A `change` names the session and what happened. After a `gap`, whose place in the order tells when something may have been
/// missed, list the sessions anew.
pub async fn events(
    State(app): State<App>,
    Owner(owner): Owner,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stopping = app.stopping.begun.clone();
    let notices = app.manager.subscribe().filter_map(move |notice| {
        let event = match notice {
            SessionNotice::Change(event) if event.key.owner() == &*owner => change(&event),
            SessionNotice::Change(_) => None,
            // How much was missed says how much others do.
            _ => Event::default().event("gap").json_data(json!({})).ok(),
        };
        future::ready(event)
    });
    let events = notices.map(Ok).take_until(stopping.cancelled_owned());
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn change(event: &SessionEvent) -> Option<Event> {
    let at = humantime::format_rfc3339_millis(event.at).to_string();
    let told = json!({ "session": event.key.name(), "at": at, "change": event.change });
    Event::default().event("change").json_data(told).ok()
}
