//! Faults on the way to a real engine: what becomes of a creation, seen at the engine itself, and what the error says.

mod common;

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{ContainerName, ContainerRef, ContainerSpec, RemoveOptions};
use catamaran::testing::{Fault, FaultProxy, Hold, Rule, When};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, Effect, ErrorKind,
    conformance,
};
use common::{config, exists, image, shell, unique, witness};

/// Time enough for a call that nothing holds up, and the whole wait of one that is held up.
const PATIENCE: Duration = Duration::from_secs(5);

async fn proxy() -> FaultProxy {
    let proxy = FaultProxy::start(config().endpoint()).await;
    proxy.expect("a way to the engine")
}

fn engines(config: &Config) -> [(&'static str, Arc<dyn ContainerBackend>); 2] {
    let bounded = CallContext::new().with_timeout(PATIENCE);
    let (by_async, by_blocking) = (AsyncEngine::new(config), BlockingEngine::new(config));
    [
        (
            "async",
            by_async.expect("an engine").with_context(bounded.clone()),
        ),
        (
            "blocking",
            by_blocking.expect("an engine").with_context(bounded),
        ),
    ]
}

async fn spec(name: &ContainerName) -> ContainerSpec {
    shell(name, "true").await
}

async fn remove(name: &ContainerName) {
    let container = ContainerRef::from(name.clone());
    let removed = witness().remove(&container, &RemoveOptions::force()).await;
    removed.expect("it was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_tells_what_is_known_of_a_creation() {
    let held = Hold::new();
    // What goes wrong, whether the container is there afterwards, and what the error may say of that.
    let faults = [
        (
            Fault::Refuse,
            false,
            &[Effect::Unknown, Effect::NotSent][..],
        ),
        (Fault::ResetRequest(10), false, &[Effect::Unknown]),
        (Fault::Status(503), false, &[Effect::Rejected]),
        (Fault::RetryAfter(503, 7), false, &[Effect::Rejected]),
        (Fault::DropAnswer, true, &[Effect::Unknown]),
        (Fault::HoldAnswerUntil(held), true, &[Effect::Unknown]),
        (Fault::HoldAnswer(PATIENCE * 2), true, &[Effect::Unknown]),
        (Fault::Truncate(10), true, &[Effect::Unknown]),
        (Fault::Malformed, true, &[Effect::Unknown]),
    ];
    let proxy = proxy().await;
    for (backend_name, backend) in engines(&proxy.config().expect("a configuration")) {
        backend.ping().await.expect("without a fault all is well");
        for (index, (fault, made, effects)) in faults.iter().enumerate() {
            let told = format!("{backend_name}: {fault:?}");
            let name = unique(&format!("faults-{backend_name}-{index}"));
            let rule = Rule::new("POST", "/containers/create", fault.clone());
            proxy.faults().clear();
            let rule = proxy.faults().add(rule);
            let error = backend.create(&spec(&name).await).await.expect_err(&told);
            assert!(effects.contains(&error.effect()), "{told}: {error}");
            assert_eq!(exists(&name).await, *made, "{told}: {error}");
            let count = proxy.faults().count(rule);
            assert_eq!(
                (count.faulted, count.acted),
                (1, u64::from(*made)),
                "{told}"
            );
            assert_eq!(fault.reaches_engine(), *made, "{told}");
            if let Fault::RetryAfter(_, seconds) = fault {
                assert_eq!(
                    error.retry_after(),
                    Some(Duration::from_secs(*seconds)),
                    "{told}"
                );
            }
            // Other endpoints are as ever.
            backend.info().await.expect("no rule is about it");
            if *made {
                remove(&name).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_request_has_its_effect_after_the_caller_gave_up() {
    let proxy = proxy().await;
    for (backend_name, backend) in engines(&proxy.config().expect("a configuration")) {
        let (name, hold) = (unique(&format!("late-{backend_name}")), Hold::new());
        let delayed = Fault::DelayRequestUntil(hold.clone());
        proxy.faults().clear();
        let rule = proxy
            .faults()
            .add(Rule::new("POST", "/containers/create", delayed));
        let error = backend
            .create(&spec(&name).await)
            .await
            .expect_err("it takes too long");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::Unknown),
            "{error}"
        );
        assert!(!exists(&name).await, "the engine hasn't seen it");
        hold.release();
        proxy.faults().until(rule, |count| count.acted == 1).await;
        assert!(exists(&name).await, "now it has");
        remove(&name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_arrive_whole() {
    let proxy = proxy().await;
    for rule in [
        Rule::any(Fault::Drip(64, Duration::from_millis(1))),
        Rule::any(Fault::Latency(Duration::from_millis(5))),
        Rule::any(Fault::DelayRequest(Duration::from_millis(5))),
    ] {
        proxy.faults().clear();
        proxy.faults().add(rule);
        for (_, backend) in engines(&proxy.config().expect("a configuration")) {
            let through = backend.version().await.expect("it comes");
            assert_eq!(through, witness().version().await.expect("a version"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_by_their_seed() {
    let proxy = proxy().await;
    let mut outcomes = Vec::new();
    for seed in [3, 3, 4] {
        proxy.faults().clear();
        proxy.faults().seed(seed);
        proxy
            .faults()
            .add(Rule::new("GET", "/info", Fault::Status(500)).when(When::Chance(0.5)));
        let backend =
            AsyncEngine::new(&proxy.config().expect("a configuration")).expect("an engine");
        let mut outcome = Vec::new();
        for _ in 0..20 {
            outcome.push(backend.info().await.is_ok());
        }
        outcomes.push(outcome);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_ne!(outcomes[0], outcomes[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_comes_back() {
    let mut proxy = proxy().await;
    for (_, backend) in engines(&proxy.config().expect("a configuration")) {
        backend.info().await.expect("it is there");
        proxy.disconnect();
        // A kept connection may not have been seen to end yet.
        let error = backend.info().await.expect_err("it is away");
        assert!(error.is_path_failure(), "{error}");
        let error = backend.info().await.expect_err("it is away still");
        assert_eq!(error.effect(), Effect::NotSent, "{error}");
        proxy.reconnect().await.expect("a socket");
        backend.info().await.expect("it is there again");
    }
}

/// Sessions, uploads, streams and refusals go through untouched.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_fault_a_proxy_is_no_other_engine() {
    let (proxy, image) = (proxy().await, image().await);
    for (_, backend) in engines(&proxy.config().expect("a configuration")) {
        let backend =
            backend.with_context(CallContext::new().with_timeout(Duration::from_secs(60)));
        for check in [
            "exec_stdin_is_exact",
            "session_echoes_exactly",
            "attached_program_reads_to_the_end",
            "logs_followed",
            "large_archives_come_as_they_are_read",
            "events_tell_a_containers_life",
            "pull_from_nowhere_fails",
            "wait_gives_the_exit_code",
        ] {
            conformance::check(check).run(&*backend, &image).await;
        }
    }
}
