//! Contexts in temporary directories.

use super::*;
use crate::endpoint::resolve;

fn found(environment: &Environment) -> Result<Endpoint> {
    resolve::found(environment).map(|(endpoint, _)| endpoint)
}

const CA: &str = "ca.pem";
const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";

/// A context's directory.
fn hex_id(name: &str) -> String {
    hex(&Sha256::digest(name))
}

/// A `~/.docker` in a temporary directory.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.docker()).unwrap();
        home
    }

    fn docker(&self) -> std::path::PathBuf {
        self.0.path().join(".docker")
    }

    fn env(&self) -> Environment {
        Environment::empty()
            .with_root(self.0.path())
            .with_home(self.0.path())
    }

    fn config(&self, json: &str) {
        fs::write(self.docker().join("config.json"), json).unwrap();
    }

    fn meta(&self, name: &str, json: &str) {
        let dir = self.docker().join("contexts/meta").join(hex_id(name));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("meta.json"), json).unwrap();
    }

    fn context(&self, name: &str, host: &str, skip: bool) {
        self.meta(
            name,
            &format!(
                r#"{{"Name":"{name}","Metadata":{{"Description":"x"}},
                    "Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
            ),
        );
    }

    fn tls(&self, name: &str, files: &[&str]) -> std::path::PathBuf {
        let dir = self
            .docker()
            .join("contexts/tls")
            .join(hex_id(name))
            .join("docker");
        fs::create_dir_all(&dir).unwrap();
        for file in files {
            fs::write(dir.join(file), "pem").unwrap();
        }
        dir
    }
}

