//! How a backend and what stands on it are, fit for a `/health`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::alerts::{Alert, AlertSeverity};
use super::audit::AuditStatus;
use super::recorder::Telemetry;
use super::vitals::Path;
use crate::backend::{CallContext, ContainerBackend};
use crate::config::Mode;
use crate::deadline::Deadline;
use crate::doctor::{Finding, Severity};
use crate::endpoint::ApiVersion;
use crate::engine_kind::EngineKind;
use crate::error::{Error, Result};
use crate::model::Ping;
use crate::policy::BreakerState;
use crate::session::PoolStatus;

/// What a probe of an engine may take. Both are probed at once, so that a report takes no longer.
pub(crate) const PROBE: Duration = Duration::from_millis(500);
/// Of attempts in the last minute, how many may fail, and how many there must be to say so.
const FAILING: f64 = 0.5;
const LEAST: u64 = 5;

/// What it comes to.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is as it should be.
    Healthy,
    /// Calls are served, not all as they should be.
    Degraded,
    /// Calls aren't served.
    Unhealthy,
}

/// How a backend is, what stands on it, and why.
///
/// It tells what is known already, and what a probe of each engine shows, which has its own connections and takes no permit: it
/// neither waits behind the calls nor holds them up, and takes half a second at most.
///
/// *Live* and *ready* are two questions. Whoever isn't live should be started anew; an engine that is down is no reason, since a
/// new process would find it as it is. Whoever isn't ready should be asked for nothing new.
///
/// ```no_run
/// # async fn example(backend: catamaran::HybridBackend) {
/// let report = backend.health().await;
/// println!("{:?}: {}", report.status, report.reasons.join("; "));
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct HealthReport {
    /// What it comes to.
    pub status: HealthStatus,
    /// Why it isn't healthy: the engines first, then what stands on them.
    pub reasons: Vec<String>,
    /// Whether this process should go on: always so in a report, since one that can make it answers.
    pub live: bool,
    /// Whether it should be asked for something new: an engine serves, and the sessions' lease stands. An audit that fails is no
    /// reason not to be: only the next call finds out that it can be written again.
    pub ready: bool,
    /// When.
    #[serde(serialize_with = "time")]
    pub at: SystemTime,
    /// Which engine serves the calls.
    pub mode: Mode,
    /// Which share of them the async engine is to serve, in percent.
    pub rollout: u8,
    /// The two engines.
    pub engines: Vec<EngineHealth>,
    /// Calls, streams and pulls: what is under way and waits. Empty where the backend was made
    /// [over](crate::HybridBackend::over) others.
    pub limits: Vec<LimitHealth>,
    /// Of the calls of the last minute that the async engine was to serve, which share the blocking one served in its place, from 0
    /// to 1.
    pub fallback_share: f64,
    /// Removals that are under way in the background, of every backend of this process.
    pub removals: usize,
    /// Where a service [adds](Self::with_sessions) them.
    pub sessions: Option<SessionsHealth>,
    /// How the audit does, where there is one.
    pub audit: Option<AuditStatus>,
    /// What is the matter, where there are [alerts](crate::HybridBackend::with_alerts).
    pub alerts: Vec<Alert>,
    /// What the doctor found, where a service [adds](Self::with_findings) it.
    pub findings: Vec<Finding>,
}

/// How one engine is.
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct EngineHealth {
    /// Which.
    pub engine: EngineKind,
    /// Whether it answered the probe, or a call while it was probed.
    pub reachable: bool,
    /// How long that took, in milliseconds.
    pub probe_ms: f64,
    /// Why it didn't answer the probe.
    pub error: Option<String>,
    /// Why it isn't asked all the same: its own road doesn't lead to the other one's engine, or that isn't known.
    pub refused: Option<String>,
    /// The newest version of the API that it speaks.
    pub api_version: Option<ApiVersion>,
    /// When the engine answered an attempt last, the probe not counted.
    #[serde(serialize_with = "maybe_time")]
    pub last_success: Option<SystemTime>,
    /// Attempts of the last minute that say something of the engine: what was refused before anything was sent isn't one.
    pub attempts: u64,
    /// Which share of them failed for the path (no connection, broken off, no answer in time, malformed, or a gateway's 502 to 504),
    /// from 0 to 1; answers of the engine, its own 5xx among them, are no failures.
    pub error_rate: f64,
    /// 95 of a hundred of them took no longer, in milliseconds, within a factor of 1.42; streams, stops and execs not counted.
    pub p95_ms: Option<f64>,
    /// Whether its path is left alone.
    pub breaker: BreakerState,
}

/// How much of one kind is under way.
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct LimitHealth {
    /// `calls`, `streams` or `pulls`.
    pub kind: &'static str,
    /// That hold a permit.
    pub in_use: usize,
    /// Of so many.
    pub size: usize,
    /// That wait for one.
    pub waiting: usize,
    /// Of so many that may: what is more is refused.
    pub queue: usize,
}

