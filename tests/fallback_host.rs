//! `DOCKER_FALLBACK_HOST`: the blocking engine on a road of its own, taken only while it leads to the same daemon. On fake
//! engines, and on the real one through a proxy.

mod common;

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerSpec, EngineProduct, ImageRef, ListOptions, RemoveOptions, StartOutcome,
};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Personality, Rule, When};
use catamaran::{
    AsyncEngine, BlockingEngine, BreakerState, CallContext, Config, ContainerBackend,
    ContainerBackendExt, Effect, Endpoint, EngineKind, Error, ErrorKind, HybridBackend, LastCall,
    Mode, Reason, RetryOptions,
};

/// A hybrid whose async engine goes there, and whose blocking one takes that road; and who served its last call.
fn hybrid(primary: &Endpoint, fallback: &Endpoint) -> (HybridBackend, Arc<LastCall>) {
    let config = Config::builder()
        .endpoint(primary.clone())
        .fallback_endpoint(fallback.clone())
        .operation_timeout(Duration::from_secs(10))
        .build()
        .expect("a configuration");
    let last = Arc::new(LastCall::default());
    let hybrid = HybridBackend::new(&config).expect("a backend");
    (hybrid.with_observer(last.clone()), last)
}

/// One engine, and two roads to it.
async fn one_engine() -> (FakeEngine, FaultProxy, HybridBackend, Arc<LastCall>) {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let proxy = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let (hybrid, last) = hybrid(proxy.endpoint(), engine.endpoint());
    (engine, proxy, hybrid, last)
}

/// Has one call fall back: afterwards it is known where both roads lead.
async fn acquainted(proxy: &FaultProxy, hybrid: &HybridBackend, last: &LastCall) {
    let rule = Rule::new("GET", "/version", Fault::Refuse).when(When::First(1));
    proxy.faults().add(rule);
    hybrid.version().await.expect("by the other road");
    assert_eq!(served(last), EngineKind::Blocking);
}

fn served(last: &LastCall) -> EngineKind {
    last.get().expect("a report").engine
}

fn spec(name: &str) -> ContainerSpec {
    let name = catamaran::model::ContainerName::new(name).expect("a name");
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image")).with_name(name)
}

