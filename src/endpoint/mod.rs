//! Where the engine is, and which version of its API is spoken.

mod version;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

pub use version::ApiVersion;

use crate::error::{Error, ErrorKind, Result};

/// The place of an engine.
///
/// ```
/// use catamaran::Endpoint;
///
/// let endpoint = Endpoint::parse("unix:///run/docker.sock")?;
/// assert_eq!(endpoint, Endpoint::unix("/run/docker.sock"));
/// assert!(Endpoint::parse("ssh://host").is_err());
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
    /// Plaintext TCP.
    Tcp {
        /// The host's name or address.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Endpoint {
    /// A unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into() }
    }

    /// Reads `unix:///path`, `tcp://host[:port]` or `http://host[:port]` (port 2375).
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) for a scheme that this crate can't reach yet, by name;
    /// [`Config`](ErrorKind::Config) for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
            Error::new(ErrorKind::Config, format!("the endpoint \"{shown}\" {why}"))
                .with_advice("write unix:///path or tcp://host:port")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        match scheme {
            "unix" if rest.starts_with('/') && !rest.contains('\0') => Ok(Self::unix(rest)),
            "unix" => Err(bad("needs an absolute path")),
            "tcp" | "http" => {
                let authority: http::uri::Authority = rest
                    .strip_suffix('/')
                    .unwrap_or(rest)
                    .parse()
                    .map_err(|_| bad("has no sound host and port"))?;
                if authority.as_str().contains('@') || authority.host().is_empty() {
                    return Err(bad("needs a host, and no user"));
                }
                let named = authority.as_str().len() > authority.host().len();
                let port = match authority.port_u16() {
                    None if named => return Err(bad("has no sound port")),
                    port => port.unwrap_or(2375),
                };
                Ok(Self::Tcp {
                    host: authority.host().to_owned(),
                    port,
                })
            }
            "https" | "ssh" | "npipe" | "fd" => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{scheme}:// endpoints aren't supported yet"),
            )
            .with_advice("reach the engine through a unix socket")),
            _ => Err(bad("has an unknown scheme")),
        }
    }

    /// Whether what is sent stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix { .. } => true,
            Self::Tcp { host, .. } => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path } => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_can_reach_and_names_what_it_cannot() {
        for (text, shown) in [
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("tcp://localhost", "tcp://localhost:2375"),
            ("http://127.0.0.1:80/", "tcp://127.0.0.1:80"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.to_string(), shown);
            assert!(endpoint.is_local());
        }
        assert!(
            !Endpoint::parse("tcp://10.0.0.1")
                .expect("an endpoint")
                .is_local()
        );
        for bad in [
            "",
            "x",
            "unix://relative",
            "tcp://",
            "tcp://u@h",
            "tcp://h:x",
            "tcp://h:99999",
            "tcp://h/p",
            "tcp://h?q",
            "ftp://h",
        ] {
            assert_eq!(
                Endpoint::parse(bad).expect_err(bad).kind(),
                ErrorKind::Config,
                "{bad}"
            );
        }
        for later in ["ssh://h", "https://h", "npipe:////./pipe/docker", "fd://"] {
            assert_eq!(
                Endpoint::parse(later).expect_err(later).kind(),
                ErrorKind::Unsupported
            );
        }
    }
}
