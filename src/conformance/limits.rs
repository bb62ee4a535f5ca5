//! Limits and privileges in force, by the engine's word and by what the program finds.

use super::scratch::{
    eventually, exec, idle, inspect, read_log, shell, with_container, with_running,
};
use crate::backend::ContainerBackend;
use crate::error::{Effect, ErrorKind};
use crate::model::{
    ContainerSpec, ImageRef, LogsOptions, MemorySwap, Mount, NetworkMode, Resources, RestartPolicy,
    Tmpfs, Ulimit, UpdateOptions, WaitOptions,
};

const MIB: u64 = 1 << 20;

/// The limits that a container was made with are those that hold.
///
/// # Panics
/// Where one doesn't.
pub async fn limits_are_in_force(backend: &dyn ContainerBackend, image: &ImageRef) {
    let asked = Resources::default()
        .with_memory_and_no_swap(64 * MIB)
        .with_memory_reservation(32 * MIB)
        .with_cpus(0.5)
        .with_cpu_shares(512u32)
        .with_cpuset_cpus("0")
        .with_pids(40u32)
        .with_shm_size(8 * MIB)
        .with_ulimit(Ulimit::new("nofile", 99));
    let spec = idle(image).with_resources(asked.clone());
    with_running(backend, spec, |id| async move {
        let mut held = inspect(backend, &id).await.resources;
        // Podman tells those of its own too.
        held.ulimits.retain(|limit| limit.name == "nofile");
        assert_eq!(held, asked, "the limits in force");
        let ran = exec(backend, &id, "ulimit -n; df -k /dev/shm | tail -n 1; nproc").await;
        let told = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(told.starts_with("99\n"), "open files: {told}");
        assert!(told.contains(" 8192 "), "shared memory: {told}");
        assert!(told.ends_with("\n1\n"), "CPUs: {told}");
    })
    .await;
}

/// Who uses more memory than the limit is killed.
///
/// # Panics
/// Where it isn't.
pub async fn memory_limit_holds(backend: &dyn ContainerBackend, image: &ImageRef) {
    let limits = Resources::default().with_memory_and_no_swap(64 * MIB);
    // A line without end, which tail keeps in memory.
    let spec = shell(image, "exec tail -n 1 /dev/zero").with_resources(limits);
    with_running(backend, spec, |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 137, "it is killed");
        // The kernel's notice reaches the engine by another way than the end does, and may come later.
        eventually("it is said to have ended for want of memory", async || {
            inspect(backend, &id).await.state.oom_killed.then_some(())
        })
        .await;
    })
    .await;
}

/// Who starts more processes than the limit fails.
///
/// # Panics
/// Where it succeeds.
pub async fn process_limit_holds(backend: &dyn ContainerBackend, image: &ImageRef) {
    let limits = Resources::default().with_pids(20u32);
    let spec = shell(image, "for i in $(seq 40); do sleep 600 & done; wait").with_resources(limits);
    with_running(backend, spec, |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        let ended = ended.expect("wait answers");
        assert_ne!(ended.exit_code, 0, "40 processes fit into 20");
    })
    .await;
}

/// What a hardened container was denied is denied: by the engine's word, and to the program.
///
/// # Panics
/// Where something isn't.
pub async fn hardening_is_in_force(backend: &dyn ContainerBackend, image: &ImageRef) {
    // Who isn't root may not write there either way: the kernel's word tells why, and of the two reasons it tells a
    // read-only file system first.
    const LOOK: &str = "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t'; \
        echo $(id -u):$(id -g); \
        touch /x 2>&1 | grep -q 'Read-only file system' && echo root is read-only; \
        touch /tmp/x && rm /tmp/x && echo tmp is writable; ls /sys/class/net";
    const FOUND: &str = "CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\n\
        65534:65534\nroot is read-only\ntmp is writable\nlo\n";
    let hardened = ContainerSpec::untrusted(image.clone());
    let spec = shell(image, &format!("{LOOK}; exec sleep 600"));
    with_running(backend, spec, |id| async move {
        let details = inspect(backend, &id).await;
        let security = &details.security;
        assert_eq!(details.resources.memory, hardened.resources.memory);
        assert_eq!(
            details.resources.memory_swap,
            hardened.resources.memory_swap
        );
        assert_eq!(details.resources.pids, hardened.resources.pids);
        assert_eq!(details.resources.cpus, hardened.resources.cpus);
        // Podman has some of its own beside it.
        for (path, tmpfs) in &hardened.security.tmpfs {
            assert_eq!(security.tmpfs.get(path), Some(tmpfs), "{path}");
        }
        assert_eq!(security.user, hardened.security.user);
        assert_eq!(security.network, Some(NetworkMode::None));
        assert!(security.no_new_privileges && security.read_only_root);
        assert!(!security.privileged && security.cap_add.is_empty());
        assert!(
            !security.cap_drop.is_empty(),
            "Podman lists them one by one"
        );

        let log = eventually("the program tells what it found", || async {
            let log = read_log(backend, &id, &LogsOptions::default()).await;
            log.stdout.ends_with("lo\n").then_some(log.stdout)
        });
        assert_eq!(log.await, FOUND, "what the program found");
        let ran = exec(backend, &id, LOOK).await;
        let told = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(told, FOUND, "what a command in it found");
    })
    .await;
}

