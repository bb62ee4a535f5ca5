//! The parts of the pipeline together, on the fake engine: what an outage costs, what transient faults do, how a path
//! comes back, and a host's own part.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catamaran::model::{
    ContainerRef, ContainerSpec, ImageRef, KillOptions, ListOptions, RemoveOptions, Resources,
    UpdateOptions,
};
use catamaran::testing::{FakeEngine, Fault, Hold, Rule, When};
use catamaran::{
    Attempt, BreakerState, CallContext, CallReport, ContainerBackend, Effect, EngineKind, Error,
    ErrorKind, Gate, HybridBackend, LastCall, Mode, Operation, Passed, Reason, Result,
    RetryOptions,
};
use futures::future::{BoxFuture, ready};
use futures::{FutureExt, StreamExt};

async fn fake() -> (FakeEngine, HybridBackend) {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let config = engine.config().expect("a configuration");
    let backend = HybridBackend::new(&config).expect("a backend");
    backend.ping().await.expect("a pong");
    (engine, backend)
}

fn spec() -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
}

#[tokio::test]
async fn an_outage_costs_little_more_than_what_is_asked() {
    let (engine, backend) = fake().await;
    let rule = engine.faults().add(Rule::any(Fault::DropAnswer));
    let sent = || engine.faults().count(rule).matched;
    // Until both breakers are open: so many failures in a row for each, and no more for the calls under way.
    let calls = (0..10).map(|_| backend.info());
    for answer in futures::future::join_all(calls).await {
        answer.expect_err("an outage");
    }
    let opened = sent();
    assert!(opened <= 10 * 2 * 5, "{opened} requests of ten calls");
    for engine in [EngineKind::Async, EngineKind::Blocking] {
        assert_ne!(backend.breaker(engine), BreakerState::Closed, "{engine}");
    }
    let asked = 1000;
    for _ in 0..asked {
        backend.info().await.expect_err("an outage");
    }
    let sent = sent() - opened;
    assert!(sent * 5 <= asked * 6, "{sent} requests of {asked} calls");
}

/// What a call earns for further tries its own looks don't earn again.
#[tokio::test]
async fn looks_earn_no_further_tries() {
    let (engine, backend) = fake().await;
    let id = backend.create(&spec()).await.expect("a container").id;
    let path = format!("/containers/{id}");
    let lost = Rule::new("DELETE", path, Fault::ResetRequest(1));
    let lost = engine.faults().add(lost);
    let one_more = RetryOptions::default().with_budget(1.0, 1);
    let backend = backend.with_mode(Mode::Async).with_retry(one_more);
    let removed = backend.remove(&id, &RemoveOptions::default()).await;
    let error = removed.expect_err("it never gets there");
    assert_eq!(engine.faults().count(lost).matched, 2, "{error:#}");
}

/// Whoever hears of calls hears of one that is given up, too.
#[tokio::test]
async fn a_call_that_is_dropped_is_reported() {
    let (engine, backend) = fake().await;
    let held = Rule::new("GET", "/info", Fault::HoldAnswerUntil(Hold::new()));
    let held = engine.faults().add(held);
    let last = Arc::new(LastCall::default());
    let seen = backend.with_observer(last.clone());
    tokio::select! {
        answer = seen.info() => panic!("nobody answers: {answer:?}"),
        () = engine.faults().until(held, |count| count.matched > 0) => {}
    }
    let report = last.get().expect("a report");
    assert_eq!(
        (report.operation, report.failure),
        (Operation::Info, Some(ErrorKind::Cancelled))
    );
}

#[tokio::test]
async fn transient_faults_are_not_seen() {
    let (engine, backend) = fake().await;
    engine.faults().seed(7);
    let faults = [
        Fault::Refuse,
        Fault::DropAnswer,
        Fault::Truncate(1),
        Fault::Status(503),
    ];
    for fault in faults {
        let rule = Rule::any(fault).when(When::Chance(0.025));
        engine.faults().add(rule);
    }
    let (calls, options) = (10_000, ListOptions::all());
    let answers = futures::stream::iter(0..calls).map(|_| backend.list(&options));
    let failed = answers
        .buffer_unordered(32)
        .filter(|answer| ready(answer.is_err()));
    let failed = failed.count().await;
    let met: u64 = (0..4).map(|rule| engine.faults().count(rule).faulted).sum();
    assert!(met * 12 > calls, "{met} faults in {calls} calls");
    assert!(failed <= 1, "{failed} of {calls} failed");
}

