//! What a dead host has left, on the fake engine: who lives keeps what is theirs, and of the dead nothing is lost or left.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{ContainerName, ContainerRef, ContainerSpec, ContainerState, ImageRef};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Rule};
use catamaran::{
    ContainerBackend, ErrorKind, Fate, Host, HostOptions, HybridBackend, Mode, Result,
};

/// Short, and long enough for a busy machine's threads to renew it.
const LEASE: Duration = Duration::from_secs(2);

fn options(name: &str) -> HostOptions {
    let options = HostOptions::new(name).expect("a name");
    options.with_lease(LEASE).expect("a lease")
}

fn backend(engine: &FakeEngine) -> HybridBackend {
    HybridBackend::new(&engine.config().expect("a configuration")).expect("a backend")
}

async fn host(backend: &HybridBackend, name: &str) -> Host {
    let host = Host::start(Arc::new(backend.clone()), options(name)).await;
    host.expect("a host")
}

fn spec(name: &str) -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
        .with_name(ContainerName::new(name).expect("a name"))
        .with_command(["sleep", "600"])
}

/// Makes and starts one.
async fn running(backend: &dyn ContainerBackend, name: &str) -> ContainerRef {
    let id = backend.create(&spec(name)).await.expect("a container").id;
    backend.start(&id).await.expect("a start");
    id
}

fn names(engine: &FakeEngine) -> Vec<String> {
    let mut names: Vec<_> = (engine.containers().into_iter())
        .map(|container| container.name)
        .collect();
    names.sort();
    names
}

fn leases(engine: &FakeEngine) -> usize {
    let volumes = engine.volumes();
    let leases = volumes
        .iter()
        .filter(|name| name.starts_with("catamaran-lease-"));
    leases.count()
}

/// A host that makes one of each, and dies.
async fn dead(backend: &HybridBackend, name: &str, prefix: &str) -> String {
    let host = host(backend, name).await;
    for fate in [Fate::Remove, Fate::Adopt] {
        let hosted = backend.hosted(&host, fate);
        running(&hosted, &format!("{prefix}-{fate}")).await;
    }
    host.instance()
}

#[tokio::test]
async fn what_a_dead_host_has_left_is_removed_or_offered() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    running(&backend, "foreign").await;
    let gone = dead(&backend, "notebooks", "dead").await;
    dead(&backend, "another", "another").await;
    for (name, instance, fate) in [
        ("no-fate", &*gone, "removed"),
        ("no-instance", "12", "remove"),
        ("shouted", &*gone.to_uppercase(), "remove"),
    ] {
        let odd = spec(name)
            .with_label("catamaran.host", "notebooks")
            .and_then(|spec| spec.with_label("catamaran.instance", instance))
            .and_then(|spec| spec.with_label("catamaran.fate", fate));
        let odd = odd.expect("labels");
        backend.create(&odd).await.expect("a container");
    }
    let host = host(&backend, "notebooks").await;
    host.recovered().await.expect("its time");
    let others = ["another-adopt", "another-remove"];
    let odd = ["foreign", "no-fate", "no-instance", "shouted"];
    assert_eq!(
        names(&engine),
        [&others[..], &["dead-adopt"], &odd].concat()
    );
    let orphans = host.orphans();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    assert_eq!(orphans[0].instance, gone);
    assert_eq!(orphans[0].container.state, ContainerState::Running);
    let by_name = ContainerRef::new("dead-adopt").expect("a reference");
    let adopted = host.adopt(&by_name).await.expect("it is there");
    assert_eq!(adopted.id, orphans[0].container.id);
    assert!(host.orphans().is_empty());
    let again = host.adopt(&by_name).await.expect_err("it is adopted");
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn who_lives_keeps_what_is_theirs() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    let first = host(&backend, "notebooks").await;
    let hosted = backend.hosted(&first, Fate::Remove);
    running(&hosted, "mine").await;
    let second = host(&backend, "notebooks").await;
    second.recovered().await.expect("its time");
    tokio::time::sleep(LEASE * 3).await;
    assert_eq!(names(&engine), ["mine"]);
    assert!(second.orphans().is_empty());
    // In order, what is to be removed goes at once.
    drop(hosted);
    first.end(Duration::from_secs(10)).await.expect("an end");
    assert!(names(&engine).is_empty());
    second.end(Duration::from_secs(10)).await.expect("an end");
    assert_eq!(leases(&engine), 0);
    let over = second.recovered().await;
    over.expect("it was over before it ended");
}

