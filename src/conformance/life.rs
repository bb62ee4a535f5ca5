//! From creation to removal.

use std::time::Duration;

use super::scratch::{
    CONFLICT, assert_refused, eventually, exec, follow, idle, inspect, read_log, shell,
    unique_name, until_said, with_container, with_running,
};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{
    ContainerRef, ContainerState, HealthCheck, HealthStatus, ImageRef, LogsOptions, RemoveOptions,
    RestartOptions, StartOutcome, StopOptions, StopOutcome, WaitOptions,
};

/// A container is made without running, starts, and is gone after its removal.
///
/// # Panics
/// Where it isn't so.
pub async fn create_start_and_remove(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let state = inspect(backend, &id).await.state;
        assert_eq!(state.status, ContainerState::Created, "it is made");
        assert_eq!(
            (state.pid, state.exit_code, state.started_at),
            (None, None, None),
            "it never ran"
        );
        let started = backend.start(&id).await.expect("it starts");
        assert_eq!(started, StartOutcome::Started);
        let state = inspect(backend, &id).await.state;
        assert_eq!(state.status, ContainerState::Running, "it runs");
        assert!(
            state.pid.is_some() && state.started_at.is_some() && state.exit_code.is_none(),
            "what runs has a process, a start and no exit code: {state:?}"
        );
        backend
            .remove(&id, &RemoveOptions::force())
            .await
            .expect("remove by force takes what runs");
        let gone = backend.inspect(&id).await.expect_err("it is gone");
        assert_refused(&gone, &[ErrorKind::NotFound], "inspect of what is gone");
    })
    .await;
}

/// A container answers to its name, its id, and a unique beginning of its id.
///
/// # Panics
/// Where it doesn't.
pub async fn name_and_id_reach_the_same(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let name = inspect(backend, &id).await.name;
        let beginning = id.as_str().get(..16).expect("an id has 64 digits");
        for reference in [name.as_str(), beginning, id.as_str()] {
            let reference = ContainerRef::new(reference).expect("a reference");
            assert_eq!(inspect(backend, &reference).await.id, id, "{reference}");
        }
    })
    .await;
}

/// What was asked for is what the program finds: arguments, environment, working directory, host name;
/// and an inspect tells it.
///
/// # Panics
/// Where it isn't so.
pub async fn program_gets_what_was_asked(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "")
        .with_entrypoint(["sh", "-c", "echo \"$0|$1|$MODE|$(pwd)|$(hostname)\""])
        .with_command(["a b", "é\"'$"])
        .with_env("MODE", "x=1 \n\"2\"")
        .with_working_dir("/tmp")
        .with_hostname("lab-7")
        .with_label("org.example/owner", "Älice, \"A\"")
        .expect("a label");
    with_running(backend, spec, |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 0);
        let log = read_log(backend, &id, &LogsOptions::default()).await;
        assert_eq!(
            log.stdout, "a b|é\"'$|x=1 \n\"2\"|/tmp|lab-7\n",
            "what the program found"
        );
        let details = inspect(backend, &id).await;
        assert_eq!(details.env.get("MODE"), Some("x=1 \n\"2\""));
        assert_eq!(details.labels["org.example/owner"], "Älice, \"A\"");
        // Podman names a registry before it.
        assert!(details.image.ends_with(image.as_str()), "{}", details.image);
        assert!(
            details.command.ends_with(&["a b".into(), "é\"'$".into()]),
            "inspect tells the arguments: {:?}",
            details.command
        );
    })
    .await;
}

/// Starting what runs is no error.
///
/// # Panics
/// Where it is.
pub async fn second_start_is_no_error(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let again = backend.start(&id).await.expect("a second start");
        assert_eq!(again, StartOutcome::AlreadyRunning);
    })
    .await;
}

/// A program that isn't there can't be started, and the engine says so.
///
/// # Panics
/// Where it starts.
pub async fn missing_program_fails_the_start(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "").with_command(["/no/such/program"]);
    with_container(backend, spec, |id| async move {
        let error = backend.start(&id).await.expect_err("no such program");
        assert_refused(
            &error,
            &[ErrorKind::Refused, ErrorKind::Engine, ErrorKind::NotFound],
            "the start of a program that isn't there",
        );
        assert!(!inspect(backend, &id).await.state.is_running());
    })
    .await;
}

/// An image that isn't there makes no container.
///
/// # Panics
/// Where it does.
pub async fn missing_image_makes_no_container(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let name = unique_name();
    let nothing = ImageRef::new(format!("{name}:none")).expect("a reference");
    let spec = idle(&nothing).with_name(name.clone());
    let error = backend.create(&spec).await.expect_err("no such image");
    assert_refused(&error, &[ErrorKind::NotFound], "a create without its image");
    let absent = backend.inspect(&name.into()).await;
    assert_eq!(
        absent.expect_err("nothing was made").kind(),
        ErrorKind::NotFound
    );
}

