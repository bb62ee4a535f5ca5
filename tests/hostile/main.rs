//! Peers that mean harm, against both engines: typed errors, bounded memory and work, no panic, no stalled runtime. How
//! much is read is told by how much the peer could write.

mod peer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catamaran::model::{
    AttachOptions, ContainerRef, EventsOptions, ExecOptions, ImageRef, ListOptions, LogsOptions,
    PullOptions, StopOptions,
};
use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend, Error, ErrorKind, Result};
use futures::TryStreamExt;
use peer::{Answer, Hostile};

const MIB: u64 = 1 << 20;
/// What lies in the system's buffers and in chunks under way.
const SLACK: u64 = 2 * MIB;
const JSON: &str = "application/json";
const FRAMED: &str = "application/vnd.docker.multiplexed-stream";
const INSPECT: &[u8] = br#"{"Id": "c0ffee", "Name": "/x", "State": {"Status": "running"}, "Config": {}, "HostConfig": {}}"#;

fn engines(peer: &Hostile) -> [(&'static str, Arc<dyn ContainerBackend>); 2] {
    let config = Config::builder()
        .endpoint(peer.endpoint())
        .operation_timeout(Duration::from_secs(30))
        .build()
        .expect("a configuration");
    [
        (
            "async",
            Arc::new(AsyncEngine::new(&config).expect("an engine")),
        ),
        (
            "blocking",
            Arc::new(BlockingEngine::new(&config).expect("an engine")),
        ),
    ]
}

fn container() -> ContainerRef {
    ContainerRef::new("c0ffee").expect("a reference")
}

/// A call of each family, to the end of what it reads.
async fn call(backend: &dyn ContainerBackend, family: &str) -> Result<()> {
    let id = container();
    match family {
        "inspect" => backend.inspect(&id).await.map(drop),
        "list" => backend.list(&ListOptions::all()).await.map(drop),
        "stop" => backend.stop(&id, &StopOptions::default()).await.map(drop),
        "version" => backend.version().await.map(drop),
        "stats" => backend.stats(&id).await.map(drop),
        "exec" => backend
            .exec(&id, &ExecOptions::new(["true"]))
            .await
            .map(drop),
        "attach" => {
            let attached = backend.attach(&id, &AttachOptions::default()).await?;
            attached.output.try_collect::<Vec<_>>().await.map(drop)
        }
        "logs" => {
            let log = backend.logs(&id, &LogsOptions::default()).await?;
            log.try_fold((), |(), _| async { Ok(()) }).await
        }
        "events" => {
            let events = backend.events(&EventsOptions::default()).await?;
            events.try_fold((), |(), _| async { Ok(()) }).await
        }
        "stats_stream" => {
            let samples = backend.stats_stream(&id).await?;
            samples.try_fold((), |(), _| async { Ok(()) }).await
        }
        "pull" => {
            let image = ImageRef::new("app:1").expect("a reference");
            backend
                .pull_image(&image, &PullOptions::default())
                .await?
                .finish()
                .await
        }
        other => panic!("no family {other}"),
    }
}

const FAMILIES: [&str; 11] = [
    "inspect",
    "list",
    "stop",
    "version",
    "stats",
    "exec",
    "attach",
    "logs",
    "events",
    "stats_stream",
    "pull",
];

/// Every call fails, as one of these, after no more than so many bytes.
async fn fails(answer: Answer, families: &[&str], kinds: &[ErrorKind], most: u64) {
    for family in families {
        let peer = Hostile::start(answer.clone());
        for (name, backend) in engines(&peer) {
            let before = peer.taken();
            let error: Error = match call(&*backend, family).await {
                Ok(()) => panic!("{name} {family}: it is believed"),
                Err(error) => error,
            };
            assert!(
                kinds.contains(&error.kind()),
                "{name} {family}: {:?} {error}",
                error.kind()
            );
            let taken = peer.taken() - before;
            assert!(
                taken <= most + SLACK,
                "{name} {family}: {taken} bytes were taken"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_read_to_64_mib() {
    let piece = vec![b' '; 64 << 10];
    let answer = Answer::endless(JSON, &piece, 4096);
    fails(
        answer,
        &["inspect", "list", "version"],
        &[ErrorKind::TooLarge, ErrorKind::Decode],
        64 * MIB,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_read_to_1_mib() {
    let piece = vec![b'x'; 16 << 10];
    let answer = Answer::endless(JSON, &piece, 16_384);
    fails(
        answer,
        &["events", "stats_stream", "pull"],
        &[ErrorKind::TooLarge, ErrorKind::Decode],
        MIB,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_4_gib_is_refused_at_its_head() {
    let mut piece = vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    piece.extend([b'x'; 4096]);
    let answer = Answer::endless(FRAMED, &piece, 65_536);
    fails(
        answer,
        &["logs"],
        &[ErrorKind::TooLarge, ErrorKind::Decode],
        0,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_given_up() {
    let line = Answer {
        first: b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec(),
        again: vec![b'x'; 64 << 10],
        times: 4096,
        stays: false,
    };
    let many = Answer {
        first: b"HTTP/1.1 200 OK\r\n".to_vec(),
        again: b"X-Many: x\r\n".repeat(1000),
        times: 10_000,
        stays: false,
    };
    let broken = [ErrorKind::Transport, ErrorKind::Decode];
    for answer in [line, many] {
        fails(answer, &["inspect", "logs", "stop"], &broken, MIB).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_told_as_such() {
    let nested = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let no_text = b"{\"Id\": \"\xff\xfe\", \"State\": {\"Status\": \"\xc0\"}}".to_vec();
    // Where a text isn't looked at, nobody minds what is in it.
    fails(
        Answer::whole("200 OK", &no_text),
        &["inspect"],
        &[ErrorKind::Decode],
        0,
    )
    .await;
    for body in [
        nested,
        b"<html>".to_vec(),
        Vec::new(),
        b"null".to_vec(),
        b"7".to_vec(),
    ] {
        let answer = Answer::whole("200 OK", &body);
        fails(answer, &["inspect", "version"], &[ErrorKind::Decode], 0).await;
    }
    let other =
        Answer::of("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
    fails(other, &["inspect", "list"], &[ErrorKind::Decode], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_too_early_is_no_answer() {
    let broken = [ErrorKind::Transport, ErrorKind::Decode];
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Id\": ",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Id\"\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/9.9 200 OK\r\n\r\n",
        "200 OK",
        "\0\0\0\0\0\0\0\0",
        "",
    ] {
        fails(Answer::of(text), &["inspect", "logs"], &broken, 0).await;
    }
}

/// Cut after each of its bytes, an answer is whole or an error.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_anywhere_is_an_error() {
    let whole = Answer::whole("200 OK", INSPECT).first;
    let kinds = [ErrorKind::Transport, ErrorKind::Decode];
    for length in (0..whole.len()).step_by(7) {
        fails(Answer::of(&whole[..length]), &["inspect"], &kinds, 0).await;
    }
    let peer = Hostile::start(Answer::of(whole));
    for (name, backend) in engines(&peer) {
        let details = backend.inspect(&container()).await;
        details.unwrap_or_else(|error| panic!("{name}: whole it is believed: {error}"));
    }
}

/// Whatever the status, a call of each family ends, in a value or an error.
#[tokio::test(flavor = "multi_thread")]
async fn every_status_has_an_outcome() {
    for status in 100..=599_u16 {
        let body: &[u8] = if status % 2 == 0 {
            b"{\"message\": \"no\"}"
        } else {
            b"\xff\xfe"
        };
        let answer = Answer::whole(&format!("{status} Whatever"), body);
        let peer = Hostile::start(answer);
        for (name, backend) in engines(&peer) {
            for family in FAMILIES {
                let called = tokio::time::timeout(Duration::from_secs(10), call(&*backend, family));
                let outcome = called
                    .await
                    .unwrap_or_else(|_| panic!("{name} {family} {status}: no end"));
                if let Err(error) = outcome {
                    assert!(!error.to_string().is_empty(), "{name} {family} {status}");
                } else {
                    assert!(
                        (200..=304).contains(&status),
                        "{name} {family}: {status} is no success"
                    );
                }
            }
        }
    }
}

/// On one thread, so that turns of others are turns of the connection's own task.
#[tokio::test]
async fn a_connection_that_was_closed_or_soiled_while_idle_fails_nobody() {
    let whole = Answer::whole("200 OK", INSPECT);
    let mut soiled = whole.clone().staying();
    soiled
        .first
        .extend(b"HTTP/1.1 500 Garbage\r\nContent-Length: 0\r\n\r\n");
    // Closed after each answer though the head doesn't say so, and with an answer nobody asked for behind it.
    for answer in [whole, soiled] {
        let peer = Hostile::start(answer);
        for (name, backend) in engines(&peer) {
            for round in 0..20 {
                peer.settled().await;
                let details = backend.inspect(&container()).await;
                let details =
                    details.unwrap_or_else(|error| panic!("{name}, round {round}: {error}"));
                assert_eq!(details.id, container(), "{name}");
            }
        }
    }
}

/// What is given up is closed at once: a proxy on the way can tell, and passes nothing on.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_closes_its_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let config = Config::builder()
        .endpoint(catamaran::Endpoint::unix(&path))
        .api_version(catamaran::ApiVersion::NEWEST)
        .operation_timeout(Duration::from_millis(200))
        .build()
        .expect("a configuration");
    let engines: [Arc<dyn ContainerBackend>; 2] = [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
    ];
    for backend in engines {
        let listener = listener.try_clone().expect("a handle");
        let peer = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let patience = Some(Duration::from_secs(20));
            stream.set_read_timeout(patience).expect("a timeout");
            // The request, and then the end.
            std::io::Read::read_to_end(&mut stream, &mut Vec::new()).map(drop)
        });
        let error = backend.info().await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        peer.await.expect("no panic").expect("it is closed");
    }
}

/// While much is read, others on the same thread have their turns.
#[tokio::test]
async fn a_long_answer_stalls_nobody() {
    let ticks = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&ticks);
    let ticker = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let event = format!(
        "{{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{{\"ID\":\"{}\"}}}}\n",
        "c0ffee".repeat(72)
    );
    for (answer, family) in [
        (Answer::endless(JSON, &[b' '; 4096], 16_384), "inspect"),
        (
            Answer::endless(
                FRAMED,
                &[&[1, 0, 0, 0, 0, 0, 16, 0][..], &[b'x'; 4096]].concat(),
                4096,
            ),
            "logs",
        ),
        (
            Answer::endless(JSON, event.repeat(8).as_bytes(), 4096),
            "events",
        ),
    ] {
        let peer = Hostile::start(answer);
        for (name, backend) in engines(&peer) {
            let (before, taken) = (ticks.load(Ordering::Relaxed), peer.taken());
            // How it ends is told elsewhere.
            let _ = call(&*backend, family).await;
            let taken = peer.taken() - taken;
            assert!(
                taken > 8 * MIB,
                "{name} {family}: it ended after {taken} bytes"
            );
            let between = ticks.load(Ordering::Relaxed) - before;
            assert!(between >= 10, "{name} {family}: {between} turns");
        }
    }
    ticker.abort();
}
