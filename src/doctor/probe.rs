//! Which limits really hold: hardened containers that look around, or try to exceed them.
//!
//! No probe can hurt where a limit doesn't hold: each takes a known amount and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::judge::{self, Outcome};
use super::report::{Finding, Severity};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{ErrorKind, Result};
use crate::model::{
    ContainerSpec, ImageRef, LogsOptions, Resources, SecurityProfile, Tmpfs, Ulimit, WaitOptions,
};

pub(super) const MEMORY: u64 = 32 << 20;
pub(super) const PIDS: u32 = 32;
pub(super) const FORKS: u32 = 96;
pub(super) const IN_MEMORY: u64 = 1 << 20;
pub(super) const OPEN_FILES: i64 = 99;
pub(super) const CPUS: f64 = 0.5;

/// A shell retries a failed fork for a while; then what it has told is read.
const PATIENCE: Duration = Duration::from_secs(8);
/// What is kept of an output.
const OUTPUT: usize = 64 << 10;

/// Builtins alone, but for `dd`: 2 MiB into a directory of 1 MiB.
const LOOK: &str = r#"
while read -r k v _; do case $k in Uid:|CapBnd:|CapEff:|NoNewPrivs:|Seccomp:) echo "$k $v";; esac; done </proc/self/status
while read -r _ at _ opts _; do case $at in /|/tmp|/dev/shm) echo "mount $at $opts";; esac; done </proc/mounts
while read -r n _; do case $n in *:*) echo "net ${n%%:*}";; esac; done </proc/net/dev
echo "nofile $(ulimit -n)"
if read -r q p </sys/fs/cgroup/cpu.max; then echo "cpu $q $p"
elif read -r q </sys/fs/cgroup/cpu/cpu.cfs_quota_us && read -r p </sys/fs/cgroup/cpu/cpu.cfs_period_us; then echo "cpu $q $p"; fi
for at in /tmp /dev/shm; do
  if command -v dd >/dev/null; then
    if dd if=/dev/zero of=$at/probe bs=65536 count=32; then echo "fill $at over"; else echo "fill $at full"; fi
  fi
done
echo done
"#;

/// Doubles a text to 64 MiB, in the shell itself.
const EAT: &str = "x=0123456789abcdef; i=0; echo begun
while [ $i -lt 22 ]; do x=$x$x; i=$((i+1)); done; echo over";

/// Starts processes that stay, and tells how many.
const FORK: &str = "command -v sleep >/dev/null || { echo nosleep; exit 0; }
i=0; while [ $i -lt 96 ]; do sleep 20 & i=$((i+1)); echo $i; done; echo over";

fn spec(image: &ImageRef, script: &str, resources: Resources) -> Result<ContainerSpec> {
    let security = SecurityProfile::untrusted().with_tmpfs("/tmp", Tmpfs::new(IN_MEMORY));
    ContainerSpec::untrusted(image.clone())
        .with_entrypoint(["/bin/sh"])
        .with_command(["-c", script])
        .with_resources(resources)
        .with_security(security)
        .with_strict(true)
        .with_label(super::PROBE_LABEL, "probe")
}

pub(super) async fn all(
    backend: Arc<dyn ContainerBackend>,
    image: &ImageRef,
    deadline: Instant,
) -> Vec<Finding> {
    match backend.image_exists(image).await {
        Ok(true) => {}
        Ok(false) => {
            return vec![
                Finding::unknown("probe", format!("the image {image} isn't there"))
                    .advise(format!("docker pull {image}, or give one that is there")),
            ];
        }
        Err(error) => return vec![Finding::failed("probe", Severity::Unknown, &error)],
    }
    let base = Resources::untrusted()
        .with_cpus(CPUS)
        .with_pids(PIDS)
        .with_shm_size(IN_MEMORY)
        .with_ulimit(Ulimit::new("nofile", OPEN_FILES));
    let small = base.clone().with_memory_and_no_swap(MEMORY);
    let (look, eat, fork) = tokio::join!(
        run(&*backend, image, LOOK, base.clone(), deadline),
        run(&*backend, image, EAT, small, deadline),
        run(&*backend, image, FORK, base, deadline),
    );
    let mut findings = vec![judge::creation(&look)];
    findings.push(judge::memory(&eat));
    findings.push(judge::pids(&fork));
    findings.extend(judge::look(&look));
    findings
}

/// Runs a probe. What a strict creation refuses is noted, and made none the less, to see what holds.
async fn run(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
    script: &str,
    resources: Resources,
    deadline: Instant,
) -> Result<Outcome> {
    let strict = spec(image, script, resources)?;
    match once(backend, &strict, deadline).await {
        Err(error) if error.kind() == ErrorKind::Weakened => {
            let lax = strict.with_strict(false);
            let outcome = once(backend, &lax, deadline).await?;
            Ok(Outcome {
                weakened: Some(error),
                ..outcome
            })
        }
        other => other,
    }
}

async fn once(
    backend: &dyn ContainerBackend,
    spec: &ContainerSpec,
    deadline: Instant,
) -> Result<Outcome> {
    let container = backend.scoped(spec).await?;
    backend.start(&container).await?;
    let patience = deadline.min(Instant::now() + PATIENCE);
    let options = WaitOptions::default();
    let exit_code = match timeout_at(patience, backend.wait(&container, &options)).await {
        Ok(ended) => Some(ended?.exit_code),
        Err(_) => None,
    };
    let log = backend.logs(&container, &LogsOptions::default()).await?;
    let output = log.output(OUTPUT).await?;
    // What was seen isn't lost by a removal that fails: that goes on in the background.
    let _ = container.remove().await;
    Ok(Outcome {
        exit_code,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        weakened: None,
    })
}
