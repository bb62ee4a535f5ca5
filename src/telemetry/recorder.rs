//! What the pipeline tells, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::alerts::{AlertKind, AlertOptions, Alerts};
use super::audit::AuditLog;
use super::metrics::{self, At, OneMore};
use super::vitals::Vitals;
use super::window;
use crate::engine_kind::EngineKind;
use crate::error::{Error, ErrorKind};
use crate::hybrid::Reason;
use crate::operation::Operation;
use crate::policy::{BreakerState, Call, Change, Limits, Load};

/// From one judgement of how it goes to the next, while there are calls.
const JUDGED_EVERY: Duration = Duration::from_millis(500);

/// A call that has ended.
pub(crate) struct Called<'a> {
    pub(crate) call: &'a Call<'a>,
    /// That served it last.
    pub(crate) engine: EngineKind,
    pub(crate) reason: &'a Reason,
    pub(crate) ended: Instant,
    pub(crate) elapsed: Duration,
    pub(crate) failure: Option<ErrorKind>,
}

/// How it goes, and who is told.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    pub(super) vitals: Arc<Vitals>,
    pub(super) alerts: Option<Alerts>,
    pub(super) audit: Option<AuditLog>,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let telemetry = Self {
            vitals: Arc::new(Vitals::new()),
            alerts: None,
            audit: None,
        };
        // Whoever only waits for calls is seen, too.
        telemetry.show(&[]);
        telemetry
    }

    /// The permits that both engines share.
    pub(crate) fn know(&self, limits: Arc<Limits>) {
        self.vitals.know(limits);
        self.show(&self.vitals.loads());
    }

    /// Which share the async engine is to serve from now on, in percent.
    pub(crate) fn rolled_out(&self, percent: u8) {
        self.vitals.set_rollout(percent);
        self.show(&[]);
    }

    pub(crate) fn tell(&mut self, alerts: &Alerts) {
        self.alerts = Some(alerts.clone());
    }

    pub(crate) fn keep(&mut self, audit: &AuditLog) {
        self.audit = Some(audit.clone());
    }

    /// Where such a call is put on record: what only looks isn't, unless it takes files out.
    pub(crate) fn audit_of(&self, operation: Operation) -> Option<&AuditLog> {
        let looks = operation.is_read_only() && operation != Operation::GetArchive;
        self.audit.as_ref().filter(|_| !looks)
    }

    /// An attempt begins, and lasts as long as what this gives back.
    pub(crate) fn begins(&self, engine: EngineKind, now: Instant) -> OneMore {
        let by = Some(("engine", engine.as_str()));
        OneMore::at(At::the(now), metrics::IN_FLIGHT, by)
    }

    /// An attempt has ended just now; `usual` is whether how long it took says something of the engine.
    pub(crate) fn attempted(
        &self,
        engine: EngineKind,
        now: Instant,
        took: Duration,
        usual: bool,
        failure: Option<&Error>,
    ) {
        let outcome = failure.map_or("ok", |error| error.kind().as_str());
        let by = ("engine", engine.as_str());
        let at = At::the(now);
        at.count(metrics::ATTEMPTS, &[by, ("outcome", outcome)]);
        at.time(metrics::ATTEMPT_SECONDS, &[by], took);
        let away = (self.vitals).attempted(engine, now, usual.then_some(took), failure);
        if let Some(away) = away {
            metrics::count(metrics::ENGINE_RESTARTS, &[]);
            tracing::info!(%engine, ?away, "the engine is back");
            if let Some(alerts) = &self.alerts {
                let message =
                    format!("it couldn't be connected to for {away:.1?}, and answers again");
                alerts.event(AlertKind::EngineRestarted, None, message);
            }
        }
    }

    /// A path's breaker has changed. Its lock is open by then: of two changes the later one may be told first.
    pub(crate) fn breaker(&self, engine: EngineKind, change: Change, last: Option<&Error>) {
        let (by, state) = (engine.as_str(), change.state);
        metrics::count(
            metrics::BREAKER_TRANSITIONS,
            &[("engine", by), ("state", state.as_str())],
        );
        self.vitals.changed(engine, change);
        self.show(&self.vitals.loads());
        if let (Some(alerts), BreakerState::Open | BreakerState::Closed) = (&self.alerts, state) {
            let is_so = || self.vitals.is_left_alone(engine);
            let message = |is_so| match (is_so, last) {
                (false, _) => format!("the {by} path is well again"),
                (true, None) => format!("the {by} path has failed and is left alone"),
                (true, Some(last)) => {
                    format!("the {by} path has failed and is left alone; at last: {last}")
                }
            };
            alerts.settle(AlertKind::BreakerOpen, Some(by), is_so, message);
        }
    }

    /// The blocking engine takes over.
    pub(crate) fn fell_back(&self, reason: &'static str) {
        metrics::count(metrics::FALLBACKS, &[("reason", reason)]);
    }

    /// An attempt is made again after a pause.
    pub(crate) fn retried(&self, engine: EngineKind) {
        metrics::count(metrics::RETRIES, &[("engine", engine.as_str())]);
    }

    /// A look has shown what became of an attempt.
    pub(crate) fn looked(&self, verdict: &'static str) {
        metrics::count(metrics::RESOLUTIONS, &[("verdict", verdict)]);
    }

    /// A call has ended.
    pub(crate) fn called(&self, called: &Called<'_>) {
        let outcome = called.failure.map_or("ok", ErrorKind::as_str);
        let (of, by) = (
            ("operation", called.call.operation.as_str()),
            ("engine", called.engine.as_str()),
        );
        let why = ("reason", why(called.reason));
        let at = At::the(called.ended);
        at.count(metrics::CALLS, &[of, by, why, ("outcome", outcome)]);
        at.time(metrics::CALL_SECONDS, &[of, by], called.elapsed);
        let fell_back = matches!(called.reason, Reason::Breaker | Reason::Fallback { .. });
        let saturated = called.failure == Some(ErrorKind::Saturated);
        // The async engine was never to serve what the mode or the rollout gave to the other one.
        let meant = fell_back || called.engine == EngineKind::Async;
        (self.vitals).called(called.ended, meant.then_some(fell_back), saturated);
        if let (Some(ErrorKind::Weakened), Some(alerts)) = (called.failure, &self.alerts) {
            let message = "the engine made something weaker of a container than was asked for; it was removed";
            alerts.event(AlertKind::LimitsNotEffective, called.call.subject, message);
        }
        if (self.vitals).is_to_be_judged(called.ended, JUDGED_EVERY) {
            self.judge();
        }
    }

    /// Sees whether what was counted calls for somebody, or no longer does; and shows what is under way.
    pub(crate) fn judge(&self) {
        let loads = self.vitals.loads();
        self.show(&loads);
        let Some(alerts) = &self.alerts else {
            return;
        };
        alerts.tick();
        let options = alerts.options();
        self.judge_paths(alerts, options);
        let audit = self.audit.as_ref().map(AuditLog::status);
        let lost = audit
            .as_ref()
            .is_some_and(|audit| self.vitals.lost(audit.dropped));
        let lost = lost.then(|| "records are dropped: more come than it takes".to_owned());
        match audit.and_then(|audit| audit.failing).or(lost) {
            Some(failing) => alerts.raise(AlertKind::AuditFailing, None, failing),
            None => alerts.recover(AlertKind::AuditFailing, None, "it is written again"),
        }
        let calls = self.vitals.calls();
        let share = calls.share();
        let many = calls.all >= options.least_calls() && share >= options.fallback_share();
        hover(alerts, AlertKind::FallbackShare, None, many, || {
            format!(
                "{} of {} calls in the last minute were not served by the async engine that was to",
                calls.marked, calls.all
            )
        });
        let refused =
            (self.vitals.since_saturated()).is_some_and(|since| since < window::LOOKS_BACK);
        let is_full =
            |load: &&Load| load.waiting as f64 >= options.queue_share() * load.queue.max(1) as f64;
        let full = loads.iter().rfind(is_full);
        let saturated = refused || full.is_some();
        hover(alerts, AlertKind::QueueSaturated, None, saturated, || {
            match full {
            Some(load) => format!("{} {} wait, of at most {}", load.waiting, load.kind, load.queue),
            None => "calls were refused in the last minute, since too many wait or their turn didn't come".to_owned(),
        }
        });
    }

    /// Shows what goes up and down.
    fn show(&self, loads: &[Load]) {
        if !metrics::is_enabled() {
            return;
        }
        for load in loads {
            let kind = [("kind", load.kind)];
            metrics::set(metrics::PERMITS, &kind, load.in_use as f64);
            metrics::set(metrics::QUEUE, &kind, load.waiting as f64);
            metrics::set(metrics::QUEUE_SIZE, &kind, load.queue as f64);
        }
        for engine in EngineKind::BOTH {
            let state = self.vitals.breaker(engine);
            let by = ("engine", engine.as_str());
            metrics::set(metrics::BREAKER_STATE, &[by], f64::from(state));
        }
        metrics::set(metrics::ROLLOUT, &[], f64::from(self.vitals.rollout()));
    }

    fn judge_paths(&self, alerts: &Alerts, options: &AlertOptions) {
        let sum = self.vitals.path(EngineKind::Async).sum;
        // Whom the breaker leaves alone has few attempts, and has failed often enough.
        let left_alone = self.vitals.is_left_alone(EngineKind::Async);
        let enough = left_alone || sum.all >= options.least_calls();
        let failing = enough && sum.share() >= options.error_share();
        hover(alerts, AlertKind::AsyncPathFailing, None, failing, || {
            format!(
                "{} of {} attempts failed in the last minute",
                sum.marked, sum.all
            )
        });
        for engine in EngineKind::BOTH {
            let sum = self.vitals.path(engine).sum;
            let p95 = sum.p95.filter(|_| sum.timed >= options.least_calls());
            let slow = p95.is_some_and(|p95| p95 >= options.slow());
            let subject = Some(engine.as_str());
            hover(alerts, AlertKind::SlowEngine, subject, slow, || {
                format!(
                    "of {} attempts in the last minute one in twenty took {:.1?} or more",
                    sum.timed,
                    p95.unwrap_or_default()
                )
            });
        }
    }
}

/// Why that engine, as a label.
fn why(reason: &Reason) -> &'static str {
    match reason {
        Reason::Mode => "mode",
        Reason::Rollout => "rollout",
        Reason::Breaker => "breaker",
        Reason::Fallback { .. } => "fallback",
    }
}

/// Of what may come and go about its threshold.
fn hover(
    alerts: &Alerts,
    kind: AlertKind,
    subject: Option<&str>,
    is_so: bool,
    message: impl FnOnce() -> String,
) {
    match is_so {
        true => alerts.raise(kind, subject, message()),
        false => alerts.subside(kind, subject),
    }
}

#[cfg(test)]
mod tests;
