//! The numbers by name, for whatever recorder of the [`metrics`](https://docs.rs/metrics) facade the host has installed.
//!
//! Labels have few values: operations, engines, kinds; never a container, a session or a user. Durations are in seconds.
//! `docs/metrics.md` lists them all.
//!
//! ```
//! # #[cfg(feature = "metrics")] {
//! let handle = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().unwrap();
//! catamaran::telemetry::metrics::enable();
//! println!("{}", handle.render());
//! # }
//! ```

#[cfg(feature = "metrics")]
mod handles;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[cfg(feature = "metrics")]
use handles::Change;
#[cfg(feature = "metrics")]
use metrics::{Label, Unit, counter};

/// What kind of number it is.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Of values, how often each came.
    Histogram,
}

/// One of the numbers.
#[non_exhaustive]
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As Prometheus has it.
    pub name: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// `seconds`, or empty for a count.
    pub unit: &'static str,
    /// The labels' names, with commas between them.
    pub labels: &'static str,
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$labels:literal] $unit:literal $help:literal;)*) => {
        $(pub(crate) const $constant: &str = $name;)*

        /// All of them.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: $labels,
            help: $help,
        }),*];
    };
}

metrics! {
    CALLS = Counter "catamaran_calls_total" ["operation,engine,reason,outcome"] ""
        "Calls that have ended, by the engine that served them last, and why that one; the outcome is ok, the kind of the error, or cancelled where the caller went away.";
    CALL_SECONDS = Histogram "catamaran_call_duration_seconds" ["operation,engine"] "seconds"
        "How long calls took, all their attempts together; of a stream, until it began.";
    ATTEMPTS = Counter "catamaran_attempts_total" ["engine,outcome"] ""
        "Attempts at an engine, looks at what had become of others among them.";
    ATTEMPT_SECONDS = Histogram "catamaran_attempt_duration_seconds" ["engine"] "seconds"
        "How long attempts took, from when it was their turn.";
    IN_FLIGHT = Gauge "catamaran_attempts_in_flight" ["engine"] ""
        "Attempts that are under way.";
    RETRIES = Counter "catamaran_retries_total" ["engine"] ""
        "Attempts that were made again after a pause, by the engine that is asked again.";
    FALLBACKS = Counter "catamaran_fallbacks_total" ["reason"] ""
        "Calls that the blocking engine took over: what had failed by the async path, or breaker where that was left alone.";
    RESOLUTIONS = Counter "catamaran_resolutions_total" ["verdict"] ""
        "What looks showed of attempts whose outcome was unknown: done, not_done, refused, unclear, or failed.";
    BREAKER_STATE = Gauge "catamaran_breaker_state" ["engine"] ""
        "Whether a path is left alone: 0 closed, 1 probing, 2 open.";
    BREAKER_TRANSITIONS = Counter "catamaran_breaker_transitions_total" ["engine,state"] ""
        "Changes of a path's breaker, by what it changed to.";
    ENGINE_RESTARTS = Counter "catamaran_engine_restarts_total" [""] ""
        "Times that no connection could be made to the engine, and it answered again.";
    QUEUE_SECONDS = Histogram "catamaran_queue_wait_seconds" ["kind"] "seconds"
        "How long calls, streams and pulls waited for a permit.";
    PERMITS = Gauge "catamaran_permits_in_use" ["kind"] ""
        "Permits that are held.";
    QUEUE = Gauge "catamaran_queue_length" ["kind"] ""
        "Calls that wait for a permit.";
    QUEUE_SIZE = Gauge "catamaran_queue_size" ["kind"] ""
        "How many calls may wait for a permit.";
    CONNECTIONS = Gauge "catamaran_connections" ["engine"] ""
        "Connections to the engine that are open; of the blocking engine, the lanes it keeps, which have one each at most.";
    BLOCKING_THREADS = Gauge "catamaran_blocking_threads_busy" [""] ""
        "Threads of the blocking pool that a call of the blocking engine has.";
    ROLLOUT = Gauge "catamaran_rollout_percent" [""] ""
        "The share of the calls or sessions that the async engine is to serve.";
    SHADOWS = Counter "catamaran_shadow_comparisons_total" ["operation,outcome"] ""
        "Calls that were asked of the other engine, too: the answers were the same, different, it failed, or it was skipped.";
    SHADOW_DIFFERENCES = Counter "catamaran_shadow_differences_total" ["operation,field"] ""
        "Fields in which the answers of the two engines differed.";
    SESSION_OPENS = Counter "catamaran_session_opens_total" ["origin,outcome"] ""
        "Opens that have ended, by where the session came from; failures by the kind of their error.";
    SESSION_OPEN_SECONDS = Histogram "catamaran_session_open_seconds" ["origin"] "seconds"
        "How long opens took that succeeded.";
    SESSION_EVENTS = Counter "catamaran_session_events_total" ["change"] ""
        "What happened to sessions.";
    SESSIONS = Gauge "catamaran_sessions" ["state"] ""
        "Sessions by their state.";
    POOL_CLAIMS = Counter "catamaran_pool_claims_total" ["outcome"] ""
        "Opens of a spec that has a warm pool: hit or miss.";
    POOL_CONTAINERS = Gauge "catamaran_pool_containers" ["state"] ""
        "Containers of the warm pools: ready or making.";
    LEASE_HELD = Gauge "catamaran_host_lease_held" [""] ""
        "Whether the host's lease stands: 1, or 0 while another may have taken its place.";
    ALERTS = Counter "catamaran_alerts_total" ["alert,severity"] ""
        "Alerts that were raised.";
    ALERTS_ACTIVE = Gauge "catamaran_alerts_active" ["alert"] ""
        "Alerts that are active.";
    AUDIT_RECORDS = Counter "catamaran_audit_records_total" ["outcome"] ""
        "Records of the audit: written or dropped.";
}

