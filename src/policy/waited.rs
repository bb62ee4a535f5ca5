//! How long an attempt has waited for its turn: told by the limits, deep within the engine, to whoever makes the attempt.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use futures::future::FutureExt;

tokio::task_local! {
    static WAITED: Cell<Duration>;
}

/// Runs an attempt; how long it waited for permits, all of them together.
pub(super) fn counting<F: Future>(attempt: F) -> impl Future<Output = (F::Output, Duration)> {
    let counted = attempt.map(|output| (output, WAITED.with(Cell::get)));
    WAITED.scope(Cell::default(), counted)
}

/// It has waited. Outside of an attempt nobody counts.
pub(super) fn add(time: Duration) {
    let _ = WAITED.try_with(|waited| waited.set(waited.get().saturating_add(time)));
}