fn error(env: &Environment) -> String {
    let error = found(env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

#[test]
fn the_directory_is_the_digest_of_the_name() {
    assert_eq!(
        hex_id("default"),
        "37a8eec1ce19687d132fe29051dca629d164e2c4958ba141d5f4133a33f0688f"
    );
}

#[test]
fn host_then_variable_then_current_context() {
    let home = Home::new();
    home.context("one", "unix:///one.sock", false);
    home.context("two", "tcp://127.0.0.1:22", false);
    home.config(r#"{"auths":{"r":{"auth":"c2VjcmV0"}},"currentContext":"one"}"#);

    let current = home.env();
    assert_eq!(found(&current).unwrap(), Endpoint::unix("/one.sock"));

    let named = current.with_var("DOCKER_CONTEXT", "two");
    assert_eq!(found(&named).unwrap(), Endpoint::tcp("127.0.0.1", 22));

    let host = named.clone().with_var("DOCKER_HOST", "unix:///host.sock");
    assert_eq!(found(&host).unwrap(), Endpoint::unix("/host.sock"));

    // "default" stands for none, not for the current one: the sockets are next.
    let none = named.with_var("DOCKER_CONTEXT", "default");
    assert!(error(&none).contains("no container engine was found"));
}

#[test]
fn another_directory_may_be_named() {
    let home = Home::new();
    home.context("one", "unix:///one.sock", false);
    home.config(r#"{"currentContext":"one"}"#);
    let env = Environment::empty().with_var("DOCKER_CONFIG", home.docker());
    assert_eq!(found(&env).unwrap(), Endpoint::unix("/one.sock"));

    let elsewhere = home
        .env()
        .with_var("DOCKER_CONFIG", home.0.path().join("none"));
    assert!(error(&elsewhere).contains("no container engine was found"));
}

#[test]
fn an_unknown_context_lists_the_known_ones() {
    let home = Home::new();
    home.context("two", "unix:///two.sock", false);
    home.context("one", "unix:///one.sock", false);
    home.meta("broken", "{");
    let message = error(&home.env().with_var("DOCKER_CONTEXT", "three\n"));
    assert!(
        message.contains(r#"DOCKER_CONTEXT "three\n": no such context"#),
        "{message}"
    );
    assert!(message.contains(r#"known: "one", "two""#), "{message}");

    home.config(r#"{"currentContext":"four"}"#);
    let message = error(&home.env());
    assert!(
        message.contains(r#"currentContext in config.json "four": no such context"#),
        "{message}"
    );

    let homeless = Environment::empty().with_var("DOCKER_CONTEXT", "three");
    assert!(error(&homeless).contains("no home directory"));
}

#[test]
fn certificates_make_it_tls() {
    let home = Home::new();
    home.context("full", "tcp://engine.example:2376", false);
    let dir = home.tls("full", &[CA, CERT, KEY]);
    let env = home.env().with_var("DOCKER_CONTEXT", "full");
    let full = Endpoint::tls("engine.example", 2376, TlsConfig::from_dir(dir));
    assert_eq!(found(&env).unwrap(), full);
    // The variables are another endpoint's; they don't replace a context's certificates.
    let env = env
        .with_var("DOCKER_TLS_VERIFY", "1")
        .with_var("DOCKER_CERT_PATH", "/none");
    assert_eq!(found(&env).unwrap(), full);

    home.context("ca", "tcp://engine.example", false);
    let dir = home.tls("ca", &[CA]);
    let env = home.env().with_var("DOCKER_CONTEXT", "ca");
    let only_ca = TlsConfig::new().with_ca(dir.join(CA));
    assert_eq!(
        found(&env).unwrap(),
        Endpoint::tls("engine.example", 2376, only_ca)
    );

    home.context("half", "tcp://engine.example", false);
    home.tls("half", &[CA, CERT]);
    let message = error(&home.env().with_var("DOCKER_CONTEXT", "half"));
    assert!(message.contains("key.pem: "), "{message}");
}

#[test]
fn nothing_weakens_tls() {
    let home = Home::new();
    home.context("skip", "tcp://engine.example:2376", true);
    home.tls("skip", &[CA]);
    let message = error(&home.env().with_var("DOCKER_CONTEXT", "skip"));
    assert!(message.contains("without verification"), "{message}");

    home.context("http", "http://engine.example:2376", false);
    home.tls("http", &[CA]);
    let message = error(&home.env().with_var("DOCKER_CONTEXT", "http"));
    assert!(message.contains("plaintext"), "{message}");

    home.context("plain", "tcp://127.0.0.1:2375", false);
    let plain = home.env().with_var("DOCKER_CONTEXT", "plain");
    assert_eq!(found(&plain).unwrap(), Endpoint::tcp("127.0.0.1", 2375));
    for (name, value) in [
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_TLS", "1"),
        ("DOCKER_CERT_PATH", "/c"),
    ] {
        let message = error(&plain.clone().with_var(name, value));
        assert!(
            message.contains(&format!("asked for by {name}")),
            "{message}"
        );
    }

    home.context("socket", "unix:///x.sock", true);
    let socket = home
        .env()
        .with_var("DOCKER_CONTEXT", "socket")
        .with_var("DOCKER_TLS", "1");
    assert_eq!(found(&socket).unwrap(), Endpoint::unix("/x.sock"));
}

#[test]
fn broken_files_are_errors_without_their_content() {
    let home = Home::new();
    for json in [
        "",
        "{",
        "\"hunter2\"",
        r#"{"currentContext":{"hunter2":1}}"#,
        "\u{0}",
    ] {
        home.config(json);
        let message = error(&home.env());
        assert!(message.contains("config.json: malformed"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    home.config(&format!(r#"{{"x":"{}"}}"#, "x".repeat(1024 * 1024)));
    assert!(error(&home.env()).contains("larger than 1 MiB"));
    fs::remove_file(home.docker().join("config.json")).unwrap();
    fs::create_dir(home.docker().join("config.json")).unwrap();
    assert!(error(&home.env()).contains("not a file"));

    let broken = home.env().with_var("DOCKER_CONTEXT", "broken");
    for (json, why) in [
        ("[", "malformed"),
        (r#"{"Name":"broken"}"#, "has no Endpoints.docker.Host"),
        (
            r#"{"Endpoints":{"kubernetes":{"Host":"x"}}}"#,
            "has no Endpoints.docker.Host",
        ),
        (
            r#"{"Endpoints":{"docker":{"Host":""}}}"#,
            "has no Endpoints.docker.Host",
        ),
        (
            r#"{"Endpoints":{"docker":{"Host":"tcp://a:b@c"}}}"#,
            r#"host "tcp://***@c""#,
        ),
    ] {
        home.meta("broken", json);
        let message = error(&broken);
        assert!(message.contains("DOCKER_CONTEXT \"broken\": "), "{message}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_home_that_is_no_directory_has_no_contexts() {
    for home in ["/dev/null", "/nonexistent"] {
        let env = Environment::empty().with_home(home);
        assert!(current(&env).unwrap().is_none());
    }
    // One that a variable names is meant to be one.
    let env = Environment::empty().with_var("DOCKER_CONFIG", "/dev/null");
    assert!(error(&env).contains("DOCKER_CONFIG: /dev/null/config.json"));
}

#[test]
fn endpoints_of_others_do_not_matter() {
    let home = Home::new();
    for other in ["null", "\"text\"", "{\"Host\":null}"] {
        home.meta(
            "x",
            &format!(r#"{{"Endpoints":{{"other":{other},"docker":{{"Host":"unix:///x.sock"}}}}}}"#),
        );
        let env = home.env().with_var("DOCKER_CONTEXT", "x");
        assert_eq!(found(&env).unwrap(), Endpoint::unix("/x.sock"), "{other}");
    }
}

#[test]
fn paths_do_not_depend_on_a_later_directory() {
    let env = Environment::empty().with_var("DOCKER_CONFIG", "relative");
    assert!(config_dir(&env).unwrap().unwrap().path.is_absolute());
}
