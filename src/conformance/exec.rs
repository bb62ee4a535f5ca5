//! Commands in a running container.

use futures::future::join_all;

use super::scratch::{CONFLICT, assert_refused, exec, idle, shell, with_container, with_running};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{ChangeKind, ExecOptions, FileChange, ImageRef, TopOptions};

/// A command's exit code and both its streams come back, each by itself; an exit code that isn't 0 is
/// no error.
///
/// # Panics
/// Where they don't.
pub async fn exec_exit_code_and_streams(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        for code in [0, 1, 3, 255] {
            let ran = exec(
                backend,
                &id,
                &format!("echo out; echo err >&2; exit {code}"),
            )
            .await;
            assert_eq!(
                (ran.exit_code, &ran.stdout[..], &ran.stderr[..]),
                (code, &b"out\n"[..], &b"err\n"[..])
            );
            assert!(!ran.truncated && ran.success() == (code == 0));
        }
        let silent = exec(backend, &id, "exit 4").await;
        assert_eq!((silent.exit_code, silent.stdout.len()), (4, 0), "silence");
        let killed = exec(backend, &id, "kill -9 $$").await;
        assert_eq!(killed.exit_code, 137, "a command that was killed");
    })
    .await;
}

/// A command gets its arguments as they are, its environment, user and working directory.
///
/// # Panics
/// Where it doesn't.
pub async fn exec_gets_what_was_asked(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = idle(image).with_env("OWN", "container");
    with_running(backend, spec, |id| async move {
        let options = ExecOptions::new([
            "sh",
            "-c",
            "echo \"$OWN|$MODE|$1|$(id -u):$(id -g)|$(pwd)\"",
            "sh",
            "a  b\"'$é\n",
        ])
        .with_env("MODE", "x=1")
        .with_user("1234:5678")
        .with_working_dir("/tmp");
        let ran = backend.exec(&id, &options).await.expect("exec runs it");
        assert_eq!(
            String::from_utf8_lossy(&ran.stdout),
            "container|x=1|a  b\"'$é\n|1234:5678|/tmp\n"
        );
        let ran = exec(backend, &id, "id -u").await;
        assert_eq!(&ran.stdout[..], b"65534\n", "the container's own user");
    })
    .await;
}

/// Output of many frames comes back byte for byte.
///
/// # Panics
/// Where it doesn't.
pub async fn exec_output_is_exact(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let ran = exec(backend, &id, "seq 1 200000; seq 1 3 >&2").await;
        let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
        assert!(ran.stdout == expected, "{} bytes came", ran.stdout.len());
        assert_eq!(&ran.stderr[..], b"1\n2\n3\n");
        let ran = exec(backend, &id, r"printf '\000\001\377\r\n\302'").await;
        assert_eq!(&ran.stdout[..], b"\0\x01\xff\r\n\xc2", "no text");
    })
    .await;
}

/// Output beyond the bound is dropped and said to be; the command runs to its end.
///
/// # Panics
/// Where it isn't so.
pub async fn exec_output_is_bounded(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        for (bound, truncated) in [
            (0usize, true),
            (1000, true),
            (299_999, true),
            (300_000, false),
        ] {
            let options = ExecOptions::new([
                "sh",
                "-c",
                "head -c 300000 /dev/zero; touch /tmp/done; exit 5",
            ])
            .with_max_output(bound);
            let ran = backend.exec(&id, &options).await.expect("exec runs it");
            assert_eq!(
                (ran.stdout.len(), ran.truncated, ran.exit_code),
                (bound, truncated, 5),
                "at most {bound} bytes"
            );
            let done = exec(backend, &id, "rm /tmp/done").await;
            assert_eq!(done.exit_code, 0, "it ran to its end");
        }
        let both = ExecOptions::new(["sh", "-c", "printf 123; printf 456 >&2; printf 789"])
            .with_max_output(4usize);
        let ran = backend.exec(&id, &both).await.expect("exec runs it");
        assert_eq!(
            (ran.stdout.len() + ran.stderr.len(), ran.truncated),
            (4, true),
            "the bound is on both streams together"
        );
    })
    .await;
}

