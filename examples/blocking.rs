//! Containers without any async runtime, from a plain `fn main`.
//!
//! `cargo run --example blocking [IMAGE]`

use catamaran::blocking::Backend;
use catamaran::model::{ContainerSpec, ExecOptions, ImageRef, LogsOptions};

fn main() -> catamaran::Result<()> {
    let image = std::env::args().nth(1);
    let image = ImageRef::new(image.as_deref().unwrap_or("catamaran/busybox:test"))?;
    let backend = Backend::from_env()?;
    let version = backend.version()?;
    println!("{} {}", version.product, version.version);

    let spec = ContainerSpec::untrusted(image).with_command([
        "sh",
        "-c",
        "for i in 1 2 3; do echo line $i; done; sleep 600",
    ]);
    let container = backend.scoped(&spec)?;
    backend.start(&container)?;
    let ran = backend.exec(&container, &ExecOptions::new(["id", "-un"]))?;
    println!(
        "exit code {}: {}",
        ran.exit_code,
        String::from_utf8_lossy(&ran.stdout).trim()
    );
    let follow = LogsOptions::default().with_follow(true);
    for chunk in backend.logs(&container, &follow)?.take(3) {
        print!("{}", String::from_utf8_lossy(&chunk?.bytes));
    }
    // The guard goes out of scope, and the container with it.
    Ok(())
}
