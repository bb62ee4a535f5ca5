//! The conformance suite on the fake engine: each personality, by each backend, without Docker.

mod registry;

use catamaran::conformance::Check;
use catamaran::model::ImageRef;
use catamaran::testing::{FakeEngine, Personality};
use catamaran::{
    AsyncEngine, BlockingEngine, Config, ContainerBackend, HybridBackend, conformance_tests,
};

const IMAGE: &str = "catamaran/busybox:test";

type Make = fn(&Config) -> Box<dyn ContainerBackend>;

fn async_engine(config: &Config) -> Box<dyn ContainerBackend> {
    Box::new(AsyncEngine::new(config).expect("an engine"))
}

fn blocking_engine(config: &Config) -> Box<dyn ContainerBackend> {
    Box::new(BlockingEngine::new(config).expect("an engine"))
}

fn hybrid(config: &Config) -> Box<dyn ContainerBackend> {
    Box::new(HybridBackend::new(config).expect("both engines"))
}

/// Runs a check on an engine of its own, and asks that whether anything was left.
fn on(check: &'static Check, personality: Personality, make: Make) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let builder = FakeEngine::builder().personality(personality).image(IMAGE);
        let engine = builder.start().await.expect("a fake engine");
        let backend = make(&engine.config().expect("a configuration"));
        let image = ImageRef::new(IMAGE).expect("a reference");
        check.run(&*backend, &image).await;
        let (containers, volumes) = (engine.containers(), engine.volumes());
        assert!(
            containers.is_empty() && volumes.is_empty(),
            "left: {containers:?} {volumes:?}"
        );
        assert_eq!(engine.images(), [IMAGE]);
    });
}

macro_rules! personalities {
    ($($name:ident: $personality:ident),+ $(,)?) => {
        $(mod $name {
            use super::*;

            conformance_tests!(by_async, |check| on(check, Personality::$personality, async_engine));
            conformance_tests!(by_blocking, |check| on(check, Personality::$personality, blocking_engine));
            conformance_tests!(by_hybrid, |check| on(check, Personality::$personality, hybrid));
        })+
    };
}

personalities! {
    docker_20: Docker20,
    docker_26: Docker26,
    docker_28: Docker28,
    docker_29: Docker29,
    podman: Podman,
}
