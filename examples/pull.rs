//! Pulls an image, with a progress bar for its layers.
//!
//! `cargo run --example pull [IMAGE]`

use std::collections::HashMap;

use catamaran::model::{ImageRef, PullOptions, PullStatus, RegistryAuth};
use catamaran::{ContainerBackend, Environment, HybridBackend};
use futures::TryStreamExt;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const LAYER: &str = "{prefix:12} {msg:18} {bar:30} {bytes:>10} of {total_bytes}";

#[tokio::main]
async fn main() -> catamaran::Result<()> {
    let image = std::env::args().nth(1);
    let image = ImageRef::new(image.as_deref().unwrap_or("busybox:latest"))?;
    let backend = HybridBackend::from_env()?;
    // What `docker login` left, if anything.
    let auth = RegistryAuth::for_image(&image, &Environment::from_process())?;
    let options = PullOptions::default().with_auth(auth);

    let style =
        ProgressStyle::with_template(LAYER).unwrap_or_else(|_| ProgressStyle::default_bar());
    let screen = MultiProgress::new();
    let mut layers: HashMap<String, ProgressBar> = HashMap::new();
    let mut progress = backend.pull_image(&image, &options).await?;
    while let Some(event) = progress.try_next().await? {
        let (Some(id), false) = (event.id, matches!(event.status, PullStatus::Other(_))) else {
            // Above the bars, and also where there is no terminal for any.
            screen.suspend(|| println!("{}", event.status));
            continue;
        };
        let bar = layers.entry(id).or_insert_with_key(|id| {
            let bar = screen.add(ProgressBar::no_length().with_style(style.clone()));
            bar.with_prefix(id.clone())
        });
        bar.set_message(event.status.to_string());
        if let Some(total) = event.total {
            bar.set_length(total);
        }
        if let Some(current) = event.current {
            bar.set_position(current);
        }
        if matches!(event.status, PullStatus::Complete | PullStatus::Exists) {
            bar.finish();
        }
    }
    let details = backend.inspect_image(&image).await?;
    println!("{image}: {}, {} layers", details.id, details.layers.len());
    Ok(())
}
