//! What the tests have in common.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catamaran::model::{ContainerName, ContainerSpec, ImageRef};
use catamaran::testing::{FakeEngine, FaultProxy};
use catamaran::{CallReport, Config, ContainerBackend, HybridBackend, LimitOptions};

pub async fn engine() -> FakeEngine {
    FakeEngine::start().await.expect("a fake engine")
}

pub async fn proxy(engine: &FakeEngine) -> FaultProxy {
    FaultProxy::start(engine.endpoint()).await.expect("a proxy")
}

/// A backend by way of a proxy, whose calls are given up after two seconds.
pub fn through(proxy: &FaultProxy) -> HybridBackend {
    let config = Config::builder()
        .endpoint(proxy.endpoint().clone())
        .operation_timeout(Duration::from_secs(2));
    HybridBackend::new(&config.build().expect("a configuration")).expect("a backend")
}

pub fn direct(engine: &FakeEngine) -> HybridBackend {
    HybridBackend::new(&engine.config().expect("a configuration")).expect("a backend")
}

pub fn narrow(engine: &FakeEngine, limits: LimitOptions) -> HybridBackend {
    let config = Config::builder().endpoint(engine.endpoint().clone());
    let config = config.limits(limits).build().expect("a configuration");
    HybridBackend::new(&config).expect("a backend")
}

pub fn spec(name: &str) -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
        .with_name(ContainerName::new(name).expect("a name"))
        .with_command(["sleep", "6000"])
}

/// Calls of any kind, whatever comes of them.
pub async fn calls(backend: &dyn ContainerBackend, count: usize) {
    for _ in 0..count {
        let _ = backend.ping().await;
    }
}

/// What was reported.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<Vec<CallReport>>>);

impl Reports {
    pub fn of(backend: &HybridBackend) -> (Self, HybridBackend) {
        let reports = Self::default();
        let kept = reports.clone();
        let observed = backend.with_observer(Arc::new(move |report: &CallReport| {
            kept.0.lock().expect("no panic").push(report.clone());
        }));
        (reports, observed)
    }

    pub fn take(&self) -> Vec<CallReport> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// Waits until it is so, by looking: for what others do.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), so).await;
    in_time.unwrap_or_else(|_| panic!("in vain: {what}"));
}
