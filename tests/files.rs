//! Files into containers and out of them, where a real engine won't do alone: commands that fail, callers that go away,
//! images without programs, connections that break.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use catamaran::model::{
    ContainerPath, ContainerRef, ContainerSpec, CopyOptions, DownloadOptions, ImageRef,
    ImportOptions, OutwardLinks, RemoveImageOptions, TarArchive, UploadOptions, WriteFileOptions,
};
use catamaran::{
    CallContext, Config, ContainerBackend, ContainerBackendExt, Effect, ErrorKind, HybridBackend,
    Operation,
};
use common::backends;
use common::peer::{Answer, MULTIPLEXED, Peer, Program, Recorded, frame};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

fn path(text: &str) -> ContainerPath {
    ContainerPath::new(text).expect("a path")
}

fn web() -> ContainerRef {
    ContainerRef::new("web").expect("a name")
}

fn engines(peer: &Peer) -> [Arc<dyn ContainerBackend>; 3] {
    let config = Config::builder().endpoint(peer.endpoint());
    let config = config.build().expect("a configuration");
    backends(&config).map(|(_, backend)| backend)
}

fn archive(name: &str, contents: &[u8]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(contents.len() as u64);
    let appended = archive.append_data(&mut header, name, contents);
    appended.expect("a vector takes any bytes");
    archive.into_inner().expect("a vector").into()
}

