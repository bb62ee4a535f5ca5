//! What an alert says.

use std::fmt;
use std::time::SystemTime;

use futures::stream::BoxStream;
use serde::Serialize;

use crate::model::boxed_stream;

/// What is the matter. As JSON and as a label of the metrics it is the name in snake case.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Of the attempts by the async engine a large share fails for its path
    /// ([`AlertOptions::error_share`](super::AlertOptions::error_share)).
    AsyncPathFailing,
    /// An engine's path has failed so often in a row that it is left alone; it recovers when the breaker closes.
    BreakerOpen,
    /// A large share of the calls is served by the blocking engine because the async one's path failed
    /// ([`AlertOptions::fallback_share`](super::AlertOptions::fallback_share)).
    FallbackShare,
    /// An engine takes long to answer ([`AlertOptions::slow`](super::AlertOptions::slow)).
    SlowEngine,
    /// The queue for permits is nearly full, or calls were refused for it
    /// ([`AlertOptions::queue_share`](super::AlertOptions::queue_share)).
    QueueSaturated,
    /// No connection could be made to the engine, and now one can: most often it was restarted.
    EngineRestarted,
    /// A container has weaker limits than were asked for.
    LimitsNotEffective,
    /// A container, a volume or a network was found that no session has: its session is gone, or whoever made it died before anybody had
    /// got it. A session that is adopted from a dead instance is none.
    OrphansFound,
    /// What is done can't be put on record.
    AuditFailing,
}

/// How urgent an alert is; a greater one is more so.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// Worth knowing: nobody need do anything.
    Info,
    /// Somebody should look, today: users are served, though worse.
    Warning,
    /// Somebody should look, now: calls fail, or what was promised doesn't hold.
    Critical,
}

