//! Copies a workspace into a hardened container, has a command change it there, and copies it out again.
//!
//! `cargo run --example workspace [IMAGE]`

use std::path::Path;

use catamaran::model::{
    ContainerPath, ContainerSpec, CopyOptions, ExecOptions, ImageRef, OutwardLinks, Tmpfs,
};
use catamaran::{ContainerBackend, ContainerBackendExt, HybridBackend};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args().nth(1);
    let image = ImageRef::new(image.as_deref().unwrap_or("busybox:latest"))?;
    let backend = HybridBackend::from_env()?;

    let host = std::env::temp_dir().join(format!("catamaran-workspace-{}", std::process::id()));
    let (before, after) = (host.join("before"), host.join("after"));
    std::fs::create_dir_all(before.join("src"))?;
    std::fs::write(before.join("src/words.txt"), "pear\napple\nfig\n")?;
    std::fs::write(before.join("README"), "Words, to be sorted.\n")?;

    // A read-only root, and a workspace in memory: an engine's own archives don't get there.
    let mut spec = ContainerSpec::untrusted(image).with_command(["sleep", "600"]);
    spec.security = spec.security.with_tmpfs("/work", Tmpfs::new(64 << 20));
    let container = backend.scoped(&spec).await?;
    backend.start(&container).await?;

    let (work, options) = (ContainerPath::new("/work")?, CopyOptions::default());
    let copied = backend
        .copy_in(&container, &before, &work, &options)
        .await?;
    println!("in:  {} entries, {} bytes", copied.entries, copied.bytes);
    let line = "sort src/words.txt >src/sorted.txt && rm README && ln -s /etc/passwd trap";
    let change = ExecOptions::new(["sh", "-c", line]).with_working_dir("/work");
    let ran = backend.exec(&container, &change).await?;
    println!("exit code {}", ran.exit_code);
    // The container may have made anything of it: a link out of the workspace is left out.
    let options = options.with_outward_links(OutwardLinks::Skip);
    let copied = backend
        .copy_out(&container, &work, &after, &options)
        .await?;
    println!(
        "out: {} entries, {} bytes, {} left out",
        copied.entries, copied.bytes, copied.skipped
    );
    container.remove().await?;

    show(&after, 0)?;
    println!("{}", std::fs::read_to_string(after.join("src/sorted.txt"))?);
    std::fs::remove_dir_all(host)?;
    Ok(())
}

fn show(directory: &Path, depth: usize) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        println!(
            "{}{}",
            "  ".repeat(depth),
            entry.file_name().to_string_lossy()
        );
        if entry.file_type()?.is_dir() {
            show(&entry.path(), depth + 1)?;
        }
    }
    Ok(())
}
