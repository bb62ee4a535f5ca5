//! What a dead host has left, on the fake engine: who lives keeps what is theirs, and of the dead nothing is lost or left.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ContainerState, ImageRef, RemoveVolumeOptions,
    VolumeName,
};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Hold, Rule, When};
use catamaran::{
    ContainerBackend, Effect, ErrorKind, Fate, Host, HostOptions, HybridBackend, Mode,
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

/// Within its time, whatever goes wrong.
async fn recovered(host: &Host) {
    let recovered = tokio::time::timeout(Duration::from_secs(60), host.recovered()).await;
    recovered.expect("in time").expect("it lives");
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
    recovered(&host).await;
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
    recovered(&second).await;
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
        recovered(heir).await;
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
    recovered(&other).await;
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
        recovered(&heir).await;
        let orphans = heir.orphans();
        assert_eq!(orphans.len(), 1, "{orphans:?}");
        let adopted = heir.adopt(&orphans[0].container.id).await;
        adopted.expect("it is there");
    }
    assert_eq!(names(&engine), ["dead-adopt"]);
}

/// A service that dies again and again: whoever is next gets through with all of them, over a road that is slow.
#[tokio::test]
async fn many_dead_hosts_are_dealt_with_at_once() {
    const DEAD: usize = 30;
    let engine = FakeEngine::start().await.expect("a fake engine");
    let ways = backend(&engine);
    for number in 0..DEAD {
        dead(&ways, "notebooks", &format!("dead{number}")).await;
    }
    let way = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    way.faults()
        .add(Rule::any(Fault::Latency(Duration::from_millis(25))));
    let slow = HybridBackend::new(&way.config().expect("a configuration"));
    let heir = host(&slow.expect("a backend"), "notebooks").await;
    recovered(&heir).await;
    assert_eq!((heir.orphans().len(), names(&engine).len()), (DEAD, DEAD));
}

/// A host whose way to the engine can be cut.
struct CutOff {
    way: FaultProxy,
    backend: HybridBackend,
    host: Host,
}

impl CutOff {
    async fn new(engine: &FakeEngine) -> Self {
        let way = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
        let backend = HybridBackend::new(&way.config().expect("a configuration"));
        let backend = backend.expect("a backend").with_mode(Mode::Async);
        let host = host(&backend, "notebooks").await;
        Self { way, backend, host }
    }

    /// Back again, it finds that it has been replaced.
    async fn reconnect(&mut self) {
        let (host, before) = (self.host.clone(), self.host.instance());
        let mut lost = std::pin::pin!(host.lost());
        assert!(futures::poll!(&mut lost).is_pending());
        self.way.reconnect().await.expect("a way");
        let lost = tokio::time::timeout(Duration::from_secs(30), lost).await;
        lost.expect("it is told");
        let another = async {
            while self.host.instance() == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let became = tokio::time::timeout(Duration::from_secs(30), another).await;
        became.expect("it goes on as another");
    }
}

/// Cut off from the engine for longer than its lease, an instance has lost what it had, and knows.
#[tokio::test]
async fn who_was_silent_goes_on_as_another() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut first = CutOff::new(&engine).await;
    let hosted = first.backend.hosted(&first.host, Fate::Remove);
    running(&hosted, "mine").await;
    first.way.disconnect();
    let second = host(&backend(&engine), "notebooks").await;
    recovered(&second).await;
    assert!(names(&engine).is_empty());
    // What it made now would be another's.
    let error = hosted.create(&spec("nobodys")).await.expect_err("no lease");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Unavailable, Effect::NotSent),
        "{error}"
    );
    first.reconnect().await;
    // And what it makes now is its own.
    hosted.create(&spec("anew")).await.expect("a container");
    tokio::time::sleep(LEASE * 3).await;
    assert_eq!(names(&engine), ["anew"]);
}

/// Whoever had taken its place may be gone by then, with all that told of it.
#[tokio::test]
async fn who_was_buried_does_not_come_back() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut first = CutOff::new(&engine).await;
    let hosted = first.backend.hosted(&first.host, Fate::Adopt);
    running(&hosted, "session").await;
    first.way.disconnect();
    let backend = backend(&engine);
    let second = host(&backend, "notebooks").await;
    recovered(&second).await;
    second.end(Duration::from_secs(30)).await.expect("an end");
    let third = host(&backend, "notebooks").await;
    recovered(&third).await;
    first.reconnect().await;
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!((third.orphans().len(), first.host.orphans().len()), (1, 0));
}

/// Where nobody had taken its place, nothing is lost.
#[tokio::test]
async fn who_comes_back_before_anybody_came_goes_on() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let mut first = CutOff::new(&engine).await;
    let before = first.host.instance();
    let hosted = first.backend.hosted(&first.host, Fate::Remove);
    first.way.disconnect();
    tokio::time::sleep(LEASE * 2).await;
    first.way.reconnect().await.expect("a way");
    let made = async {
        while hosted.create(&spec("mine")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let made = tokio::time::timeout(Duration::from_secs(30), made).await;
    made.expect("its lease is renewed");
    assert_eq!(first.host.instance(), before);
}

/// Leases are volumes that nobody uses, which whoever prunes takes along.
#[tokio::test]
async fn a_prune_of_volumes_takes_nothing_from_anybody() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    dead(&backend, "notebooks", "dead").await;
    let heir = host(&backend, "notebooks").await;
    recovered(&heir).await;
    let hosted = backend.hosted(&heir, Fate::Remove);
    running(&hosted, "mine").await;
    let another = host(&backend, "notebooks").await;
    let instances = [heir.instance(), another.instance()];
    for _ in 0..3 {
        for name in engine.volumes() {
            let name = VolumeName::new(name).expect("a name");
            let options = RemoveVolumeOptions::default();
            // It may just have been given back.
            let _ = backend.remove_volume(&name, &options).await;
        }
        tokio::time::sleep(LEASE).await;
    }
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(names(&engine), ["dead-adopt", "mine"]);
    assert_eq!((heir.orphans().len(), another.orphans().len()), (1, 0));
    assert_eq!([heir.instance(), another.instance()], instances);
}

/// A container that can't be removed is in nobody else's way.
#[tokio::test]
async fn what_cannot_be_removed_holds_up_nothing() {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let backend = backend(&engine);
    dead(&backend, "notebooks", "stuck").await;
    let stuck = ContainerRef::new("stuck-remove").expect("a name");
    let stuck = backend.inspect(&stuck).await.expect("a container").id;
    let hangs = Fault::HoldAnswerUntil(Hold::new());
    let path = format!("/containers/{stuck}");
    // Refused first: the fake has removed it by the time that it would answer.
    let refused = Rule::new("DELETE", &path, Fault::Status(409)).when(When::First(1));
    engine.faults().add(refused);
    engine.faults().add(Rule::new("DELETE", path, hangs));
    let heir = host(&backend, "notebooks").await;
    let first = async {
        while heir.orphans().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let first = tokio::time::timeout(Duration::from_secs(30), first).await;
    first.expect("what can be adopted is offered");
    let instance = heir.instance();
    dead(&backend, "notebooks", "next").await;
    let both = async {
        while heir.orphans().len() < 2 || names(&engine).contains(&"next-remove".to_owned()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let both = tokio::time::timeout(Duration::from_secs(30), both).await;
    both.expect("the next one is looked after as well");
    assert_eq!(heir.instance(), instance);
}
