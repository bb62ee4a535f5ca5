//! TLS with certificates on both sides, through both engines: that it works on the real engine, and what
//! is said where it doesn't.
#![cfg(feature = "tls")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catamaran::conformance::Check;
use catamaran::model::{
    ContainerRef, ContainerSpec, ExecOptions, ImageRef, ListOptions, RemoveOptions,
};
use catamaran::{
    AsyncEngine, BlockingEngine, Config, ContainerBackend, ContainerBackendExt, Effect, Endpoint,
    Environment, Error, ErrorKind, HybridBackend, TlsConfig, conformance_tests,
};
use common::backends;
use common::dockerd::Dockerd;
use common::peer::{Answer, Peer};
use common::tls::{Authority, BOTH_VERSIONS, Issued, TlsPeer};

conformance_tests!(async_over_tls, |check| over_tls(check, |config| {
    Arc::new(AsyncEngine::new(config).expect("an engine"))
}));
conformance_tests!(blocking_over_tls, |check| over_tls(check, |config| {
    Arc::new(BlockingEngine::new(config).expect("an engine"))
}));
conformance_tests!(hybrid_over_tls, |check| over_tls(check, |config| {
    Arc::new(HybridBackend::new(config).expect("both engines"))
}));

/// A check on the real engine, behind a peer of its own.
fn over_tls(check: &'static Check, make: fn(&Config) -> Backend) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let image = common::image().await;
        let authority = Authority::new("ours");
        let server = authority.issue("server", HERE);
        let engine = common::config().endpoint().clone();
        let peer = TlsPeer::start(&server, &authority, &engine).await;
        let config = Config::builder().endpoint(peer.endpoint(authority.client()));
        let backend = make(&config.build().expect("a configuration"));
        check.run(&*backend, &image).await;
    });
}

const HERE: &[&str] = &["127.0.0.1", "localhost"];

type Backend = Arc<dyn ContainerBackend>;

/// Each engine; an operation may be its first request, since no version has to be learnt.
fn engines(endpoint: &Endpoint) -> [catamaran::Result<Backend>; 2] {
    let config = Config::builder()
        .endpoint(endpoint.clone())
        .api_version("1.41".parse().expect("a version"))
        .connect_timeout(Duration::from_secs(60))
        .build()
        .expect("a configuration");
    [
        AsyncEngine::new(&config).map(|engine| Arc::new(engine) as Backend),
        BlockingEngine::new(&config).map(|engine| Arc::new(engine) as Backend),
    ]
}

fn scripted() -> Peer {
    let peer = Peer::start();
    peer.follow(Arc::new(|_, _| Answer::new(204)));
    peer
}

#[tokio::test]
async fn the_real_engine_is_served_over_mutual_tls() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    let engine = common::config().endpoint().clone();
    let peer = TlsPeer::start(&server, &authority, &engine).await;
    let config = Config::builder()
        .endpoint(peer.endpoint(authority.client()))
        .build()
        .expect("a configuration");
    for (backend_name, backend) in backends(&config) {
        backend.ping().await.expect("a pong");
        let name = common::unique(&format!("tls-{backend_name}"));
        let spec = common::shell(&name, "while :; do sleep 1; done").await;
        let id = backend.create(&spec).await.expect("a container").id;
        backend.start(&id).await.expect("a start");
        // A stream, larger than a TLS record.
        let exec = ExecOptions::new(["sh", "-c", "yes | head -c 100000"]);
        let output = backend.exec(&id, &exec).await.expect("an exec");
        assert_eq!(output.stdout.len(), 100_000);
        let found = backend.list(&ListOptions::all().with_name(&name)).await;
        assert_eq!(found.expect("a list").len(), 1);
        let force = RemoveOptions::force();
        backend.remove(&id, &force).await.expect("a removal");
        assert!(!common::exists(&name).await, "{backend_name}");
    }
}

#[tokio::test]
async fn calls_share_a_connection() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    let scripted = scripted();
    for version in BOTH_VERSIONS {
        for index in [0, 1] {
            let peer =
                TlsPeer::speaking(&[version], &server, &authority, &scripted.endpoint()).await;
            let mut engines = engines(&peer.endpoint(authority.client())).into_iter();
            let backend = engines.nth(index).expect("two").expect("an engine");
            for _ in 0..5 {
                backend.ping().await.expect("a pong");
            }
            assert_eq!(peer.accepted(), 1);
        }
    }
}

