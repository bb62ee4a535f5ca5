//! Where TLS is asked for, there is TLS or an error.

use std::fs;

use super::*;
use crate::endpoint::TlsConfig;

#[test]
fn plaintext_beyond_loopback_needs_a_word() {
    for host in ["tcp://10.0.0.7:2375", "http://engine", "tcp://0.0.0.0:2375"] {
        let env = Environment::empty().with_var("DOCKER_HOST", host);
        let error = refused(&env);
        assert!(
            error.message().contains("is plaintext beyond loopback"),
            "{error}"
        );
        assert!(error.message().contains("DOCKER_HOST"), "{error}");
        assert!(
            error.advice().unwrap().contains("CATAMARAN_INSECURE_TCP"),
            "{error}"
        );
        let config = Config::from_environment(&env.with_var("CATAMARAN_INSECURE_TCP", "true"));
        assert!(config.is_ok());
    }
    let local = Environment::empty().with_var("DOCKER_HOST", "tcp://127.0.0.1:2375");
    assert!(Config::from_environment(&local).is_ok());
}

/// A directory with Docker's three files.
fn certs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::write(dir.path().join(file), "pem").unwrap();
    }
    dir
}

#[test]
fn any_wish_for_tls_is_tls() {
    let certs = certs();
    let tls = TlsConfig::from_dir(certs.path());
    let env = |host: &str| Environment::empty().with_var("DOCKER_HOST", host);
    let path = |env: Environment| env.with_var("DOCKER_CERT_PATH", certs.path());
    let verify = |env: Environment| env.with_var("DOCKER_TLS_VERIFY", "1");
    for (env, endpoint) in [
        (path(env("tcp://h:1")), Endpoint::tls("h", 1, tls.clone())),
        (
            path(env("tcp://127.0.0.1:1")),
            Endpoint::tls("127.0.0.1", 1, tls.clone()),
        ),
        (
            verify(path(env("tcp://h"))),
            Endpoint::tls("h", 2376, tls.clone()),
        ),
        (verify(path(env("h:9"))), Endpoint::tls("h", 9, tls.clone())),
        (
            verify(path(env("https://h"))),
            Endpoint::tls("h", 2376, tls.clone()),
        ),
        (
            verify(path(env("tcp://h"))).with_var("DOCKER_TLS", "1"),
            Endpoint::tls("h", 2376, tls.clone()),
        ),
        // The default directory is that of Docker's configuration.
        (
            verify(env("tcp://h")).with_var("DOCKER_CONFIG", certs.path()),
            Endpoint::tls("h", 2376, tls.clone()),
        ),
        (
            path(env("https://h")),
            Endpoint::tls("h", 2376, tls.clone()),
        ),
        // Nothing names certificates: the system's authorities, as for any https.
        (env("https://h"), Endpoint::tls("h", 2376, TlsConfig::new())),
        // No endpoint but TLS is what Docker's CLI takes for localhost.
        (
            verify(path(env(""))),
            Endpoint::tls("localhost", 2376, tls.clone()),
        ),
        // A unix socket has none.
        (verify(env("unix:///x.sock")), Endpoint::unix("/x.sock")),
        (
            env("unix:///x.sock").with_var("DOCKER_TLS", "1"),
            Endpoint::unix("/x.sock"),
        ),
    ] {
        // The permission for plaintext never overrules the wish for TLS.
        let env = env.with_var("CATAMARAN_INSECURE_TCP", "true");
        assert_eq!(
            Config::from_environment(&env).unwrap().endpoint(),
            &endpoint
        );
    }

    let remote = verify(path(Environment::empty()));
    let builder = ConfigBuilder::from_environment(&remote).unwrap();
    let error = builder
        .endpoint(Endpoint::tcp("127.0.0.1", 1))
        .insecure_tcp(true)
        .build()
        .unwrap_err();
    assert!(
        error
            .message()
            .contains("asked for by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"),
        "{error}"
    );
}

#[test]
fn tls_that_cannot_be_is_refused() {
    let certs = certs();
    let env = |host: &str| {
        Environment::empty()
            .with_root("/nowhere")
            .with_var("DOCKER_HOST", host)
    };
    let verify = |host: &str| env(host).with_var("DOCKER_TLS_VERIFY", "1");
    let path = |dir: &str| verify("tcp://h").with_var("DOCKER_CERT_PATH", dir);
    for (env, said) in [
        (
            env("tcp://h").with_var("DOCKER_TLS", "1"),
            "DOCKER_TLS without DOCKER_TLS_VERIFY asks for TLS without verification",
        ),
        (
            env("").with_var("DOCKER_TLS", "1"),
            "DOCKER_TLS without DOCKER_TLS_VERIFY asks for TLS without verification",
        ),
        (
            verify("http://h"),
            "plaintext, but TLS is asked for by DOCKER_TLS_VERIFY",
        ),
        (
            verify("tcp://h"),
            "TLS is asked for by DOCKER_TLS_VERIFY, but there is no home",
        ),
        (path("/nowhere/certs"), "can't use /nowhere/certs/ca.pem: "),
        (
            verify("tcp://h").with_home("/nowhere"),
            "can't use /nowhere/.docker/ca.pem: ",
        ),
    ] {
        let message = refused(&env).to_string();
        assert!(message.contains(said), "{message}");
    }
    // Half a directory is no directory.
    fs::remove_file(certs.path().join("key.pem")).unwrap();
    let error = refused(&path(certs.path().to_str().unwrap()));
    assert!(error.message().contains("key.pem: "), "{error}");
}