/// How the sessions of a manager are, see [`SessionManager::health`](crate::session::SessionManager::health).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionsHealth {
    /// How many there are in each state.
    pub states: BTreeMap<&'static str, usize>,
    /// Opens that wait.
    pub waiting: usize,
    /// Opens that are under way.
    pub opening: usize,
    /// Whether what earlier hosts left has been seen to.
    pub recovered: bool,
    /// Whether nobody can have taken this process's place.
    pub lease_held: bool,
    /// Whether it takes no more opens, since it is being shut down.
    pub ends: bool,
    /// The warm pools.
    pub pools: Vec<PoolStatus>,
}

/// The engines with connections of their own and without permits: for probes, and for what nobody waits for.
#[derive(Default)]
pub(crate) struct Probes(OnceLock<[Arc<dyn ContainerBackend>; 2]>);

/// What a probe showed.
pub(crate) struct Probed {
    pub(crate) answer: Result<Ping>,
    began: SystemTime,
    took: Duration,
}

impl Probes {
    /// Both engines apart from the calls.
    pub(crate) fn apart(
        &self,
        engines: [&Arc<dyn ContainerBackend>; 2],
    ) -> &[Arc<dyn ContainerBackend>; 2] {
        self.0
            .get_or_init(|| engines.map(|engine| engine.detached()))
    }

    /// Probes both at once.
    pub(crate) async fn probe(&self, engines: [&Arc<dyn ContainerBackend>; 2]) -> [Probed; 2] {
        let [one, other] = self.apart(engines);
        let (one, other) = tokio::join!(probe(&**one), probe(&**other));
        [one, other]
    }
}

async fn probe(engine: &dyn ContainerBackend) -> Probed {
    let (began, since) = (SystemTime::now(), Instant::now());
    let within = Deadline::new(Some(PROBE), None);
    let quick = CallContext::new().with_deadline(within.moment());
    let engine = engine.with_context(quick);
    // A backend of the host's own may know no deadlines.
    let answer = within.bound(engine.ping()).await.and_then(|answer| answer);
    Probed {
        answer,
        began,
        took: since.elapsed(),
    }
}

/// What a report is made of.
pub(crate) struct Ground<'a> {
    pub(crate) telemetry: &'a Telemetry,
    pub(crate) probed: [Probed; 2],
    /// Why the blocking engine isn't asked by its own road.
    pub(crate) refused: Option<Error>,
    pub(crate) breakers: [BreakerState; 2],
    pub(crate) mode: Mode,
    pub(crate) rollout: u8,
    pub(crate) removals: usize,
}

impl HealthReport {
    pub(crate) fn of(ground: Ground<'_>) -> Self {
        let telemetry = ground.telemetry;
        telemetry.judge();
        let probed = (EngineKind::BOTH.into_iter())
            .zip(ground.breakers)
            .zip(ground.probed);
        let refused = |engine| {
            ground
                .refused
                .as_ref()
                .filter(|_| engine == EngineKind::Blocking)
        };
        let engines = probed.map(|((engine, breaker), probed)| EngineHealth {
            refused: refused(engine).map(|error| format!("{error:#}")),
            ..EngineHealth::of(engine, breaker, &probed, &telemetry.vitals.path(engine))
        });
        let loads = telemetry.vitals.loads().into_iter();
        let limits = loads.map(|load| LimitHealth {
            kind: load.kind,
            in_use: load.in_use,
            size: load.size,
            waiting: load.waiting,
            queue: load.queue,
        });
        Self {
            status: HealthStatus::Healthy,
            reasons: Vec::new(),
            live: true,
            ready: true,
            at: SystemTime::now(),
            mode: ground.mode,
            rollout: ground.rollout,
            engines: engines.collect(),
            limits: limits.collect(),
            fallback_share: telemetry.vitals.calls().share(),
            removals: ground.removals,
            sessions: None,
            audit: telemetry.audit.as_ref().map(|audit| audit.status()),
            alerts: (telemetry.alerts.as_ref()).map_or_else(Vec::new, |alerts| alerts.active()),
            findings: Vec::new(),
        }
        .judged()
    }

    /// Adds the sessions of a manager over the backend, which counts for what it comes to.
    ///
    /// ```no_run
    /// # use catamaran::{HybridBackend, session::SessionManager};
    /// # async fn example(backend: HybridBackend, manager: SessionManager) {
    /// let report = backend.health().await.with_sessions(manager.health());
    /// # }
    /// ```
    #[must_use]
    pub fn with_sessions(self, sessions: SessionsHealth) -> Self {
        Self {
            sessions: Some(sessions),
            ..self
        }
        .judged()
    }

    /// Adds what the [doctor](fn@crate::doctor) has found, those findings that are ok left out. A look by the doctor takes its
    /// time: a service has one when it starts.
    #[must_use]
    pub fn with_findings(self, findings: impl IntoIterator<Item = Finding>) -> Self {
        let matters = |finding: &Finding| finding.severity > Severity::Info;
        Self {
            findings: findings.into_iter().filter(matters).collect(),
            ..self
        }
        .judged()
    }

    fn engine(&self, kind: EngineKind) -> Option<&EngineHealth> {
        self.engines.iter().find(|engine| engine.engine == kind)
    }

