//! Which alerts are raised by what is told, and when they are over.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, advance};

use super::*;
use crate::deadline::Deadline;
use crate::error::Effect;
use crate::policy::{Breaker, Traffic};
use crate::telemetry::audit::{AuditEntry, AuditOptions, AuditSink};
use crate::{BreakerOptions, EngineKind, LimitOptions, Operation};

const LOOKS_BACK: Duration = window::LOOKS_BACK;

fn telemetry() -> (Telemetry, Alerts) {
    let (mut telemetry, alerts) = (Telemetry::new(), Alerts::default());
    telemetry.tell(&alerts);
    (telemetry, alerts)
}

impl Telemetry {
    fn attempts(&self, count: usize, took: Duration, failure: Option<ErrorKind>) {
        let failure = failure.map(|kind| Error::new(kind, "no"));
        for _ in 0..count {
            self.attempted(
                EngineKind::Async,
                Instant::now(),
                took,
                true,
                failure.as_ref(),
            );
        }
    }

    fn calls(&self, count: usize, engine: EngineKind, reason: &Reason, failure: Option<ErrorKind>) {
        for _ in 0..count {
            self.called(&Called {
                call: &Operation::Create.into(),
                engine,
                reason,
                ended: Instant::now(),
                elapsed: Duration::ZERO,
                failure,
            });
        }
    }
}

fn fallback() -> Reason {
    Reason::Fallback {
        kind: ErrorKind::Connect,
        effect: Effect::NotSent,
        message: String::new(),
    }
}

fn kinds(alerts: &Alerts) -> Vec<AlertKind> {
    alerts.active().iter().map(|alert| alert.kind).collect()
}

