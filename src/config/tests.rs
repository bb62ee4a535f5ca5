//! Every variable, good and bad; what the code says over what the environment says.

mod fallback;
mod property;
mod tls;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::*;
use crate::endpoint::environment::vars;
use crate::error::{Error, ErrorKind};

/// Says where the engine is, and nothing else.
fn env() -> Environment {
    Environment::empty().with_var("DOCKER_HOST", "unix:///x.sock")
}

fn with(name: &str, value: &str) -> Result<Config> {
    Config::from_environment(&env().with_var(name, value))
}

fn refused(env: &Environment) -> Error {
    let error = Config::from_environment(env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error
}

#[test]
fn the_defaults() {
    let config = Config::from_environment(&env()).unwrap();
    assert_eq!(config.endpoint(), &Endpoint::unix("/x.sock"));
    assert_eq!(config.mode(), Mode::Auto);
    assert_eq!(config.operation_timeout(), Duration::from_secs(30));
    assert_eq!(config.connect_timeout(), Duration::from_secs(5));
    assert_eq!(config.idle_timeout(), Duration::from_secs(5));
    assert_eq!(config.pool_size(), 20);
    assert_eq!(config.api_version(), None);
    assert!(!config.insecure_tcp());
    // An empty variable is no variable.
    let empty = vars::OF_CONFIG
        .iter()
        .filter(|name| **name != "DOCKER_HOST")
        .fold(env(), |env, name| env.with_var(*name, ""));
    assert_eq!(Config::from_environment(&empty).unwrap(), config);
}

#[test]
fn good_values() {
    for (text, mode) in [
        ("true", Mode::Auto),
        ("TRUE", Mode::Auto),
        ("1", Mode::Auto),
        ("yes", Mode::Auto),
        (" on\r\n", Mode::Auto),
        ("false", Mode::Blocking),
        ("0", Mode::Blocking),
        ("No", Mode::Blocking),
        ("off", Mode::Blocking),
    ] {
        assert_eq!(
            with("USE_ASYNC_DOCKER", text).unwrap().mode(),
            mode,
            "{text}"
        );
    }
    for (text, millis) in [
        ("30", 30_000),
        ("2.5", 2500),
        ("0.001", 1),
        (".5", 500),
        ("30s", 30_000),
        ("500ms", 500),
        ("1m 30s", 90_000),
        ("24h", 86_400_000),
        ("86400", 86_400_000),
    ] {
        let config = with("DOCKER_OPERATION_TIMEOUT", text).unwrap();
        assert_eq!(
            config.operation_timeout(),
            Duration::from_millis(millis),
            "{text}"
        );
    }
    for (text, size) in [("1", 1), ("020", 20), ("1024", 1024)] {
        assert_eq!(with("ASYNC_POOL_SIZE", text).unwrap().pool_size(), size);
    }
    let limits = |name, text| with(name, text).unwrap().limits().clone();
    assert_eq!(limits("ASYNC_STREAM_POOL_SIZE", "65536").streams, 65_536);
    assert_eq!(limits("ASYNC_PULL_POOL_SIZE", "1").pulls, 1);
    assert_eq!(limits("ASYNC_QUEUE_SIZE", "0").queue, 0);
    for text in ["1.40", "v1.40", "1.53"] {
        let version = with("DOCKER_API_VERSION", text).unwrap().api_version();
        assert_eq!(version, Some(text.parse().unwrap()));
    }
}

#[test]
fn bad_values_name_variable_value_and_what_is_accepted() {
    let nines = "9".repeat(400);
    for (name, accepted, values) in [
        (
            "USE_ASYNC_DOCKER",
            "true, false",
            &["banana", " ", "2", "truee", "hybrid"][..],
        ),
        (
            "DOCKER_OPERATION_TIMEOUT",
            "from 1ms to 24h",
            &[
                "0",
                "0s",
                "-1",
                "-1s",
                "0.0001",
                "999us",
                "86400.1",
                "25h",
                "1e3",
                "inf",
                "NaN",
                "1.2.3",
                ".",
                "30 parsecs",
                "s",
                "30,5",
                &nines,
                "99999999999999999999y",
                "18446744073709551615s 1000ms",
                "1 8446744073709551615s 1000ms",
            ],
        ),
        (
            "ASYNC_POOL_SIZE",
            "1 to 1024",
            &["0", "-1", "+5", "1025", "1.5", "many", &nines],
        ),
        ("ASYNC_STREAM_POOL_SIZE", "1 to 65536", &["0", "65537"]),
        ("ASYNC_PULL_POOL_SIZE", "1 to 1024", &["0", "1025"]),
        ("ASYNC_QUEUE_SIZE", "0 to 65536", &["-1", "65537", "all"]),
        (
            "DOCKER_API_VERSION",
            "1.40 to 1.53",
            &["1.39", "1.54", "2.0", "latest", "1", "1.41.0"],
        ),
        ("CATAMARAN_INSECURE_TCP", "true, false", &["maybe", "2"]),
        (
            "DOCKER_TLS_VERIFY",
            "1, true, yes, on",
            &["0", "false", "FALSE", "no", "off", "2", " "],
        ),
        ("DOCKER_TLS", "1, true, yes, on", &["0", "false", "verify"]),
    ] {
        for value in values {
            let error = refused(&env().with_var(name, *value));
            let message = error.message();
            assert!(message.starts_with(&format!("{name}=\"")), "{message}");
            assert!(message.contains(accepted), "{message}");
            let shown: String = value.chars().take(64).collect();
            assert!(message.contains(&shown), "{message}");
            assert!(message.len() < 250, "{message}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for name in vars::OF_CONFIG
        .iter()
        .filter(|name| **name != vars::RUNTIME_DIR)
    {
        let value = OsString::from_vec(vec![b'a', 0xff]);
        // The address is read in any case; a context only where there is none.
        let host = if *name == vars::TLS_VERIFY {
            "tcp://h"
        } else {
            ""
        };
        let env = Environment::empty()
            .with_var("DOCKER_HOST", host)
            .with_var(*name, value);
        let message = refused(&env).message().to_owned();
        assert_eq!(
            message,
            format!("{name}=\"a\u{fffd}\": not UTF-8; accepted: UTF-8 text")
        );
    }
}

#[test]
fn code_comes_before_the_environment() {
    let environment = env()
        .with_var("DOCKER_CONTEXT", "missing")
        .with_var("USE_ASYNC_DOCKER", "false")
        .with_var("DOCKER_OPERATION_TIMEOUT", "7")
        .with_var("ASYNC_POOL_SIZE", "7")
        .with_var("DOCKER_API_VERSION", "1.44");
    let config = Config::from_environment(&environment).unwrap();
    assert_eq!(config.mode(), Mode::Blocking);
    assert_eq!(config.operation_timeout(), Duration::from_secs(7));
    assert_eq!(config.pool_size(), 7);
    assert_eq!(config.api_version(), Some(ApiVersion::new(1, 44)));

    let config = ConfigBuilder::from_environment(&environment.with_var("DOCKER_HOST", "nonsense"))
        .unwrap()
        .endpoint(Endpoint::unix("/mine.sock"))
        .mode(Mode::Async)
        .operation_timeout(Duration::from_millis(250))
        .connect_timeout(Duration::from_millis(100))
        .idle_timeout(Duration::from_secs(1))
        .pool_size(3)
        .api_version(ApiVersion::new(1, 41))
        .build()
        .unwrap();
    assert_eq!(config.endpoint(), &Endpoint::unix("/mine.sock"));
    assert_eq!(config.mode(), Mode::Async);
    assert_eq!(config.operation_timeout(), Duration::from_millis(250));
    assert_eq!(config.connect_timeout(), Duration::from_millis(100));
    assert_eq!(config.idle_timeout(), Duration::from_secs(1));
    assert_eq!(config.pool_size(), 3);
    assert_eq!(config.api_version(), Some(ApiVersion::new(1, 41)));
}

#[test]
fn a_wrong_value_is_told_even_where_code_overrides_it() {
    let environment = env().with_var("ASYNC_POOL_SIZE", "many");
    let error = ConfigBuilder::from_environment(&environment).unwrap_err();
    assert!(
        error.message().starts_with("ASYNC_POOL_SIZE=\"many\""),
        "{error}"
    );
}

#[test]
fn code_has_the_same_bounds() {
    let builder = || Config::builder().endpoint(Endpoint::unix("/x.sock"));
    let limits = LimitOptions::default;
    for (builder, named) in [
        (
            builder().operation_timeout(Duration::ZERO),
            "operation_timeout",
        ),
        (builder().connect_timeout(Duration::MAX), "connect_timeout"),
        (builder().idle_timeout(Duration::ZERO), "idle_timeout"),
        (builder().pool_size(0), "pool_size"),
        (builder().pool_size(1025), "pool_size"),
        (builder().limits(limits().with_streams(0usize)), "streams"),
        (builder().limits(limits().with_pulls(1025usize)), "pulls"),
        (builder().limits(limits().with_queue(65_537usize)), "queue"),
        (
            builder().limits(limits().with_queue_time(Duration::ZERO)),
            "queue_time",
        ),
        (
            builder().limits(limits().with_pull_queue_time(Duration::MAX)),
            "pull_queue_time",
        ),
        (builder().api_version(ApiVersion::new(1, 39)), "api_version"),
        (builder().endpoint(Endpoint::unix("relative")), "relative"),
        (Config::builder(), "endpoint"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(named), "{error}");
    }
}

#[test]
fn the_last_resort_is_a_socket() {
    let root = tempfile::tempdir().unwrap();
    let error = refused(&Environment::empty().with_root(root.path()));
    assert!(
        error.message().contains("no container engine was found"),
        "{error}"
    );
    let socket = root.path().join("run/podman/podman.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    let environment = Environment::empty().with_root(root.path());
    let config = Config::from_environment(&environment).unwrap();
    assert_eq!(config.endpoint(), &Endpoint::unix(socket));
    // A builder of its own looks for nothing.
    assert!(Config::builder().build().is_err());
}

#[test]
fn what_cannot_be_reached_is_refused_by_name() {
    let error = with("DOCKER_HOST", "ssh://me:hunter2@build").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.message(),
        "DOCKER_HOST=\"ssh://***@build\": ssh:// is not supported yet"
    );
}

#[test]
fn debug_shows_no_value() {
    let env = Environment::empty().with_var("DOCKER_HOST", "tcp://u:hunter2@h");
    let builder = ConfigBuilder::from_environment(&env).unwrap();
    let shown = format!(
        "{env:?} {builder:?} {:?}",
        builder.clone().build().unwrap_err()
    );
    assert!(shown.contains("DOCKER_HOST"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