/// Whether somebody counts: nobody pays for it who doesn't look at any number.
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Begins to count, and tells the recorder what each number means and is measured in. To be called once, after the installation of
/// the process's recorder: until then nothing is counted, and costs nothing. Each thread asks the recorder for a number again after a
/// second, so an exporter may forget what has been idle for longer than that.
#[cfg(feature = "metrics")]
pub fn enable() {
    for metric in ALL {
        let unit = match metric.unit {
            "seconds" => Unit::Seconds,
            _ => Unit::Count,
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
    ENABLED.store(true, Ordering::Relaxed);
}

type Labels<'a> = &'a [(&'static str, &'static str)];

/// Whether numbers are worth the looking for.
pub(crate) fn is_enabled() -> bool {
    cfg!(feature = "metrics") && ENABLED.load(Ordering::Relaxed)
}

#[cfg(feature = "metrics")]
fn labels(labels: Labels<'_>) -> Vec<Label> {
    let label =
        |(name, value): &(&'static str, &'static str)| Label::from_static_parts(name, value);
    labels.iter().map(label).collect()
}

/// Does something with a number, where somebody counts.
macro_rules! emit {
    ($number:expr; $($unused:ident),*) => {
        #[cfg(feature = "metrics")]
        if is_enabled() {
            $number;
        }
        $(let _ = $unused;)*
    };
}

/// Counts one.
pub(crate) fn count(name: &'static str, with: Labels<'_>) {
    count_many(name, with, 1);
}

/// Counts several.
pub(crate) fn count_many(name: &'static str, with: Labels<'_>, count: u64) {
    emit!(handles::change(Instant::now(), name, with, Change::Count(count)); name, with, count);
}

/// Counts one of which a label isn't known beforehand; whoever calls it sees to it that it has few values.
pub(crate) fn count_of(name: &'static str, with: Labels<'_>, label: &'static str, value: &str) {
    emit!({
        let mut all = labels(with);
        all.push(Label::new(label, value.to_owned()));
        counter!(name, all).increment(1)
    }; name, with, label, value);
}

pub(crate) fn set(name: &'static str, with: Labels<'_>, value: f64) {
    emit!(handles::change(Instant::now(), name, with, Change::Set(value)); name, with, value);
}

pub(crate) fn time(name: &'static str, with: Labels<'_>, took: Duration) {
    emit!(At(Instant::now()).time(name, with, took); name, with, took);
}

/// A moment that has been read from the clock already: to read it takes as long as to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(Instant);

impl At {
    /// At a moment that has been read just now.
    pub(crate) fn the(now: tokio::time::Instant) -> Self {
        Self(now.into_std())
    }

    /// Counts one.
    pub(crate) fn count(self, name: &'static str, with: Labels<'_>) {
        let Self(now) = self;
        emit!(handles::change(now, name, with, Change::Count(1)); now, name, with);
    }

    pub(crate) fn time(self, name: &'static str, with: Labels<'_>, took: Duration) {
        let Self(now) = self;
        emit!(handles::change(now, name, with, Change::Took(took)); now, name, with, took);
    }

    fn add(self, name: &'static str, with: Labels<'_>, value: f64) {
        let Self(now) = self;
        emit!(handles::change(now, name, with, Change::Add(value)); now, name, with, value);
    }
}

/// One more of something, until it is dropped.
#[derive(Debug)]
pub(crate) struct OneMore {
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    counted: bool,
}

impl OneMore {
    pub(crate) fn of(name: &'static str, label: Option<(&'static str, &'static str)>) -> Self {
        if is_enabled() {
            return Self::at(At(Instant::now()), name, label);
        }
        Self {
            name,
            label,
            counted: false,
        }
    }

    pub(crate) fn at(
        at: At,
        name: &'static str,
        label: Option<(&'static str, &'static str)>,
    ) -> Self {
        at.add(name, label.as_slice(), 1.0);
        Self {
            name,
            label,
            counted: is_enabled(),
        }
    }

    pub(crate) fn end(mut self, at: At) {
        self.take_off(|| at);
    }

    fn take_off(&mut self, at: impl FnOnce() -> At) {
        if std::mem::take(&mut self.counted) {
            at().add(self.name, self.label.as_slice(), -1.0);
        }
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.take_off(|| At(Instant::now()));
    }
}