impl AlertSeverity {
    /// The name in snake case, as in JSON, in the metrics and in the rules for Prometheus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for AlertSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What there is to say of a kind: its severity and its advice, which ends with its place in the runbook.
macro_rules! advice {
    ($severity:ident, $advice:literal, $anchor:literal) => {
        (
            AlertSeverity::$severity,
            concat!($advice, " (docs/runbook.md#", $anchor, ")"),
        )
    };
}

impl AlertKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::AsyncPathFailing,
        Self::BreakerOpen,
        Self::FallbackShare,
        Self::SlowEngine,
        Self::QueueSaturated,
        Self::EngineRestarted,
        Self::LimitsNotEffective,
        Self::OrphansFound,
        Self::AuditFailing,
    ];

    /// The name in snake case, as in JSON and in the metrics.
    ///
    /// ```
    /// use catamaran::telemetry::alerts::AlertKind;
    ///
    /// assert_eq!(AlertKind::SlowEngine.as_str(), "slow_engine");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsyncPathFailing => "async_path_failing",
            Self::BreakerOpen => "breaker_open",
            Self::FallbackShare => "fallback_share",
            Self::SlowEngine => "slow_engine",
            Self::QueueSaturated => "queue_saturated",
            Self::EngineRestarted => "engine_restarted",
            Self::LimitsNotEffective => "limits_not_effective",
            Self::OrphansFound => "orphans_found",
            Self::AuditFailing => "audit_failing",
        }
    }

    /// How urgent it is.
    #[must_use]
    pub fn severity(self) -> AlertSeverity {
        self.facts().0
    }

    /// What to do first, in one line, and where in the runbook the rest is.
    ///
    /// ```
    /// use catamaran::telemetry::alerts::AlertKind;
    ///
    /// assert!(AlertKind::SlowEngine.advice().ends_with("(docs/runbook.md#slow-engine)"));
    /// ```
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.facts().1
    }

    fn facts(self) -> (AlertSeverity, &'static str) {
        match self {
            Self::AsyncPathFailing => advice!(
                Critical,
                "run the doctor where the service runs, and see that the daemon lives; USE_ASYNC_DOCKER=false does without this path",
                "async-path-failing"
            ),
            Self::BreakerOpen => advice!(
                Warning,
                "nothing to reset: a probe closes it; run the doctor where the service runs to see what fails",
                "breaker-open"
            ),
            Self::FallbackShare => advice!(
                Warning,
                "users are served by the blocking engine: find what fails on the async path before the load grows",
                "fallback-share"
            ),
            Self::SlowEngine => advice!(
                Warning,
                "look at the engine's machine first: processors, disk, and how many containers it has",
                "slow-engine"
            ),
            Self::QueueSaturated => advice!(
                Warning,
                "see whether the engine is slow; if it isn't, raise ASYNC_POOL_SIZE or its kin, or send fewer calls",
                "queue-saturated"
            ),
            Self::EngineRestarted => advice!(
                Warning,
                "find out who restarted it, and whether live-restore is on; sessions whose containers ended need a look",
                "engine-restarted"
            ),
            Self::LimitsNotEffective => advice!(
                Critical,
                "let nothing untrusted into it; run the doctor with an image to see which limits the kernel really holds",
                "limits-not-effective"
            ),
            Self::OrphansFound => advice!(
                Info,
                "it is removed by itself; where it comes often, find out which process died while it made a session",
                "orphans-found"
            ),
            Self::AuditFailing => advice!(
                Critical,
                "make room or set the rights where the audit log is written: until then there is no proof of what was done",
                "audit-failing"
            ),
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an alert begins or ends.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It is so.
    Raised,
    /// It isn't so any more.
    Recovered,
}

/// Something that somebody should know of. `Display` is one line, made for a message.
///
/// Times are of this machine's clock, and RFC 3339 as JSON.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// What is the matter.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: AlertSeverity,
    /// With what: an engine, a kind of permits, a session's key …, cut after 256 characters. `None` where there is but one, or where
    /// it stands for more than are told apart.
    pub subject: Option<String>,
    /// Whether it begins or ends.
    pub state: AlertState,
    /// What was seen, or seen last, on one line, cut after 512 characters.
    pub message: String,
    /// What to do first, and where in the runbook the rest is.
    pub advice: &'static str,
    /// When it began.
    #[serde(with = "humantime_serde")]
    pub since: SystemTime,
    /// When it was seen last; of one that has recovered, when that was noticed.
    #[serde(with = "humantime_serde")]
    pub at: SystemTime,
    /// How often it was raised again since it began.
    pub count: u64,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            AlertState::Raised => write!(f, "{} {}", self.severity, self.kind)?,
            AlertState::Recovered => write!(f, "recovered {}", self.kind)?,
        }
        if let Some(subject) = &self.subject {
            write!(f, " [{subject}]")?;
        }
        write!(f, ": {}", self.message)?;
        match (self.state, self.count) {
            (AlertState::Raised, 1..) => write!(f, " (raised again: {})", self.count),
            _ => Ok(()),
        }
    }
}

/// What a subscriber is told. As JSON it is an object whose `notice` is the variant's name.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum AlertNotice {
    /// An alert begins or ends.
    Alert(Alert),
    /// This subscriber was too slow: so many notices were lost to it at this place. [`Alerts::active`](super::Alerts::active)
    /// says what there is now.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// The alerts that are told, from the subscription on.
///
/// Whoever doesn't keep up isn't waited for: the oldest notices are lost to it, and a [`Gap`](AlertNotice::Gap) stands in their
/// place.
///
/// ```no_run
/// use catamaran::telemetry::alerts::{AlertNotice, Alerts};
/// use futures::StreamExt;
///
/// # async fn example(alerts: Alerts) {
/// let mut events = alerts.subscribe();
/// while let Some(notice) = events.next().await {
///     match notice {
///         AlertNotice::Alert(alert) => println!("{alert}"),
///         AlertNotice::Gap { missed } => println!("{missed} were missed: {:?}", alerts.active()),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// # Cancel safety
/// Waiting for the next may be dropped: nothing is lost.
pub struct AlertEvents(pub(super) BoxStream<'static, AlertNotice>);

boxed_stream!(AlertEvents of AlertNotice);
