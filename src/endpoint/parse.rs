//! Addresses as people write them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Endpoint, TlsConfig};
use crate::error::{Error, ErrorKind};

/// What an address says, before it is known whether TLS is asked for elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Unix(PathBuf),
    Net {
        scheme: Scheme,
        host: String,
        port: Option<u16>,
    },
}

/// `Tcp` leaves it open whether there is TLS; the other two don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Tcp,
    Http,
    Https,
}

/// Why an address is refused; the caller knows where it came from.
#[derive(Debug)]
pub(super) struct Refusal {
    kind: ErrorKind,
    reason: String,
    advice: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Config,
            reason: reason.into(),
            advice: None,
        }
    }

    fn advising(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    fn unsupported(scheme: &str, advice: &'static str) -> Self {
        Self {
            kind: ErrorKind::Unsupported,
            reason: format!("{scheme}:// is not supported yet"),
            advice: Some(advice),
        }
    }

    pub(super) fn into_error(self, subject: &str) -> Error {
        let error = Error::new(self.kind, format!("{subject}: {}", self.reason));
        match self.advice {
            Some(advice) => error.with_advice(advice),
            None => error,
        }
    }
}

impl Parsed {
    /// The endpoint, by TLS where certificates are given or the address says so.
    pub(super) fn into_endpoint(self, tls: Option<TlsConfig>) -> Endpoint {
        let (scheme, host, port) = match self {
            Self::Unix(path) => return Endpoint::Unix { path },
            Self::Net { scheme, host, port } => (scheme, host, port),
        };
        let tls = tls.or_else(|| (scheme == Scheme::Https).then(TlsConfig::new));
        match tls {
            Some(tls) => Endpoint::Tls {
                host,
                port: port.unwrap_or(TLS_PORT),
                tls,
            },
            None => Endpoint::Tcp {
                host,
                port: port.unwrap_or(PLAIN_PORT),
            },
        }
    }
}

/// The ports registered for Docker (IANA: `docker`, `docker-s`).
const PLAIN_PORT: u16 = 2375;
pub(super) const TLS_PORT: u16 = 2376;

const ACCEPTED: &str =
    "accepted: unix:///path, tcp://host[:port], http://host[:port], https://host[:port], host:port";

pub(super) fn parse(text: &str) -> Result<Parsed, Refusal> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return parse_bare(text);
    };
    let scheme = match scheme {
        "unix" => return parse_path(rest),
        "tcp" => Scheme::Tcp,
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "ssh" => {
            return Err(Refusal::unsupported(
                scheme,
                "forward the engine's socket with `ssh -N -L /tmp/engine.sock:/run/docker.sock host` \
                 and use unix:///tmp/engine.sock",
            ));
        }
        "npipe" => return Err(Refusal::unsupported(scheme, "use tcp:// with TLS")),
        "fd" => {
            return Err(Refusal::unsupported(
                scheme,
                "name the socket: unix:///run/docker.sock",
            ));
        }
        _ => return Err(Refusal::new("unknown kind of address").advising(ACCEPTED)),
    };
    // `http://host/` says no more than `http://host`.
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    parse_authority(scheme, authority)
}

fn parse_bare(text: &str) -> Result<Parsed, Refusal> {
    if text.starts_with('/') {
        return parse_path(text);
    }
    match parse_authority(Scheme::Tcp, text) {
        // A bare word is more likely a slip (`true`, `docker`) than a host.
        Ok(Parsed::Net { port: None, .. }) | Err(_) => {
            Err(Refusal::new("not an address").advising(ACCEPTED))
        }
        parsed => parsed,
    }
}

fn parse_path(path: &str) -> Result<Parsed, Refusal> {
    check_path(Path::new(path))?;
    Ok(Parsed::Unix(PathBuf::from(path)))
}

fn parse_authority(scheme: Scheme, authority: &str) -> Result<Parsed, Refusal> {
    if authority.contains('@') {
        return Err(Refusal::new("user and password have no meaning here")
            .advising("authenticate by TLS client certificate (DOCKER_CERT_PATH)"));
    }
    if authority.contains(['/', '?', '#']) {
        return Err(Refusal::new(
            "a path, query or fragment has no meaning here",
        ));
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return Err(Refusal::new("the bracket isn't closed"));
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(Refusal::new(
                "only an IPv6 address (without a zone) stands in brackets",
            ));
        }
        (host, port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        if port.matches(':').count() > 1 {
            return Err(Refusal::new(
                "an IPv6 address stands in brackets: [::1]:2375",
            ));
        }
        (host, port)
    };
    check_host(host)?;
    let port = if port.is_empty() {
        None
    } else {
        let port = port
            .strip_prefix(':')
            // Digits only: `u16::from_str` alone would take `+80`.
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0);
        check_port(port)?;
        Some(port)
    };
    Ok(Parsed::Net {
        scheme,
        host: host.to_owned(),
        port,
    })
}

pub(super) fn check_port(port: u16) -> Result<(), Refusal> {
    if port == 0 {
        return Err(Refusal::new("the port is a number from 1 to 65535"));
    }
    Ok(())
}

/// The longest DNS name in text.
const LONGEST_NAME: usize = 253;

pub(super) fn check_host(host: &str) -> Result<(), Refusal> {
    if host.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv4Addr>().is_ok() {
        return Ok(());
    }
    if host.is_empty() {
        return Err(
            Refusal::new("no host").advising("for this machine, write tcp://localhost:2375")
        );
    }
    // What the system's resolver takes for a number (`127.1`, `2130706433`) isn't what it looks like.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let numeric = labels
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let valid = host.len() <= LONGEST_NAME
        && labels.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label
                    .bytes()
                    // Underscores are no part of a host name, but of many a compose service.
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    if numeric || !valid {
        return Err(Refusal::new(
            "the host is a name, an IPv4 address or an IPv6 address in brackets",
        ));
    }
    Ok(())
}

/// `sun_path` holds 108 bytes on Linux and 104 on macOS and the BSDs, one of them for the final NUL.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

pub(super) fn check_path(path: &Path) -> Result<(), Refusal> {
    let bytes = path.as_os_str().as_bytes();
    if !path.is_absolute() {
        return Err(Refusal::new("the socket's path isn't absolute")
            .advising("three slashes: unix:///var/run/docker.sock"));
    }
    // Beyond ASCII too (C1): a log line and `Display` must hold the path as it is.
    if path.to_string_lossy().chars().any(char::is_control) {
        return Err(Refusal::new(
            "the socket's path contains a control character",
        ));
    }
    if bytes.len() > LONGEST_PATH {
        return Err(Refusal::new(format!(
            "the socket's path has {} bytes; the system takes {LONGEST_PATH}",
            bytes.len()
        ))
        .advising("use a shorter path, or a symbolic link to the socket's directory"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
