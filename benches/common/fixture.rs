//! What the calls are about.

use std::sync::Arc;

use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ImageRef, ImportOptions, RemoveImageOptions,
    RemoveOptions,
};
use catamaran::{ContainerBackend, Result};
use tokio::runtime::Runtime;

/// A container, and a label that so many bear.
#[derive(Clone)]
pub struct Target {
    pub id: ContainerRef,
    pub label: (&'static str, String),
    pub listed: usize,
}

/// By which label the container of a bench is found.
pub const LABEL: &str = "catamaran.bench";

/// A container that was made and never runs, of an image without a file, both gone with this value.
pub struct Fixture<'a> {
    pub target: Target,
    _cleanup: Cleanup<'a>,
}

impl<'a> Fixture<'a> {
    pub fn new(runtime: &'a Runtime, backend: Arc<dyn ContainerBackend>) -> Result<Self> {
        let process = std::process::id();
        let name = ContainerName::new(format!("catamaran-bench-{process}"))?;
        let image = ImageRef::new(format!("catamaran/bench:{process}"))?;
        // By name, and before either exists, so that nothing stays whichever step fails.
        let cleanup = Cleanup {
            runtime,
            backend,
            container: name.clone().into(),
            image: image.clone(),
        };
        let label = (LABEL, name.to_string());
        let spec = ContainerSpec::untrusted(image.clone())
            .with_name(name)
            .with_command(["never-run"])
            .with_label(label.0, &*label.1)?;
        // Two blocks of zeros: a tar archive's end, and nothing before it.
        let archive = vec![0; 1024];
        let create = async {
            let import = ImportOptions::new(image);
            cleanup
                .backend
                .import_image(&import, archive.into())
                .await?;
            cleanup.backend.create(&spec).await
        };
        let id = runtime.block_on(create)?.id;
        Ok(Self {
            target: Target {
                id,
                label,
                listed: 1,
            },
            _cleanup: cleanup,
        })
    }
}

struct Cleanup<'a> {
    runtime: &'a Runtime,
    backend: Arc<dyn ContainerBackend>,
    container: ContainerRef,
    image: ImageRef,
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        // What was never made can't be removed, and that is no matter.
        self.runtime.block_on(async {
            let force = RemoveOptions::force();
            drop(self.backend.remove(&self.container, &force).await);
            let image = RemoveImageOptions::default();
            drop(self.backend.remove_image(&self.image, &image).await);
        });
    }
}
