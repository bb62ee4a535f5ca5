//! Every metric is there once what it counts has happened, with its labels and its meaning, and none that isn't listed. One test in a
//! process of its own, since the recorder is the process's.

#![cfg(feature = "metrics")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{ContainerName, ContainerRef, ContainerSpec, ImageRef};
use catamaran::session::{
    PoolOptions, SessionKey, SessionLimits, SessionManager, SessionSpec, Shutdown,
};
use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::telemetry::metrics::{self, Kind};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Hold, Rule, When};
use catamaran::{
    BreakerOptions, BreakerState, Config, ContainerBackend, EngineKind, HybridBackend, Mode,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The samples of a page by the name that they belong to: their labels' names, in order.
fn samples(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut samples: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, rest) = line.split_once(['{', ' ']).expect("a sample");
        let labels = match line.contains('{') {
            true => rest.split_once('}').expect("labels").0,
            false => "",
        };
        let names = labels
            .split("\",")
            .filter_map(|label| label.split_once('='));
        let mut names: Vec<_> = names.map(|(name, _)| name).collect();
        names.retain(|name| !matches!(*name, "quantile" | "le"));
        names.sort_unstable();
        let base = ["_sum", "_count", "_bucket"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let labels = names.join(",");
        samples
            .entry(base.unwrap_or(name).to_owned())
            .or_default()
            .insert(labels);
    }
    samples
}

fn spec(name: &str) -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
        .with_name(ContainerName::new(name).expect("a name"))
        .with_command(["sleep", "6000"])
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), so).await;
    in_time.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Attempts that fail, are looked at, made again, and by the other engine; a path that is left alone, and an engine that comes back.
async fn failures(backend: &HybridBackend, proxy: &mut FaultProxy) {
    let lost = Rule::new("POST", "/containers/create", Fault::DropAnswer);
    proxy.faults().add(lost.when(When::First(1)));
    backend
        .create(&spec("lost"))
        .await
        .expect("a look shows it");
    let busy = Rule::new("GET", "/version", Fault::Status(503));
    proxy.faults().add(busy.when(When::First(1)));
    backend.version().await.expect("it is asked again");
    proxy.disconnect();
    until("the path is left alone", async || {
        let _ = backend.ping().await;
        backend.breaker(EngineKind::Async) == BreakerState::Open
    })
    .await;
    proxy.reconnect().await.expect("it is back");
    until("the path is well", async || {
        let _ = backend.ping().await;
        backend.breaker(EngineKind::Async) == BreakerState::Closed
    })
    .await;
}

/// A caller that goes away, as many do.
async fn abandoned(backend: &HybridBackend, proxy: &FaultProxy) {
    let silent = Rule::new("GET", "/info", Fault::HoldAnswerUntil(Hold::new()));
    let rule = proxy.faults().add(silent);
    tokio::select! {
        _ = backend.info() => panic!("nobody answers"),
        () = proxy.faults().until(rule, |count| count.matched > 0) => {}
    }
    proxy.faults().clear();
}

async fn sessions(backend: &HybridBackend, alerts: &Alerts, recorder: &PrometheusHandle) {
    let image = ImageRef::new("busybox").expect("an image");
    let spec = SessionSpec::new(image).with_command(["sleep", "6000"]);
    let limits = SessionLimits::default();
    let manager = SessionManager::builder("notebooks").expect("a name");
    let manager = manager
        .with_limits(limits)
        .expect("limits")
        .with_alerts(alerts);
    let manager = manager
        .with_pool(spec.clone(), PoolOptions::new(1, 1))
        .expect("a pool");
    let manager = manager
        .start(Arc::new(backend.clone()))
        .await
        .expect("a manager");
    manager.warm().await;
    for name in ["hit", "miss"] {
        let key = SessionKey::new("alice", name).expect("a key");
        manager.open(&key, &spec).await.expect("it opens");
    }
    until("what is there is shown", async || {
        page(recorder).contains("catamaran_sessions{state=\"ready\"} 2")
    })
    .await;
    let ended = manager.shutdown(Shutdown::CloseAll, Duration::from_secs(20));
    ended.await.expect("it ends");
}

