//! Gives a program its input, all at once and as it goes, and reads what it makes of it.
//!
//! `cargo run --example exec_stdin [IMAGE]`

use std::time::Duration;

use catamaran::model::{ContainerSpec, ExecOptions, ImageRef};
use catamaran::{ContainerBackend, ContainerBackendExt, HybridBackend};
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args().nth(1);
    let image = ImageRef::new(image.as_deref().unwrap_or("catamaran/busybox:test"))?;
    let backend = HybridBackend::from_env()?;
    let spec = ContainerSpec::untrusted(image).with_command(["sleep", "600"]);
    let container = backend.scoped(&spec).await?;
    backend.start(&container).await?;

    // All at once, by a program that may not take longer than it should.
    let sort = ExecOptions::new(["sort"])
        .with_stdin("cherry\napple\nbanana\n")
        .with_timeout(Duration::from_secs(5));
    let ran = backend.exec(&container, &sort).await?;
    print!("{}", String::from_utf8_lossy(&ran.stdout));

    // As it goes: a word in, its length out.
    let line = "while read word; do echo ${#word}; done";
    let counting = ExecOptions::new(["sh", "-c", line]);
    let mut session = backend.start_exec(&container, &counting).await?;
    for word in ["one", "three", "fifteen"] {
        let line = format!("{word}\n");
        session.input.write_all(line.as_bytes()).await?;
        if let Some(chunk) = session.output.try_next().await? {
            print!("{word}: {}", String::from_utf8_lossy(&chunk.bytes));
        }
    }
    session.input.shutdown().await?;
    println!("exit code {}", backend.wait_exec(&session.id).await?);

    container.remove().await?;
    Ok(())
}