/// An engine with a container whose root is read-only, with `/tmp` in memory and a volume, and with no link anywhere.
fn answer(request: &Recorded, output: &[Vec<u8>], exit_code: i64) -> Answer {
    let json = |status, value: serde_json::Value| Answer::new(status).with_body(value.to_string());
    let ends = |end: &str| request.path.ends_with(end);
    let answer = match request.method.as_str() {
        "HEAD" => {
            let stat = json!({"name": "x", "size": 0, "mode": 1_u32 << 31 | 0o755, "mtime": "", "linkTarget": ""});
            let stat = STANDARD.encode(stat.to_string());
            Answer::new(200).with_header("x-docker-container-path-stat", stat)
        }
        "GET" if ends("/_ping") => Answer::new(200),
        "GET" if request.path.contains("/exec/") => {
            json(200, json!({"Running": false, "ExitCode": exit_code}))
        }
        "GET" if ends("/json") => json(
            200,
            json!({
                "Id": "web", "State": {"Status": "running"}, "Config": {"User": "7:8"},
                "HostConfig": {"ReadonlyRootfs": true, "Tmpfs": {"/tmp": ""}},
                "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/vol", "RW": true}],
            }),
        ),
        "POST" if ends("/exec") => json(201, json!({ "Id": "b".repeat(64) })),
        "POST" if ends("/start") => Answer::new(200)
            .with_header("content-type", MULTIPLEXED)
            .with_pieces(output.iter().cloned().map(Bytes::from).collect())
            .handing_over(Program::Reads),
        "PUT" => Answer::new(200),
        other => panic!("nobody should send {other} {}", request.path),
    };
    answer.with_header("api-version", "1.41")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_is_told_by_its_exit_code_and_its_own_words() {
    let peer = Peer::start();
    let complaint = [&b"tar: cannot open secret"[..], &[b'!'; 10_000]].concat();
    for (code, kind, effect, says) in [
        (
            1,
            ErrorKind::Container,
            Effect::Unknown,
            "saying \"tar: cannot open secret",
        ),
        (91, ErrorKind::NotFound, Effect::Rejected, "/tmp"),
        (92, ErrorKind::Container, Effect::Rejected, "tar isn't in"),
        (
            126,
            ErrorKind::Container,
            Effect::Rejected,
            "/bin/sh or tar can't be run",
        ),
        (
            127,
            ErrorKind::Container,
            Effect::Rejected,
            "/bin/sh or tar can't be run",
        ),
        (137, ErrorKind::Container, Effect::Unknown, "exit code 137"),
    ] {
        let output = vec![frame(2, &complaint[..24]), frame(2, &complaint[24..])];
        peer.follow(Arc::new(move |_, request| answer(request, &output, code)));
        for engine in engines(&peer) {
            let bytes = archive("a", b"contents");
            let pieces: Vec<_> = bytes.chunks(300).map(Bytes::copy_from_slice).collect();
            let stream = TarArchive::stream(futures::stream::iter(pieces).map(Ok));
            for archive in [bytes.into(), stream] {
                let options = UploadOptions::default();
                let put = engine
                    .upload(&web(), &path("/tmp"), archive, &options)
                    .await;
                let error = put.expect_err("it failed");
                assert_eq!((error.kind(), error.effect()), (kind, effect), "{error}");
                assert_eq!(error.operation(), Some(Operation::PutArchive));
                assert!(error.to_string().contains(says), "{error}");
                assert!(error.to_string().len() < 600, "{error}");
            }
            let options = DownloadOptions::default();
            let got = engine.download(&web(), &path("/tmp/x"), &options).await;
            let error = got.expect_err("it failed");
            assert_eq!(
                (error.kind(), error.operation()),
                (kind, Some(Operation::GetArchive))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_given_the_archive_that_was_asked_for() {
    let peer = Peer::start();
    peer.follow(Arc::new(|_, request| answer(request, &[], 0)));
    for engine in engines(&peer) {
        peer.follow(Arc::new(|_, request| answer(request, &[], 0)));
        let options = WriteFileOptions::default().with_mode(0o700u32);
        let contents = "contents".into();
        let written = engine
            .write_file(&web(), &path("/tmp/f"), contents, &options)
            .await;
        written.expect("it is written");
        let inputs = peer.inputs();
        let mut read = tar::Archive::new(&inputs[0][..]);
        let mut entries = read.entries().expect("an archive");
        let mut entry = entries.next().expect("one").expect("an entry");
        let mut contents = String::new();
        std::io::Read::read_to_string(&mut entry, &mut contents).expect("contents");
        assert_eq!(contents, "contents");
        assert_eq!(entry.header().mode().expect("a mode"), 0o700);
        assert!(entries.next().is_none());
        let recorded = peer.recorded();
        let exec = recorded
            .iter()
            .find(|request| request.path.ends_with("/exec"));
        let exec: serde_json::Value =
            serde_json::from_slice(&exec.expect("an exec").body).expect("JSON");
        assert_eq!(exec["Cmd"][0], "/bin/sh");
        assert_eq!(
            exec["Cmd"][4], "/tmp",
            "as an argument, not as a part of the script"
        );
        let sent = |method: &str| recorded.iter().any(|request| request.method == method);
        assert!(!sent("PUT"), "the engine's own way leads elsewhere");
    }
}

/// Output that breaks off within a frame, and an archive that ends well by a command that doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_believed_when_its_command_has_ended_well() {
    let peer = Peer::start();
    let whole = archive("x", b"contents");
    for (output, code, kind) in [
        (
            vec![
                frame(1, b"\n"),
                frame(1, &whole),
                frame(2, b"tar: x: changed"),
            ],
            1,
            ErrorKind::Container,
        ),
        (
            vec![frame(1, b"\n"), frame(1, &whole)[..700].to_vec()],
            0,
            ErrorKind::Decode,
        ),
    ] {
        peer.follow(Arc::new(move |_, request| answer(request, &output, code)));
        for engine in engines(&peer) {
            let host = tempfile::tempdir().expect("a directory");
            let into = host.path().join("new");
            let options = CopyOptions::default();
            let copied = engine
                .copy_out(&web(), &path("/tmp/x"), &into, &options)
                .await;
            assert_eq!(copied.expect_err("it isn't whole").kind(), kind);
            assert_eq!(left(host.path()), 0);
            let options = DownloadOptions::default();
            let got = engine.download(&web(), &path("/tmp/x"), &options).await;
            let read = match got {
                Ok(archive) => archive.try_collect::<Vec<_>>().await.map(drop),
                Err(error) => Err(error),
            };
            assert_eq!(read.expect_err("it isn't whole").kind(), kind);
        }
    }
}

fn left(directory: &Path) -> usize {
    std::fs::read_dir(directory).expect("a directory").count()
}

/// A file that tells when it is asked for, and never comes to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_given_up_leaves_nothing() {
    let peer = Peer::start();
    let never = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&never);
    let half = archive("x", &[7; 4000]).slice(..2000);
    peer.follow(Arc::new(move |_, request| {
        if request.method == "GET" && request.path.ends_with("/archive") {
            let pieces = vec![half.clone(), Bytes::from_static(b"never")];
            return Answer::new(200).with_pieces(pieces).held_by(&held);
        }
        answer(request, &[], 0)
    }));
    for engine in engines(&peer) {
        let host = tempfile::tempdir().expect("a directory");
        let into = host.path().join("new");
        let hurried =
            engine.with_context(CallContext::new().with_timeout(Duration::from_millis(500)));
        let options = CopyOptions::default();
        let copied = hurried
            .copy_out(&web(), &path("/etc/x"), &into, &options)
            .await;
        assert_eq!(
            copied.expect_err("it takes too long").kind(),
            ErrorKind::Timeout
        );
        assert_eq!(left(host.path()), 0);

        // Dropped, the thread that writes finds it out by itself, and takes away what it made.
        let target = path("/etc/x");
        let id = web();
        let copying = engine.copy_out(&id, &target, &into, &options);
        let begun = async {
            while left(host.path()) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            copied = copying => panic!("{copied:?}"),
            () = begun => {}
        }
        let gone = async {
            while left(host.path()) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        gone.expect("it is taken away");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_the_callers_own_error() {
    let peer = Peer::start();
    for (at, way) in [("/tmp", "by a command"), ("/vol", "by the engine")] {
        peer.follow(Arc::new(|_, request| answer(request, &[], 0)));
        for engine in engines(&peer) {
            let pieces = [
                Ok(archive("a", &[7; 2000]).slice(..1500)),
                Err(std::io::Error::other("the disk is gone")),
            ];
            let stream = TarArchive::stream(futures::stream::iter(pieces));
            let options = UploadOptions::default();
            let put = engine.upload(&web(), &path(at), stream, &options).await;
            let error = put.expect_err("half an archive");
            assert_eq!(error.kind(), ErrorKind::Transport, "{way}: {error:#}");
            assert!(
                format!("{error:#}").contains("the disk is gone"),
                "{way}: {error:#}"
            );
            // And an entry that may not be sent.
            let mut bad = archive("a", &[7; 2000]).to_vec();
            bad.truncate(512 + 2048);
            bad.extend_from_slice(&evil());
            let pieces: Vec<_> = bad.chunks(512).map(Bytes::copy_from_slice).collect();
            let stream = TarArchive::stream(futures::stream::iter(pieces).map(Ok));
            let put = engine.upload(&web(), &path(at), stream, &options).await;
            let error = put.expect_err("it leads upwards");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{way}: {error:#}");
            // What came before may be there, where any of it was sent.
            assert_ne!(error.effect(), Effect::Rejected, "{way}: {error:#}");
        }
    }
}

/// An archive of one entry that leads upwards.
fn evil() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    header.as_old_mut().name[..7].copy_from_slice(b"../evil");
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, &b""[..]).expect("a vector");
    archive.into_inner().expect("a vector")
}

/// A copy waits for calls of the blocking engine, which need a thread of the runtime's blocking pool: it takes none itself.
#[test]
fn copies_need_no_thread_of_the_blocking_pool_while_they_wait() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let host = tempfile::tempdir().expect("a directory");
    let from = host.path().join("from");
    std::fs::create_dir(&from).expect("a directory");
    std::fs::write(from.join("large"), vec![7; 4 << 20]).expect("a file");
    let copies = async {
        let peer = Peer::start();
        let packed = archive("x/large", &vec![7; 4 << 20]);
        peer.follow(Arc::new(move |_, request| {
            if request.method == "GET" && request.path.ends_with("/archive") {
                return Answer::new(200).with_body(packed.clone());
            }
            let output = [&b"\n"[..], &packed].map(|bytes| frame(1, bytes));
            answer(request, &output, 0)
        }));
        for engine in engines(&peer) {
            for at in ["/tmp", "/vol"] {
                let (id, at, options) = (web(), path(at), CopyOptions::default());
                let copies = (0..4).map(|_| engine.copy_in(&id, &from, &at, &options));
                for copied in futures::future::join_all(copies).await {
                    assert_eq!(copied.expect("it is copied").bytes, 4 << 20);
                }
                let into = tempfile::tempdir().expect("a directory");
                let copied = engine.copy_out(&id, &at, into.path(), &options).await;
                assert_eq!(copied.expect("it is copied").bytes, 4 << 20);
            }
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), copies).await })
        .expect("nobody waits for a thread that isn't there");
}

