//! Commands that are written to: by a session while they are read, or all at once.

use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::scratch::{
    Output, assert_refused, eventually, exec, idle, read_to_end, until_said, with_running,
};
use super::workspace::noise;
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::ErrorKind;
use crate::model::{ExecId, ExecOptions, ExecSession, ImageRef, LogSource, TerminalSize};

fn size(columns: u16, rows: u16) -> TerminalSize {
    TerminalSize::new(columns, rows).expect("a size")
}

async fn start(
    backend: &dyn ContainerBackend,
    id: &crate::model::ContainerRef,
    options: ExecOptions,
) -> ExecSession {
    let started = backend.start_exec(id, &options).await;
    started.expect("start_exec starts it")
}

/// What a command is to read reaches it byte for byte, and so does its end; a command that reads nothing of
/// it, or not all, is no error.
///
/// # Panics
/// Where it isn't so.
pub async fn exec_stdin_is_exact(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let bytes = noise(1 << 20);
        for length in [0, 1, 100_000, bytes.len()] {
            let cat = ExecOptions::new(["cat"]).with_stdin(bytes[..length].to_vec());
            let ran = backend.exec(&id, &cat).await.expect("exec runs it");
            assert!(
                ran.stdout == bytes[..length] && ran.success(),
                "{length} bytes came back as {}",
                ran.stdout.len()
            );
        }
        for (line, read) in [
            ("exit 3", &b""[..]),
            ("head -c 5; exit 3", &bytes[..5]),
            ("exec <&-; exit 3", b""),
        ] {
            let some = ExecOptions::new(["sh", "-c", line]).with_stdin(bytes.clone());
            let ran = backend.exec(&id, &some).await.expect("exec runs it");
            assert_eq!((ran.exit_code, &ran.stdout[..]), (3, read), "{line}");
        }
        let nothing = exec(backend, &id, "cat").await;
        assert!(nothing.success() && nothing.stdout.is_empty());
    })
    .await;
}

/// A command with a terminal has one, of the size that was asked for, and what it writes is one stream.
///
/// # Panics
/// Where it isn't so.
pub async fn exec_in_a_terminal(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let line = "test -t 0 && test -t 1 && test -t 2 && echo out && echo err >&2";
        let options = ExecOptions::new(["sh", "-c", line]).with_tty(true);
        let ran = backend.exec(&id, &options).await.expect("exec runs it");
        assert_eq!(
            (ran.exit_code, &ran.stdout[..], &ran.stderr[..]),
            (0, &b"out\r\nerr\r\n"[..], &b""[..])
        );
        // Old engines set the size a moment after the beginning.
        let line = "until [ \"$(stty size 2>/dev/null)\" = '33 101' ]; do :; done; stty size";
        let options = ExecOptions::new(["sh", "-c", line])
            .with_tty(true)
            .with_terminal_size(size(101, 33));
        let ran = backend.exec(&id, &options).await.expect("exec runs it");
        assert_eq!(&ran.stdout[..], b"33 101\r\n");
        let tty = ExecOptions::new(["sh", "-c", "read a; echo \"<$a>\""]).with_tty(true);
        let ran = backend.exec(&id, &tty.with_stdin("hello\n")).await;
        let said = String::from_utf8_lossy(&ran.expect("exec runs it").stdout).into_owned();
        assert!(said.ends_with("<hello>\r\n"), "{said:?}");
    })
    .await;
}

/// A session is written to and read in turn, tells that it runs, ends when its input does, and its exit
/// code is told.
///
/// # Panics
/// Where it isn't so.
pub async fn session_talks(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let line = "while read a; do echo \"out $a\"; echo \"err $a\" >&2; done; exit 7";
        let mut session = start(backend, &id, ExecOptions::new(["sh", "-c", line])).await;
        for word in ["one", "two"] {
            let line = format!("{word}\n");
            let written = session.input.write_all(line.as_bytes()).await;
            written.expect("it reads");
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while out.is_empty() || err.is_empty() {
                let chunk = session.output.try_next().await.expect("it can be read");
                let chunk = chunk.expect("it goes on");
                let stderr = chunk.source == LogSource::Stderr;
                if stderr { &mut err } else { &mut out }.extend_from_slice(&chunk.bytes);
            }
            assert_eq!(
                (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err)),
                (
                    format!("out {word}\n").into(),
                    format!("err {word}\n").into()
                )
            );
        }
        let details = backend.inspect_exec(&session.id).await;
        let details = details.expect("inspect_exec shows it");
        assert!(
            details.running && details.exit_code.is_none(),
            "{details:?}"
        );
        // An engine may learn of it a moment after the first output.
        eventually("its process is shown", async || {
            let details = backend.inspect_exec(&session.id).await;
            details.expect("inspect_exec shows it").pid
        })
        .await;
        session.input.shutdown().await.expect("its end");
        let rest = read_to_end(&mut session.output).await;
        assert_eq!(rest, Output::default());
        let code = backend.wait_exec(&session.id).await;
        assert_eq!(code.expect("wait_exec answers"), 7);
        let details = backend.inspect_exec(&session.id).await;
        let details = details.expect("inspect_exec shows it");
        assert_eq!((details.running, details.exit_code), (false, Some(7)));
    })
    .await;
}

