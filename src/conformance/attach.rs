//! A container's own program, written to and read.

use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::scratch::{follow, idle, read_to_end, shell, until_said, with_container, with_running};
use crate::backend::ContainerBackend;
use crate::model::{AttachOptions, Attached, ContainerRef, ImageRef, LogSource, TerminalSize};

async fn attach(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
    options: &AttachOptions,
) -> Attached {
    let attached = backend.attach(id, options).await;
    attached.expect("attach attaches")
}

/// Attached before its start, a program is written to until its input ends, and nothing of what it says is missed.
///
/// # Panics
/// Where it isn't so.
pub async fn attached_program_reads_to_the_end(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "echo ready; cat; echo over >&2; exit 4";
    let spec = shell(image, line).with_stdin(true).with_stdin_once(true);
    with_container(backend, spec, |id| async move {
        let attached = attach(backend, &id, &AttachOptions::default()).await;
        backend.start(&id).await.expect("it starts");
        let text: String = (0..20_000).map(|number| format!("{number}\n")).collect();
        let mut input = attached.input;
        let write = async {
            input.write_all(text.as_bytes()).await.expect("it reads");
            input.shutdown().await.expect("its end");
        };
        let both = async { tokio::join!(write, attached.output.output(1 << 20)) };
        let both = tokio::time::timeout(std::time::Duration::from_secs(30), both).await;
        let ((), output) = both.expect("it is read and answered within 30 seconds");
        let output = output.expect("it can be read");
        assert!(
            output.stdout == format!("ready\n{text}"),
            "{} bytes came",
            output.stdout.len()
        );
        assert_eq!(&output.stderr[..], b"over\n");
        let ended = backend.wait(&id, &Default::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 4);
    })
    .await;
}

/// What runs is attached to as often as one likes: each sees what is written from then on, by all; none ends it.
///
/// # Panics
/// Where it isn't so.
pub async fn attachments_come_and_go(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "echo ready; while read a; do echo \"<$a>\"; done; exit 3";
    let spec = shell(image, line).with_stdin(true);
    with_running(backend, spec, |id| async move {
        // What was said before comes where it is asked for, once it has come to the log.
        until_said(&mut follow(backend, &id).await, "ready").await;
        let all = AttachOptions::default().with_logs(true);
        let mut first = attach(backend, &id, &all).await;
        until_said(&mut first.output, "ready").await;
        first.input.write_all(b"one\n").await.expect("it reads");
        until_said(&mut first.output, "<one>").await;

        let watch = AttachOptions::default().with_stdin(false);
        let mut second = attach(backend, &id, &watch).await;
        let refused = second.input.write_all(b"x\n").await;
        refused.expect_err("it wasn't asked for");
        first.input.write_all(b"two\n").await.expect("it reads");
        until_said(&mut first.output, "<two>").await;
        until_said(&mut second.output, "<two>").await;

        // An input that outlives its attachments isn't ended by one of them, nor is its output.
        first.input.shutdown().await.expect("an end");
        let mut third = attach(backend, &id, &AttachOptions::default()).await;
        third.input.write_all(b"three\n").await.expect("it reads");
        until_said(&mut first.output, "<three>").await;
        drop((first, second));
        third.input.write_all(b"four\n").await.expect("it reads");
        until_said(&mut third.output, "<four>").await;
    })
    .await;
}

/// Attached to a program on a terminal, what it writes is one stream, and a resize is what it sees.
///
/// # Panics
/// Where it isn't so.
pub async fn attached_terminal_is_resized(backend: &dyn ContainerBackend, image: &ImageRef) {
    let line = "stty -echo; echo ready; while read a; do stty size; done; exit 5";
    let spec = shell(image, line).with_stdin(true).with_tty(true);
    with_container(backend, spec, |id| async move {
        let mut attached = attach(backend, &id, &AttachOptions::default()).await;
        backend.start(&id).await.expect("it starts");
        let mut said = String::new();
        for (columns, rows) in [(101, 33), (40, 12)] {
            let size = TerminalSize::new(columns, rows).expect("a size");
            let resized = backend.resize(&id, size).await;
            resized.expect("resize resizes it");
            attached.input.write_all(b"\n").await.expect("it reads");
            let expected = format!("{rows} {columns}\r\n");
            while !said.ends_with(&expected) {
                let chunk = attached.output.try_next().await.expect("it can be read");
                let chunk = chunk.unwrap_or_else(|| panic!("{expected:?} isn't in {said:?}"));
                assert_eq!(chunk.source, LogSource::Console);
                said.push_str(&String::from_utf8_lossy(&chunk.bytes));
            }
        }
        attached.input.write_all(b"\x04").await.expect("it reads");
        read_to_end(&mut attached.output).await;
        let ended = backend.wait(&id, &Default::default()).await;
        assert_eq!(ended.expect("wait answers").exit_code, 5);
    })
    .await;
}

/// A program that has no input is attached to for its output, each stream by itself.
///
/// # Panics
/// Where it isn't.
pub async fn attachment_takes_streams_apart(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = shell(image, "echo out; echo err >&2");
    with_container(backend, spec, |id| async move {
        let only = AttachOptions::default().with_stdin(false);
        let mut both = attach(backend, &id, &only).await;
        let mut errors = attach(backend, &id, &only.clone().with_stdout(false)).await;
        let mut words = attach(backend, &id, &only.with_stderr(false)).await;
        backend.start(&id).await.expect("it starts");
        for (attached, stdout, stderr) in [
            (&mut both, "out\n", "err\n"),
            (&mut errors, "", "err\n"),
            (&mut words, "out\n", ""),
        ] {
            let output = read_to_end(&mut attached.output).await;
            assert_eq!((&*output.stdout, &*output.stderr), (stdout, stderr));
        }
    })
    .await;
    with_running(backend, idle(image), |id| async move {
        until_said(&mut follow(backend, &id).await, "ready").await;
        let log = AttachOptions::default().with_logs(true);
        let mut attached = attach(backend, &id, &log).await;
        until_said(&mut attached.output, "ready").await;
    })
    .await;
}
