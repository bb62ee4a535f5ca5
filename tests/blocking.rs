//! The blocking facade, from threads without any runtime and from within one.

mod common;

use std::io::Write;

use catamaran::ErrorKind;
use catamaran::blocking::Backend;
use catamaran::model::{
    AttachOptions, ContainerName, ContainerSpec, ExecOptions, ListOptions, LogsOptions,
};
use common::{config, shell, unique};

fn backends() -> [Backend; 3] {
    common::backends(&config()).map(|(_, backend)| Backend::over(backend).expect("a facade"))
}

fn spec(name: &ContainerName, line: &str) -> ContainerSpec {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(shell(name, line))
}

#[test]
fn containers_live_without_a_runtime() {
    for backend in backends() {
        let name = unique("facade");
        let spec = spec(&name, "echo ready; exec sleep 600");
        let guard = backend.scoped(&spec).expect("a container");
        backend.start(&guard).expect("a start");
        let ran = backend.exec(&guard, &ExecOptions::new(["sh", "-c", "exit 4"]));
        assert_eq!(ran.expect("an exec").exit_code, 4);
        let follow = LogsOptions::default().with_follow(true);
        let mut logs = backend.logs(&guard, &follow).expect("logs");
        let first = logs.next().expect("a line").expect("a chunk");
        assert_eq!(&first.bytes[..], b"ready\n");
        let named = ListOptions::all().with_name(&name);
        assert_eq!(backend.list(&named).expect("a list").len(), 1);
        drop(guard);
        assert_eq!(backend.list(&named).expect("a list"), []);
        // The stream ends with its container.
        assert_eq!(logs.count(), 0);
    }
}

#[test]
fn use_is_measured_without_a_runtime() {
    for backend in backends() {
        let guard = backend
            .scoped(&spec(&unique("facade-stats"), "while :; do :; done"))
            .expect("a container");
        backend.start(&guard).expect("a start");
        let mut meter = backend.usage_meter(&guard);
        assert_eq!(meter.sample().expect("a sample").cpu_percent, None);
        // One second of them, by the engine's pace.
        let samples = backend.stats_stream(&guard).expect("a stream");
        for sample in samples.take(2) {
            assert!(sample.expect("a sample").cpu.is_some());
        }
        let percent = meter.sample().expect("a sample").cpu_percent;
        assert!(percent > Some(0.0), "{percent:?}");
        backend.close(guard).expect("a removal");
    }
}

#[test]
fn a_failed_run_is_gone_when_it_returns() {
    for backend in backends() {
        let name = unique("facade-run");
        let mut spec = spec(&name, "").with_command(["/no/such/program"]);
        spec.init = Some(false);
        backend.run(&spec).expect_err("no program");
        let named = ListOptions::all().with_name(&name);
        assert_eq!(backend.list(&named).expect("a list"), []);

        let guard = backend.scoped(&spec).expect("a container");
        backend.close(guard).expect("a removal");
        assert_eq!(backend.list(&named).expect("a list"), []);
    }
}

#[test]
fn threads_share_a_backend() {
    for backend in backends() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        backend.ping().expect("a pong");
                    }
                });
            }
        });
    }
}

#[test]
fn within_a_runtime_it_refuses_and_does_not_panic() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for backend in backends() {
        runtime.block_on(async move {
            let error = backend.ping().expect_err("it would block");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("await"), "{error}");
            drop(backend);
        });
    }
}

#[test]
fn sessions_are_written_to_and_read_by_threads() {
    for backend in backends() {
        let name = unique("facade-session");
        let spec = spec(&name, "while read a; do echo \"<$a>\"; done; exit 4");
        let spec = spec.with_stdin(true).with_stdin_once(true);
        let guard = backend.scoped(&spec).expect("a container");
        let attached = backend.attach(&guard, &AttachOptions::default());
        let mut attached = attached.expect("an attachment");
        backend.start(&guard).expect("a start");
        attached.input.write_all(b"one\n").expect("it reads");
        let first = attached.output.next().expect("a line").expect("a chunk");
        assert_eq!(&first.bytes[..], b"<one>\n");

        let session = backend.start_exec(&guard, &ExecOptions::new(["cat"]));
        let mut session = session.expect("a session");
        let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
        let read = std::thread::scope(|scope| {
            let read = scope.spawn(|| session.output.output(2 << 20).expect("its output"));
            session.input.write_all(&bytes).expect("it reads");
            session.input.close().expect("its end");
            read.join().expect("a thread")
        });
        assert!(read.stdout == bytes, "{} bytes came", read.stdout.len());
        assert_eq!(backend.wait_exec(&session.id).expect("an end"), 0);

        let session = backend.start_exec(&guard, &ExecOptions::new(["sleep", "600"]));
        let session = session.expect("a session");
        // Its program may not quite have begun.
        while !backend.end_exec(&guard, &session.tag).expect("an answer") {}
        assert_eq!(backend.wait_exec(&session.id).expect("an end"), 137);

        drop(attached.input);
        let rest = attached.output.output(100).expect("its end");
        assert!(rest.stdout.is_empty());
        let ended = backend.wait(&guard, &Default::default());
        assert_eq!(ended.expect("an end").exit_code, 4);
        backend.close(guard).expect("a removal");
    }
}
