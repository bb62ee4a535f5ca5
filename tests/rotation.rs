//! Certificates are renewed while backends live: new connections bear the new ones, nothing that is under
//! way breaks, and a half-written set changes nothing.
#![cfg(feature = "tls")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerRef, KillOptions, LogsOptions, RemoveOptions, WaitCondition, WaitOptions,
};
use catamaran::{Config, ConfigBuilder, ContainerBackend, ErrorKind, TlsConfig};
use common::peer::{Answer, Peer};
use common::tls::{Authority, Issued, TlsPeer};
use futures::{StreamExt, TryStreamExt};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

const HERE: &[&str] = &["127.0.0.1"];
const NAMES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

type Backend = Arc<dyn ContainerBackend>;

fn backends(config: &ConfigBuilder) -> [(&'static str, Backend); 3] {
    let config = config.clone().build().expect("a configuration");
    common::backends(&config)
}

/// Kept connections are looked after that often.
const PERIOD: Duration = Duration::from_millis(50);

/// Of an engine whose version is known, so that each call is one request.
fn over(peer: &TlsPeer, tls: TlsConfig) -> ConfigBuilder {
    Config::builder()
        .endpoint(peer.endpoint(tls))
        .api_version("1.41".parse().expect("a version"))
        .idle_timeout(PERIOD)
}

fn pem(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&issued.cert).expect("a certificate")
}

/// How the files of a client come to be others.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Each is written over.
    Overwrite,
    /// Each is moved to where the other was.
    Rename,
    /// All are links through one that is turned to another directory, as Kubernetes mounts a secret.
    Link,
}

impl Way {
    fn put(self, files: &[(std::path::PathBuf, &str)], into: &Path) {
        match self {
            Self::Overwrite => copy(files, into),
            Self::Rename => {
                let aside = tempfile::tempdir_in(into).expect("a directory");
                copy(files, aside.path());
                for (_, name) in files {
                    fs::rename(aside.path().join(name), into.join(name)).expect("a move");
                }
            }
            Self::Link => {
                let version = tempfile::tempdir_in(into).expect("a directory").keep();
                copy(files, &version);
                let link = into.join("link");
                symlink(&version, &link).expect("a link");
                fs::rename(&link, into.join("current")).expect("a move");
                for (_, name) in files {
                    // Already there the second time.
                    let _ = symlink(format!("current/{name}"), into.join(name));
                }
            }
        }
    }
}

/// With their modes: a key is its owner's alone.
fn copy(files: &[(std::path::PathBuf, &str)], into: &Path) {
    for (from, name) in files {
        fs::copy(from, into.join(name)).expect("a file");
    }
}

