//! What the tests on a real engine share. The environment names the engine (`DOCKER_HOST` and its kin),
//! `CATAMARAN_TEST_ROOTFS` the test image's root file system; `scripts/test` sets what is needed.
#![allow(dead_code, reason = "each test takes what it needs")]

#[cfg(feature = "tls")]
pub mod dockerd;
pub mod mirror;
pub mod peer;
pub mod proxy;
#[cfg(feature = "tls")]
pub mod tls;
pub mod witness;

use std::sync::Arc;

use catamaran::model::{ContainerName, ContainerSpec, ImageRef, ImportOptions, ListOptions};
use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend, HybridBackend};
use tokio::sync::OnceCell;

pub fn config() -> Config {
    Config::from_env().expect("a configuration")
}

/// Both engines and the backend that has both, by name.
pub fn backends(config: &Config) -> [(&'static str, Arc<dyn ContainerBackend>); 3] {
    let hybrid = HybridBackend::new(config).expect("both engines");
    [
        (
            "async",
            Arc::new(AsyncEngine::new(config).expect("an engine")),
        ),
        (
            "blocking",
            Arc::new(BlockingEngine::new(config).expect("an engine")),
        ),
        ("hybrid", Arc::new(hybrid)),
    ]
}

/// The engine as somebody else sees it: connections of its own.
pub fn witness() -> Arc<dyn ContainerBackend> {
    Arc::new(BlockingEngine::new(&config()).expect("an engine"))
}

/// The test image, imported where it isn't there yet: once, since of two imports at the same time one image would lose
/// its name to the other and stay behind.
pub async fn image() -> ImageRef {
    static IMAGE: OnceCell<ImageRef> = OnceCell::const_new();
    let ensure = async || {
        let image = ImageRef::new("catamaran/busybox:test").expect("a reference");
        let backend = witness();
        if !backend.image_exists(&image).await.expect("an answer") {
            import(&*backend, &image).await;
        }
        image
    };
    IMAGE.get_or_init(ensure).await.clone()
}

/// Imports the test image as that.
pub async fn import(backend: &dyn ContainerBackend, image: &ImageRef) {
    let path = std::env::var("CATAMARAN_TEST_ROOTFS").expect("run scripts/test");
    let rootfs = std::fs::read(path).expect("the root file system");
    let options = ImportOptions::new(image.clone());
    let imported = backend.import_image(&options, rootfs.into()).await;
    imported.expect("an import");
}

/// A name that no other test and no other run of it has.
pub fn unique(test: &str) -> ContainerName {
    ContainerName::new(format!("catamaran-test-{test}-{}", std::process::id())).expect("a name")
}

/// A hardened container of that name that runs a line of shell.
pub async fn shell(name: &ContainerName, line: &str) -> ContainerSpec {
    ContainerSpec::untrusted(image().await)
        .with_name(name.clone())
        .with_command(["sh", "-c", line])
}

/// Whether a container of that name is there.
pub async fn exists(name: &ContainerName) -> bool {
    let found = witness().list(&ListOptions::all().with_name(name)).await;
    !found.expect("a list").is_empty()
}
