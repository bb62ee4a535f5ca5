//! Signals, pauses, and how a container's end is told.

use std::time::Duration;

use futures::TryStreamExt;
use futures::future::{Either, join, select};

use super::scratch::{
    CONFLICT, assert_refused, eventually, follow, idle, inspect, read_to_end, shell, until_said,
    with_container, with_running,
};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{
    ContainerState, ExecOptions, ImageRef, KillOptions, RemoveOptions, Signal, WaitCondition,
    WaitOptions,
};

/// A kill ends the process, with the exit code that says so.
///
/// # Panics
/// Where it doesn't.
pub async fn kill_ends_it(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let kill = KillOptions::default();
        backend.kill(&id, &kill).await.expect("a kill");
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 137, "128 + SIGKILL");
    })
    .await;
}

/// A signal reaches the program, which runs on.
///
/// # Panics
/// Where it doesn't.
pub async fn signal_reaches_the_program(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(
        image,
        "trap 'echo caught' USR1; echo ready; while :; do sleep 60 & wait; done",
    );
    with_running(backend, spec, |id| async move {
        let mut log = follow(backend, &id).await;
        until_said(&mut log, "ready").await;
        let signal = KillOptions::default().with_signal(Signal::USR1);
        backend.kill(&id, &signal).await.expect("a signal");
        until_said(&mut log, "caught").await;
        assert!(inspect(backend, &id).await.state.is_running());
    })
    .await;
}

/// What doesn't run gets no signal.
///
/// # Panics
/// Where the engine takes it.
pub async fn kill_a_dead_one_conflicts(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, shell(image, "exit 0"), |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 0);
        let kill = KillOptions::default();
        let error = backend.kill(&id, &kill).await.expect_err("it has ended");
        assert_refused(&error, CONFLICT, "a signal for what doesn't run");
    })
    .await;
}

/// A pause freezes a container, which counts as running; an unpause lets it go on.
///
/// # Panics
/// Where it doesn't.
pub async fn pause_and_unpause(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        backend.pause(&id).await.expect("a pause");
        let state = inspect(backend, &id).await.state;
        assert_eq!(state.status, ContainerState::Paused);
        assert!(state.is_running() && state.pid.is_some() && state.exit_code.is_none());
        backend.unpause(&id).await.expect("an unpause");
        // Docker hears of the pause once more, from its containerd, and may take it for a new one for a moment.
        eventually("it runs again", async || {
            let state = inspect(backend, &id).await.state;
            let runs = state.status == ContainerState::Running;
            let ran = backend.exec(&id, &ExecOptions::new(["true"])).await;
            match ran {
                Err(error) if error.kind() == ErrorKind::Conflict => None,
                ran => (ran.expect("exec runs it").success() && runs).then_some(()),
            }
        })
        .await;
    })
    .await;
}

/// What is paused is neither started, nor paused again, nor does it run commands; what isn't, isn't
/// unpaused; what doesn't run isn't paused.
///
/// # Panics
/// Where the engine does it.
pub async fn pauses_have_their_order(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let error = backend.pause(&id).await.expect_err("it doesn't run");
        assert_refused(&error, CONFLICT, "a pause of what doesn't run");
        backend.start(&id).await.expect("it starts");
        let error = backend.unpause(&id).await.expect_err("it isn't paused");
        assert_refused(&error, CONFLICT, "an unpause of what isn't paused");

        backend.pause(&id).await.expect("a pause");
        let error = backend.start(&id).await.expect_err("it is paused");
        assert_refused(&error, CONFLICT, "a start of what is paused");
        let error = backend.pause(&id).await.expect_err("it is paused");
        assert_refused(&error, CONFLICT, "a second pause");
        let command = ExecOptions::new(["true"]);
        let error = backend.exec(&id, &command).await.expect_err("it is paused");
        assert_refused(&error, CONFLICT, "a command in what is paused");
        // Some kernels can't kill what is frozen.
        backend.unpause(&id).await.expect("an unpause");
    })
    .await;
}

