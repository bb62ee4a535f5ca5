//! Logs that are followed to their end, over as many connections as it takes.

use super::scratch::{
    Output, assert_refused, follow, read_log, read_to_end, shell, unique_name, until_said,
    with_running,
};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::ErrorKind;
use crate::model::{
    ContainerRef, ImageRef, KillOptions, LogsOptions, RemoveOptions, RestartPolicy, Signal,
    WaitOptions,
};

async fn followed(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
    options: &LogsOptions,
) -> Output {
    let log = backend.follow_logs(id, options).await;
    read_to_end(&mut log.expect("it is followed")).await
}

/// What a container writes is given as it was written, both streams and lines of any length, to its end and
/// whenever it is asked for.
///
/// # Panics
/// Where it isn't.
pub async fn followed_to_the_end(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "for i in $(seq 1 40); do echo out $i; echo err $i >&2; done; \
                head -c 50000 /dev/zero | tr '\\0' x; echo; sleep 1; printf 'no end'";
    with_running(backend, shell(image, line), |id| async move {
        let lines = |name: &str| -> String { (1..=40).map(|i| format!("{name} {i}\n")).collect() };
        let expected = Output {
            stdout: lines("out") + &"x".repeat(50_000) + "\nno end",
            stderr: lines("err"),
            console: String::new(),
        };
        for when in ["while it runs", "after its end"] {
            let all = followed(backend, &id, &LogsOptions::default()).await;
            assert!(all == expected, "{when}: {} bytes", all.stdout.len());
        }
        let one = LogsOptions::default().with_stdout(false);
        assert_eq!(followed(backend, &id, &one).await.stdout, "", "one stream");
    })
    .await;
}

/// It can begin with the last lines, or with what is written from now on.
///
/// # Panics
/// Where it can't.
pub async fn followed_from_its_tail(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line =
        "trap 'echo last; exit' USR1; seq 1 9; echo ready; while :; do sleep 60 & wait; done";
    for (tail, before) in [(3u64, "8\n9\nready\n"), (0, "")] {
        with_running(backend, shell(image, line), |id| async move {
            until_said(&mut follow(backend, &id).await, "ready\n").await;
            let options = LogsOptions::default().with_tail(tail);
            let mut log = backend.follow_logs(&id, &options).await.expect("a log");
            let signal = KillOptions::default().with_signal(Signal::USR1);
            backend.kill(&id, &signal).await.expect("a signal");
            let all = read_to_end(&mut log).await.stdout;
            assert_eq!(all, before.to_owned() + "last\n", "of {tail} lines");
        })
        .await;
    }
}

/// With timestamps, it is what the engine gives with timestamps.
///
/// # Panics
/// Where it isn't.
pub async fn followed_with_timestamps(backend: &dyn ContainerBackend, image: &ImageRef) {
    for tty in [false, true] {
        let spec = shell(image, "seq 1 5; sleep 1; seq 6 9").with_tty(tty);
        with_running(backend, spec, |id| async move {
            let options = LogsOptions::default().with_timestamps(true);
            let followed = followed(backend, &id, &options).await;
            let once = read_log(backend, &id, &options).await;
            assert_eq!(followed, once, "with a terminal: {tty}");
        })
        .await;
    }
}

/// A container that is run again is followed on.
///
/// # Panics
/// Where it isn't.
pub async fn followed_over_its_runs(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "echo run; printf 'no end'; exit 1")
        .with_restart_policy(RestartPolicy::OnFailure(2));
    with_running(backend, spec, |id| async move {
        let all = followed(backend, &id, &LogsOptions::default()).await;
        assert_eq!(all.stdout, "run\nno end".repeat(3));
    })
    .await;
}

/// A terminal's output is given as it was written, line ends, long lines and all.
///
/// # Panics
/// Where it isn't.
pub async fn followed_terminal(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line =
        "echo ready; head -c 40000 /dev/zero | tr '\\0' x; echo; echo err >&2; printf 'no end'";
    with_running(
        backend,
        shell(image, line).with_tty(true),
        |id| async move {
            let all = followed(backend, &id, &LogsOptions::default()).await;
            let expected = format!("ready\r\n{}\r\nerr\r\nno end", "x".repeat(40_000));
            assert!(all.console == expected, "{} bytes", all.console.len());
            let ended = backend.wait(&id, &WaitOptions::default()).await;
            ended.expect("wait answers");
        },
    )
    .await;
}

/// Who isn't there can't be followed, and who is removed is followed to the end.
///
/// # Panics
/// Where that isn't so.
pub async fn following_nobody_fails(backend: &dyn ContainerBackend, image: &ImageRef) {
    let nobody = ContainerRef::from(unique_name());
    let error = backend.follow_logs(&nobody, &LogsOptions::default()).await;
    let error = error.expect_err("nobody is there");
    assert_refused(&error, &[ErrorKind::NotFound], "a log of nobody");
    let line = "echo ready; while :; do sleep 60 & wait; done";
    with_running(backend, shell(image, line), |id| async move {
        let options = LogsOptions::default();
        let mut log = backend.follow_logs(&id, &options).await.expect("a log");
        until_said(&mut log, "ready\n").await;
        let force = RemoveOptions::force();
        let removed = backend.remove(&id, &force);
        let (rest, removed) = futures::join!(read_to_end(&mut log), removed);
        removed.expect("it is removed");
        assert_eq!(rest, Output::default(), "the end");
    })
    .await;
}
