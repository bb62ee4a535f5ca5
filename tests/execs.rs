//! Commands and attachments, beyond what conformance says: what the engine's host sees of a command that was ended,
//! and what is made of engines, or what stands before them, that do other than they should.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catamaran::model::{AttachOptions, Attached, ContainerName, ContainerRef, ExecOptions};
use catamaran::{
    AsyncEngine, BlockingEngine, Config, ContainerBackend, ContainerBackendExt, Effect, Endpoint,
    ErrorKind, HybridBackend, Operation,
};
use common::peer::{Answer, Peer, Program, Recorded, Script, frame};
use common::{backends, config, shell, unique, witness};
use futures::TryStreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

type Backend = Arc<dyn ContainerBackend>;

/// The commands of a container by the engine's own word.
fn commands(name: &ContainerName) -> Vec<String> {
    let path = format!("/containers/{name}/top?ps_args=-o%20pid,args");
    let table = witness::get(config().endpoint(), &path);
    let rows = table["Processes"].as_array().expect("processes");
    let command = |row: &Value| row[1].as_str().unwrap_or_default().to_owned();
    rows.iter().map(command).collect()
}

async fn until_it_runs(name: &ContainerName, command: &str) {
    while !commands(name).iter().any(|running| running == command) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_took_too_long_is_gone_from_a_hardened_container() {
    for (backend_name, backend) in backends(&config()) {
        let name = unique(&format!("timeout-{backend_name}"));
        let spec = shell(&name, "sleep 8001 & wait").await;
        let container = backend.scoped(&spec).await.expect("a container");
        backend.start(&container).await.expect("a start");
        let details = witness::get(config().endpoint(), &format!("/containers/{name}/json"));
        let host = &details["HostConfig"];
        assert_eq!(host["CapDrop"], json!(["ALL"]));
        assert_eq!(host["ReadonlyRootfs"], json!(true));
        assert_eq!(details["Config"]["User"], "65534:65534");
        until_it_runs(&name, "sleep 8001").await;
        let before = commands(&name);

        let line = "trap '' TERM; sleep 8002 & setsid sleep 8002 & sh -c 'sleep 8002; :'";
        let options = ExecOptions::new(["sh", "-c", line]);
        let mut bystander = backend
            .start_exec(&container, &ExecOptions::new(["cat"]))
            .await
            .expect("a session");
        let late = options.with_timeout(Duration::from_millis(500));
        let ran = backend.exec(&container, &late).await.expect("an answer");
        assert!(ran.timed_out && ran.exit_code == 137, "{ran:?}");

        let mut after = commands(&name);
        after.retain(|command| command != "cat");
        assert_eq!(after, before, "through {backend_name}");
        let written = bystander.input.write_all(b"still here").await;
        written.expect("it reads");
        bystander.input.shutdown().await.expect("its end");
        let said = bystander.output.output(100).await.expect("its output");
        assert_eq!(&said.stdout[..], b"still here");
        assert_eq!(
            backend.wait_exec(&bystander.id).await.expect("an end"),
            0,
            "the other command wasn't touched"
        );
        container.remove().await.expect("a removal");
    }
}

#[tokio::test]
async fn a_paused_container_ends_no_command() {
    let name = unique("timeout-paused");
    let spec = shell(&name, "sleep 8003 & wait").await;
    let backend: Backend = Arc::new(AsyncEngine::new(&config()).expect("an engine"));
    let container = backend.scoped(&spec).await.expect("a container");
    backend.start(&container).await.expect("a start");
    let sleep = ExecOptions::new(["sleep", "8004"]).with_timeout(Duration::from_secs(6));
    let pausing = async {
        while !commands(&name)
            .iter()
            .any(|command| command == "sleep 8004")
        {
            tokio::task::yield_now().await;
        }
        backend.pause(&container).await.expect("a pause");
    };
    let (ran, ()) = tokio::join!(backend.exec(&container, &sleep), pausing);
    let error = ran.expect_err("nobody could end it");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Timeout, Effect::Unknown)
    );
    assert!(format!("{error:#}").contains("paused"), "{error:#}");
    backend.unpause(&container).await.expect("an unpause");
    container.remove().await.expect("a removal");
}