/// Commands that run at once get each its own output and exit code.
///
/// # Panics
/// Where they don't.
pub async fn execs_at_once_keep_apart(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let id = &id;
        let all = (0..12).map(|number| async move {
            let line = format!("echo {number}; echo -{number} >&2; exit {number}");
            (number, exec(backend, id, &line).await)
        });
        for (number, ran) in join_all(all).await {
            assert_eq!(
                (ran.exit_code, &ran.stdout[..], &ran.stderr[..]),
                (
                    number,
                    format!("{number}\n").as_bytes(),
                    format!("-{number}\n").as_bytes()
                )
            );
        }
    })
    .await;
}

/// A program that isn't there is an exit code of 126 or 127, or a refusal; never success.
///
/// # Panics
/// Where it succeeds.
pub async fn exec_of_a_missing_program(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let options = ExecOptions::new(["/no/such/program"]);
        match backend.exec(&id, &options).await {
            Ok(ran) => assert!(
                matches!(ran.exit_code, 126 | 127),
                "the exit code of a program that isn't there: {ran:?}"
            ),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::Refused | ErrorKind::Engine | ErrorKind::NotFound
                ),
                "a program that isn't there: {error}"
            ),
        }
        assert!(exec(backend, &id, "true").await.success(), "others run");
    })
    .await;
}

/// A container that doesn't run runs no commands.
///
/// # Panics
/// Where it does.
pub async fn exec_needs_a_running_container(backend: &dyn ContainerBackend, image: &ImageRef) {
    let command = &ExecOptions::new(["true"]);
    with_container(backend, shell(image, "exit 0"), |id| async move {
        let error = backend.exec(&id, command).await.expect_err("it never ran");
        assert_refused(&error, CONFLICT, "a command in what never ran");
        backend.start(&id).await.expect("it starts");
        let ended = backend.wait(&id, &Default::default()).await;
        ended.expect("wait answers");
        let error = backend.exec(&id, command).await.expect_err("it has ended");
        assert_refused(&error, CONFLICT, "a command in what has ended");
    })
    .await;
}

/// The processes of a container are shown in columns, by arguments of `ps` too.
///
/// # Panics
/// Where they aren't.
pub async fn top_shows_the_processes(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let usual = backend.top(&id, &TopOptions::default()).await;
        let usual = usual.expect("top answers");
        assert!(!usual.processes.is_empty(), "something runs: {usual:?}");
        for process in &usual.processes {
            assert_eq!(process.len(), usual.titles.len(), "a row has its columns");
        }
        let brief = TopOptions::default().with_ps_args("-o pid,comm".to_owned());
        let brief = backend.top(&id, &brief).await.expect("top answers");
        assert_eq!(brief.titles.len(), 2, "{:?}", brief.titles);
    })
    .await;
}

/// A file that was added, and a directory that it changed, are told.
///
/// # Panics
/// Where they aren't.
pub async fn changes_are_told(backend: &dyn ContainerBackend, image: &ImageRef) {
    let mut spec = shell(image, "echo x > /bin/new");
    spec.security.read_only_root = false;
    spec.security.user = Some("0".to_owned());
    with_container(backend, spec, |id| async move {
        let before = backend.changes(&id).await.expect("changes answers");
        let new = |changes: &[FileChange]| {
            let mut found = changes.iter().filter(|change| change.path == "/bin/new");
            found.next().map(|change| change.kind)
        };
        assert_eq!(new(&before), None, "it hasn't run");
        backend.start(&id).await.expect("a start");
        backend
            .wait(&id, &Default::default())
            .await
            .expect("an end");
        let after = backend.changes(&id).await.expect("changes answers");
        assert_eq!(new(&after), Some(ChangeKind::Added), "{after:?}");
    })
    .await;
}
