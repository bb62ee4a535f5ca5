//! Creations that are held to what was asked for, and what engines warn of.

use super::objects::with_volume;
use super::scratch::{
    LABEL, assert_refused, idle, inspect, run, shell, unique_name, with_container,
};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, ErrorKind};
use crate::model::{
    ContainerRef, ContainerSpec, EngineProduct, HealthCheck, ImageRef, Mount, NetworkMode,
    PortMapping, RemoveOptions, SeccompProfile, Signal, Tmpfs, Ulimit, VolumeName,
};

const MIB: u64 = 1 << 20;

/// A hardened container with all that can be asked of any machine.
fn loaded(image: &ImageRef, volume: VolumeName, product: &EngineProduct) -> ContainerSpec {
    let mut spec = ContainerSpec::untrusted(image.clone())
        .with_name(unique_name())
        .with_label(LABEL, run())
        .expect("a label's key")
        .with_strict(true)
        .with_entrypoint(["sh", "-c"])
        .with_command(["exit 0", ""])
        .with_env("TOKEN", "a=b")
        .with_working_dir("/tmp/")
        .with_hostname("strict")
        .with_tty(true)
        .with_mount(Mount::volume(volume, "/data/").read_only())
        .with_port(PortMapping::tcp(80))
        .with_port(PortMapping::tcp(80).on([0, 0, 0, 0], 8080))
        .with_health_check(HealthCheck::command(["true"]).with_retries(2u32))
        .with_stop_signal(Signal::INT)
        .with_stop_timeout(std::time::Duration::from_millis(1500));
    spec.resources = spec
        .resources
        .with_memory_reservation(32 * MIB)
        .with_cpus(0.75)
        .with_cpu_shares(512u32)
        .with_cpuset_cpus("0")
        .with_shm_size(8 * MIB)
        .with_ulimit(Ulimit::new("nofile", 99));
    spec.security = spec
        .security
        .with_cap_add("chown")
        .with_tmpfs("/work/", Tmpfs::new(MIB).with_exec());
    if *product == EngineProduct::Podman {
        // It has other names for logs, and does without some of what it is told of them.
        spec.log = None;
        // It keeps no ports where there is no network.
        spec.ports.clear();
        return spec;
    }
    let filter = r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#.to_owned();
    spec.security = spec.security.with_seccomp(SeccompProfile::Json(filter));
    spec.with_mount(Mount::bind("/etc/../etc/", "/etc/host"))
        .with_mount(Mount::tmpfs(MIB, "/scratch"))
}

/// A strict creation of a hardened container succeeds where the engine's kernel has what it takes; where the engine
/// says that it can't limit swap, it fails by that name, and nothing stays.
///
/// # Panics
/// Where it isn't so.
pub async fn strict_takes_what_is_as_asked(backend: &dyn ContainerBackend, image: &ImageRef) {
    let version = backend.version().await.expect("version answers");
    let info = backend.info().await.expect("info answers");
    let no_swap = |warning: &String| warning.contains("No swap limit support");
    let no_swap = info.warnings.iter().any(no_swap);
    with_volume(backend, unique_name().as_str(), |volume| async move {
        let spec = loaded(image, volume, &version.product);
        match backend.scoped(&spec).await {
            Ok(guard) => {
                assert!(!no_swap, "swap can't be limited: {:?}", info.warnings);
                let security = inspect(backend, &guard).await.security;
                assert!(security.read_only_root, "it is there, as it was asked for");
                guard.remove().await.expect("a removal");
            }
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.effect(), error.field()),
                    (
                        ErrorKind::Weakened,
                        Effect::Rejected,
                        Some("resources.memory_swap")
                    ),
                    "{error}"
                );
                assert!(no_swap, "{error}");
                let name = ContainerRef::from(spec.name.expect("a name"));
                let absent = backend.inspect(&name).await.expect_err("it is gone");
                assert_refused(&absent, &[ErrorKind::NotFound], "a look at what is gone");
            }
        }
    })
    .await;
}

/// Networks are known by any of their names.
///
/// # Panics
/// Where one isn't.
pub async fn strict_knows_networks(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |other| async move {
        let name = inspect(backend, &other).await.name;
        let named = ContainerRef::new(name).expect("a name");
        for network in [
            None,
            Some(NetworkMode::Default),
            Some(NetworkMode::None),
            Some(NetworkMode::Host),
            Some(NetworkMode::Container(other)),
            Some(NetworkMode::Container(named)),
        ] {
            let mut spec = shell(image, "true").with_strict(true);
            // What can't be limited isn't asked for.
            spec.resources.memory_swap = None;
            spec.security.network = network;
            if backend.version().await.expect("an answer").product == EngineProduct::Podman {
                spec.log = None;
            }
            with_container(backend, spec, |_| async {}).await;
        }
    })
    .await;
}

/// What an engine warns of when it makes a container comes with it.
///
/// # Panics
/// Where it doesn't.
pub async fn warnings_are_told(backend: &dyn ContainerBackend, image: &ImageRef) {
    let product = backend.version().await.expect("version answers").product;
    let mut spec = idle(image).with_port(PortMapping::tcp(80));
    spec = spec.with_name(unique_name());
    spec = spec.with_label(LABEL, run()).expect("a label's key");
    spec.security = spec.security.with_network(NetworkMode::Host);
    let created = backend.create(&spec).await.expect("a container");
    let removed = backend.remove(&created.id, &RemoveOptions::force()).await;
    removed.expect("a removal");
    // Docker publishes nothing on the host's own network, and says so.
    let told = created
        .warnings
        .iter()
        .any(|warning| warning.contains("host network"));
    assert!(
        told || product != EngineProduct::Docker,
        "{:?}",
        created.warnings
    );
}
