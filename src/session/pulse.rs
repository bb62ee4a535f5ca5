//! How the sessions go, as numbers, alerts and a report tell it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;

use super::handle::Session;
use super::managed::SessionState;
use super::manager::Shared;
use super::notice::{Change, SessionEvent};
use crate::error::{ErrorKind, Result};
use crate::model::ContainerRef;
use crate::telemetry::SessionsHealth;
use crate::telemetry::alerts::{AlertKind, Alerts};
use crate::telemetry::metrics;

const STATES: [SessionState; 5] = [
    SessionState::Starting,
    SessionState::Ready,
    SessionState::Unhealthy,
    SessionState::Paused,
    SessionState::Stopped,
];

/// Who is told.
#[derive(Debug)]
pub(super) struct Pulse(Option<Alerts>);

impl Pulse {
    pub(super) fn new(alerts: Option<Alerts>) -> Self {
        Self(alerts)
    }

    /// Something has happened to a session.
    pub(super) fn told(&self, event: &SessionEvent) {
        metrics::count(
            metrics::SESSION_EVENTS,
            &[("change", event.change.as_str())],
        );
        if let (Some(alerts), Change::Weakened { fields }) = (&self.0, &event.change) {
            let message = format!(
                "{} no longer held; it was held to it again, or stopped",
                fields.join(", ")
            );
            let session = event.key.to_string();
            alerts.event(AlertKind::LimitsNotEffective, Some(&session), message);
        }
    }

    /// An open, which ends or whose caller goes away.
    pub(super) async fn open(
        &self,
        open: impl Future<Output = Result<Session>>,
    ) -> Result<Session> {
        let mut opens = Opens {
            origin: "none",
            outcome: ErrorKind::Cancelled.as_str(),
        };
        let opened = open.await;
        match &opened {
            Ok(session) => {
                let opening = session.opening();
                (opens.origin, opens.outcome) = (opening.origin.as_str(), "ok");
                let by = [("origin", opens.origin)];
                metrics::time(metrics::SESSION_OPEN_SECONDS, &by, opening.timings.total);
            }
            Err(error) => opens.outcome = error.kind().as_str(),
        }
        opened
    }

    /// Something that nobody has was found, and goes.
    pub(super) fn found(&self, stray: &str) {
        self.orphan(format_args!(
            "{stray} belonged to no session, and is removed"
        ));
    }

    /// So was something that an instance had made before it died, and nobody had got.
    pub(super) fn inherited(&self, container: &ContainerRef) {
        self.orphan(format_args!(
            "container {container} was made for nobody yet by an instance that is dead, and is removed"
        ));
    }

    fn orphan(&self, message: fmt::Arguments<'_>) {
        if let Some(alerts) = &self.0 {
            alerts.event(AlertKind::OrphansFound, None, message);
        }
    }
}

/// How an open has ended so far: counted when it is dropped.
struct Opens {
    origin: &'static str,
    outcome: &'static str,
}

impl Drop for Opens {
    fn drop(&mut self) {
        let labels = [("origin", self.origin), ("outcome", self.outcome)];
        metrics::count(metrics::SESSION_OPENS, &labels);
    }
}

/// How many there are in each state.
fn states(shared: &Shared) -> BTreeMap<&'static str, usize> {
    let mut states: BTreeMap<_, _> = STATES.iter().map(|state| (state.as_str(), 0)).collect();
    for entry in shared.roster.sessions() {
        *states.entry(entry.managed.state().as_str()).or_default() += 1;
    }
    states
}

/// Shows how many there are of what.
pub(super) fn show(shared: &Shared) {
    if let Some(alerts) = &shared.pulse.0 {
        alerts.tick();
    }
    if !metrics::is_enabled() {
        return;
    }
    for (state, count) in states(shared) {
        metrics::set(metrics::SESSIONS, &[("state", state)], count as f64);
    }
    let pools = shared.pools.status();
    for (state, count) in [
        ("ready", pools.iter().map(|pool| pool.ready).sum::<usize>()),
        ("making", pools.iter().map(|pool| pool.starting).sum()),
    ] {
        metrics::set(metrics::POOL_CONTAINERS, &[("state", state)], count as f64);
    }
    let held = f64::from(u8::from(shared.host.holds_lease()));
    metrics::set(metrics::LEASE_HELD, &[], held);
}

pub(super) fn health(shared: &Shared) -> SessionsHealth {
    let usage = shared.admission.usage();
    SessionsHealth {
        states: states(shared),
        waiting: usage.waiting,
        opening: usage.opening,
        recovered: *shared.recovered.borrow(),
        lease_held: shared.host.holds_lease(),
        ends: shared.closed.load(Ordering::SeqCst),
        pools: shared.pools.status(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::session::SessionKey;

    #[tokio::test(start_paused = true)]
    async fn what_is_found_is_told_and_is_over_when_nothing_more_is() {
        let alerts = Alerts::default();
        let pulse = Pulse::new(Some(alerts.clone()));
        let container = ContainerRef::new("one").expect("a name");
        let key = SessionKey::new("alice", "demo").expect("a key");
        let fields = vec!["memory".to_owned()];
        let weakened = SessionEvent::now(key, container.clone(), Change::Weakened { fields });
        let tells: [(AlertKind, &dyn Fn()); 3] = [
            (AlertKind::OrphansFound, &|| pulse.found("volume x")),
            (AlertKind::OrphansFound, &|| pulse.inherited(&container)),
            (AlertKind::LimitsNotEffective, &|| pulse.told(&weakened)),
        ];
        for (kind, tell) in tells {
            tell();
            assert_eq!(alerts.active()[0].kind, kind);
            advance(alerts.options().event_window()).await;
            assert_eq!(alerts.active(), []);
        }
    }
}
