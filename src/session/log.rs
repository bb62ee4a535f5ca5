//! What is told of sessions, as lines: quiet when well.

use super::notice::{Change, SessionEvent};

pub(super) fn told(event: &SessionEvent) {
    let SessionEvent {
        key,
        container,
        change,
        ..
    } = event;
    match change {
        Change::Died { .. }
        | Change::OutOfMemory
        | Change::GaveUp { .. }
        | Change::Weakened { .. }
        | Change::Lost
        | Change::Removed { by_others: true } => {
            tracing::warn!(session = %key, %container, ?change, "session");
        }
        Change::Opened { .. } | Change::Adopted | Change::Idle | Change::Expired => {
            tracing::info!(session = %key, %container, ?change, "session");
        }
        _ => tracing::debug!(session = %key, %container, ?change, "session"),
    }
}
