use super::*;

#[test]
fn addresses_that_are_accepted() {
    let net = |scheme, host: &str, port| Parsed::Net {
        scheme,
        host: host.into(),
        port,
    };
    for (text, expected) in [
        (
            "unix:///run/docker.sock",
            Parsed::Unix("/run/docker.sock".into()),
        ),
        ("/run/docker.sock", Parsed::Unix("/run/docker.sock".into())),
        (
            "unix:///run/my%20docker.sock",
            Parsed::Unix("/run/my%20docker.sock".into()),
        ),
        (
            "tcp://10.0.0.1:2375",
            net(Scheme::Tcp, "10.0.0.1", Some(2375)),
        ),
        ("engine:2375", net(Scheme::Tcp, "engine", Some(2375))),
        ("tcp://engine", net(Scheme::Tcp, "engine", None)),
        (
            "http://my_engine:80/",
            net(Scheme::Http, "my_engine", Some(80)),
        ),
        ("tcp://[::1]:2375", net(Scheme::Tcp, "::1", Some(2375))),
        ("tcp://[fe80::1]", net(Scheme::Tcp, "fe80::1", None)),
        (
            "https://engine.example:2376",
            net(Scheme::Https, "engine.example", Some(2376)),
        ),
    ] {
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn addresses_that_are_refused_say_why() {
    for (text, why) in [
        ("", "not an address"),
        ("true", "not an address"),
        ("./docker.sock", "not an address"),
        ("gopher://engine", "unknown kind"),
        ("unix://", "absolute"),
        ("unix://run/docker.sock", "absolute"),
        ("unix:///run/\0", "control character"),
        ("unix:///run/\u{80}", "control character"),
        ("tcp://", "no host"),
        ("tcp://:2375", "no host"),
        ("tcp://engine:", "port"),
        ("tcp://engine:0", "port"),
        ("tcp://engine:65536", "port"),
        ("tcp://engine:+1", "port"),
        ("tcp://engine:2375/containers", "path"),
        ("tcp://engine//", "path"),
        ("tcp://engine?x=1", "query"),
        ("tcp://engine#x", "fragment"),
        ("tcp://user:word@engine", "user"),
        ("tcp://::1:2375", "brackets"),
        ("tcp://[::1", "bracket"),
        ("tcp://[engine]:2375", "IPv6"),
        ("tcp://[::1]2375", "port"),
        ("tcp://[fe80::1%25eth0]:2375", "zone"),
        ("tcp://127.1:2375", "the host is"),
        ("tcp://eng ine", "the host is"),
        ("tcp://engíne", "the host is"),
        ("tcp://-engine", "the host is"),
    ] {
        let refusal = parse(text).unwrap_err();
        assert_eq!(refusal.kind, ErrorKind::Config);
        assert!(refusal.reason.contains(why), "{text}: {refusal:?}");
    }
}

#[test]
fn unsupported_kinds_are_named_with_advice() {
    for text in [
        "ssh://me@engine",
        "npipe:////./pipe/docker_engine",
        "fd://3",
    ] {
        let error = parse(text).unwrap_err().into_error("x");
        let scheme = text.split("://").next().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(scheme), "{error}");
        assert!(error.advice().is_some());
    }
}