/// A megabyte that is written while it comes back comes back byte for byte.
///
/// # Panics
/// Where it doesn't.
pub async fn session_echoes_exactly(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let bytes = noise(1 << 20);
        let session = start(backend, &id, ExecOptions::new(["cat"])).await;
        let mut input = session.input;
        let write = async {
            for piece in bytes.chunks(10_007) {
                input.write_all(piece).await.expect("it reads");
            }
            input.shutdown().await.expect("its end");
        };
        let ((), output) = tokio::join!(write, session.output.output(2 << 20));
        let output = output.expect("it can be read");
        assert!(output.stdout == bytes, "{} bytes came", output.stdout.len());
        let code = backend.wait_exec(&session.id).await;
        assert_eq!(code.expect("wait_exec answers"), 0);
    })
    .await;
}

/// Dropping the input ends it; dropping the session ends only the talking.
///
/// # Panics
/// Where it isn't so.
pub async fn dropped_sessions_go_on(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let line = "echo ready; cat; exit 5";
        let mut session = start(backend, &id, ExecOptions::new(["sh", "-c", line])).await;
        let written = session.input.write_all(b"words\n").await;
        written.expect("it reads");
        drop(session.input);
        let output = read_to_end(&mut session.output).await;
        assert_eq!(output.stdout, "ready\nwords\n");
        let code = backend.wait_exec(&session.id).await;
        assert_eq!(code.expect("wait_exec answers"), 5);

        let line = "echo ready; cat; exec >&-; exit 6";
        let mut session = start(backend, &id, ExecOptions::new(["sh", "-c", line])).await;
        until_said(&mut session.output, "ready").await;
        let exec = session.id.clone();
        drop(session);
        let code = backend.wait_exec(&exec).await;
        assert_eq!(code.expect("wait_exec answers"), 6);
    })
    .await;
}

/// A session's terminal is resized, as its program sees.
///
/// # Panics
/// Where it isn't.
pub async fn session_is_resized(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let line = "stty -echo; echo ready; while read a; do stty size; done";
        let options = ExecOptions::new(["sh", "-c", line]).with_tty(true);
        let mut session = start(backend, &id, options).await;
        let mut said = String::new();
        for (columns, rows) in [(101, 33), (7, 5), (500, 200)] {
            let resized = backend.resize_exec(&session.id, size(columns, rows)).await;
            resized.expect("resize_exec resizes it");
            session.input.write_all(b"\n").await.expect("it reads");
            let expected = format!("{rows} {columns}\r\n");
            while !said.ends_with(&expected) {
                let chunk = session.output.try_next().await.expect("it can be read");
                let chunk = chunk.unwrap_or_else(|| panic!("{expected:?} isn't in {said:?}"));
                assert_eq!(chunk.source, LogSource::Console);
                said.push_str(&String::from_utf8_lossy(&chunk.bytes));
            }
        }
        // The end of a terminal's input is a character.
        session.input.write_all(b"\x04").await.expect("it reads");
        read_to_end(&mut session.output).await;
        let code = backend.wait_exec(&session.id).await;
        assert_eq!(code.expect("wait_exec answers"), 0);
    })
    .await;
}

/// A command that isn't there isn't found.
///
/// # Panics
/// Where it is.
pub async fn absent_exec_is_not_found(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let nobody = ExecId::new("0".repeat(64)).expect("an id");
    let inspected = backend.inspect_exec(&nobody).await.err();
    let resized = backend.resize_exec(&nobody, size(80, 24)).await.err();
    for error in [inspected, resized] {
        let error = error.expect("nobody is there");
        assert_refused(&error, &[ErrorKind::NotFound], "an exec that isn't there");
        assert_eq!(error.subject(), Some(nobody.as_str()));
    }
}
