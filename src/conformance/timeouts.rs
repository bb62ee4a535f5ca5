//! Commands that take too long, or are ended.

use std::time::{Duration, Instant};

use super::scratch::{exec, idle, until_said, with_running};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, ErrorKind};
use crate::model::{ContainerRef, ExecOptions, ImageRef, TopOptions};

/// In which a command begins, all but always; its time counts from the call on.
const BEGINS: Duration = Duration::from_secs(2);

/// How many of these sleep, as the engine sees it.
async fn sleeping(backend: &dyn ContainerBackend, id: &ContainerRef, seconds: u32) -> usize {
    let table = backend.top(id, &TopOptions::default()).await;
    let table = table.expect("top answers");
    let command = format!("sleep {seconds}");
    let sleeps = |row: &&Vec<String>| row.contains(&command);
    table.processes.iter().filter(sleeps).count()
}

/// A command that runs longer than it may is killed with all that it has started, keeps what it wrote, and says so;
/// the container and what else runs in it go on.
///
/// # Panics
/// Where it isn't so.
pub async fn exec_timeout_ends_it_all(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let other = ExecOptions::new(["sh", "-c", "echo ready; sleep 7003"]);
        let mut other = backend.start_exec(&id, &other).await.expect("a session");
        until_said(&mut other.output, "ready").await;
        // In the background, without a parent, in a session of its own, deaf, and grandchildren.
        let line = "trap '' TERM HUP INT; echo begun; echo err >&2; sleep 7001 & (sleep 7001 &) ; setsid sleep 7001 & \
                    sh -c 'sh -c \"sleep 7001; :\"; :'";
        // A busy machine may have begun it late.
        let mut said = Vec::new();
        for time in [BEGINS, 4 * BEGINS] {
            let options = ExecOptions::new(["sh", "-c", line])
                .with_env("WORDS", "two\nlines\n")
                .with_timeout(time);
            let began = Instant::now();
            let ran = backend.exec(&id, &options).await.expect("exec answers");
            let took = began.elapsed();
            assert!(ran.timed_out && ran.exit_code == 137, "{ran:?}");
            assert!((time..time * 15).contains(&took), "{took:?}");
            said = [ran.stdout, ran.stderr].concat();
            if said == b"begun\nerr\n" {
                break;
            }
        }
        assert_eq!(said, b"begun\nerr\n");
        assert_eq!(sleeping(backend, &id, 7001).await, 0, "nothing is left");
        assert_eq!(sleeping(backend, &id, 7003).await, 1, "others go on");
        let details = backend.inspect_exec(&other.id).await;
        assert!(details.expect("inspect_exec answers").running);
        assert!(exec(backend, &id, "true").await.success(), "others run");

        // As another user, and with input that nobody reads.
        let options = ExecOptions::new(["sleep", "7001"])
            .with_user("1234:5678")
            .with_stdin(vec![0; 1 << 20])
            .with_timeout(BEGINS);
        let ran = backend.exec(&id, &options).await.expect("exec answers");
        assert_eq!((ran.timed_out, ran.exit_code), (true, 137));
        assert_eq!(sleeping(backend, &id, 7001).await, 0, "nothing is left");
    })
    .await;
}

/// A command that ends in its time isn't touched by it.
///
/// # Panics
/// Where it is.
pub async fn exec_in_time_is_as_ever(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let options = ExecOptions::new(["sh", "-c", "echo out; exit 6"]);
        let options = options.with_timeout(Duration::from_secs(60));
        let ran = backend.exec(&id, &options).await.expect("exec answers");
        assert_eq!(
            (ran.exit_code, &ran.stdout[..], ran.timed_out),
            (6, &b"out\n"[..], false)
        );
    })
    .await;
}

/// What can't be ended is said to be running still.
///
/// # Panics
/// Where it isn't so.
pub async fn exec_timeout_that_ends_nothing(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        // Without the environment that it was given, nobody knows it.
        let options = ExecOptions::new(["env", "-i", "sleep", "7002"]);
        let options = options.with_timeout(BEGINS);
        let error = backend.exec(&id, &options).await.expect_err("it hides");
        assert_eq!(
            (error.kind(), error.effect(), error.subject()),
            (ErrorKind::Timeout, Effect::Unknown, Some(id.as_str())),
            "{error}"
        );
        assert!(error.advice().is_some(), "{error}");
        assert_eq!(sleeping(backend, &id, 7002).await, 1);
    })
    .await;
}

/// A session is ended by its tag, once; its exit code is that of what is killed.
///
/// # Panics
/// Where it isn't so.
pub async fn sessions_are_ended(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let line = ExecOptions::new(["sh", "-c", "sleep 7001 & echo ready; cat"]);
        let mut session = backend.start_exec(&id, &line).await.expect("a session");
        let mut other = backend.start_exec(&id, &line).await.expect("a session");
        until_said(&mut session.output, "ready").await;
        until_said(&mut other.output, "ready").await;
        for found in [true, false] {
            let ended = backend.end_exec(&id, &session.tag).await;
            assert_eq!(ended.expect("end_exec answers"), found);
        }
        let rest = session.output.output(100).await;
        assert_eq!(rest.expect("its end").stdout.len(), 0);
        let code = backend.wait_exec(&session.id).await;
        assert_eq!(code.expect("wait_exec answers"), 137);
        assert_eq!(sleeping(backend, &id, 7001).await, 1, "that of the other");
        let details = backend.inspect_exec(&other.id).await;
        assert!(details.expect("inspect_exec answers").running);
    })
    .await;
}
