//! Follows a container's output to its end, over as many connections to the engine as it takes.
//!
//! `cargo run --example follow_logs [IMAGE]`

use std::io::Write;

use catamaran::model::{ContainerSpec, ImageRef, LogSource, LogsOptions};
use catamaran::{ContainerBackend, ContainerBackendExt, HybridBackend};
use futures::TryStreamExt;

#[tokio::main]
async fn main() -> catamaran::Result<()> {
    let image = std::env::args().nth(1);
    let image = ImageRef::new(image.as_deref().unwrap_or("catamaran/busybox:test"))?;
    let backend = HybridBackend::from_env()?;
    let spec = ContainerSpec::untrusted(image).with_command([
        "sh",
        "-c",
        "for i in 1 2 3 4 5; do echo line $i; sleep 1; done; echo done >&2",
    ]);
    let container = backend.scoped(&spec).await?;
    backend.start(&container).await?;

    // Restart the engine meanwhile, with live-restore on: the lines go on, each once.
    let mut log = backend
        .follow_logs(&container, &LogsOptions::default())
        .await?;
    while let Some(chunk) = log.try_next().await? {
        let written = match chunk.source {
            LogSource::Stderr => std::io::stderr().write_all(&chunk.bytes),
            _ => std::io::stdout().write_all(&chunk.bytes),
        };
        if written.is_err() {
            break; // nobody reads it any more
        }
    }
    container.remove().await
}