/// Calls until a certificate is seen; each call must be answered.
async fn call_until_seen(backend: &Backend, peer: &TlsPeer, cert: &CertificateDer<'_>) {
    let calls = async {
        while !peer.seen().contains(cert) {
            backend.ping().await.expect("calls go on");
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), calls).await;
    in_time.expect("the new certificate is seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_new_authority_is_taken_while_calls_and_streams_go_on() {
    let [old, new] = ["old", "new"].map(Authority::new);
    let engine = common::config().endpoint().clone();
    for way in [Way::Overwrite, Way::Rename, Way::Link] {
        for index in 0..3 {
            let peer = TlsPeer::start(&old.issue("server", HERE), &old, &engine).await;
            let directory = tempfile::tempdir().expect("a directory");
            let first = old.issue("client", &[]);
            way.put(&old.client_files(&first), directory.path());
            let config = over(&peer, TlsConfig::from_dir(directory.path()));
            let (kind, backend) = &backends(&config)[index];
            backend.ping().await.expect("a pong");

            // A stream that outlives the renewal.
            let name = common::unique(&format!("rotation-{kind}-{way:?}").to_lowercase());
            let spec = common::shell(&name, "while :; do echo line; sleep 0.1; done").await;
            let id = backend.create(&spec).await.expect("a container").id;
            backend.start(&id).await.expect("a start");
            let follow = LogsOptions::default().with_follow(true);
            let mut lines = backend.logs(&id, &follow).await.expect("a stream");
            lines.next().await.expect("a line").expect("a line");

            let second = new.issue("client", &[]);
            way.put(&new.client_files(&second), directory.path());
            peer.renew(&new.issue("server", HERE), &new);
            assert!(peer.seen().iter().all(|seen| *seen == pem(&first)));
            call_until_seen(backend, &peer, &pem(&second)).await;

            lines.next().await.expect("a line").expect("a line");
            let kill = KillOptions::default();
            backend.kill(&id, &kill).await.expect("a kill");
            // To its end, which only the connection that it began on can bring.
            let rest: Result<Vec<_>, _> = lines.try_collect().await;
            rest.expect("an unbroken stream");
            let force = RemoveOptions::force();
            backend.remove(&id, &force).await.expect("a removal");
        }
    }
}

/// A peer that ends each connection with its answer.
fn once_only() -> Peer {
    let peer = Peer::start();
    peer.follow(Arc::new(|_, _| {
        Answer::new(200)
            .with_header("connection", "close")
            .with_body(r#"{"StatusCode":0}"#)
    }));
    peer
}

#[tokio::test]
async fn each_new_connection_looks_and_keeps_the_last_good_set() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    let behind = once_only();
    let (nobody, wait) = (
        ContainerRef::new("x").expect("a name"),
        // Sent once, and so without a look before it.
        WaitOptions::default().with_condition(WaitCondition::NextExit),
    );
    for index in 0..3 {
        let peer = TlsPeer::start(&server, &authority, &behind.endpoint()).await;
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let first = authority.issue("first", &[]);
        let second = authority.issue("second", &[]);
        copy(&authority.client_files(&first), directory.path());
        let config = over(&peer, TlsConfig::from_dir(directory.path()));
        let (kind, backend) = &backends(&config)[index];
        let mut connections = 0;
        let mut bears = async |issued: &Issued, when: &str| {
            backend.ping().await.expect(when);
            // And a stream, whose connections are others in the blocking engine.
            backend.wait(&nobody, &wait).await.expect(when);
            let seen = peer.seen().split_off(connections);
            connections += 2;
            assert_eq!(seen, [pem(issued), pem(issued)], "{kind}, {when}");
        };
        bears(&first, "at first").await;

        let cert = fs::read(&second.cert).expect("a certificate");
        fs::write(at("cert.pem"), &cert[..cert.len() / 2]).expect("a file");
        bears(&first, "half a certificate").await;
        fs::write(at("cert.pem"), &cert).expect("a file");
        bears(&first, "a certificate whose key is still to come").await;
        fs::remove_file(at("key.pem")).expect("a removal");
        bears(&first, "no key").await;
        let key = fs::read(&second.key).expect("a key");
        fs::write(at("key.pem"), key).expect("a file");
        chmod(&at("key.pem"), 0o640);
        bears(&first, "a key that others may read").await;
        chmod(&at("key.pem"), 0o600);
        bears(&second, "a whole pair").await;

        fs::write(at("ca.pem"), "").expect("a file");
        bears(&second, "no authority").await;
        for name in NAMES {
            fs::remove_file(at(name)).expect("a removal");
        }
        bears(&second, "no file at all").await;
        copy(&authority.client_files(&first), directory.path());
        bears(&first, "and back").await;
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[tokio::test]
async fn an_authority_that_is_no_longer_trusted_is_refused_at_once() {
    let [ours, theirs] = ["ours", "theirs"].map(Authority::new);
    let server = ours.issue("server", HERE);
    let behind = once_only();
    let peer = TlsPeer::start(&server, &ours, &behind.endpoint()).await;
    let directory = ours.client_directory();
    let config = over(&peer, TlsConfig::from_dir(directory.path()));
    for (kind, backend) in &backends(&config)[..2] {
        fs::copy(ours.ca(), directory.path().join("ca.pem")).expect("a file");
        backend.ping().await.expect("a pong");
        fs::copy(theirs.ca(), directory.path().join("ca.pem")).expect("a file");
        let error = backend.ping().await.expect_err("another authority");
        assert_eq!(error.kind(), ErrorKind::Connect, "{kind}: {error:#}");
        assert!(error.message().contains("no authority in"), "{error:#}");
    }
}
