//! What isn't conformance: engines that can't be reached, don't answer, or may not be spoken to, and what
//! happens within ours. `tests/conformance.rs` has the promises of the trait.

mod common;

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{ContainerRef, ListOptions, LogStream, LogsOptions, StopOptions};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, ContainerBackendExt,
    Effect, Endpoint, ErrorKind,
};

use common::{shell, unique, witness};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::watch;

type Backend = Arc<dyn ContainerBackend>;

fn endpoint() -> Endpoint {
    Config::from_env()
        .expect("a configuration")
        .endpoint()
        .clone()
}

#[tokio::test]
async fn a_dead_socket_says_that_nothing_was_sent() {
    let nowhere = || Endpoint::unix("/nonexistent/docker.sock");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(nowhere()).expect("an engine")),
        Arc::new(BlockingEngine::connect(nowhere()).expect("an engine")),
    ];
    for backend in engines {
        let error = backend
            .start(&ContainerRef::new("x").expect("a name"))
            .await
            .expect_err("no engine");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Connect, Effect::NotSent)
        );
        assert!(
            error
                .to_string()
                .contains("unix:///nonexistent/docker.sock"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_stop_may_be_given_any_time() {
    let nowhere = || Endpoint::unix("/nonexistent/docker.sock");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(nowhere()).expect("an engine")),
        Arc::new(BlockingEngine::connect(nowhere()).expect("an engine")),
    ];
    for backend in engines {
        let forever = StopOptions::default().with_timeout(Duration::MAX);
        let error = backend
            .stop(&ContainerRef::new("x").expect("a name"), &forever)
            .await
            .expect_err("no engine");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
}

#[tokio::test]
async fn a_deadline_covers_an_answer_that_never_comes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("silent.sock");
    // Connections wait in the backlog and are never answered.
    let _silent = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::connect(Endpoint::unix(&path)).expect("an engine")),
        Arc::new(BlockingEngine::connect(Endpoint::unix(&path)).expect("an engine")),
    ];
    for backend in engines {
        let hurried =
            backend.with_context(CallContext::new().with_timeout(Duration::from_millis(50)));
        let error = hurried.ping().await.expect_err("silence");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::Unknown)
        );
        // The version is asked for first, so the operation itself can't have been sent.
        let error = hurried
            .list(&ListOptions::all())
            .await
            .expect_err("silence");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Timeout, Effect::NotSent)
        );
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_is_refused_rather_than_spoken_to_in_plaintext() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let endpoint = Endpoint::parse(&format!("https://127.0.0.1:{port}")).expect("an endpoint");
    for refused in [
        AsyncEngine::connect(endpoint.clone()).map(drop),
        BlockingEngine::connect(endpoint).map(drop),
    ] {
        let error = refused.expect_err("TLS");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let advice = error.advice().expect("advice");
        assert!(advice.contains("the feature tls"), "{error}");
    }
    listener.set_nonblocking(true).expect("a socket");
    assert!(listener.accept().is_err(), "somebody connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_streams_may_race() {
    let nobody = ContainerRef::new("catamaran-test-nobody").expect("a name");
    for _ in 0..20 {
        let backend: Backend = Arc::new(BlockingEngine::connect(endpoint()).expect("an engine"));
        backend.version().await.expect("a version");
        let together = Arc::new(tokio::sync::Barrier::new(8));
        let streams = (0..8).map(|_| {
            let (backend, nobody, together) = (backend.clone(), nobody.clone(), together.clone());
            tokio::spawn(async move {
                together.wait().await;
                backend.logs(&nobody, &LogsOptions::default()).await
            })
        });
        for stream in futures::future::join_all(streams).await {
            let refused = stream.expect("no panic").expect_err("nobody is there");
            assert_eq!(refused.kind(), ErrorKind::NotFound);
        }
    }
}

/// A log of six lines, followed while it is written.
async fn follow(backend: &dyn ContainerBackend, id: &ContainerRef) -> LogStream {
    backend.start(id).await.expect("a start");
    let follow = LogsOptions::default().with_follow(true);
    backend.logs(id, &follow).await.expect("a log")
}

#[tokio::test]
async fn a_stream_outlives_its_engine() {
    for blocking in [false, true] {
        let name = unique(if blocking { "stream-b" } else { "stream-a" });
        let spec = shell(&name, "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done").await;
        let backend: Backend = if blocking {
            Arc::new(BlockingEngine::connect(endpoint()).expect("an engine"))
        } else {
            Arc::new(AsyncEngine::connect(endpoint()).expect("an engine"))
        };
        let guard = witness().scoped(&spec).await.expect("a container");
        let log = follow(&*backend, &guard).await;
        drop(backend);
        let log = log.output(1024).await.expect("all of it");
        assert_eq!(&log.stdout[..], b"1\n2\n3\n4\n5\n6\n");
        guard.remove().await.expect("a removal");
    }
}

#[test]
fn an_engine_serves_several_runtimes() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let backend = AsyncEngine::connect(endpoint()).expect("an engine");
    // The first keeps a connection, and drives it no more.
    let runtimes = [runtime(), runtime()];
    for runtime in runtimes.iter().chain(&runtimes) {
        runtime.block_on(backend.ping()).expect("a pong");
    }
}

/// Answers pings, so many at once, and counts the connections that are open.
fn pongs(at_once: usize) -> (tempfile::TempDir, Endpoint, watch::Receiver<usize>) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    let (open, count) = watch::channel(0);
    let all_here = Arc::new(tokio::sync::Barrier::new(at_once));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (open, all_here) = (open.clone(), Arc::clone(&all_here));
            open.send_modify(|open| *open += 1);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        all_here.wait().await;
                        let pong = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
                        stream.write_all(pong).await.expect("it is read");
                    }
                    line.clear();
                }
                open.send_modify(|open| *open -= 1);
            });
        }
    });
    (directory, Endpoint::unix(path), count)
}

#[tokio::test]
async fn what_a_burst_has_opened_ends_though_nobody_calls() {
    let (_directory, endpoint, mut open) = pongs(8);
    let config = Config::builder()
        .endpoint(endpoint)
        .idle_timeout(Duration::from_millis(50))
        .build()
        .expect("a configuration");
    let engines: [Backend; 2] = [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
    ];
    for backend in engines {
        let burst = futures::future::join_all((0..8).map(|_| backend.ping())).await;
        for pong in burst {
            pong.expect("a pong");
        }
        let ended = open.wait_for(|open| *open == 0);
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        ended.expect("they end in time").expect("a count");
    }
}