/// A peer that registers a command and answers its start so.
fn starting(start: Answer) -> Script {
    Arc::new(move |_: usize, request: &Recorded| {
        if request.path.ends_with("/start") {
            return start.clone();
        }
        let body = if request.path.ends_with("/exec") {
            json!({ "Id": "b".repeat(64) })
        } else {
            json!({"Running": false, "ExitCode": 3, "Pid": 7})
        };
        let answer = Answer::new(200).with_header("api-version", "1.51");
        answer.with_body(body.to_string())
    })
}

fn of(peer: &Peer) -> Config {
    let config = Config::builder().endpoint(peer.endpoint());
    config.build().expect("a configuration")
}

#[tokio::test]
async fn a_connection_that_is_kept_back_is_told() {
    let peer = Peer::start();
    let id = ContainerRef::new("web").expect("a name");
    for status in [200, 204] {
        for (name, backend) in backends(&of(&peer)) {
            peer.follow(starting(Answer::new(status)));
            let started = backend.start_exec(&id, &ExecOptions::new(["cat"])).await;
            let error = started.expect_err("no connection");
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Decode, Effect::Unknown),
                "{name}: {error}"
            );
            assert!(error.message().contains(&status.to_string()), "{error}");
            assert!(error.advice().expect("advice").contains("Upgrade"));
            let starts = peer.recorded();
            let starts = starts.iter().filter(|call| call.path.ends_with("/start"));
            assert_eq!(starts.count(), 1, "{name}: nothing is done twice");
        }
    }
}

#[tokio::test]
async fn a_program_may_end_without_reading_its_input() {
    let peer = Peer::start();
    let id = ContainerRef::new("web").expect("a name");
    for program in [Program::ReadsNothing, Program::IsReset] {
        let said = Answer::new(101).with_body(frame(1, b"no, thank you"));
        peer.follow(starting(said.handing_over(program)));
        for (name, backend) in backends(&of(&peer)) {
            let much = ExecOptions::new(["true"]).with_stdin(vec![7; 8 << 20]);
            let ran = backend.exec(&id, &much).await.expect("an answer");
            assert_eq!(
                (ran.exit_code, &ran.stdout[..]),
                (3, &b"no, thank you"[..]),
                "{name}, {program:?}"
            );
        }
    }
}

/// As when what stands between forgets a connection that was quiet for long: that isn't the program's end.
#[tokio::test]
async fn a_reset_while_the_program_runs_is_no_end() {
    let seen = async |index: usize| {
        let peer = Peer::start();
        peer.follow(running_on(
            Answer::new(101)
                .with_body(frame(1, b"so far"))
                .handing_over(Program::IsReset),
        ));
        let (name, backend) = &backends(&of(&peer))[index];
        let id = ContainerRef::new("web").expect("a name");
        let much = vec![7; 8 << 20];

        let command = ExecOptions::new(["true"]).with_stdin(much.clone());
        let cut = async {
            let error = backend.exec(&id, &command).await.expect_err("it is cut");
            assert_eq!(
                (error.kind(), error.effect(), error.exit_code()),
                (ErrorKind::OutputLost, Effect::Done, Some(3)),
                "{name}: {error}"
            );
        };
        let broken = async {
            let attached = backend.attach(&id, &AttachOptions::default()).await;
            let Attached {
                mut input,
                mut output,
                ..
            } = attached.expect("it runs");
            input.write_all(&much).await.expect_err("it is cut");
            let first = output.try_next().await.expect("a piece");
            assert_eq!(first.expect("a piece").bytes, "so far");
            let error = output.try_next().await.expect_err("it is cut");
            assert_eq!(
                (error.kind(), error.operation()),
                (ErrorKind::Transport, Some(Operation::Attach)),
                "{name}: {error}"
            );
        };
        tokio::join!(cut, broken);
    };
    tokio::join!(seen(0), seen(1), seen(2));
}

/// As [`starting`], but the command runs on while its end is waited for, and its container for ever.
fn running_on(start: Answer) -> Script {
    let looks = AtomicUsize::new(0);
    let ended = starting(start.clone());
    Arc::new(move |number: usize, request: &Recorded| {
        let runs = || looks.fetch_add(1, Ordering::Relaxed) < 45;
        let shown = match &*request.path {
            path if path.ends_with("/attach") => return start.clone(),
            path if path.ends_with("/web/json") => {
                json!({"Id": "c".repeat(64), "State": {"Status": "running", "Running": true}})
            }
            path if path.contains("/exec/") && path.ends_with("/json") && runs() => {
                json!({"Running": true, "ExitCode": null, "Pid": 7})
            }
            _ => return ended(number, request),
        };
        Answer::new(200).with_body(shown.to_string())
    })
}