/// Whoever refuses an archive is heard, though the archive doesn't come on.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_wait_for_the_archive() {
    let peer = Peer::start();
    let gone = |request: &Recorded| match request.method.as_str() {
        "POST" => Answer::new(404).with_body(r#"{"message":"no such container"}"#),
        _ => answer(request, &[], 0),
    };
    peer.follow(Arc::new(move |_, request| gone(request)));
    for engine in engines(&peer) {
        let first = archive("a", &[7; 2000]).slice(..1000);
        let pieces = futures::stream::iter([Ok(first)]).chain(futures::stream::pending());
        let archive = TarArchive::stream(pieces);
        let options = UploadOptions::default();
        let put = engine
            .upload(&web(), &path("/tmp"), archive, &options)
            .await;
        assert_eq!(put.expect_err("it is gone").kind(), ErrorKind::NotFound);
    }
}

/// What a container says of itself is no reason to write anywhere but where the caller said.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_container_writes_nothing_outside() {
    let peer = Peer::start();
    peer.follow(Arc::new(|_, request| {
        if request.method == "GET" && request.path.ends_with("/archive") {
            return Answer::new(200).with_body(evil());
        }
        answer(request, &[], 0)
    }));
    for engine in engines(&peer) {
        let host = tempfile::tempdir().expect("a directory");
        let into = host.path().join("new");
        let options = CopyOptions::default().with_outward_links(OutwardLinks::Keep);
        let copied = engine
            .copy_out(&web(), &path("/etc/x"), &into, &options)
            .await;
        let error = copied.expect_err("it leads upwards");
        assert_eq!(error.kind(), ErrorKind::Unsafe, "{error}");
        assert!(error.message().contains("../evil"), "{error}");
        assert_eq!(left(host.path()), 0);
    }
}