#[tokio::test]
async fn a_path_that_is_well_again_serves_again() {
    let (mut engine, backend) = fake().await;
    let last = Arc::new(LastCall::default());
    let seen = backend.with_observer(last.clone());
    engine.disconnect();
    while backend.breaker(EngineKind::Blocking) == BreakerState::Closed {
        seen.info().await.expect_err("it is away");
    }
    let error = seen.info().await.expect_err("it is away still");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Unavailable, Effect::NotSent),
        "{error}"
    );
    assert!(
        error.retry_after().is_some() && error.to_string().contains("docker.sock"),
        "{error}"
    );
    let report = last.get().expect("a report");
    assert_eq!(
        (report.attempts, report.failure),
        (0, Some(ErrorKind::Unavailable))
    );
    engine.reconnect().await.expect("the same place");
    let well = async {
        while backend.breaker(EngineKind::Async) != BreakerState::Closed {
            let asked = seen.info().await;
            tokio::time::sleep(asked.map_or(Duration::from_millis(10), |_| Duration::ZERO)).await;
        }
    };
    let well = tokio::time::timeout(Duration::from_secs(60), well).await;
    well.expect("it comes back by itself");
    seen.info().await.expect("an answer");
    let report = last.get().expect("a report");
    assert_eq!(
        (report.engine, report.reason),
        (EngineKind::Async, Reason::Mode)
    );
}

/// Where only the async path fails, the blocking one serves, and at once when the breaker is open.
#[tokio::test]
async fn an_open_breaker_leads_straight_to_the_other_path() {
    let (engine, well) = fake().await;
    let nowhere = catamaran::Endpoint::unix("/nonexistent/docker.sock");
    let broken = catamaran::AsyncEngine::connect(nowhere).expect("an engine");
    let config = engine.config().expect("a configuration");
    let blocking = catamaran::BlockingEngine::new(&config).expect("an engine");
    let last = Arc::new(LastCall::default());
    let backend = HybridBackend::over(Arc::new(broken), Arc::new(blocking));
    let seen = backend.with_observer(last.clone());
    for call in 0..20 {
        seen.info().await.expect("by the other path");
        let report = last.get().expect("a report");
        assert_eq!(report.engine, EngineKind::Blocking);
        let (reason, attempts) = (report.reason, report.attempts);
        match call {
            0..5 => assert!(
                matches!(reason, Reason::Fallback { .. }) && attempts == 2,
                "{reason}"
            ),
            // Now and then one finds out whether it is well again.
            _ if attempts == 2 => assert!(matches!(reason, Reason::Fallback { .. }), "{reason}"),
            _ => assert_eq!((reason, attempts), (Reason::Breaker, 1)),
        }
    }
    assert_eq!(backend.breaker(EngineKind::Blocking), BreakerState::Closed);
    well.info()
        .await
        .expect("another backend's breakers are its own");
}