#[tokio::test]
async fn output_that_ends_within_a_frame_is_an_error() {
    let peer = Peer::start();
    let id = ContainerRef::new("web").expect("a name");
    let mut cut = frame(1, b"half of it");
    cut.truncate(12);
    let answer = Answer::new(101).with_body(cut);
    peer.follow(starting(answer.handing_over(Program::Reads)));
    for (name, backend) in backends(&of(&peer)) {
        let options = ExecOptions::new(["cat"]).with_stdin("x");
        let error = backend.exec(&id, &options).await.expect_err("half a frame");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::OutputLost, Effect::Done),
            "{name}: {error}"
        );
        assert_eq!(error.exit_code(), Some(3), "{name}: {error}");
        let options = ExecOptions::new(["cat"]);
        let mut session = backend.start_exec(&id, &options).await.expect("a session");
        session.input.shutdown().await.expect("its end");
        let error = session.output.output(100).await.expect_err("half a frame");
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(error.subject(), Some("web"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_session_falls_back_where_nothing_was_sent() {
    let peer = Peer::start();
    let id = ContainerRef::new("web").expect("a name");
    let echo = Answer::new(101).handing_over(Program::Reads);
    peer.follow(starting(echo));
    let dead = AsyncEngine::connect(Endpoint::unix("/nonexistent/docker.sock"));
    let alive = BlockingEngine::new(&of(&peer)).expect("an engine");
    let hybrid = HybridBackend::over(Arc::new(dead.expect("an engine")), Arc::new(alive));
    let options = ExecOptions::new(["cat"]);
    let mut session = hybrid.start_exec(&id, &options).await.expect("a session");
    session.input.write_all(b"words").await.expect("it reads");
    session.input.shutdown().await.expect("its end");
    session.output.output(100).await.expect("its output");
    assert_eq!(peer.inputs(), ["words"]);
}

/// The runtime of the blocking engine's streams lasts as long as one of them.
#[tokio::test]
async fn a_session_outlives_the_handle_that_started_it() {
    let peer = Peer::start();
    let id = ContainerRef::new("web").expect("a name");
    peer.follow(starting(Answer::new(101).handing_over(Program::Reads)));
    for (name, backend) in backends(&of(&peer)) {
        let options = ExecOptions::new(["cat"]);
        let session = backend.start_exec(&id, &options).await.expect("a session");
        drop(backend);
        let mut input = session.input;
        drop(session.output);
        input.write_all(name.as_bytes()).await.expect("it reads");
        input.shutdown().await.expect("its end");
    }
}

#[test]
fn secrets_stay_out_of_debug() {
    let options = ExecOptions::new(["canary"])
        .with_stdin("canary")
        .with_env("A", "canary");
    let said = format!("{options:?}");
    assert!(!said.contains("canary"), "{said}");
    assert!(said.contains("stdin: Some(6)"), "{said}");
}

/// A port on loopback that leads to the engine.
async fn port(path: std::path::PathBuf) -> Endpoint {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let path = path.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::UnixStream::connect(path).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    Endpoint::tcp("127.0.0.1", port)
}

#[tokio::test]
async fn a_megabyte_goes_there_and_back_over_tcp() {
    let endpoint = match config().endpoint() {
        Endpoint::Unix { path } => port(path.clone()).await,
        other => other.clone(),
    };
    let config = Config::builder().endpoint(endpoint).build();
    for (backend_name, backend) in backends(&config.expect("a configuration")) {
        let name = unique(&format!("tcp-{backend_name}"));
        let spec = shell(&name, "sleep 600").await;
        let container = backend.scoped(&spec).await.expect("a container");
        backend.start(&container).await.expect("a start");
        let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
        let cat = ExecOptions::new(["cat"]).with_stdin(bytes.clone());
        let ran = backend.exec(&container, &cat).await.expect("an answer");
        assert!(ran.stdout == bytes && ran.success(), "{backend_name}");
        let head = ExecOptions::new(["head", "-c", "5"]).with_stdin(bytes.clone());
        let ran = backend.exec(&container, &head).await.expect("an answer");
        assert!(ran.stdout == bytes[..5] && ran.success(), "{backend_name}");
        container.remove().await.expect("a removal");
    }
}
