//! What the tests have in common.

use std::sync::Arc;
use std::time::Duration;

use catamaran::HybridBackend;
use catamaran::model::ImageRef;
use catamaran::session::{
    Change, SessionEvents, SessionKey, SessionManager, SessionManagerBuilder, SessionNotice,
    SessionSpec,
};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Rule};
use futures::StreamExt;

/// Short, and long enough for a busy machine's threads to renew it.
pub const LEASE: Duration = Duration::from_secs(2);

pub async fn engine() -> FakeEngine {
    FakeEngine::start().await.expect("a fake engine")
}

pub fn backend(engine: &FakeEngine) -> HybridBackend {
    HybridBackend::new(&engine.config().expect("a configuration")).expect("a backend")
}

pub fn builder(name: &str) -> SessionManagerBuilder {
    let builder = SessionManager::builder(name).expect("a name");
    builder.with_lease(LEASE).expect("a lease")
}

pub async fn start(builder: SessionManagerBuilder, engine: &FakeEngine) -> SessionManager {
    let started = builder.start(Arc::new(backend(engine))).await;
    started.expect("a manager")
}

pub async fn manager(engine: &FakeEngine) -> SessionManager {
    start(builder("notebooks"), engine).await
}

pub fn spec() -> SessionSpec {
    SessionSpec::new(ImageRef::new("busybox").expect("an image")).with_command(["sleep", "6000"])
}

pub fn key(owner: &str, name: &str) -> SessionKey {
    SessionKey::new(owner, name).expect("a key")
}

/// The names of the containers that aren't a lease's.
pub fn names(engine: &FakeEngine) -> Vec<String> {
    let containers = engine.containers().into_iter();
    let mut names: Vec<_> = containers.map(|container| container.name).collect();
    names.sort();
    names
}

pub fn volumes(engine: &FakeEngine) -> Vec<String> {
    let mut volumes = engine.volumes();
    volumes.retain(|name| !name.starts_with("catamaran-lease-"));
    volumes
}

/// Waits until it is so, by looking: for what others do.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), so).await;
    in_time.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// The next change that is looked for; others are skipped.
pub async fn told(events: &mut SessionEvents, is: impl Fn(&Change) -> bool) -> Change {
    let told = async {
        loop {
            match events.next().await {
                Some(SessionNotice::Change(event)) if is(&event.change) => return event.change,
                Some(_) => {}
                None => panic!("the manager has ended"),
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), told).await;
    in_time.expect("it is told")
}

/// Does something with a manager that then is cut off from the engine for good, which to everybody else is its death.
pub async fn dead<T>(engine: &FakeEngine, does: impl AsyncFnOnce(&SessionManager) -> T) -> T {
    dead_with(engine, |builder| builder, does).await
}

/// As [`dead`], with another manager.
pub async fn dead_with<T>(
    engine: &FakeEngine,
    with: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
    does: impl AsyncFnOnce(&SessionManager) -> T,
) -> T {
    let proxy = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let backend = HybridBackend::new(&proxy.config().expect("a configuration"));
    let backend = Arc::new(backend.expect("a backend"));
    let started = with(builder("notebooks")).start(backend).await;
    let manager = started.expect("a manager");
    let done = does(&manager).await;
    proxy.faults().add(Rule::any(Fault::Refuse));
    proxy.disconnect();
    // What it would do at its end it can't, and what it does until then it does in vain.
    std::mem::forget((manager, proxy));
    done
}
