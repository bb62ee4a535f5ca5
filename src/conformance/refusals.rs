//! What is refused: containers that aren't there, and input that can't be right.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::objects::{network_name, volume_name};
use super::scratch::{assert_refused, idle, unique_name};
use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind};
use crate::model::{
    AttachOptions, Cidr, ConnectOptions, ContainerPath, ContainerRef, ContainerSpec, EventKind,
    EventsOptions, ExecOptions, HealthCheck, ImageRef, LogsOptions, Mount, NetworkSpec,
    RemoveOptions, Resources, Subnet, TerminalSize, Tmpfs, Ulimit, UpdateOptions, VolumeSpec,
};
use crate::operation::Operation;

/// Every operation on a container that isn't there fails as `NotFound`, and the error names both.
///
/// # Panics
/// Where one doesn't.
pub async fn absent_container_is_not_found(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let nobody = ContainerRef::from(unique_name());
    let pids = Resources::default().with_pids(8u32);
    let limits = UpdateOptions::default().with_resources(pids);
    let command = ExecOptions::new(["true"]);
    let root = ContainerPath::new("/").expect("a path");
    let size = TerminalSize::new(80, 24).expect("a size");
    let outcomes: Vec<(Operation, Option<Error>)> = vec![
        (Operation::Start, backend.start(&nobody).await.err()),
        (
            Operation::Stop,
            backend.stop(&nobody, &Default::default()).await.err(),
        ),
        (
            Operation::Restart,
            backend.restart(&nobody, &Default::default()).await.err(),
        ),
        (
            Operation::Kill,
            backend.kill(&nobody, &Default::default()).await.err(),
        ),
        (Operation::Pause, backend.pause(&nobody).await.err()),
        (Operation::Unpause, backend.unpause(&nobody).await.err()),
        (
            Operation::Rename,
            backend.rename(&nobody, &unique_name()).await.err(),
        ),
        (
            Operation::Update,
            backend.update(&nobody, &limits).await.err(),
        ),
        (Operation::Inspect, backend.inspect(&nobody).await.err()),
        (
            Operation::Wait,
            backend.wait(&nobody, &Default::default()).await.err(),
        ),
        (
            Operation::Logs,
            backend.logs(&nobody, &LogsOptions::default()).await.err(),
        ),
        (Operation::Stats, backend.stats(&nobody).await.err()),
        (
            Operation::StatsStream,
            backend.stats_stream(&nobody).await.err(),
        ),
        (
            Operation::Top,
            backend.top(&nobody, &Default::default()).await.err(),
        ),
        (Operation::Changes, backend.changes(&nobody).await.err()),
        (
            Operation::PutArchive,
            backend
                .put_archive(
                    &nobody,
                    &root,
                    &Default::default(),
                    [0; 1024].to_vec().into(),
                )
                .await
                .err(),
        ),
        (
            Operation::GetArchive,
            backend.get_archive(&nobody, &root).await.err(),
        ),
        (
            Operation::StatPath,
            backend.stat_path(&nobody, &root).await.err(),
        ),
        (Operation::Exec, backend.exec(&nobody, &command).await.err()),
        (
            Operation::StartExec,
            backend.start_exec(&nobody, &command).await.err(),
        ),
        (
            Operation::Attach,
            backend.attach(&nobody, &Default::default()).await.err(),
        ),
        (Operation::Resize, backend.resize(&nobody, size).await.err()),
        (
            Operation::Remove,
            backend.remove(&nobody, &RemoveOptions::force()).await.err(),
        ),
    ];
    for (operation, error) in outcomes {
        let error = error.unwrap_or_else(|| panic!("{operation} of nobody fails"));
        assert_refused(
            &error,
            &[ErrorKind::NotFound],
            &format!("{operation} of nobody"),
        );
        assert_eq!(
            (error.operation(), error.subject()),
            (Some(operation), Some(nobody.as_str())),
            "the error says what was done to whom: {error}"
        );
        assert!(
            !error.message().is_empty(),
            "{operation} of nobody has words"
        );
    }
}

/// A spec that can't be right is refused by its field's name, and no container is made.
///
/// # Panics
/// Where one is taken.
pub async fn bad_specs_are_refused_by_field(backend: &dyn ContainerBackend, image: &ImageRef) {
    let name = unique_name();
    let spec = || idle(image).with_name(name.clone());
    let limits =
        |change: fn(Resources) -> Resources| spec().with_resources(change(Resources::untrusted()));
    let mut tmpfs = spec();
    tmpfs.security = tmpfs.security.with_tmpfs("/a:b", Tmpfs::new(1));
    let bad: [(&str, ContainerSpec); 10] = [
        ("command", spec().with_command(["a\0b"])),
        ("env", spec().with_env("A=B", "x")),
        ("env", spec().with_env("A", "x\0")),
        ("hostname", spec().with_hostname("a b")),
        (
            "resources.memory",
            limits(|limits| limits.with_memory(0u64)),
        ),
        ("resources.cpus", limits(|limits| limits.with_cpus(-1.0))),
        (
            "resources.ulimits",
            limits(|limits| limits.with_ulimit(Ulimit::new("x y", 1))),
        ),
        ("security.tmpfs", tmpfs),
        (
            "mounts.target",
            spec().with_mount(Mount::bind("/", "relative")),
        ),
        (
            "health_check.test",
            spec().with_health_check(HealthCheck::shell("")),
        ),
    ];
    for (field, spec) in bad {
        assert_invalid(backend.create(&spec).await.err(), Operation::Create, field);
    }
    let absent = backend.inspect(&name.into()).await;
    assert_eq!(
        absent.expect_err("nothing was made").kind(),
        ErrorKind::NotFound
    );
}