/// What is judged by a share: raised at once, it lasts for as long as it is so, and an event window longer.
async fn comes_and_goes(telemetry: &Telemetry, alerts: &Alerts, kind: AlertKind) {
    telemetry.judge();
    assert_eq!(kinds(alerts), [kind]);
    advance(LOOKS_BACK).await;
    telemetry.judge();
    let window = alerts.options().event_window();
    advance(window - Duration::from_millis(1)).await;
    telemetry.judge();
    assert_eq!(kinds(alerts), [kind], "it may come back");
    advance(Duration::from_millis(1)).await;
    telemetry.judge();
    assert_eq!(kinds(alerts), []);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_fails() {
    let (telemetry, alerts) = telemetry();
    telemetry.attempts(19, Duration::ZERO, Some(ErrorKind::Transport));
    telemetry.judge();
    assert_eq!(kinds(&alerts), [], "these are too few");
    telemetry.attempts(1000, Duration::ZERO, Some(ErrorKind::Saturated));
    telemetry.judge();
    assert_eq!(kinds(&alerts), [], "and these say nothing of it");
    telemetry.attempts(19, Duration::ZERO, None);
    comes_and_goes(&telemetry, &alerts, AlertKind::AsyncPathFailing).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_slow() {
    let (telemetry, alerts) = telemetry();
    telemetry.attempts(20, Duration::from_secs(1), None);
    telemetry.attempts(20, Duration::from_secs(9), Some(ErrorKind::Saturated));
    telemetry.judge();
    assert_eq!(kinds(&alerts), []);
    telemetry.attempts(2, Duration::from_secs(3), None);
    comes_and_goes(&telemetry, &alerts, AlertKind::SlowEngine).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_other_engine_served() {
    let (telemetry, alerts) = telemetry();
    telemetry.calls(2, EngineKind::Blocking, &fallback(), None);
    telemetry.calls(1, EngineKind::Blocking, &Reason::Breaker, None);
    telemetry.calls(28, EngineKind::Async, &Reason::Mode, None);
    telemetry.judge();
    assert_eq!(kinds(&alerts), [], "3 of 31");
    // The async engine was never to serve these.
    telemetry.calls(90, EngineKind::Blocking, &Reason::Rollout, None);
    telemetry.calls(90, EngineKind::Blocking, &Reason::Mode, None);
    telemetry.calls(1, EngineKind::Blocking, &fallback(), None);
    comes_and_goes(&telemetry, &alerts, AlertKind::FallbackShare).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_find_no_place() {
    let (telemetry, alerts) = telemetry();
    telemetry.calls(
        1,
        EngineKind::Async,
        &Reason::Mode,
        Some(ErrorKind::Saturated),
    );
    comes_and_goes(&telemetry, &alerts, AlertKind::QueueSaturated).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_nearly_full() {
    let (telemetry, alerts) = telemetry();
    let options = LimitOptions::default()
        .with_calls(1usize)
        .with_queue(1usize);
    let limits = Arc::new(Limits::new(&options));
    telemetry.know(Arc::clone(&limits));
    let turn = || Box::pin(limits.turn(Traffic::Call, None, Deadline::none(), Instant::now()));
    let held = turn().await.expect("a permit");
    let mut waits = turn();
    assert!(futures::poll!(&mut waits).is_pending());
    telemetry.judge();
    assert_eq!(kinds(&alerts), [AlertKind::QueueSaturated]);
    drop((held, waits));
    telemetry.judge();
    advance(alerts.options().event_window()).await;
    telemetry.judge();
    assert_eq!(kinds(&alerts), []);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_away() {
    let (telemetry, alerts) = telemetry();
    for _ in 0..2 {
        telemetry.attempts(1, Duration::ZERO, Some(ErrorKind::Connect));
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(kinds(&alerts), [], "it still is");
    telemetry.attempts(1, Duration::ZERO, None);
    assert_eq!(kinds(&alerts), [AlertKind::EngineRestarted]);
    advance(alerts.options().event_window()).await;
    assert_eq!(kinds(&alerts), []);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_was_made_weaker() {
    let (telemetry, alerts) = telemetry();
    telemetry.calls(
        1,
        EngineKind::Async,
        &Reason::Mode,
        Some(ErrorKind::Weakened),
    );
    assert_eq!(kinds(&alerts), [AlertKind::LimitsNotEffective]);
    advance(alerts.options().event_window()).await;
    assert_eq!(kinds(&alerts), []);
}

/// A disk that is full, until it isn't.
struct Disk(Arc<AtomicBool>);

impl AuditSink for Disk {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn an_audit_that_cannot_be_written() {
    let (mut telemetry, alerts) = telemetry();
    let full = Arc::new(AtomicBool::new(true));
    let audit = AuditLog::new(Disk(Arc::clone(&full)), AuditOptions::default());
    let audit = audit.expect("a log");
    telemetry.keep(&audit);
    telemetry.judge();
    assert_eq!(kinds(&alerts), []);
    let mut failing = audit.failing();
    let entry = AuditEntry::new(Operation::Create, EngineKind::Async);
    drop(audit.append(entry));
    let fails = failing.wait_for(Option::is_some).await;
    drop(fails.expect("it lives"));
    telemetry.judge();
    assert_eq!(kinds(&alerts), [AlertKind::AuditFailing]);
    full.store(false, Ordering::SeqCst);
    let well = failing.wait_for(Option::is_none).await;
    drop(well.expect("it lives"));
    telemetry.judge();
    assert_eq!(kinds(&alerts), [], "at once");
}

/// A breaker, and who is told of its changes, in whichever order.
struct Told {
    telemetry: Telemetry,
    alerts: Alerts,
    breaker: Arc<Breaker>,
}

impl Told {
    fn new() -> Self {
        let (telemetry, alerts) = telemetry();
        let options = BreakerOptions::default().with_failures(1u32);
        let breaker = Breaker::new(EngineKind::Async, options);
        Self {
            telemetry,
            alerts,
            breaker,
        }
    }

    fn fails(&self) -> Change {
        let gone: Result<(), _> = Err(Error::new(ErrorKind::Connect, "gone"));
        let pass = self
            .breaker
            .admit(Instant::now())
            .expect("it lets one through");
        pass.ended(&gone).expect("it opens")
    }

    async fn is_well(&self) -> Change {
        advance(Duration::from_secs(5)).await;
        let pass = self.breaker.admit(Instant::now()).expect("a probe");
        pass.ended(&Ok(())).expect("it closes")
    }

    fn tell(&self, change: Change) -> bool {
        self.telemetry.breaker(EngineKind::Async, change, None);
        kinds(&self.alerts) == [AlertKind::BreakerOpen]
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_that_is_left_alone() {
    let told = Told::new();
    let opened = told.fails();
    assert!(told.tell(opened), "at once");
    advance(Duration::from_secs(5)).await;
    let pass = told.breaker.admit(Instant::now()).expect("a probe");
    assert!(told.tell(pass.probe().expect("it is one")));
    assert_eq!(told.telemetry.vitals.breaker(EngineKind::Async), 1);
    let closed = pass.ended(&Ok(())).expect("it closes");
    assert!(!told.tell(closed), "at once");
}

#[tokio::test(start_paused = true)]
async fn of_two_changes_the_later_one_holds_whichever_is_told_last() {
    let told = Told::new();
    let (opened, closed) = (told.fails(), told.is_well().await);
    assert!(!told.tell(closed));
    assert!(!told.tell(opened), "it is closed by now");
    assert_eq!(told.telemetry.vitals.breaker(EngineKind::Async), 0);
    let opened = told.fails();
    assert!(told.tell(opened));
    let (closed, opened) = (told.is_well().await, told.fails());
    assert!(told.tell(opened));
    assert!(told.tell(closed), "it is open by now");
    assert_eq!(told.telemetry.vitals.breaker(EngineKind::Async), 2);
    // Another breaker in its place.
    let anew = Told {
        breaker: Breaker::new(
            EngineKind::Async,
            BreakerOptions::default().with_failures(1u32),
        ),
        ..told
    };
    assert!(anew.tell(anew.fails()));
    assert!(!anew.tell(anew.is_well().await));
}