/// What the start of a container ends in, through each engine: the same of both.
async fn refused(endpoint: &Endpoint) -> Error {
    let container = ContainerRef::new("x").expect("a name");
    let mut errors = Vec::new();
    for backend in engines(endpoint) {
        let backend = backend.expect("an engine");
        let error = backend.start(&container).await.expect_err("a refusal");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Connect, Effect::NotSent),
            "{error:#}"
        );
        errors.push(error);
    }
    let [first, second] = &errors[..] else {
        panic!("two engines");
    };
    assert_eq!(first.message(), second.message());
    assert_eq!(first.advice(), second.advice());
    errors.remove(0)
}

#[tokio::test]
async fn each_failure_says_what_it_is_through_either_engine() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    let expired = authority.issue_expired("expired", HERE);
    let elsewhere = authority.issue("elsewhere", &["elsewhere.example", "127.0.0.2"]);
    let trusted = authority.client();
    let anonymous = TlsConfig::new().with_ca(authority.ca());
    let behind = scripted();
    let mut cases = vec![
        (&expired, trusted.clone(), "has expired", "renew it"),
        (
            &elsewhere,
            trusted.clone(),
            "is for another name than \"127.0.0.1\"",
            "subject alternative name",
        ),
        (
            &server,
            anonymous.clone(),
            "wants a client certificate, and none is configured",
            "cert.pem",
        ),
    ];
    // One by the same name is another all the same.
    let others = [Authority::new("theirs"), Authority::new("ours")];
    for other in &others {
        let (cert, key) = (trusted.cert().unwrap(), trusted.key().unwrap());
        let misled = TlsConfig::new().with_ca(other.ca());
        cases.push((
            &server,
            misled.with_identity(cert, key),
            "is signed by no authority in ",
            "ca.pem",
        ));
        let issued = other.issue("strange", &[]);
        cases.push((
            &server,
            anonymous.clone().with_identity(issued.cert, issued.key),
            "refuses the client certificate ",
            "--tlscacert",
        ));
    }
    for (server, client, said, advised) in cases {
        for version in BOTH_VERSIONS {
            let peer = TlsPeer::speaking(&[version], server, &authority, &behind.endpoint()).await;
            let error = refused(&peer.endpoint(client.clone())).await;
            assert!(behind.recorded().is_empty());
            assert!(error.message().contains(said), "{error:#}");
            let advice = error.advice().expect("advice");
            assert!(advice.contains(advised), "{error:#}");
        }
    }
}

#[tokio::test]
async fn a_real_dockerd_takes_our_certificate_and_no_other() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    // On a busy machine a daemon may give up its containerd too soon.
    let start = |earlier: String| {
        let started = Dockerd::start(&server, &authority);
        started.map_err(|why| format!("{earlier}{why}\n"))
    };
    let dockerd = match start(String::new()).or_else(start).or_else(start) {
        Ok(dockerd) => dockerd,
        // As everywhere, what can't run on CI has failed.
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => return eprintln!("not tried: {why}"),
    };
    let ours = authority.client();
    let at = |tls| Endpoint::tls("127.0.0.1", dockerd.port(), tls);
    let config = Config::builder()
        .endpoint(at(ours.clone()))
        .operation_timeout(Duration::from_secs(120));
    let config = config.build().expect("a configuration");
    let image = ImageRef::new("catamaran/busybox:test").expect("a reference");
    for (name, backend) in backends(&config) {
        common::import(&*backend, &image).await;
        let spec = ContainerSpec::untrusted(image.clone()).with_command(["echo", name]);
        let ran = backend.run(&spec).await.expect("a run");
        assert_eq!(ran.stdout, format!("{name}\n"));
    }

    let bearing = |issued: Issued| {
        TlsConfig::new()
            .with_ca(authority.ca())
            .with_identity(issued.cert, issued.key)
    };
    let anonymous = TlsConfig::new().with_ca(authority.ca());
    let stranger = Authority::new("theirs");
    let misled = ours.clone().with_ca(stranger.ca());
    for (tls, said) in [
        (anonymous, "wants a client certificate"),
        (
            bearing(stranger.issue("strange", &[])),
            "refuses the client certificate",
        ),
        (
            bearing(authority.issue_expired("expired", &[])),
            "refuses the client certificate",
        ),
        (misled, "is signed by no authority in "),
    ] {
        let error = refused(&at(tls)).await;
        assert!(error.message().contains(said), "{error:#}");
    }
}

