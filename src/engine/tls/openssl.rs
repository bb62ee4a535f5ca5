//! The blocking engine's TLS: the connector that shiplift's transport takes.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use hyper_openssl::HttpsConnector;
use hyper014::Uri;
use hyper014::client::HttpConnector;
use hyper014::service::Service;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    ConnectConfiguration, Error as SslError, SslConnector, SslConnectorBuilder, SslMethod,
    SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::carrier::Cause;
use super::files::{self, Identity, wrong};
use super::rustls::mismatch;
use super::{Fault, Files, Made, Parties, Renewed, find};
use crate::endpoint::TlsConfig;
use crate::error::{Error, Result};

/// What connections are made with, until certificates are renewed. Copies share their sessions.
pub(in crate::engine) type Connections = Made<HttpsConnector<HttpConnector>>;

/// Makes connectors to one engine, and says what their failures mean.
#[derive(Clone)]
pub(in crate::engine) struct Connector {
    renewed: Arc<Renewed<HttpsConnector<HttpConnector>>>,
    parties: Arc<Parties>,
    verdict: Arc<AtomicI32>,
}

impl Connector {
    pub(in crate::engine) fn new(
        mut http: HttpConnector,
        host: &str,
        tls: &TlsConfig,
    ) -> Result<Self> {
        http.enforce_http(false);
        let verdict = Arc::new(AtomicI32::new(0));
        let (last, host_name, named) = (Arc::clone(&verdict), host.to_owned(), tls.clone());
        let renewed = Renewed::new(tls, move |files| {
            // Whole, and not its certificates alone: a session that the old ones began would go on as them.
            let builder = builder(files, &named)?;
            let mut connector =
                HttpsConnector::with_connector(http.clone(), builder).map_err(no_setup)?;
            let (last, host_name) = (Arc::clone(&last), host_name.clone());
            connector.set_callback(move |connection, _| expect(connection, &host_name, &last));
            Ok(connector)
        })?;
        Ok(Self {
            renewed: Arc::new(renewed),
            parties: Arc::new(Parties::new(host, tls)),
            verdict,
        })
    }

    /// What new connections are made with. It looks at the files, and so may block.
    pub(in crate::engine) fn look(&self) -> Arc<Connections> {
        self.renewed.look()
    }

    /// The error of a connection that couldn't be made.
    pub(in crate::engine) fn no_connection(&self, cause: impl Into<Cause>) -> Error {
        let cause = cause.into();
        let fault = find::<SslError>(&*cause).map(|error| match reason(error) {
            Some(CERTIFICATE_VERIFY_FAILED) => self.verdict(),
            Some(reason) => match u8::try_from(reason - ALERT) {
                Ok(alert) => self.parties.alert(alert),
                Err(_) => Fault::Other,
            },
            None => Fault::Other,
        });
        self.parties.no_connection(fault, cause)
    }

    /// Why the engine ends connections before it is asked anything, by one more that is: a connection of
    /// which nobody but this reads.
    pub(in crate::engine) async fn why_refused(
        &self,
        with: &Connections,
        engine: Uri,
    ) -> Option<Error> {
        let asked = tokio::time::timeout(PATIENCE, ask(with.value.clone(), engine)).await;
        match asked.ok()? {
            Err(cause) => Some(self.no_connection(cause)),
            Ok(Ok(())) => None,
            Ok(Err(cause)) => {
                let fault = find(&cause).and_then(|error| self.refusal(error))?;
                Some(self.parties.error(fault, cause))
            }
        }
    }

    fn refusal(&self, error: &SslError) -> Option<Fault> {
        let alert = u8::try_from(reason(error)? - ALERT).ok()?;
        self.parties.refusal(alert)
    }

    /// The error of a request that the engine answered with an alert about our certificate; else the cause
    /// again.
    pub(in crate::engine) fn refused(
        &self,
        cause: hyper014::Error,
    ) -> std::result::Result<Error, hyper014::Error> {
        let fault = find(&cause).and_then(|error| self.refusal(error));
        match fault {
            Some(fault) => Ok(self.parties.error(fault, cause)),
            None => Err(cause),
        }
    }