    /// Whether calls can be served as the mode is.
    fn serves(&self) -> bool {
        let up = |kind| self.engine(kind).is_some_and(EngineHealth::serves);
        match self.mode {
            Mode::Async => up(EngineKind::Async),
            Mode::Blocking => up(EngineKind::Blocking),
            // Nothing falls back from the blocking engine.
            Mode::Auto if self.rollout == 0 => up(EngineKind::Blocking),
            Mode::Auto => up(EngineKind::Async) || up(EngineKind::Blocking),
        }
    }

    /// Says what it comes to.
    fn judged(mut self) -> Self {
        let mut reasons = Vec::new();
        let serves = self.serves();
        for engine in &self.engines {
            reasons.extend(engine.reasons(self.mode));
        }
        for limit in self.limits.iter().filter(|limit| limit.is_full()) {
            let LimitHealth {
                kind,
                size,
                waiting,
                ..
            } = limit;
            reasons.push(format!(
                "all {size} permits for {kind} are taken, and {waiting} wait"
            ));
        }
        if let Some(sessions) = &self.sessions {
            reasons.extend(sessions.reasons());
        }
        if let Some(failing) = self.audit.as_ref().and_then(|audit| audit.failing.as_ref()) {
            reasons.push(format!("the audit can't be written: {failing}"));
        }
        let matters = |alert: &&Alert| alert.severity > AlertSeverity::Info;
        for alert in self.alerts.iter().filter(matters) {
            reasons.push(format!("alert {}: {}", alert.kind.as_str(), alert.message));
        }
        for finding in &self.findings {
            reasons.push(format!("the doctor: {}: {}", finding.name, finding.seen));
        }
        self.status = match (serves, reasons.is_empty()) {
            (false, _) => HealthStatus::Unhealthy,
            (true, false) => HealthStatus::Degraded,
            (true, true) => HealthStatus::Healthy,
        };
        self.reasons = reasons;
        let takes = |sessions: &SessionsHealth| sessions.lease_held && !sessions.ends;
        self.ready = serves && self.sessions.as_ref().is_none_or(takes);
        self
    }
}

impl EngineHealth {
    fn of(engine: EngineKind, breaker: BreakerState, probed: &Probed, path: &Path) -> Self {
        let ping = &probed.answer;
        // One that is too busy for a ping may answer calls.
        let busy = path.last_success.is_some_and(|at| at >= probed.began);
        Self {
            engine,
            reachable: ping.is_ok() || busy,
            probe_ms: milliseconds(probed.took),
            error: ping.as_ref().err().map(|error| format!("{error:#}")),
            refused: None,
            api_version: ping.as_ref().ok().and_then(|ping| ping.api_version),
            last_success: path.last_success,
            attempts: path.sum.all,
            error_rate: path.sum.share(),
            p95_ms: path.sum.p95.map(milliseconds),
            breaker,
        }
    }

    fn serves(&self) -> bool {
        self.reachable && self.refused.is_none()
    }

    fn reasons(&self, mode: Mode) -> Vec<String> {
        let engine = self.engine;
        let mut reasons = Vec::new();
        let idle = match mode {
            Mode::Async => engine == EngineKind::Blocking,
            Mode::Blocking => engine == EngineKind::Async,
            Mode::Auto => false,
        };
        if let (Some(error), false) = (&self.error, idle) {
            let what = match self.reachable {
                true => "doesn't answer a ping in time, though it does answer calls",
                false => "doesn't answer",
            };
            reasons.push(format!("the {engine} engine {what}: {error}"));
        }
        if let (Some(refused), false) = (&self.refused, idle) {
            reasons.push(format!("the {engine} engine isn't asked: {refused}"));
        }
        if self.breaker != BreakerState::Closed {
            reasons.push(format!(
                "the {engine} path has failed and is left alone ({})",
                self.breaker.as_str()
            ));
        }
        if self.attempts >= LEAST && self.error_rate >= FAILING {
            reasons.push(format!(
                "{:.0} % of {} attempts by the {engine} engine failed in the last minute",
                self.error_rate * 100.0,
                self.attempts
            ));
        }
        reasons
    }
}

impl LimitHealth {
    fn is_full(&self) -> bool {
        self.in_use >= self.size && self.waiting > 0
    }
}

impl SessionsHealth {
    fn reasons(&self) -> Vec<String> {
        let pool_errors = self.pools.iter().filter_map(|pool| {
            let error = pool.last_error.as_ref()?;
            Some(format!(
                "the warm pool of {} can't be filled: {error}",
                pool.image
            ))
        });
        let states = [
            (self.ends, "it is being shut down"),
            (
                !self.lease_held,
                "its lease has run out: another may have taken its place",
            ),
            (
                !self.recovered,
                "what earlier hosts left hasn't been seen to yet",
            ),
        ];
        let states = states.into_iter().filter(|(is_so, _)| *is_so);
        states
            .map(|(_, why)| why.to_owned())
            .chain(pool_errors)
            .collect()
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

fn maybe_time<S: Serializer>(at: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}