/// A stop asks the program to end and keeps its exit code; a second one finds nothing to do.
///
/// # Panics
/// Where it isn't so.
pub async fn stop_twice(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(
        image,
        "trap 'exit 7' TERM; echo ready; while :; do sleep 60 & wait; done",
    );
    with_running(backend, spec, |id| async move {
        until_said(&mut follow(backend, &id).await, "ready").await;
        let patient = StopOptions::default().with_timeout(Duration::from_secs(30));
        let first = backend.stop(&id, &patient).await.expect("a stop");
        assert_eq!(first, StopOutcome::Stopped);
        let state = inspect(backend, &id).await.state;
        assert_eq!(
            (state.status, state.exit_code),
            (ContainerState::Exited, Some(7)),
            "the program ended by itself, when it was asked to"
        );
        let second = backend.stop(&id, &patient).await.expect("a second stop");
        assert_eq!(second, StopOutcome::AlreadyStopped);
    })
    .await;
}

/// A program that doesn't listen is killed when its time is up.
///
/// # Panics
/// Where it isn't.
pub async fn stop_kills_what_will_not_end(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "trap '' TERM; echo ready; sleep 600");
    with_running(backend, spec, |id| async move {
        until_said(&mut follow(backend, &id).await, "ready").await;
        let hasty = StopOptions::default().with_timeout(Duration::from_secs(1));
        let stopped = backend.stop(&id, &hasty).await.expect("a stop");
        assert_eq!(stopped, StopOutcome::Stopped);
        let state = inspect(backend, &id).await.state;
        assert_eq!(state.exit_code, Some(137), "killed: {state:?}");
    })
    .await;
}

/// A restart gives a container a new process, whether it ran or not.
///
/// # Panics
/// Where it doesn't.
pub async fn restart_gives_a_new_process(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let options = RestartOptions::default().with_timeout(Duration::from_secs(1));
        let first = inspect(backend, &id).await.state;
        backend.restart(&id, &options).await.expect("a restart");
        let second = inspect(backend, &id).await.state;
        assert!(second.is_running(), "it runs again: {second:?}");
        assert!(
            second.started_at > first.started_at && second.pid != first.pid,
            "a new process: {first:?}, then {second:?}"
        );
        let at_once = StopOptions::default().with_timeout(Duration::from_secs(1));
        backend.stop(&id, &at_once).await.expect("a stop");
        backend.restart(&id, &options).await.expect("a restart");
        assert!(inspect(backend, &id).await.state.is_running());
    })
    .await;
}

/// The verdict of a health check is told, and follows what the check finds.
///
/// # Panics
/// Where it isn't.
pub async fn health_is_told(backend: &dyn ContainerBackend, image: &ImageRef) {
    let check = HealthCheck::command(["test", "-e", "/tmp/well"])
        .with_interval(Duration::from_secs(1))
        .with_timeout(Duration::from_secs(10))
        .with_retries(1u32);
    let spec = idle(image).with_health_check(check);
    with_running(backend, spec, |id| async move {
        let becomes = |status: HealthStatus| {
            let (id, status) = (&id, status);
            eventually("the health check's verdict changes", move || {
                let wanted = status.clone();
                async move {
                    let health = inspect(backend, id).await.state.health;
                    health.filter(|health| health.status == wanted)
                }
            })
        };
        let ill = becomes(HealthStatus::Unhealthy).await;
        assert!(ill.failing_streak > 0, "failures are counted: {ill:?}");
        assert_eq!(exec(backend, &id, "touch /tmp/well").await.exit_code, 0);
        let well = becomes(HealthStatus::Healthy).await;
        assert_eq!(well.failing_streak, 0, "{well:?}");
    })
    .await;
}

/// What runs is removed by force alone; what has ended without it.
///
/// # Panics
/// Where it isn't so.
pub async fn remove_needs_force_for_what_runs(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let gentle = RemoveOptions::default();
        let error = backend.remove(&id, &gentle).await.expect_err("it runs");
        assert_refused(&error, CONFLICT, "the removal of what runs");
        let at_once = StopOptions::default().with_timeout(Duration::from_secs(1));
        backend.stop(&id, &at_once).await.expect("a stop");
        backend.remove(&id, &gentle).await.expect("a removal");
        let again = backend.remove(&id, &gentle).await.expect_err("it is gone");
        assert_refused(&again, &[ErrorKind::NotFound], "a second removal");
    })
    .await;
}