    /// What was wrong with the engine's certificate. Connections at once share it: they are to one engine,
    /// and judged by one rule.
    fn verdict(&self) -> Fault {
        match self.verdict.load(Ordering::Acquire) {
            10 => Fault::Expired,
            9 => Fault::NotYetValid,
            // No issuer, a wrong signature, signed by itself, an issuer that is none.
            2 | 7 | 18..=21 | 24 | 27 | 79 => Fault::WrongAuthority,
            62 | 64 => Fault::WrongName,
            _ => Fault::BadCertificate,
        }
    }
}

/// How long an engine may take to say why it refuses.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects, and reads whatever comes first; the outer error is that of the connection.
async fn ask(
    mut connector: HttpsConnector<HttpConnector>,
    engine: Uri,
) -> Result<io::Result<()>, Cause> {
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    let mut stream = connector.call(engine).await?;
    // An engine that takes our certificate after all wants to be asked before it answers.
    let ping = b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(ping).await;
    Ok(stream.read(&mut [0]).await.map(drop))
}

/// `SSL_R_CERTIFICATE_VERIFY_FAILED`.
const CERTIFICATE_VERIFY_FAILED: i32 = 134;
/// `SSL_AD_REASON_OFFSET`: where the alerts that were received begin.
const ALERT: i32 = 1000;
/// `ERR_LIB_SSL`.
const LIBRARY: i32 = 20;

/// OpenSSL's own number for what went wrong.
fn reason(error: &SslError) -> Option<i32> {
    let stack = error.ssl_error()?.errors();
    let found = stack.iter().find(|error| error.library_code() == LIBRARY);
    found.map(openssl::error::Error::reason_code)
}

fn no_setup(error: ErrorStack) -> Error {
    wrong("TLS can't be set up".into()).with_source(error)
}

fn builder(files: Files, tls: &TlsConfig) -> Result<SslConnectorBuilder> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(no_setup)?;
    let mut store = X509StoreBuilder::new().map_err(no_setup)?;
    let mut taken = 0;
    for authority in &files.authorities {
        // A platform has some that no parser takes.
        if let Ok(authority) = X509::from_der(authority) {
            store.add_cert(authority).map_err(no_setup)?;
            taken += 1;
        }
    }
    if let (0, Some(path)) = (taken, tls.ca()) {
        return Err(files::fault(path, "holds no certificate of an authority"));
    }
    // In place of the platform's, which the builder has loaded.
    builder.set_cert_store(store.build());
    builder
        .set_min_proto_version(Some(SslVersion::TLS1_2))
        .map_err(no_setup)?;
    // An engine that asks for a certificate does it before it reads a request, or not at all.
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    if let Some(identity) = files.identity {
        // The error isn't kept: it comes from reading a key.
        present(&mut builder, &identity).map_err(|_| mismatch(tls))?;
    }
    Ok(builder)
}

fn present(builder: &mut SslConnectorBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    let mut chain = identity.chain.iter();
    if let Some(own) = chain.next() {
        builder.set_certificate(&*X509::from_der(own)?)?;
    }
    for link in chain {
        builder.add_extra_chain_cert(X509::from_der(link)?)?;
    }
    builder.set_private_key(&*PKey::private_key_from_der(identity.key.secret_der())?)?;
    builder.check_private_key()
}

/// Whom a connection must find, as rustls looks for it: the name in the certificate's alternative names
/// alone, without a URL's brackets, and an authority that is trusted without its own.
fn expect(
    connection: &mut ConnectConfiguration,
    host: &str,
    verdict: &Arc<AtomicI32>,
) -> Result<(), ErrorStack> {
    connection.set_verify_hostname(false); // of its own: the next lines do it
    let parameters = connection.param_mut();
    parameters
        .set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    match host.parse::<IpAddr>() {
        Ok(address) => {
            parameters.set_ip(address)?;
            connection.set_use_server_name_indication(false);
        }
        Err(_) => parameters.set_host(host)?,
    }
    let verdict = Arc::clone(verdict);
    connection.set_verify_callback(SslVerifyMode::PEER, move |sound, context| {
        if !sound {
            verdict.store(context.error().as_raw(), Ordering::Release);
        }
        sound
    });
    Ok(())
}