/// Refuses what changes anything, and keeps what it was asked.
#[derive(Default)]
struct ReadOnly {
    asked: Mutex<Vec<(Operation, EngineKind, u32)>>,
    failed: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Passed for Counted {
    fn ended(self: Box<Self>, failure: Option<&Error>) {
        self.0
            .fetch_add(usize::from(failure.is_some()), Ordering::Relaxed);
    }
}

#[async_trait]
impl Gate for ReadOnly {
    async fn pass(&self, attempt: Attempt) -> Result<Box<dyn Passed>> {
        let mut asked = self.asked.lock().expect("what was asked");
        asked.push((attempt.operation, attempt.engine, attempt.number));
        match attempt.operation.is_read_only() {
            true => Ok(Box::new(Counted(Arc::clone(&self.failed)))),
            false => Err(Error::new(ErrorKind::Unsupported, "this host only looks")),
        }
    }
}

#[tokio::test]
async fn a_hosts_own_part_stands_before_every_attempt() {
    let (engine, backend) = fake().await;
    let gate = Arc::new(ReadOnly::default());
    let looking = backend.with_gate(gate.clone());
    let error = looking.create(&spec()).await.expect_err("it is refused");
    assert_eq!(
        (error.kind(), error.effect(), error.operation()),
        (
            ErrorKind::Unsupported,
            Effect::NotSent,
            Some(Operation::Create)
        ),
        "{error}"
    );
    assert!(engine.containers().is_empty());
    let rule = Rule::new("GET", "/info", Fault::Refuse).when(When::First(1));
    engine.faults().add(rule);
    looking.info().await.expect("the second attempt");
    backend
        .create(&spec())
        .await
        .expect("another handle has no gate");
    assert_eq!(
        *gate.asked.lock().expect("what was asked"),
        [
            (Operation::Create, EngineKind::Async, 1),
            (Operation::Info, EngineKind::Async, 1),
            (Operation::Info, EngineKind::Blocking, 2),
        ]
    );
    assert_eq!(gate.failed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_call_may_be_tried_once_alone() {
    let (engine, backend) = fake().await;
    let rule = engine
        .faults()
        .add(Rule::new("GET", "/info", Fault::Refuse));
    let (kept, attempts) = (Arc::new(AtomicUsize::new(0)), |report: &CallReport| {
        report.attempts as usize
    });
    let observer = Arc::clone(&kept);
    let once = backend
        .with_mode(Mode::Async)
        .with_retry(RetryOptions::never())
        .with_observer(Arc::new(move |report: &CallReport| {
            observer.store(attempts(report), Ordering::Relaxed);
        }));
    once.info().await.expect_err("one try");
    assert_eq!(
        (
            kept.load(Ordering::Relaxed),
            engine.faults().count(rule).matched
        ),
        (1, 1)
    );
}

/// A creation whose caller goes away at any moment leaves nothing.
#[tokio::test]
async fn a_creation_that_is_dropped_leaves_nothing() {
    let (engine, backend) = fake().await;
    let (spec, mut made) = (spec(), 0);
    for polls in 0..40 {
        let created = {
            let mut create = std::pin::pin!(backend.create(&spec));
            let mut created = None;
            for _ in 0..polls {
                if let std::task::Poll::Ready(answer) = futures::poll!(&mut create) {
                    created = Some(answer);
                    break;
                }
                tokio::task::yield_now().await;
            }
            created
        };
        if let Some(created) = created {
            let id = created.expect("a container").id;
            let force = catamaran::model::RemoveOptions::force();
            backend.remove(&id, &force).await.expect("a removal");
            made += 1;
        }
    }
    assert!(made < 40, "some were dropped on the way");
    backend
        .shutdown(Duration::from_secs(60))
        .await
        .expect("all is cleaned up");
    assert_eq!(engine.containers(), []);
}

/// An engine that acts when nobody waits any longer, half a minute after its caller was told that nobody knows.
#[tokio::test]
async fn a_creation_that_comes_late_is_removed_all_the_same() {
    let (engine, backend) = fake().await;
    let hold = Hold::new();
    let create = Rule::new(
        "POST",
        "/containers/create",
        Fault::DelayRequestUntil(hold.clone()),
    );
    let rule = engine.faults().add(create);
    let hurried = backend.with_context(CallContext::new().with_timeout(Duration::from_secs(1)));
    let error = hurried.create(&spec()).await.expect_err("no answer");
    assert_eq!(error.effect(), Effect::Unknown);
    let looks = engine.faults().add(Rule::new(
        "GET",
        "/containers/json",
        Fault::Latency(Duration::ZERO),
    ));
    let waited = backend.shutdown(Duration::from_secs(60)).await;
    waited.expect("it is waited for for half a minute");
    let before = engine.faults().count(looks).matched;
    hold.release();
    engine.faults().until(rule, |count| count.acted > 0).await;
    engine
        .faults()
        .until(looks, |count| count.matched > before)
        .await;
    let gone = async {
        while !engine.containers().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(60), gone).await;
    gone.expect("it is removed");
}

/// A gateway's answer says nothing of what the engine has done, though a second attempt is none too many.
#[tokio::test]
async fn an_update_that_a_gateway_answered_may_have_happened() {
    let (engine, backend) = fake().await;
    let id = backend.create(&spec()).await.expect("a container").id;
    let backend = backend.with_retry(RetryOptions::never());
    let path = format!("/containers/{id}/update");
    let gateways = Rule::new("POST", path, Fault::StatusAfter(504));
    let rule = engine.faults().add(gateways);
    let resources = Resources::default().with_pids(7_u32);
    let options = UpdateOptions::default().with_resources(resources);
    let error = backend.update(&id, &options).await.expect_err("a 504");
    assert_eq!(engine.faults().count(rule).acted, 1);
    assert_eq!(error.effect(), Effect::Unknown, "{error}");
}

#[tokio::test]
async fn a_start_of_a_paused_container_is_refused_though_its_answer_was_lost() {
    let (engine, backend) = fake().await;
    let spec = spec().with_command(["sleep", "600"]);
    let id = backend.create(&spec).await.expect("a container").id;
    backend.start(&id).await.expect("a start");
    backend.pause(&id).await.expect("a pause");
    let lost = Rule::new("POST", format!("/containers/{id}/start"), Fault::DropAnswer);
    engine.faults().add(lost.when(When::First(1)));
    let error = backend.start(&id).await.expect_err("it is paused");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(error.effect(), Effect::Rejected, "{error}");
}

/// What wasn't running when the call looked, and was started by somebody else before its attempt: the engine may have
/// done it all the same, and a second refusal says nothing of the first.
#[tokio::test]
async fn what_another_caller_has_made_possible_is_not_said_to_be_refused() {
    type Ask = fn(HybridBackend, ContainerRef) -> BoxFuture<'static, Result<()>>;
    let asks: [(&str, Ask); 2] = [
        ("pause", |backend, id| {
            async move { backend.pause(&id).await }.boxed()
        }),
        ("kill", |backend, id| {
            async move { backend.kill(&id, &KillOptions::default()).await }.boxed()
        }),
    ];
    for (verb, ask) in asks {
        let (engine, backend) = fake().await;
        let spec = spec().with_command(["sleep", "600"]);
        let id = backend.create(&spec).await.expect("a container").id;
        let (looks, hold) = (format!("/containers/{id}/json"), Hold::new());
        let held = Fault::HoldAnswerUntil(hold.clone());
        let held = Rule::new("GET", &looks, held).when(When::First(1));
        let held = engine.faults().add(held);
        let lost = Rule::new(
            "POST",
            format!("/containers/{id}/{verb}"),
            Fault::DropAnswer,
        );
        engine.faults().add(lost.when(When::First(1)));
        let another = async {
            engine.faults().until(held, |count| count.acted == 1).await;
            backend.start(&id).await.expect("a start");
            hold.release();
        };
        let (asked, ()) = tokio::join!(ask(backend.clone(), id.clone()), another);
        let said = asked.as_ref().map_err(Error::effect);
        assert!(
            matches!(said, Ok(()) | Err(Effect::Unknown)),
            "{verb}: {asked:?}"
        );
    }
}

/// Two attempts of one creation, the first the later, and a caller that goes away: both go.
#[tokio::test]
async fn a_creation_that_comes_late_twice_leaves_nothing() {
    let (engine, backend) = fake().await;
    let (faults, hold, path) = (engine.faults(), Hold::new(), "/containers/create");
    let late = Rule::new("POST", path, Fault::DelayRequestUntil(hold.clone()));
    let late = faults.add(late.when(When::First(1)));
    let held = Fault::HoldAnswerUntil(Hold::new());
    let held = faults.add(Rule::new("POST", path, held));
    let bounded = CallContext::new().with_timeout(Duration::from_secs(6));
    let (bounded, spec) = (backend.with_mode(Mode::Async).with_context(bounded), spec());
    tokio::select! {
        created = bounded.create(&spec) => panic!("nobody answers: {created:?}"),
        () = faults.until(held, |count| count.acted == 1) => {}
    }
    let gone = async |count| {
        let gone = engine.journal();
        let gone = gone.until("DELETE", "/containers/", count);
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        gone.expect("the janitor finds it");
    };
    gone(1).await;
    hold.release();
    faults.until(late, |count| count.acted == 1).await;
    gone(2).await;
}