/// The failure of the async path, which says why the other road wasn't taken.
fn refused(error: &Error, why: &str) {
    assert_eq!(
        (error.kind(), error.engine()),
        (ErrorKind::Connect, Some(EngineKind::Async)),
        "{error}"
    );
    let text = error.to_string();
    for part in ["the fallback wasn't taken", why] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

fn asked_of(engine: &FakeEngine) -> Vec<String> {
    let requests = engine.journal().requests();
    let paths = requests.iter().map(|asked| asked.path.clone());
    paths.filter(|path| !path.ends_with("/_ping")).collect()
}

#[tokio::test]
async fn the_other_road_serves_while_the_first_is_closed_and_no_longer() {
    let (engine, mut proxy, hybrid, last) = one_engine().await;
    hybrid.ping().await.expect("a pong");
    // What is learnt beside the first call.
    engine.journal().until("GET", "/info", 1).await;
    acquainted(&proxy, &hybrid, &last).await;
    proxy.disconnect();
    let id = hybrid.create(&spec("once")).await.expect("a container").id;
    assert!(matches!(
        last.get().expect("a report").reason,
        Reason::Fallback { .. }
    ));
    let started = hybrid.start(&id).await.expect("a start");
    assert_eq!(started, StartOutcome::Started);
    // Straight there, once the breaker is open.
    while hybrid.breaker(EngineKind::Async) == BreakerState::Closed {
        hybrid.inspect(&id).await.expect("an answer");
    }
    let there = hybrid.list(&ListOptions::all()).await.expect("a list");
    assert_eq!((there.len(), served(&last)), (1, EngineKind::Blocking));
    assert_eq!(engine.containers().len(), 1);
    // Ten seconds are hardly over: the ID there was asked for once.
    assert!(engine.journal().count("GET", "/info") <= 4);
    proxy.reconnect().await.expect("the same place");
    let back = async {
        while served(&last) != EngineKind::Async {
            hybrid.inspect(&id).await.expect("an answer");
            tokio::task::yield_now().await;
        }
    };
    let back = tokio::time::timeout(Duration::from_secs(60), back).await;
    back.expect("it comes back by itself");
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_found_by_the_other_road() {
    let (engine, proxy, hybrid, last) = one_engine().await;
    acquainted(&proxy, &hybrid, &last).await;
    // From the lost answer on, nothing comes through.
    let create = Rule::new("POST", "/containers/create", Fault::DropAnswer).when(When::First(1));
    proxy.faults().add(create);
    proxy.faults().add(Rule::any(Fault::Refuse));
    let created = hybrid.create(&spec("lost")).await.expect("it is found");
    let there = engine.containers();
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(there[0].id, created.id.as_str());
    assert_eq!(engine.journal().count("POST", "/containers/create"), 1);
    assert!(created.warnings[0].contains("lost"), "{created:?}");
}

#[tokio::test]
async fn what_a_caller_leaves_behind_is_removed_by_the_other_road() {
    let (engine, proxy, hybrid, last) = one_engine().await;
    let guard = hybrid.scoped(&spec("left")).await.expect("a guard");
    acquainted(&proxy, &hybrid, &last).await;
    proxy.disconnect();
    drop(guard);
    let gone = async {
        while !engine.containers().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    gone.expect("it is removed");
}

#[tokio::test]
async fn another_daemon_is_never_asked_for_more_than_who_it_is() {
    let (first, other) = (FakeEngine::start().await, FakeEngine::start().await);
    let (mut first, other) = (first.expect("an engine"), other.expect("an engine"));
    let (hybrid, last) = hybrid(first.endpoint(), other.endpoint());
    let hybrid = hybrid.with_retry(RetryOptions::never());
    let guard = hybrid.scoped(&spec("left")).await.expect("a guard");
    first.journal().until("GET", "/info", 1).await;
    // While the first answers, the IDs are seen to differ; when it is gone, that is known.
    let rule = Rule::new("GET", "/version", Fault::Refuse);
    first.faults().add(rule);
    let error = hybrid.version().await.expect_err("one road is closed");
    assert_eq!(error.engine(), Some(EngineKind::Async));
    assert!(
        error.to_string().contains("another engine answers"),
        "{error}"
    );
    first.disconnect();
    // Kept connections break first.
    let kept = async || hybrid.ping().await.expect_err("no road").kind();
    while kept().await != ErrorKind::Connect {}
    for mode in [Mode::Auto, Mode::Async] {
        hybrid.set_mode(mode);
        let error = hybrid.create(&spec("never")).await.expect_err("no road");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Connect, Effect::NotSent)
        );
        if mode == Mode::Auto {
            refused(&error, "another engine answers");
        }
    }
    hybrid.set_mode(Mode::Auto);
    while hybrid.breaker(EngineKind::Async) == BreakerState::Closed {
        let error = hybrid.remove(guard.id(), &RemoveOptions::force()).await;
        refused(&error.expect_err("no road"), "another engine answers");
    }
    let error = hybrid.create(&spec("never")).await.expect_err("no road");
    assert_eq!(
        (error.kind(), served(&last)),
        (ErrorKind::Unavailable, EngineKind::Async)
    );
    assert!(
        error.to_string().contains("another engine answers"),
        "{error}"
    );
    // Who cleans up doesn't go there either, however often it tries.
    first.faults().clear();
    let refuse = first.faults().add(Rule::any(Fault::Refuse));
    first.reconnect().await.expect("the same place");
    drop(guard);
    while first.faults().count(refuse).matched < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.faults().clear();
    hybrid.set_mode(Mode::Blocking);
    let error = hybrid
        .create(&spec("never"))
        .await
        .expect_err("another engine");
    assert_eq!(
        (error.kind(), error.effect(), error.engine()),
        (
            ErrorKind::Unavailable,
            Effect::NotSent,
            Some(EngineKind::Blocking)
        )
    );
    assert!(
        error
            .advice()
            .is_some_and(|advice| advice.contains("DOCKER_FALLBACK_HOST"))
    );
    let asked = asked_of(&other);
    assert!(
        asked.iter().all(|path| path.ends_with("/info")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_endpoint_that_has_never_answered_is_not_known() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let nowhere = Endpoint::unix("/nonexistent/docker.sock");
    let (hybrid, _) = hybrid(&nowhere, engine.endpoint());
    let hybrid = hybrid.with_retry(RetryOptions::never());
    let error = hybrid.create(&spec("never")).await.expect_err("who is it?");
    refused(
        &error,
        "the ID of the engine at unix:///nonexistent/docker.sock isn't known",
    );
    hybrid.set_mode(Mode::Blocking);
    let error = hybrid.create(&spec("never")).await.expect_err("who is it?");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Unavailable, Effect::NotSent),
        "{error}"
    );
    let asked = asked_of(&engine);
    assert!(
        asked.iter().all(|path| path.ends_with("/info")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_daemon_that_takes_the_place_of_another_is_not_taken_for_it() {
    let (engine, proxy, _, _) = one_engine().await;
    let other = FakeEngine::start().await.expect("a fake engine");
    // The road that is meant for the engine leads to the other one from now on.
    let directory = tempfile::tempdir().expect("a directory");
    let road = directory.path().join("road.sock");
    let lead = |to: &FakeEngine| {
        let _ = std::fs::remove_file(&road);
        let to = to.endpoint().path().expect("a socket");
        std::os::unix::fs::symlink(to, &road).expect("a link");
    };
    lead(&engine);
    let (hybrid, last) = hybrid(proxy.endpoint(), &Endpoint::unix(&road));
    acquainted(&proxy, &hybrid, &last).await;
    proxy.disconnect();
    hybrid.info().await.expect("by the other road");
    lead(&other);
    engine.disconnect();
    // What was seen there is believed for so long, where no call meets a connection that breaks.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    let error = hybrid
        .create(&spec("never"))
        .await
        .expect_err("another one");
    let text = error.to_string();
    assert!(text.contains("another engine answers"), "{text}");
    assert_eq!(other.containers(), []);
}

#[tokio::test]
async fn in_blocking_mode_all_calls_take_the_other_road() {
    let (engine, proxy, hybrid, last) = one_engine().await;
    hybrid.set_mode(Mode::Blocking);
    let through = proxy
        .faults()
        .add(Rule::any(Fault::Latency(Duration::ZERO)));
    hybrid.create(&spec("once")).await.expect("a container");
    let before = proxy.faults().count(through).matched;
    hybrid.version().await.expect("an answer");
    hybrid.list(&ListOptions::all()).await.expect("a list");
    assert_eq!(served(&last), EngineKind::Blocking);
    assert_eq!(proxy.faults().count(through).matched, before);
    // The first one asked for the ID there.
    assert!(before <= 2, "{before}");
    proxy.disconnect();
    hybrid.version().await.expect("an answer");
    assert_eq!(engine.containers().len(), 1);
    // Its own failure is its own, and not that of a road that nobody can judge.
    engine.disconnect();
    let error = hybrid.version().await.expect_err("no engine");
    assert_eq!(
        (error.kind(), error.engine()),
        (ErrorKind::Connect, Some(EngineKind::Blocking)),
        "{error}"
    );
}

#[tokio::test]
async fn any_two_backends_may_be_checked() {
    let (first, other) = (FakeEngine::start().await, FakeEngine::start().await);
    let (first, other) = (first.expect("an engine"), other.expect("an engine"));
    let config = |engine: &FakeEngine| engine.config().expect("a configuration");
    let hybrid = HybridBackend::over(
        Arc::new(AsyncEngine::new(&config(&first)).expect("an engine")),
        Arc::new(BlockingEngine::new(&config(&other)).expect("an engine")),
    );
    let rule = Rule::new("GET", "/version", Fault::Refuse);
    first.faults().add(rule);
    hybrid.version().await.expect("nobody asked to check");
    let checked = hybrid.with_same_engine_check();
    let error = checked.version().await.expect_err("another engine");
    let text = error.to_string();
    assert!(text.contains("at the blocking engine's endpoint"), "{text}");
}

#[tokio::test]
async fn podman_cannot_be_told_by_its_id() {
    let podman = FakeEngine::builder()
        .image("busybox")
        .personality(Personality::Podman);
    let engine = podman.start().await.expect("a fake engine");
    let proxy = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let (hybrid, _) = hybrid(proxy.endpoint(), engine.endpoint());
    hybrid.ping().await.expect("a pong");
    proxy
        .faults()
        .add(Rule::new("GET", "/version", Fault::Refuse));
    let error = hybrid.version().await.expect_err("one road is closed");
    let text = error.to_string();
    assert!(
        text.contains("another ID each time") && text.contains("unset DOCKER_FALLBACK_HOST"),
        "{text}"
    );
}

#[tokio::test]
async fn on_the_real_engine() {
    let endpoint = common::config().endpoint().clone();
    let proxy = FaultProxy::start(&endpoint).await.expect("a proxy");
    let (hybrid, last) = hybrid(proxy.endpoint(), &endpoint);
    let version = hybrid.version().await.expect("an answer");
    let name = common::unique("fallback-host");
    let spec = common::shell(&name, "echo once").await;
    if version.product == EngineProduct::Podman {
        let closed = Rule::new("GET", "/networks", Fault::Refuse);
        proxy.faults().add(closed);
        let networks = hybrid.list_networks(&Default::default()).await;
        let error = networks.expect_err("nobody can tell").to_string();
        assert!(error.contains("another ID each time"), "{error}");
        return;
    }
    acquainted(&proxy, &hybrid, &last).await;
    let create = Rule::new("POST", "/containers/create", Fault::DropAnswer).when(When::First(1));
    proxy.faults().add(create);
    proxy.faults().add(Rule::any(Fault::Refuse));
    let created = hybrid.create(&spec).await;
    let found = common::witness()
        .list(&ListOptions::all().with_name(&name))
        .await;
    let ran = match &created {
        Ok(created) => {
            let started = hybrid.start(&created.id).await;
            let ended = hybrid.wait(&created.id, &Default::default()).await;
            started.and(ended).map(|ended| ended.exit_code)
        }
        Err(error) => Err(error.clone()),
    };
    for container in found.iter().flatten() {
        let removed = hybrid.remove(&container.id, &RemoveOptions::force()).await;
        removed.expect("a removal");
    }
    assert_eq!(ran.expect("by the other road"), 0);
    assert_eq!(found.expect("a list").len(), 1);
    assert_eq!(served(&last), EngineKind::Blocking);
}

/// Neither road says anything of a turn that didn't come.
#[tokio::test]
async fn a_turn_that_does_not_come_is_told_as_that() {
    let (engine, proxy, ..) = one_engine().await;
    let config = Config::builder()
        .endpoint(proxy.endpoint().clone())
        .fallback_endpoint(engine.endpoint().clone())
        .pool_size(1)
        .build()
        .expect("a configuration");
    let hybrid = HybridBackend::new(&config).expect("a backend");
    proxy
        .faults()
        .add(Rule::any(Fault::HoldAnswer(Duration::from_secs(3600))));
    // Holds the only permit: both roads share it.
    let mut holder = std::pin::pin!(hybrid.ping());
    assert!(futures::poll!(&mut holder).is_pending());
    hybrid.set_mode(Mode::Blocking);
    let hurried = CallContext::new().with_timeout(Duration::from_millis(50));
    let error = hybrid.with_context(hurried).ping().await;
    let error = error.expect_err("no permit");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Saturated, Effect::NotSent),
        "{error}"
    );
}

/// What it is for: TLS that fails, beside the engine's own socket.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_gone_around() {
    use common::tls::{Authority, TlsPeer};

    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut proxy = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let server = ours.issue("server", &["127.0.0.1"]);
    let peer = TlsPeer::start(&server, &ours, proxy.endpoint()).await;
    let (hybrid, last) = hybrid(&peer.endpoint(ours.client()), engine.endpoint());
    acquainted(&proxy, &hybrid, &last).await;
    peer.renew(&foreign.issue("server", &["127.0.0.1"]), &ours);
    // Kept connections end.
    proxy.disconnect();
    proxy.reconnect().await.expect("the same place");
    // Kept connections that have ended break first.
    let message = loop {
        hybrid.version().await.expect("by the socket");
        let report = last.get().expect("a report");
        if let Reason::Fallback {
            kind: ErrorKind::Connect,
            message,
            ..
        } = report.reason
        {
            break message;
        }
    };
    assert!(message.contains("certificate"), "{message}");
    let created = hybrid.create(&spec("gone-around")).await;
    created.expect("by the socket");
    assert_eq!(served(&last), EngineKind::Blocking);
    assert_eq!(engine.containers().len(), 1);
}