async fn compared() {
    let (one, other) = (FakeEngine::start().await, FakeEngine::start().await);
    let config = |engine: &std::io::Result<FakeEngine>| {
        engine
            .as_ref()
            .expect("an engine")
            .config()
            .expect("a configuration")
    };
    let backend = HybridBackend::over(
        Arc::new(catamaran::AsyncEngine::new(&config(&one)).expect("an engine")),
        Arc::new(catamaran::BlockingEngine::new(&config(&other)).expect("an engine")),
    );
    let backend = backend.with_shadow(100).expect("in range");
    for engine in [&one, &other] {
        let direct = HybridBackend::new(&config(engine)).expect("a backend");
        direct.create(&spec("twin")).await.expect("it is made");
    }
    let twin = ContainerRef::new("twin").expect("a name");
    backend.inspect(&twin).await.expect("it is there");
    until("it was compared", async || backend.shadow().different > 0).await;
}

fn page(recorder: &PrometheusHandle) -> String {
    recorder.run_upkeep();
    recorder.render()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_there_once_it_has_happened() {
    let recorder = PrometheusBuilder::new()
        .install_recorder()
        .expect("the only one");
    metrics::enable();
    let directory = tempfile::tempdir().expect("a directory");
    let audit = AuditLog::open(directory.path().join("audit.jsonl")).expect("a log");
    let alerts = Alerts::new(AlertOptions::default());
    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut proxy = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let config = Config::builder()
        .endpoint(proxy.endpoint().clone())
        .operation_timeout(Duration::from_secs(2));
    let backend = HybridBackend::new(&config.build().expect("a configuration"));
    // Before the first call.
    for sample in [
        "catamaran_rollout_percent 100",
        "catamaran_breaker_state{engine=\"async\"} 0",
        "catamaran_breaker_state{engine=\"blocking\"} 0",
        "catamaran_queue_size{kind=\"calls\"}",
    ] {
        let page = page(&recorder);
        assert!(page.contains(sample), "{sample}:\n{page}");
    }
    let rests = BreakerOptions::default().with_rest(Duration::from_millis(20));
    let backend = backend.expect("a backend").with_breaker(rests);
    let backend = backend.with_alerts(&alerts).with_audit(&audit);
    failures(&backend, &mut proxy).await;
    abandoned(&backend, &proxy).await;
    backend.set_mode(Mode::Blocking);
    backend.ping().await.expect("it answers");
    backend.set_mode(Mode::Auto);
    sessions(&backend, &alerts, &recorder).await;
    compared().await;
    backend.health().await;
    audit
        .close(Duration::from_secs(5))
        .await
        .expect("all is written");

    let page = page(&recorder);
    let mut found = samples(&page);
    for metric in metrics::ALL {
        let name = metric.name;
        let labels = found.remove(name);
        let labels = labels.unwrap_or_else(|| panic!("{name} isn't there:\n{page}"));
        let mut expected: Vec<_> = metric.labels.split(',').collect();
        expected.sort_unstable();
        assert_eq!(labels, BTreeSet::from([expected.join(",")]), "{name}");
        assert!(
            page.contains(&format!("# HELP {name} {}", metric.help)),
            "{name}"
        );
        let suffix = match metric.kind {
            Kind::Counter => "_total",
            Kind::Histogram => "_seconds",
            _ => "",
        };
        assert!(name.ends_with(suffix), "{name}");
    }
    assert!(found.is_empty(), "these aren't listed: {found:?}");
    for sample in [
        "catamaran_engine_restarts_total 1",
        "catamaran_resolutions_total{verdict=\"done\"} 1",
        // How many more there are depends on how soon the pool is filled again.
        "catamaran_pool_claims_total{outcome=\"hit\"}",
        "catamaran_session_opens_total{origin=\"warm\",outcome=\"ok\"}",
        "catamaran_breaker_state{engine=\"async\"} 0",
        "catamaran_rollout_percent 100",
        "catamaran_host_lease_held",
        "catamaran_attempts_in_flight{engine=\"async\"} 0",
        "catamaran_blocking_threads_busy 0",
        "catamaran_calls_total{operation=\"info\",engine=\"async\",reason=\"mode\",outcome=\"cancelled\"} 1",
        "catamaran_attempts_total{engine=\"async\",outcome=\"cancelled\"}",
    ] {
        assert!(page.contains(sample), "{sample}:\n{page}");
    }
    // Names of nobody: a container, a session, a user.
    for word in ["alice", "twin", "notebooks", "busybox"] {
        assert!(!page.contains(word), "{word}:\n{page}");
    }
}
