//! Where the engine is, and how that is found out.

pub(crate) mod context;
mod discover;
pub(crate) mod environment;
mod parse;
pub(crate) mod resolve;
#[cfg(test)]
mod tests;
mod tls;
mod version;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::quote::{one_line, quote, quote_url};

pub use environment::Environment;
pub use tls::TlsConfig;
pub use version::ApiVersion;

/// Where the engine is.
///
/// `Display` is an address that [`parse`](Self::parse) reads back: `unix:///run/docker.sock`,
/// `tcp://127.0.0.1:2375` (plaintext), `https://engine.example:2376` (TLS). It holds no secret.
///
/// ```
/// use catamaran::Endpoint;
///
/// let endpoint = Endpoint::parse("tcp://127.0.0.1:2375")?;
/// assert_eq!(endpoint, Endpoint::tcp("127.0.0.1", 2375));
/// assert!(endpoint.is_loopback());
/// assert_eq!(Endpoint::unix("/run/docker.sock").to_string(), "unix:///run/docker.sock");
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket.
    Unix {
        /// The socket's absolute path.
        path: PathBuf,
    },
    /// Plaintext TCP.
    Tcp {
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// The port; plaintext engines usually listen on 2375.
        port: u16,
    },
    /// TCP with TLS; the engine's certificate and name are always verified.
    Tls {
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// The port; TLS engines usually listen on 2376.
        port: u16,
        /// Whom to trust, and who we are.
        tls: TlsConfig,
    },
}

impl Endpoint {
    /// Reads an address as Docker's CLI takes it in `DOCKER_HOST`:
    ///
    /// | address | endpoint |
    /// |---|---|
    /// | `unix:///path`, `/path` | unix socket; the path must be absolute |
    /// | `tcp://host[:port]`, `http://host[:port]`, `host:port` | plaintext TCP, port 2375 unless given |
    /// | `https://host[:port]` | TLS with the platform's authorities, port 2376 unless given |
    ///
    /// An IPv6 address stands in brackets. A path, query or user info is refused, and so is an empty
    /// host or socket path: Docker's CLI would take its local default there, but `tcp://$HOST` with `HOST`
    /// unset hardly means the local engine. (`http://` and `https://` are this crate's; the CLI doesn't
    /// take them.)
    ///
    /// Certificates are given with [`Endpoint::tls`]; from the environment they come with
    /// [`Config::from_environment`](crate::Config::from_environment).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where it is none of these;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for `ssh://`, `npipe://` and `fd://`.
    ///
    /// ```
    /// use catamaran::{Endpoint, ErrorKind, TlsConfig};
    ///
    /// let endpoint = Endpoint::parse("https://[2001:db8::7]")?;
    /// assert_eq!(endpoint, Endpoint::tls("2001:db8::7", 2376, TlsConfig::new()));
    ///
    /// let error = Endpoint::parse("ssh://me@build").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn parse(address: &str) -> Result<Self> {
        parse::parse(address)
            .map(|parsed| parsed.into_endpoint(None))
            .map_err(|refusal| refusal.into_error(&quote_url(address)))
    }

    /// A unix socket at this (absolute) path.
    ///
    /// ```
    /// let endpoint = catamaran::Endpoint::unix("/run/podman/podman.sock");
    /// assert_eq!(endpoint.to_string(), "unix:///run/podman/podman.sock");
    /// ```
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into() }
    }

    /// Plaintext TCP. Beyond loopback, [`Config`](crate::Config) accepts it only with an explicit
    /// [`insecure_tcp`](crate::ConfigBuilder::insecure_tcp).
    ///
    /// ```
    /// let endpoint = catamaran::Endpoint::tcp("::1", 2375);
    /// assert_eq!(endpoint.to_string(), "tcp://[::1]:2375");
    /// ```
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp {
            host: without_brackets(host.into()),
            port,
        }
    }

    /// TCP with TLS.
    ///
    /// ```
    /// use catamaran::{Endpoint, TlsConfig};
    /// let endpoint = Endpoint::tls("engine.example", 2376, TlsConfig::from_dir("/certs"));
    /// assert_eq!(endpoint.to_string(), "https://engine.example:2376");
    /// ```
    #[must_use]
    pub fn tls(host: impl Into<String>, port: u16, tls: TlsConfig) -> Self {
        Self::Tls {
            host: without_brackets(host.into()),
            port,
            tls,
        }
    }

    /// The socket's path, where it is a unix socket.
    ///
    /// ```
    /// use catamaran::Endpoint;
    /// assert_eq!(Endpoint::unix("/run/x.sock").path(), Some("/run/x.sock".as_ref()));
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix { path } => Some(path),
            _ => None,
        }
    }

    /// The host's name or address; nothing for a socket.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp { host, .. } | Self::Tls { host, .. } => Some(host),
        }
    }

    /// Whether this TCP endpoint, with or without TLS, is on this machine for certain: 127.0.0.0/8, `::1`
    /// or `localhost`. A name that needs a resolver to tell is not; a unix socket has no address.
    ///
    /// ```
    /// use catamaran::Endpoint;
    /// assert!(Endpoint::tcp("localhost", 2375).is_loopback());
    /// assert!(!Endpoint::tcp("localhost.example", 2375).is_loopback());
    /// ```
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let (Self::Tcp { host, .. } | Self::Tls { host, .. }) = self else {
            return false;
        };
        match host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Whether what is sent stays on this machine: a unix socket, or TCP to
    /// [loopback](Self::is_loopback).
    ///
    /// ```
    /// use catamaran::Endpoint;
    /// assert!(Endpoint::unix("/run/docker.sock").is_local());
    /// assert!(!Endpoint::tcp("10.0.0.7", 2375).is_local());
    /// ```
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix { .. }) || self.is_loopback()
    }

    /// Host and port as a URL has them, an IPv6 address in brackets; `None` for a unix socket.
    pub(crate) fn authority(&self) -> Option<String> {
        let (Self::Tcp { host, port } | Self::Tls { host, port, .. }) = self else {
            return None;
        };
        Some(if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        })
    }

    /// Refuses what no engine could connect to, for endpoints that didn't come from an address.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Unix { path } => parse::check_path(path),
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => {
                parse::check_host(host).and_then(|()| parse::check_port(*port))
            }
        }
        .map_err(|refusal| refusal.into_error(&quote(&self.to_string())))?;
        if let Self::Tls { tls, .. } = self
            && let Some(fault) = tls.first_unreadable()
        {
            return Err(parse::Refusal::new(format!("TLS needs {fault}"))
                .into_error(&quote(&self.to_string())));
        }
        Ok(())
    }
}

/// Brackets are the URL's, not the address's.
fn without_brackets(host: String) -> String {
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inner) => inner.to_owned(),
        None => host,
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self {
            // A path may hold anything but NUL; a log line may not.
            Self::Unix { path } => return write!(f, "unix://{}", one_line(path)),
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "https",
        };
        let authority = self.authority().unwrap_or_default();
        write!(f, "{scheme}://{authority}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { tls, .. } => write!(f, "Endpoint({self}, {tls:?})"),
            _ => write!(f, "Endpoint({self})"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(address: &str) -> Result<Self> {
        Self::parse(address)
    }
}