/// Only `tar` and `sh` are needed, and where they are missing the error says which.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_shell_is_told_by_name() {
    let rootfs = std::env::var("CATAMARAN_TEST_ROOTFS").expect("run scripts/test");
    let rootfs = std::fs::read(rootfs).expect("the root file system");
    let mut shell_less = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(&rootfs[..])
        .entries()
        .expect("an archive")
    {
        let mut entry = entry.expect("an entry");
        if entry.path().expect("a path").ends_with("bin/busybox") {
            let mut header = entry.header().clone();
            let appended = shell_less.append_data(&mut header, "busybox", &mut entry);
            appended.expect("a vector takes any bytes");
        }
    }
    let backend = HybridBackend::new(&common::config()).expect("both engines");
    let image = ImageRef::new(format!("catamaran/shell-less:{}", std::process::id()));
    let image = image.expect("a reference");
    let bytes = shell_less.into_inner().expect("a vector");
    let options = ImportOptions::new(image.clone());
    let imported = backend.import_image(&options, bytes.into());
    imported.await.expect("an image");

    let spec = ContainerSpec::untrusted(image.clone())
        .with_name(common::unique("shell-less"))
        .with_command(["/busybox", "sleep", "60"]);
    let container = backend.scoped(&spec).await.expect("a container");
    backend.start(&container).await.expect("it starts");
    let options = WriteFileOptions::default();
    let at = path("/tmp/f");
    let written = backend
        .write_file(&container, &at, "x".into(), &options)
        .await;
    let error = written.expect_err("there is no shell");
    assert!(error.to_string().contains("/bin/sh"), "{error}");
    assert_eq!(error.operation(), Some(Operation::PutArchive), "{error}");
    let read = backend.read_file(&container, &at, 10).await;
    assert!(
        read.expect_err("there is no shell")
            .to_string()
            .contains("/bin/sh")
    );
    container.remove().await.expect("it goes");
    let force = RemoveImageOptions::default().with_force(true);
    backend.remove_image(&image, &force).await.expect("it goes");
}
