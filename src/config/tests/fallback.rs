//! The other road: as the engine's own address, with the same rules.

use super::*;
use crate::endpoint::TlsConfig;

fn by(host: &str) -> Result<Option<Endpoint>> {
    let config = with("DOCKER_FALLBACK_HOST", host)?;
    Ok(config.fallback_endpoint().cloned())
}

#[test]
fn it_is_none_unless_it_is_set_to_another_place() {
    assert_eq!(by("").unwrap(), None);
    // What leads to the same place is no other road.
    assert_eq!(by("unix:///x.sock").unwrap(), None);
    for (host, endpoint) in [
        ("unix:///y.sock", Endpoint::unix("/y.sock")),
        (" /y.sock\n", Endpoint::unix("/y.sock")),
        ("localhost:9", Endpoint::tcp("localhost", 9)),
        ("tcp://[::1]", Endpoint::tcp("::1", 2375)),
        ("https://h", Endpoint::tls("h", 2376, TlsConfig::new())),
    ] {
        assert_eq!(by(host).unwrap(), Some(endpoint), "{host}");
    }
}

#[test]
fn a_wrong_one_is_named_and_so_is_plaintext_beyond_loopback() {
    for (host, said) in [
        ("nonsense", "not an address"),
        ("unix://relative", "absolute"),
        ("tcp://u:hunter2@h", "user"),
        ("tcp://10.0.0.7", "plaintext beyond loopback"),
        (" ", "not an address"),
    ] {
        let message = by(host).unwrap_err().to_string();
        assert!(message.contains("DOCKER_FALLBACK_HOST="), "{message}");
        assert!(message.contains(said), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let error = by("ssh://me@build").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let allowed = env()
        .with_var("DOCKER_FALLBACK_HOST", "tcp://10.0.0.7")
        .with_var("CATAMARAN_INSECURE_TCP", "true");
    let config = Config::from_environment(&allowed).unwrap();
    assert_eq!(
        config.fallback_endpoint(),
        Some(&Endpoint::tcp("10.0.0.7", 2375))
    );
}

#[test]
fn a_wish_for_tls_holds_for_it_too() {
    let certs = tempfile::tempdir().unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::write(certs.path().join(file), "pem").unwrap();
    }
    let env = |host: &str| {
        env()
            .with_var("DOCKER_CERT_PATH", certs.path())
            .with_var("DOCKER_FALLBACK_HOST", host)
    };
    let tls = TlsConfig::from_dir(certs.path());
    let config = Config::from_environment(&env("tcp://h")).unwrap();
    assert_eq!(
        config.fallback_endpoint(),
        Some(&Endpoint::tls("h", 2376, tls.clone()))
    );
    refused(&env("http://127.0.0.1"));
    // The case that it is for.
    let config = env("unix:///y.sock").with_var("DOCKER_HOST", "tcp://h");
    let config = Config::from_environment(&config).unwrap();
    assert_eq!(config.endpoint(), &Endpoint::tls("h", 2376, tls));
    assert_eq!(config.fallback_endpoint(), Some(&Endpoint::unix("/y.sock")));
    let builder = ConfigBuilder::from_environment(&env(""));
    let builder = builder.unwrap().fallback_endpoint(Endpoint::tcp("::1", 1));
    let error = builder.build().unwrap_err();
    let said = "the builder's fallback endpoint is tcp://[::1]:1, plaintext";
    assert!(error.message().contains(said), "{error}");
}

#[test]
fn the_code_says_both_or_the_environment_does() {
    let environment = env().with_var("DOCKER_FALLBACK_HOST", "unix:///y.sock");
    let builder = || ConfigBuilder::from_environment(&environment).unwrap();
    let (mine, other) = (Endpoint::unix("/mine.sock"), Endpoint::unix("/other.sock"));
    let config = builder().endpoint(mine.clone()).build().unwrap();
    assert_eq!(config.fallback_endpoint(), None);
    let config = builder().fallback_endpoint(other.clone()).build().unwrap();
    assert_eq!(config.fallback_endpoint(), Some(&other));
    assert_eq!(config.endpoint(), &Endpoint::unix("/x.sock"));
    let bare = Config::builder().endpoint(mine).fallback_endpoint(other);
    let by = bare.build().unwrap().by_fallback().unwrap();
    assert_eq!(by.endpoint(), &Endpoint::unix("/other.sock"));
    assert_eq!(by.endpoint_origin(), "the builder's fallback endpoint");
    assert_eq!(by.by_fallback(), None);
    for bad in [Endpoint::unix("relative"), Endpoint::tcp("10.0.0.7", 1)] {
        let builder = Config::builder().endpoint(Endpoint::unix("/x.sock"));
        let error = builder.fallback_endpoint(bad).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
