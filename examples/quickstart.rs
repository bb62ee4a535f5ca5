//! The main job on a real engine, through both of ours: `scripts/quickstart [--keep]`.

use std::error::Error;
use std::time::{Duration, Instant};

use catamaran::model::{
    ContainerName, ContainerSpec, ExecOptions, HealthCheck, HealthStatus, ImageRef, ImportOptions,
    LogsOptions, RemoveOptions,
};
use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend};
use futures::TryStreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keep = std::env::args().any(|argument| argument == "--keep");
    let config = Config::from_env()?;
    let host = config.endpoint();
    let engines: [(&str, Box<dyn ContainerBackend>); 2] = [
        ("async", Box::new(AsyncEngine::new(&config)?)),
        ("blocking", Box::new(BlockingEngine::new(&config)?)),
    ];
    for (name, backend) in engines {
        let version = backend.version().await?;
        println!(
            "\n{name} engine on {} {} at {host}",
            version.product, version.version
        );
        let container = ContainerName::new(format!(
            "catamaran-quickstart-{name}-{}",
            std::process::id()
        ))?;
        let lived = live(&*backend, &container).await;
        if keep {
            println!("  kept       {container}");
        } else {
            // Whatever happened, nothing stays; one that was never made is gone already.
            drop(
                backend
                    .remove(&container.into(), &RemoveOptions::force())
                    .await,
            );
        }
        lived?;
    }
    Ok(())
}

async fn live(backend: &dyn ContainerBackend, name: &ContainerName) -> Result<(), Box<dyn Error>> {
    let image = ImageRef::new("catamaran/busybox:test")?;
    if !backend.image_exists(&image).await? {
        let path = std::env::var("CATAMARAN_TEST_ROOTFS")
            .map_err(|_| "the image catamaran/busybox:test isn't there: run scripts/quickstart")?;
        let rootfs = tokio::fs::read(path).await?;
        backend
            .import_image(&ImportOptions::new(image.clone()), rootfs.into())
            .await?;
    }
    let spec = ContainerSpec::untrusted(image)
        .with_name(name.clone())
        .with_command(["sh", "-c", "echo ready; exec sleep 600"])
        .with_health_check(HealthCheck::command(["true"]).with_interval(Duration::from_secs(1)));

    let began = Instant::now();
    let id = backend.create(&spec).await?.id;
    println!("  created    {:>9.1?}", began.elapsed());
    let began = Instant::now();
    backend.start(&id).await?;
    println!("  started    {:>9.1?}", began.elapsed());
    let began = Instant::now();
    let details = loop {
        let details = backend.inspect(&id).await?;
        if details
            .state
            .health
            .as_ref()
            .is_some_and(|health| health.status == HealthStatus::Healthy)
        {
            break details;
        }
        if began.elapsed() > Duration::from_secs(30) {
            return Err("the container didn't become healthy within 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("  healthy    {:>9.1?}", began.elapsed());
    println!(
        "  in force   memory {:?} B, {:?} CPU, {:?} processes, read-only {}, no new privileges {}",
        details.resources.memory.unwrap_or_default(),
        details.resources.cpus.unwrap_or_default(),
        details.resources.pids.unwrap_or_default(),
        details.security.read_only_root,
        details.security.no_new_privileges,
    );
    let began = Instant::now();
    let ran = backend.exec(&id, &ExecOptions::new(["id"])).await?;
    println!(
        "  exec id    {:>9.1?}  exit code {}: {}",
        began.elapsed(),
        ran.exit_code,
        String::from_utf8_lossy(&ran.stdout).trim()
    );
    let logs: Vec<_> = backend
        .logs(&id, &LogsOptions::default())
        .await?
        .try_collect()
        .await?;
    let text: Vec<u8> = logs.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    println!("  log        {:?}", String::from_utf8_lossy(&text));
    let stats = backend.stats(&id).await?;
    println!(
        "  uses       memory {:?} B, {:?} processes",
        stats.memory.map_or(0, |memory| memory.usage),
        stats.pids.unwrap_or_default()
    );
    Ok(())
}