/// Options that can't be right are refused by their field's name.
///
/// # Panics
/// Where one is taken.
pub async fn bad_options_are_refused_by_field(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let nobody = ContainerRef::from(unique_name());
    for (field, options) in [
        ("exec.command", ExecOptions::new(Vec::<String>::new())),
        ("exec.command", ExecOptions::new([""])),
        (
            "exec.working_dir",
            ExecOptions::new(["true"]).with_working_dir("tmp"),
        ),
        ("env", ExecOptions::new(["true"]).with_env("", "x")),
    ] {
        let ran = backend.exec(&nobody, &options).await;
        assert_invalid(ran.err(), Operation::Exec, field);
    }
    let run = || ExecOptions::new(["true"]);
    for (field, options) in [
        ("exec.stdin", run().with_stdin("x")),
        ("exec.timeout", run().with_timeout(Duration::from_secs(1))),
    ] {
        let started = backend.start_exec(&nobody, &options).await;
        assert_invalid(started.err(), Operation::StartExec, field);
    }
    let nothing = AttachOptions::default().with_stdin(false);
    let nothing = nothing.with_stdout(false).with_stderr(false);
    let attached = backend.attach(&nobody, &nothing).await;
    assert_invalid(attached.err(), Operation::Attach, "attach");
    let blank = EventsOptions::default().with_kind(EventKind::from(""));
    let events = backend.events(&blank).await;
    assert_invalid(events.err(), Operation::Events, "events.kinds");
    let nothing = LogsOptions::default().with_stdout(false).with_stderr(false);
    let log = backend.logs(&nobody, &nothing).await;
    assert_invalid(log.err(), Operation::Logs, "logs");
    let limits = Resources::default().with_pids(0u32);
    let updated = backend
        .update(&nobody, &UpdateOptions::default().with_resources(limits))
        .await;
    assert_invalid(updated.err(), Operation::Update, "resources.pids");
}

/// Networks and volumes that can't be right are refused by their field's name, and none is made.
///
/// # Panics
/// Where one is taken.
pub async fn bad_networks_and_volumes_are_refused_by_field(
    backend: &dyn ContainerBackend,
    _image: &ImageRef,
) {
    let block = |text: &str| Subnet::new(Cidr::new(text).expect("a block"));
    let name = network_name();
    let spec = || NetworkSpec::new(name.clone());
    for (field, spec) in [
        ("driver", spec().with_driver("a b")),
        ("options", spec().with_option("", "x")),
        ("subnets.subnet", spec().with_subnet(block("198.18.0.1/24"))),
        (
            "subnets.gateway",
            spec().with_subnet(block("198.18.0.0/24").with_gateway(Ipv4Addr::LOCALHOST)),
        ),
        ("ipv6", spec().with_subnet(block("fd00::/64"))),
    ] {
        let created = backend.create_network(&spec).await;
        assert_invalid(created.err(), Operation::CreateNetwork, field);
    }
    let absent = backend.inspect_network(&name).await;
    assert_eq!(
        absent.expect_err("nothing was made").kind(),
        ErrorKind::NotFound
    );

    let nobody = ContainerRef::from(unique_name());
    for (field, options) in [
        ("aliases", ConnectOptions::default().with_alias("a b")),
        (
            "ipv4_address",
            ConnectOptions::default().with_ipv4_address(Ipv4Addr::UNSPECIFIED),
        ),
    ] {
        let connected = backend.connect_network(&name, &nobody, &options).await;
        assert_invalid(connected.err(), Operation::ConnectNetwork, field);
    }

    let name = volume_name();
    for (field, spec) in [
        ("driver", VolumeSpec::named(name.clone()).with_driver("")),
        (
            "options",
            VolumeSpec::named(name.clone()).with_option("a", "\0"),
        ),
    ] {
        let created = backend.create_volume(&spec).await;
        assert_invalid(created.err(), Operation::CreateVolume, field);
    }
    let absent = backend.inspect_volume(&name).await;
    assert_eq!(
        absent.expect_err("nothing was made").kind(),
        ErrorKind::NotFound
    );
}

#[track_caller]
fn assert_invalid(error: Option<Error>, operation: Operation, field: &str) {
    let error = error.unwrap_or_else(|| panic!("{operation} refuses a bad {field}"));
    assert_eq!(
        (
            error.kind(),
            error.effect(),
            error.operation(),
            error.field()
        ),
        (
            ErrorKind::InvalidInput,
            Effect::NotSent,
            Some(operation),
            Some(field)
        ),
        "{error}"
    );
}
