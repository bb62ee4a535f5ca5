//! A call that is sent again means the container that it meant at first, and the run that it meant: on the fake engine, behind
//! a proxy that loses the first answer.

use std::sync::Arc;

use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ImageRef, KillOptions, RemoveOptions, Resources,
    UpdateOptions, WaitOptions,
};
use catamaran::testing::{FakeEngine, Fault, FaultProxy, Hold, Rule, When};
use catamaran::{BlockingEngine, ContainerBackend, ErrorKind, HybridBackend, Mode};

struct Scene {
    /// It lives as long as this.
    _engine: FakeEngine,
    way: FaultProxy,
    witness: Arc<dyn ContainerBackend>,
    backend: HybridBackend,
    name: ContainerRef,
}

/// A container that runs, and a backend that isn't there for anything but one call.
async fn scene() -> Scene {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let way = FaultProxy::start(engine.endpoint()).await.expect("a proxy");
    let witness = BlockingEngine::new(&engine.config().expect("a configuration"));
    let backend = HybridBackend::new(&way.config().expect("a configuration"));
    let scene = Scene {
        witness: Arc::new(witness.expect("an engine")),
        backend: backend.expect("a backend").with_mode(Mode::Async),
        name: ContainerRef::new("pinned").expect("a reference"),
        _engine: engine,
        way,
    };
    scene.run_one().await;
    scene
}

impl Scene {
    async fn run_one(&self) -> ContainerRef {
        let spec = ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
            .with_name(ContainerName::new(self.name.as_str()).expect("a name"))
            .with_command(["sleep", "600"]);
        let id = self.witness.create(&spec).await.expect("a container").id;
        self.witness.start(&id).await.expect("a start");
        id
    }

    /// The first answer to this is lost, and the next request waits for something to happen.
    fn lose(&self, method: &str, path: &str, next: (&str, &str, u64)) -> (usize, Hold) {
        let hold = Hold::new();
        let (then, there, number) = next;
        let faults = self.way.faults();
        faults.add(Rule::new(method, path, Fault::DropAnswer).when(When::First(1)));
        let waits = Rule::new(then, there, Fault::DelayRequestUntil(hold.clone()));
        (faults.add(waits.when(When::Nth(number))), hold)
    }
}

#[tokio::test]
async fn an_exit_of_another_run_is_no_answer() {
    let scene = scene().await;
    // The first look comes before the wait.
    let (rule, hold) = scene.lose(
        "POST",
        "/containers/*/wait",
        ("GET", "/containers/*/json", 2),
    );
    let options = WaitOptions::default();
    let waited = scene.backend.wait(&scene.name, &options);
    let meanwhile = async {
        let faults = scene.way.faults();
        faults.until(rule, |count| count.matched == 1).await;
        scene
            .witness
            .kill(&scene.name, &KillOptions::default())
            .await
            .expect("a kill");
        faults.until(rule, |count| count.faulted == 1).await;
        scene.witness.start(&scene.name).await.expect("a start");
        hold.release();
    };
    let (waited, ()) = futures::future::join(waited, meanwhile).await;
    let error = waited.expect_err("its exit code is lost");
    assert_eq!(error.kind(), ErrorKind::Container, "{error}");
}

#[tokio::test]
async fn an_update_sent_again_keeps_to_its_container() {
    let scene = scene().await;
    let update = ("POST", "/containers/*/update");
    // The first meets the other fault, and isn't counted here.
    let (rule, hold) = scene.lose(update.0, update.1, (update.0, update.1, 1));
    let options =
        UpdateOptions::default().with_resources(Resources::default().with_memory(64 << 20));
    let updated = scene.backend.update(&scene.name, &options);
    let meanwhile = async {
        scene
            .way
            .faults()
            .until(rule, |count| count.faulted == 1)
            .await;
        let force = RemoveOptions::force();
        let removed = scene.witness.remove(&scene.name, &force).await;
        removed.expect("a removal");
        let id = scene.run_one().await;
        hold.release();
        id
    };
    let (updated, another) = futures::future::join(updated, meanwhile).await;
    let error = updated.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let details = scene.witness.inspect(&another).await.expect("a container");
    assert_ne!(details.resources.memory, Some(64 << 20));
}

#[tokio::test]
async fn a_removal_of_what_never_was_is_told_as_that() {
    let scene = scene().await;
    let path = "/containers/nobody";
    let faults = scene.way.faults();
    faults.add(Rule::new("DELETE", path, Fault::DropAnswer).when(When::First(1)));
    let nobody = ContainerRef::new("nobody").expect("a reference");
    let removed = scene.backend.remove(&nobody, &RemoveOptions::force()).await;
    let error = removed.expect_err("there is nobody");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
