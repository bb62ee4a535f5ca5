//! Endpoints and where they are looked for.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

#[test]
fn loopback_is_decided_without_a_lookup() {
    for host in [
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
    ] {
        assert!(Endpoint::tcp(host, 1).is_loopback(), "{host}");
    }
    // Names and shorthands that a resolver might take anywhere don't count.
    for host in [
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "127.1",
        "localhost.example",
        "127.0.0.1.nip.io",
        "",
    ] {
        assert!(!Endpoint::tcp(host, 1).is_loopback(), "{host}");
    }
    assert!(!Endpoint::unix("/run/docker.sock").is_loopback());
}

#[test]
fn display_reads_back() {
    for text in [
        "unix:///run/docker.sock",
        "tcp://127.0.0.1:2375",
        "tcp://[::1]:2375",
        "https://engine:2376",
    ] {
        assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn messages_hold_no_password() {
    let error = Endpoint::parse("tcp://me:hunter2@engine:2375").unwrap_err();
    assert!(
        !format!("{error:#} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[test]
fn what_was_put_in_by_hand_is_checked() {
    assert!(Endpoint::unix("/run/docker.sock").check().is_ok());
    assert!(Endpoint::tcp("::1", 2375).check().is_ok());
    for bad in [
        Endpoint::unix("run/docker.sock"),
        Endpoint::unix(""),
        Endpoint::unix("/run/\0"),
        Endpoint::unix(format!("/{}", "x".repeat(200))),
        Endpoint::tcp("", 2375),
        Endpoint::tcp("engine", 0),
        Endpoint::tcp("engine/containers", 2375),
        Endpoint::tcp("user@engine", 2375),
        Endpoint::tls(
            "engine",
            2376,
            TlsConfig::new().with_ca("/nonexistent/ca.pem"),
        ),
    ] {
        assert_eq!(
            bad.check().unwrap_err().kind(),
            ErrorKind::Config,
            "{bad:?}"
        );
    }
}

/// An environment that reaches nothing of this machine.
fn machine(root: &Path) -> Environment {
    Environment::empty()
        .with_root(root)
        .with_home(root.join("home"))
        .with_var("XDG_RUNTIME_DIR", root.join("user"))
}

fn listen(path: &Path) -> UnixListener {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    UnixListener::bind(path).unwrap()
}

#[test]
fn finds_sockets_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let env = machine(dir.path());
    let places = [
        "user/podman/podman.sock",
        "run/podman/podman.sock",
        "home/.docker/run/docker.sock",
        "user/docker.sock",
        "var/run/docker.sock",
    ];
    let error = discover::socket(&env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    for place in places {
        assert!(
            error.message().contains(&format!("/{place} (not there)")),
            "{error}"
        );
    }
    assert!(error.advice().unwrap().contains("DOCKER_HOST"), "{error}");

    // From the last place to the first: each wins over those before.
    let mut listeners = Vec::new();
    for place in places {
        let path = dir.path().join(place);
        listeners.push(listen(&path));
        assert_eq!(discover::socket(&env).unwrap(), path);
    }
    // One that nobody listens on still counts: its engine may be restarting, and its containers are there.
    drop(listeners);
    assert_eq!(
        discover::socket(&env).unwrap(),
        dir.path().join("var/run/docker.sock")
    );
}

#[test]
fn passes_over_what_is_no_socket() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("var/run/docker.sock")).unwrap();
    let env = Environment::empty()
        .with_root(dir.path())
        .with_var("XDG_RUNTIME_DIR", "relative");
    let error = discover::socket(&env).unwrap_err();
    for said in [
        "docker.sock (not a socket)",
        "(not an absolute path)",
        "(no home)",
    ] {
        assert!(error.message().contains(said), "{error}");
    }
    let podman = dir.path().join("run/podman/podman.sock");
    let _listener = listen(&podman);
    assert_eq!(discover::socket(&env).unwrap(), podman);
}

proptest! {
    #[test]
    fn no_address_panics_and_what_is_read_is_sound(
        text in ".*|[a-z]{0,5}(://)?[\\PC:/@\\[\\]?#.0-9]{0,20}",
    ) {
        match Endpoint::parse(&text) {
            Ok(endpoint) => {
                prop_assert!(endpoint.check().is_ok());
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string()).ok(), Some(endpoint));
            }
            Err(error) => prop_assert!(error.to_string().len() < 1000),
        }
    }
}