#[tokio::test]
async fn of_several_heirs_one_is_offered_what_is_left() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    for number in 0..3 {
        dead(&backend, "notebooks", &format!("dead{number}")).await;
    }
    let heirs = futures::future::join_all((0..4).map(|_| host(&backend, "notebooks"))).await;
    for heir in &heirs {
        heir.recovered().await.expect("its time");
    }
    let mut offered: Vec<_> = (heirs.iter().flat_map(Host::orphans))
        .flat_map(|orphan| orphan.container.names)
        .collect();
    offered.sort();
    let left = ["dead0-adopt", "dead1-adopt", "dead2-adopt"];
    assert_eq!(
        (offered, names(&engine)),
        (left.map(String::from).into(), left.map(String::from).into())
    );
}

/// It is over once nothing is there that shall go, whoever sees to that.
#[tokio::test]
async fn who_wasnt_quick_enough_to_take_over_waits_for_whoever_was() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let way = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let late = Fault::DelayRequest(LEASE * 3);
    way.faults().add(Rule::new("DELETE", "/containers/*", late));
    let slow = HybridBackend::new(&way.config().expect("a configuration"));
    let slow = host(&slow.expect("a backend"), "notebooks").await;
    let backend = backend(&engine);
    dead(&backend, "notebooks", "dead").await;
    tokio::time::sleep(LEASE / 2).await;
    let other = host(&backend, "notebooks").await;
    other.recovered().await.expect("its time");
    assert_eq!(names(&engine), ["dead-adopt"]);
    assert_eq!((slow.orphans().len(), other.orphans().len()), (1, 0));
}

#[tokio::test]
async fn what_was_adopted_is_offered_again_after_its_heirs_death() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    dead(&backend, "notebooks", "dead").await;
    for _ in 0..3 {
        let heir = host(&backend, "notebooks").await;
        heir.recovered().await.expect("its time");
        let orphans = heir.orphans();
        assert_eq!(orphans.len(), 1, "{orphans:?}");
        let adopted = heir.adopt(&orphans[0].container.id).await;
        adopted.expect("it is there");
    }
    assert_eq!(names(&engine), ["dead-adopt"]);
}

/// Cut off from the engine for longer than its lease, an instance has lost what it had, and knows.
#[tokio::test]
async fn who_was_silent_goes_on_as_another() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut way = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let cut_off = HybridBackend::new(&way.config().expect("a configuration"));
    let cut_off = cut_off.expect("a backend").with_mode(Mode::Async);
    let first = host(&cut_off, "notebooks").await;
    let before = first.instance();
    let hosted = cut_off.hosted(&first, Fate::Remove);
    running(&hosted, "mine").await;
    way.disconnect();
    let second = host(&backend(&engine), "notebooks").await;
    second.recovered().await.expect("its time");
    assert!(names(&engine).is_empty());
    way.reconnect().await.expect("a way");
    let another = async {
        while first.instance() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let became = tokio::time::timeout(Duration::from_secs(20), another).await;
    became.expect("it finds that it has been replaced");
    // And what it makes now is its own.
    let made: Result<_> = hosted.create(&spec("anew")).await;
    made.expect("a container");
    tokio::time::sleep(LEASE * 3).await;
    assert_eq!(names(&engine), ["anew"]);
}
