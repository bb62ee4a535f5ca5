//! The way of an alert to those who want to know of it.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::active::{Active, Nature, Told};
use super::alert::{Alert, AlertEvents, AlertKind, AlertNotice, AlertSeverity, AlertState};
use super::options::AlertOptions;
use crate::fanout::Fanout;
use crate::lock::lock;
use crate::quote::line;
use crate::telemetry::metrics;

/// Notices that a subscriber may be behind.
const NOTICES: usize = 1_024;
/// Alerts that the log and the hooks may be behind: only a hook that blocks gets there.
const BEHIND: usize = 4_096;
const LONGEST_SUBJECT: usize = 256;
const LONGEST_MESSAGE: usize = 512;

type Hook = Arc<dyn Fn(&Alert) + Send + Sync>;

/// Where alerts are raised, told once, counted while they last, and recover.
///
/// A clone is the same one. There is no task behind it: what ends with time does so when one of its methods is next called;
/// what is given it (a backend, a session manager) calls [`tick`](Self::tick) now and then.
///
/// Of more than 1000 alerts at a time, what is more of a kind is one alert without a subject, which ends as what merely
/// happens does.
///
/// [The module](super) shows how it is used.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    options: AlertOptions,
    subscribers: Fanout<AlertNotice>,
    state: Mutex<State>,
}

struct State {
    active: Active,
    hooks: Vec<Hook>,
    /// For the log, the metrics and the hooks, which are served outside of the lock, one alert after the other.
    waiting: VecDeque<Told>,
    /// Somebody serves them.
    served: bool,
    lost: u64,
}

impl Alerts {
    /// Without any alert.
    #[must_use]
    pub fn new(options: AlertOptions) -> Self {
        let state = State {
            active: Active::new(&options),
            hooks: Vec::new(),
            waiting: VecDeque::new(),
            served: false,
            lost: 0,
        };
        Self(Arc::new(Inner {
            options,
            subscribers: Fanout::new(NOTICES),
            state: Mutex::new(state),
        }))
    }

    /// From when on alerts are raised.
    #[must_use]
    pub fn options(&self) -> &AlertOptions {
        &self.0.options
    }

    /// Says that something is the matter that lasts until it [recovers](Self::recover). The first time it is told; while it
    /// lasts it is counted, and the message is the last one.
    ///
    /// Neither subject nor message may hold a secret: both are logged.
    pub fn raise(&self, kind: AlertKind, subject: Option<&str>, message: impl fmt::Display) {
        self.happen(kind, subject, message, Nature::Lasts);
    }

    /// Says that something has happened that doesn't last. The first time it is told; what happens again within
    /// [`AlertOptions::event_window`] is counted, and when it hasn't for so long, it has recovered.
    ///
    /// ```
    /// use catamaran::telemetry::alerts::{AlertKind, Alerts};
    ///
    /// let alerts = Alerts::default();
    /// alerts.event(AlertKind::EngineRestarted, None, "the daemon is another process now");
    /// alerts.event(AlertKind::EngineRestarted, None, "and another one");
    /// assert_eq!(alerts.active()[0].count, 1);
    /// ```
    pub fn event(&self, kind: AlertKind, subject: Option<&str>, message: impl fmt::Display) {
        self.happen(kind, subject, message, Nature::Happens);
    }

    /// Says that something isn't the matter any more. It is told where it was, and is cheap where it wasn't.
    pub fn recover(&self, kind: AlertKind, subject: Option<&str>, message: impl fmt::Display) {
        if !lock(&self.0.state).active.concerns(kind) {
            return;
        }
        let (subject, message) = bounded(subject, message);
        self.change(|active| active.recover(kind, &subject, message));
    }

    /// Raises it or lets it recover, as `is_so` finds it at its turn: of several who tell of the same at once, the last one is right,
    /// whoever that is. Neither closure may use these alerts.
    pub(crate) fn settle(
        &self,
        kind: AlertKind,
        subject: Option<&str>,
        is_so: impl FnOnce() -> bool,
        message: impl FnOnce(bool) -> String,
    ) {
        self.change(|active| {
            let is_so = is_so();
            let (subject, message) = bounded(subject, message(is_so));
            match is_so {
                true => active.raise(kind, subject, message, Nature::Lasts),
                false => active.recover(kind, &subject, message),
            }
        });
    }

    /// Says that something isn't the matter at the moment: it has recovered once it hasn't been raised for
    /// [`AlertOptions::event_window`]. For what may come and go about a threshold, which isn't told each time.
    pub(crate) fn subside(&self, kind: AlertKind, subject: Option<&str>) {
        if !lock(&self.0.state).active.concerns(kind) {
            return;
        }
        let subject = line(subject.unwrap_or_default(), LONGEST_SUBJECT);
        self.change(|active| active.subside(kind, &subject));
    }

    /// Does what is due with time: what happened is over, what lasts is told again ([`AlertOptions::repeat`]).
    pub fn tick(&self) {
        self.change(|active| active.pass(Instant::now()));
    }