/// A wait gives the exit code, as often as it is asked; one that isn't 0 is no error.
///
/// # Panics
/// Where it doesn't.
pub async fn wait_gives_the_exit_code(backend: &dyn ContainerBackend, image: &ImageRef) {
    for code in [0, 1, 42, 255] {
        let spec = shell(image, &format!("exit {code}"));
        with_running(backend, spec, |id| async move {
            for _ in 0..2 {
                let ended = backend.wait(&id, &WaitOptions::default()).await;
                let ended = ended.expect("wait answers");
                assert_eq!((ended.exit_code, ended.error), (code, None));
            }
            let state = inspect(backend, &id).await.state;
            assert_eq!(
                (state.status, state.exit_code),
                (ContainerState::Exited, Some(code)),
                "the state has it too"
            );
            assert!(state.finished_at.is_some() && state.pid.is_none());
        })
        .await;
    }
}

/// A wait for the next exit isn't content with an earlier one.
///
/// # Panics
/// Where it is.
pub async fn wait_for_the_next_exit(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, shell(image, "exec sleep 600"), |id| async move {
        let options = WaitOptions::default().with_condition(WaitCondition::NextExit);
        let mut waiting = backend.wait(&id, &options);
        // Nothing tells when the engine has begun to wait: end it until the wait has seen one, ever more slowly.
        for number in 0..50 {
            let end = Box::pin(async {
                tokio::time::sleep(Duration::from_millis(10 * number)).await;
                backend.start(&id).await.expect("it starts");
                let kill = KillOptions::default();
                backend.kill(&id, &kill).await.expect("a kill");
                let ended = backend.wait(&id, &WaitOptions::default()).await;
                ended.expect("wait answers")
            });
            match select(waiting, end).await {
                Either::Left((ended, end)) => {
                    let ended = ended.expect("wait answers");
                    assert_eq!(ended.exit_code, 137, "the exit that it saw");
                    end.await;
                    return;
                }
                Either::Right((_, still)) => waiting = still,
            }
        }
        panic!("a wait for the next exit sees one of fifty");
    })
    .await;
}

/// A wait for the removal ends when the container is gone.
///
/// # Panics
/// Where it doesn't.
pub async fn wait_for_the_removal(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let options = WaitOptions::default().with_condition(WaitCondition::Removed);
        let force = RemoveOptions::force();
        let (waited, removed) =
            join(backend.wait(&id, &options), backend.remove(&id, &force)).await;
        removed.expect("a removal");
        // The removal may have come first.
        if let Err(error) = waited {
            assert_refused(&error, &[ErrorKind::NotFound], "a wait that came too late");
        }
        let gone = backend.inspect(&id).await.expect_err("it is gone");
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    })
    .await;
}

/// Waits and followed logs that are dropped leave the container and the backend as they were.
///
/// # Panics
/// Where they don't.
pub async fn dropped_calls_end_only_themselves(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let options = WaitOptions::default();
        for _ in 0..20 {
            let mut log = follow(backend, &id).await;
            let waiting = backend.wait(&id, &options);
            // The log comes to its first line meanwhile; the wait never ends.
            match select(waiting, log.try_next()).await {
                Either::Left(_) => panic!("it runs still"),
                Either::Right((line, _)) => {
                    assert!(line.expect("the log can be read").is_some());
                }
            }
        }
        assert!(inspect(backend, &id).await.state.is_running());
        let mut log = follow(backend, &id).await;
        let kill = KillOptions::default().with_signal(Signal::TERM);
        backend.kill(&id, &kill).await.expect("a signal");
        let (rest, ended) = join(read_to_end(&mut log), backend.wait(&id, &options)).await;
        assert_eq!(rest.stdout, "ready\n");
        assert_eq!(ended.expect("wait answers").exit_code, 0);
    })
    .await;
}
