//! Nothing secret is told: neither in what this crate or a dependency logs at any level, nor in errors, nor in `Debug`.
//!
//! Each secret is a canary: a word that is nowhere else. One test in a process of its own, since the subscriber that
//! takes everything is the process's.

mod calls;
mod canary;
#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Duration;

use canary::Taken;
use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, HybridBackend, Mode,
};
use common::peer::{Answer, Peer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Who keeps the audit, is called by alerts, and counts.
struct Observed {
    directory: tempfile::TempDir,
    audit: AuditLog,
    alerts: Alerts,
    recorder: PrometheusHandle,
}

impl Observed {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let audit = AuditLog::open(directory.path().join("audit.jsonl")).expect("a log");
        let options = AlertOptions::default().with_least_calls(1);
        let recorder = PrometheusBuilder::new().install_recorder();
        catamaran::telemetry::metrics::enable();
        Self {
            directory,
            audit,
            alerts: Alerts::new(options.expect("in range")),
            recorder: recorder.expect("the only one"),
        }
    }

    fn watching(&self, backend: HybridBackend) -> HybridBackend {
        backend.with_alerts(&self.alerts).with_audit(&self.audit)
    }

    /// All that they have, which is something.
    async fn told(self) -> [(&'static str, String); 3] {
        let closed = self.audit.close(Duration::from_secs(10));
        closed.await.expect("all is written");
        let records = std::fs::read_to_string(self.directory.path().join("audit.jsonl"));
        let records = records.expect("records");
        assert!(
            records.contains("\"operation\":\"exec\""),
            "it is on record"
        );
        let metrics = self.recorder.render();
        assert!(metrics.contains("catamaran_calls_total"), "it is counted");
        let alerts = self.alerts.active();
        assert!(!alerts.is_empty(), "somebody is called");
        let alerts = alerts.iter().map(|alert| format!("{alert} {alert:?}"));
        [
            ("the audit", records),
            ("the metrics", metrics),
            ("an alert", alerts.collect()),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told() {
    let taken = Taken::everything();
    let config = common::config();
    let [asynchronous, blocking]: [Arc<dyn ContainerBackend>; 2] = [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
    ];
    let mut shown = calls::inputs();
    let observed = Observed::new();
    let watched = observed.watching(HybridBackend::new(&config).expect("both engines"));
    let watched = watched.with_shadow(100).expect("in range");
    let compared: Arc<dyn ContainerBackend> = Arc::new(watched.clone());
    for backend in [&asynchronous, &blocking, &compared] {
        shown.extend(calls::well(backend).await);
        shown.extend(calls::ill(backend).await);
    }
    let pulls = tokio::join!(calls::pulls(&asynchronous), calls::pulls(&blocking));
    shown.extend([pulls.0, pulls.1].concat());

    // A peer that breaks off, refuses, or answers with the secrets where something else belongs.
    let peer = Peer::start();
    let config = Config::builder().endpoint(peer.endpoint());
    let config = config.build().expect("a configuration");
    let hybrid = observed.watching(HybridBackend::new(&config).expect("both engines"));
    let ill = hybrid.clone();
    hybrid.set_mode(Mode::Auto);
    // What the peer says of an exec never ends.
    let brief = CallContext::new().with_timeout(Duration::from_millis(200));
    let hybrid = hybrid.with_context(brief);
    for answer in calls::odd_answers() {
        peer.follow(Arc::new(move |_, request| match request.path.as_str() {
            "/_ping" => Answer::new(200).with_header("api-version", "1.41"),
            _ => answer.clone(),
        }));
        shown.extend(calls::ill(&hybrid).await);
        shown.extend(calls::pulls(&hybrid).await);
    }

    for backend in [&watched, &ill] {
        shown.push(serde_json::to_string(&backend.health().await).expect("JSON"));
        shown.push(format!("{:?}", backend.shadow()));
    }
    for (place, text) in observed.told().await {
        canary::assert_silent(place, text.as_bytes());
    }

    canary::assert_silent("an error or Debug", shown.join("\n").as_bytes());
    let log = taken.log();
    canary::assert_silent("the log", &log);
    // It would have been heard: both facades are, a dependency at trace level, and this crate.
    let log = String::from_utf8_lossy(&log);
    for control in [
        "control of tracing",
        "control of log",
        "TRACE hyper",
        "catamaran::policy",
        "attempt{",
    ] {
        assert!(log.contains(control), "{control} isn't in the log");
    }
}