    /// What is the matter now, the most urgent first.
    #[must_use]
    pub fn active(&self) -> Vec<Alert> {
        let mut all = Vec::new();
        self.change(|active| {
            active.pass(Instant::now());
            all = active.all();
        });
        all
    }

    /// What is told from here on, as a stream that ends with the last clone of this.
    #[must_use]
    pub fn subscribe(&self) -> AlertEvents {
        AlertEvents(
            self.0
                .subscribers
                .subscribe(|missed| AlertNotice::Gap { missed }),
        )
    }

    /// Calls this with each alert that is told from here on, one after the other, in the thread that raises it or in one that
    /// raises another at the same time.
    ///
    /// It must be quick and not block: calls to the engine may wait for it. It may use these alerts. A panic in it is logged,
    /// and it is called again with the next. It stays as long as the last clone of this, and for ever where it holds one itself.
    pub fn on_alert(&self, hook: Arc<dyn Fn(&Alert) + Send + Sync>) {
        lock(&self.0.state).hooks.push(hook);
    }

    fn happen(
        &self,
        kind: AlertKind,
        subject: Option<&str>,
        message: impl fmt::Display,
        nature: Nature,
    ) {
        let (subject, message) = bounded(subject, message);
        self.change(|active| active.raise(kind, subject, message, nature));
    }

    /// Subscribers are told within the lock, so that they hear in order; all else comes after it.
    fn change(&self, change: impl FnOnce(&mut Active)) {
        let mut state = lock(&self.0.state);
        change(&mut state.active);
        for told in state.active.take() {
            let notice = AlertNotice::Alert(told.alert.clone());
            self.0.subscribers.tell(notice);
            if state.waiting.len() >= BEHIND {
                state.waiting.pop_front();
                state.lost += 1;
            }
            state.waiting.push_back(told);
        }
        // Whoever serves goes on with these.
        if state.waiting.is_empty() || state.served {
            return;
        }
        state.served = true;
        drop(state);
        self.serve();
    }

    fn serve(&self) {
        let mut turn = Turn {
            state: &self.0.state,
            over: false,
        };
        while let Some((next, hooks)) = turn.next() {
            told(&next.alert, next.active);
            for hook in hooks {
                // What it says of itself may be anything, and stays out of the log.
                if catch_unwind(AssertUnwindSafe(|| hook(&next.alert))).is_err() {
                    tracing::error!(
                        alert = next.alert.kind.as_str(),
                        "a hook for alerts panicked"
                    );
                }
            }
        }
    }
}

/// Of the one who serves what waits.
struct Turn<'a> {
    state: &'a Mutex<State>,
    over: bool,
}

impl Turn<'_> {
    fn next(&mut self) -> Option<(Told, Vec<Hook>)> {
        let mut state = lock(self.state);
        let Some(next) = state.waiting.pop_front() else {
            state.served = false;
            self.over = true;
            return None;
        };
        let (hooks, lost) = (state.hooks.clone(), std::mem::take(&mut state.lost));
        drop(state);
        if lost > 0 {
            tracing::warn!(
                lost,
                "a hook for alerts is too slow: these reached neither log nor hooks"
            );
        }
        Some((next, hooks))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // What writes the log may panic: the next alert is told all the same.
        if !self.over {
            lock(self.state).served = false;
        }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self::new(AlertOptions::default())
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

fn bounded(subject: Option<&str>, message: impl fmt::Display) -> (String, String) {
    (
        line(subject.unwrap_or_default(), LONGEST_SUBJECT),
        line(&message.to_string(), LONGEST_MESSAGE),
    )
}

/// What becomes of each alert that is told, outside of the lock and in order; so many of its kind there are then.
fn told(alert: &Alert, active_of_kind: usize) {
    let of = ("alert", alert.kind.as_str());
    metrics::set(metrics::ALERTS_ACTIVE, &[of], active_of_kind as f64);
    if alert.state == AlertState::Raised {
        let severity = ("severity", alert.severity.as_str());
        metrics::count(metrics::ALERTS, &[of, severity]);
    }
    let (kind, subject) = (alert.kind.as_str(), alert.subject.as_deref());
    let (count, message) = (alert.count, alert.message.as_str());
    match (alert.state, alert.severity) {
        (AlertState::Recovered, _) => {
            tracing::info!(alert = kind, subject, count, "recovered: {message}");
        }
        (AlertState::Raised, AlertSeverity::Info) => {
            tracing::info!(
                alert = kind,
                subject,
                count,
                advice = alert.advice,
                "{message}"
            );
        }
        (AlertState::Raised, AlertSeverity::Warning) => {
            tracing::warn!(
                alert = kind,
                subject,
                count,
                advice = alert.advice,
                "{message}"
            );
        }
        (AlertState::Raised, AlertSeverity::Critical) => {
            tracing::error!(
                alert = kind,
                subject,
                count,
                advice = alert.advice,
                "{message}"
            );
        }
    }
}
