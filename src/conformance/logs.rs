//! What containers write, read once or as it comes.

use std::time::{Duration, UNIX_EPOCH};

use futures::TryStreamExt;

use super::scratch::{
    Output, follow, idle, read_log, read_to_end, shell, until_said, with_container, with_running,
};
use crate::backend::{CallContext, ContainerBackend};
use crate::model::{
    ContainerRef, ContainerSpec, ImageRef, KillOptions, LogSource, LogsOptions, Signal, WaitOptions,
};

/// Runs a container to its end, then the check.
async fn with_ended<F: Future<Output = ()>>(
    backend: &dyn ContainerBackend,
    spec: ContainerSpec,
    check: impl FnOnce(ContainerRef) -> F,
) {
    with_running(backend, spec, |id| async move {
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        ended.expect("wait answers");
        check(id).await;
    })
    .await;
}

/// Both streams come back whole, each by itself, and each alone where only one is asked for.
///
/// # Panics
/// Where they don't.
pub async fn logs_once(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "echo out; echo err >&2; printf 'no end'");
    with_ended(backend, spec, |id| async move {
        let both = LogsOptions::default();
        let expected = |stdout: &str, stderr: &str| Output {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            console: String::new(),
        };
        let log = read_log(backend, &id, &both).await;
        assert_eq!(log, expected("out\nno end", "err\n"), "both streams");
        let log = read_log(backend, &id, &both.clone().with_stderr(false)).await;
        assert_eq!(log, expected("out\nno end", ""), "standard output alone");
        let log = read_log(backend, &id, &both.with_stdout(false)).await;
        assert_eq!(log, expected("", "err\n"), "standard error alone");
    })
    .await;
}

/// What never ran has written nothing, which is no error.
///
/// # Panics
/// Where it is.
pub async fn logs_of_what_never_ran(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        let log = read_log(backend, &id, &LogsOptions::default()).await;
        assert_eq!(log, Output::default());
    })
    .await;
}

/// A long log comes back line for line.
///
/// # Panics
/// Where it doesn't.
pub async fn logs_are_exact(backend: &dyn ContainerBackend, image: &ImageRef) {
    // The long line exceeds the 16 KiB after which engines cut.
    let line = "seq 1 20000; head -c 50000 /dev/zero | tr '\\0' x; echo";
    with_ended(backend, shell(image, line), |id| async move {
        let log = read_log(backend, &id, &LogsOptions::default()).await;
        let lines: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
        let expected = lines + &"x".repeat(50_000) + "\n";
        assert!(log.stdout == expected, "{} bytes came", log.stdout.len());
    })
    .await;
}

/// A log can be cut to its last lines and to a span of time, and each line stamped.
///
/// # Panics
/// Where it can't.
pub async fn logs_by_line_and_time(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_ended(backend, shell(image, "seq 1 10"), |id| async move {
        let options = LogsOptions::default;
        let read = async |options: LogsOptions| read_log(backend, &id, &options).await.stdout;
        assert_eq!(read(options().with_tail(3u64)).await, "8\n9\n10\n", "tail");
        let state = backend.inspect(&id).await.expect("inspect shows it").state;
        let started = state.started_at.expect("a start");
        let hour = Duration::from_secs(3600);
        let all = read(options().with_since(started - hour)).await;
        assert_eq!(all.lines().count(), 10, "since before the start");
        let none = read(options().with_since(started + hour)).await;
        assert_eq!(none, "", "since after the end");
        let none = read(options().with_until(UNIX_EPOCH + hour)).await;
        assert_eq!(none, "", "until before the start");
        let stamped = read(options().with_timestamps(true)).await;
        assert_eq!(stamped.lines().count(), 10, "with timestamps");
        for (line, number) in stamped.lines().zip(1..) {
            let (stamp, text) = line.split_once(' ').expect("a stamp and the line");
            let stamp = crate::model::parse_rfc3339(stamp);
            assert!(
                stamp.is_some_and(|stamp| stamp > started - hour) && text == number.to_string(),
                "a line with its time: {line}"
            );
        }
    })
    .await;
}

/// A followed log tells each line when it is written, and ends when the container does.
///
/// # Panics
/// Where it doesn't.
pub async fn logs_followed(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "n=0; trap 'n=$((n+1)); echo line $n; [ $n -lt 3 ] || exit 9' USR1; echo ready; \
                while :; do sleep 60 & wait; done";
    with_running(backend, shell(image, line), |id| async move {
        let mut log = follow(backend, &id).await;
        until_said(&mut log, "ready\n").await;
        let signal = KillOptions::default().with_signal(Signal::USR1);
        for number in 1..=3 {
            // The next line is written only after this one was read.
            backend.kill(&id, &signal).await.expect("a signal");
            until_said(&mut log, &format!("line {number}\n")).await;
        }
        assert_eq!(read_to_end(&mut log).await, Output::default(), "the end");
        let ended = backend.wait(&id, &WaitOptions::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 9);
        let again = read_to_end(&mut follow(backend, &id).await).await;
        assert_eq!(
            again.stdout, "ready\nline 1\nline 2\nline 3\n",
            "afterwards"
        );
    })
    .await;
}

/// The time that calls may take covers the beginning of a followed log, not its length.
///
/// # Panics
/// Where it is cut.
pub async fn followed_log_outlives_the_timeout(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "echo first; sleep 6; echo last");
    with_running(backend, spec, |id| async move {
        let timeout = CallContext::new().with_timeout(Duration::from_secs(4));
        let mut log = follow(&*backend.with_context(timeout), &id).await;
        assert_eq!(read_to_end(&mut log).await.stdout, "first\nlast\n");
    })
    .await;
}

/// A terminal makes both streams one, which comes as it was written.
///
/// # Panics
/// Where it doesn't.
pub async fn tty_logs_are_raw(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "[ -t 1 ] && echo tty; echo err >&2; printf '\\001\\000\\000\\000end'";
    let spec = shell(image, line).with_tty(true);
    with_ended(backend, spec, |id| async move {
        assert!(backend.inspect(&id).await.expect("inspect shows it").tty);
        for follow in [false, true] {
            let options = LogsOptions::default().with_follow(follow);
            let log = backend.logs(&id, &options).await.expect("logs answers");
            let chunks: Vec<_> = log.try_collect().await.expect("the log can be read");
            assert!(chunks.iter().all(|one| one.source == LogSource::Console));
            let bytes: Vec<u8> = chunks.iter().flat_map(|one| one.bytes.to_vec()).collect();
            assert_eq!(
                bytes, b"tty\r\nerr\r\n\x01\0\0\0end",
                "a terminal's output, followed: {follow}"
            );
        }
    })
    .await;
}
