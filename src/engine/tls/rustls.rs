//! The async engine's TLS.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
pub(in crate::engine) use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, Error as RustlsError, RootCertStore, crypto,
};

use super::super::carrier::Cause;
use super::files::{self, Identity, wrong};
use super::{Fault, Files, Made, Parties, Renewed, find};
use crate::endpoint::TlsConfig;
use crate::error::{Error, Result};

/// Makes connections to one engine, and remembers their sessions.
pub(in crate::engine) struct Connector {
    renewed: Arc<Renewed<TlsConnector>>,
    name: ServerName<'static>,
    parties: Parties,
}

impl Connector {
    pub(in crate::engine) fn new(host: &str, tls: &TlsConfig) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| {
            wrong("TLS needs a host name or an address".into()).with_source(error)
        })?;
        let named = tls.clone();
        let renewed = Renewed::new(tls, move |files| connector(files, &named))?;
        Ok(Self {
            renewed: Arc::new(renewed),
            name,
            parties: Parties::new(host, tls),
        })
    }

    /// What a new connection is made with. Files are no matter for a thread that mustn't block.
    pub(in crate::engine) async fn look(&self) -> io::Result<Arc<Made<TlsConnector>>> {
        let renewed = Arc::clone(&self.renewed);
        let looked = tokio::task::spawn_blocking(move || renewed.look());
        looked.await.map_err(io::Error::other)
    }

    /// Of the certificates that were seen last.
    pub(in crate::engine) fn generation(&self) -> u64 {
        self.renewed.generation()
    }

    pub(in crate::engine) async fn connect(
        &self,
        with: &Made<TlsConnector>,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        with.value.connect(self.name.clone(), stream).await
    }

    /// The error of a connection that couldn't be made.
    pub(in crate::engine) fn no_connection(&self, cause: io::Error) -> Error {
        let fault = find(&cause).map(|error| self.fault(error));
        self.parties.no_connection(fault, cause)
    }

    /// The error of a connection that the engine ended with this alert, where that is about our certificate;
    /// else the cause again.
    pub(in crate::engine) fn refused<C: Into<Cause>>(
        &self,
        alert: Alert,
        cause: C,
    ) -> Result<Error, C> {
        match self.parties.refusal(alert.0) {
            Some(fault) => Ok(self.parties.error(fault, cause)),
            None => Err(cause),
        }
    }

    fn fault(&self, error: &RustlsError) -> Fault {
        use CertificateError as C;
        match error {
            RustlsError::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
                Fault::Expired
            }
            RustlsError::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
                Fault::NotYetValid
            }
            RustlsError::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
                Fault::WrongAuthority
            }
            RustlsError::InvalidCertificate(
                C::NotValidForName | C::NotValidForNameContext { .. },
            ) => Fault::WrongName,
            RustlsError::InvalidCertificate(_) => Fault::BadCertificate,
            RustlsError::AlertReceived(alert) => self.parties.alert(u8::from(*alert)),
            _ => Fault::Other,
        }
    }
}

fn connector(files: Files, tls: &TlsConfig) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    // A platform has some that no parser takes.
    let (taken, _) = roots.add_parsable_certificates(files.authorities);
    if let (0, Some(path)) = (taken, tls.ca()) {
        return Err(files::fault(path, "holds no certificate of an authority"));
    }
    // Named, since a program may hold several providers, and rustls then chooses none.
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("TLS can't be set up".into()).with_source(error))?
        .with_root_certificates(roots);
    let config = match files.identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                match (error, tls.cert()) {
                    // As `openssl x509 -req` makes them without an extension file.
                    (RustlsError::InvalidCertificate(_), Some(cert)) => {
                        files::fault(cert, "can't be used by rustls, which takes X.509 version 3")
                    }
                    _ => mismatch(tls),
                }
            })?
        }
    };
    Ok(Arc::new(config).into())
}

/// An alert with which the engine ended a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Alert(u8);

impl Alert {
    /// The alert that an I/O error is about.
    pub(in crate::engine) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        match find(error)? {
            RustlsError::AlertReceived(alert) => Some(Self(u8::from(*alert))),
            _ => None,
        }
    }
}

pub(super) fn mismatch(tls: &TlsConfig) -> Error {
    let key = tls.key().unwrap_or_else(|| "".as_ref());
    files::fault(
        key,
        "isn't the key of the client certificate, or of no known kind",
    )
    .with_advice("give the pair that was issued together")
}