/// The one difference: rustls takes no authority's certificate for a server's.
#[tokio::test]
async fn an_authority_as_a_server_is_judged_by_each_library() {
    let (authority, server) = Authority::itself(HERE);
    let behind = scripted();
    let peer = TlsPeer::start(&server, &authority, &behind.endpoint()).await;
    let [first, second] = engines(&peer.endpoint(authority.client()));
    let error = first.expect("an engine").ping().await.expect_err("no use");
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.message().contains("can't be used"), "{error:#}");
    second.expect("an engine").ping().await.expect("a pong");
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.0 400 Bad Request\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    let authority = Authority::new("ours");
    for backend in engines(&Endpoint::tls("localhost", port, authority.client())) {
        let error = backend
            .expect("an engine")
            .ping()
            .await
            .expect_err("no TLS");
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
        assert!(error.message().contains("handshake failed"), "{error:#}");
        assert!(error.advice().unwrap().contains("speaks TLS"), "{error:#}");
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

/// The error that both engines refuse to be made with.
fn unusable(tls: &TlsConfig) -> Error {
    let endpoint = Endpoint::tls("127.0.0.1", 1, tls.clone());
    let [first, second] = engines(&endpoint).map(|made| made.err().expect("a refusal"));
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(first.kind(), ErrorKind::Config);
    first
}

#[test]
fn files_that_cannot_be_used_are_refused_when_an_engine_is_made() {
    let authority = Authority::new("ours");
    let client = authority.client();
    let (cert, key) = (client.cert().unwrap(), client.key().unwrap());
    for mode in [0o604, 0o640, 0o666, 0o601] {
        chmod(key, mode);
        let error = unusable(&client);
        let advice = error.advice().expect("advice");
        assert_eq!(advice, format!("chmod 600 {}", key.display()));
        assert!(error.message().contains(&format!("{mode:o}")), "{error}");
    }
    chmod(key, 0o400);
    for made in engines(&Endpoint::tls("127.0.0.1", 1, client.clone())) {
        made.expect("an engine");
    }

    chmod(key, 0o600);
    let another = authority.issue("another", &[]).key;
    let pem = fs::read_to_string(key).expect("a key");
    let secret = pem.lines().nth(1).expect("its first line");
    let cut = pem.replace("-----END PRIVATE KEY-----", "");
    let garbled = format!("-----BEGIN {secret}\n");
    let broken = authority.path().join("broken.pem");
    let trusting = || TlsConfig::new().with_ca(authority.ca());
    for (text, tls, said) in [
        (
            None,
            trusting().with_identity(cert, &another),
            "isn't the key",
        ),
        (None, trusting().with_identity(key, key), "no certificate"),
        (None, TlsConfig::new().with_ca(key), "no certificate"),
        (
            Some(&cut),
            trusting().with_identity(cert, &broken),
            "no private key",
        ),
        (
            Some(&garbled),
            trusting().with_identity(cert, &broken),
            "no private key",
        ),
        (
            Some(&garbled),
            TlsConfig::new().with_ca(&broken),
            "no certificate",
        ),
    ] {
        fs::write(&broken, text.map_or("", |text| text)).expect("a file");
        chmod(&broken, 0o600);
        let error = unusable(&tls);
        assert!(error.message().contains(said), "{error}");
        let all = format!("{error:#}{error:?}");
        assert!(!all.contains(secret), "the key is told: {all}");
    }
}

#[tokio::test]
async fn the_environment_and_a_context_lead_to_it() {
    let authority = Authority::new("ours");
    let server = authority.issue("server", HERE);
    let behind = scripted();
    let peer = TlsPeer::start(&server, &authority, &behind.endpoint()).await;
    let certs = authority.client_directory();
    let host = format!("tcp://localhost:{}", peer.port());
    let named = Environment::empty()
        .with_var("DOCKER_HOST", &host)
        .with_var("DOCKER_TLS_VERIFY", "1")
        .with_var("DOCKER_CERT_PATH", certs.path());
    let home = context(&host, certs.path());
    let context = Environment::empty()
        .with_var("DOCKER_CONFIG", home.path())
        .with_var("DOCKER_CONTEXT", "far");
    for environment in [named, context] {
        let config = Config::from_environment(&environment).expect("a configuration");
        let address = config.endpoint().to_string();
        assert_eq!(address, format!("https://localhost:{}", peer.port()));
        for (_, backend) in backends(&config) {
            backend.ping().await.expect("a pong");
        }
    }
}

/// A directory of Docker's configuration with one context, `far`.
fn context(host: &str, certs: &Path) -> tempfile::TempDir {
    // The SHA-256 of its name, as Docker's CLI calls the directories.
    let id = "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868";
    let home = tempfile::tempdir().expect("a directory");
    let meta = home.path().join("contexts/meta").join(id);
    let tls = home.path().join("contexts/tls").join(id).join("docker");
    fs::create_dir_all(&meta).expect("a directory");
    fs::create_dir_all(&tls).expect("a directory");
    let text = format!(r#"{{"Name":"far","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
    fs::write(meta.join("meta.json"), text).expect("a file");
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::copy(certs.join(file), tls.join(file)).expect("a file");
    }
    home
}