/// What is loosened by name is loosened, and nothing else.
///
/// # Panics
/// Where it isn't so.
pub async fn loosening_is_by_name(backend: &dyn ContainerBackend, image: &ImageRef) {
    let mut spec = shell(
        image,
        "id -u; grep CapBnd /proc/self/status | tr -d '\\t'; touch /bin/x && echo root is writable; \
         cp /bin/busybox /work/true && /work/true && echo work runs",
    );
    spec.security = spec
        .security
        .with_user("0:0")
        .with_cap_add("CHOWN")
        .with_read_only_root(false)
        .with_tmpfs("/work", Tmpfs::new(16 * MIB).with_exec());
    with_running(backend, spec, |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        ended.expect("wait answers");
        let log = read_log(backend, &id, &LogsOptions::default()).await;
        assert_eq!(
            (log.stdout.as_str(), log.stderr.as_str()),
            (
                "0\nCapBnd:0000000000000001\nroot is writable\nwork runs\n",
                ""
            ),
            "CAP_CHOWN alone, a writable root, and programs in /work"
        );
    })
    .await;
}

/// Memory that is mounted holds what was asked for and no more.
///
/// # Panics
/// Where it holds more.
pub async fn mounted_memory_is_bounded(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = idle(image)
        .with_mount(Mount::tmpfs(MIB, "/scratch"))
        .with_mount(Mount::tmpfs(MIB, "/sealed").read_only());
    with_running(backend, spec, |id| async move {
        let fill = |bytes: u64| format!("head -c {bytes} /dev/zero > /scratch/x");
        let fits = exec(backend, &id, &fill(MIB / 2)).await;
        assert!(fits.success(), "half a MiB fits: {fits:?}");
        let exceeds = exec(backend, &id, &fill(2 * MIB)).await;
        assert!(!exceeds.success(), "two MiB don't fit into one");
        let sealed = exec(backend, &id, "touch /sealed/x").await;
        assert!(!sealed.success(), "what is read-only can't be written");
    })
    .await;
}

/// An update changes the limits that it names, of what runs and of what doesn't.
///
/// # Panics
/// Where it doesn't.
pub async fn update(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let before = inspect(backend, &id).await.resources;
        let policy = RestartPolicy::OnFailure(3);
        let options = UpdateOptions::default()
            .with_resources(Resources::default().with_memory_and_no_swap(128 * MIB))
            .with_restart_policy(policy);
        backend.update(&id, &options).await.expect("an update");
        backend.start(&id).await.expect("it starts");
        let limits = Resources::default().with_pids(64u32).with_cpus(0.25);
        let options = UpdateOptions::default().with_resources(limits);
        backend.update(&id, &options).await.expect("an update");

        let details = inspect(backend, &id).await;
        let after = details.resources;
        assert_eq!(
            (after.memory, after.memory_swap, after.pids, after.cpus),
            (
                Some(128 * MIB),
                Some(MemorySwap::Total(128 * MIB)),
                Some(64),
                Some(0.25)
            ),
            "both updates hold"
        );
        assert_eq!(details.restart_policy, Some(policy));
        assert_eq!(after.ulimits, before.ulimits, "the rest is as it was");
    })
    .await;
}

/// What is fixed at creation is refused by its field's name, and nothing is sent.
///
/// # Panics
/// Where it isn't.
pub async fn update_of_what_is_fixed(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let limits = Resources::default;
        for (field, limits) in [
            ("resources.shm_size", limits().with_shm_size(MIB)),
            ("resources.disk", limits().with_disk(MIB)),
            (
                "resources.ulimits",
                limits().with_ulimit(Ulimit::new("nofile", 9)),
            ),
        ] {
            let options = UpdateOptions::default().with_resources(limits.with_pids(7u32));
            let error = backend.update(&id, &options).await.expect_err(field);
            assert_eq!(
                (error.kind(), error.effect(), error.field()),
                (ErrorKind::Unsupported, Effect::NotSent, Some(field)),
                "{error}"
            );
        }
        let pids = inspect(backend, &id).await.resources.pids;
        assert_ne!(pids, Some(7), "nothing of it was done");
    })
    .await;
}
