//! Who is measured over TLS with certificates on both sides, and the engine that answers.
//!
//! shiplift isn't among the clients: it takes certificates from the process's environment alone, which a
//! program with other threads can't set.

use std::path::PathBuf;
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};
use catamaran::{Config, Endpoint, TlsConfig};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::clients::{Bollard, Floor};
use super::dockerd::Dockerd;
use super::fixture::Target;
use super::pooled::{self, Hyper};
use super::tls::{Authority, Issued, TlsPeer};
use super::{Clients, backends};

/// The engine and those who ask it. A step that fails panics, as a call does.
pub struct Setup {
    pub clients: Clients,
    /// Which engine it is, in words.
    pub on: String,
    _engine: Engine,
    /// Its directory: bollard reads its files for every connection.
    _authority: Authority,
}

impl Setup {
    pub fn new(runtime: &Runtime, behind: &Endpoint, target: &Target, callers: u64) -> Self {
        let authority = Authority::new("bench");
        let (engine, on) = Engine::start(&authority, behind);
        let client = authority.issue("client", &[]);
        let tls = TlsConfig::new()
            .with_ca(authority.ca())
            .with_identity(&client.cert, &client.key);
        let endpoint = Endpoint::tls("127.0.0.1", engine.port(), tls);
        let address = endpoint.to_string();
        let rustls = rustls(&authority, &client);

        let connector = TlsConnector::from(Arc::new(rustls.clone()));
        let connect = || runtime.block_on(connect(&connector, engine.port()));
        let floor = Floor::new((0..callers).map(|_| connect()), target);
        let as_it_comes = Docker::connect_with_ssl(
            &address,
            &client.key,
            &client.cert,
            &authority.ca(),
            30,
            API_DEFAULT_VERSION,
        );
        let hyper = Hyper::new(prompt(&rustls), &address.replace("tcp:", "https:"), target);
        let mut clients: Clients = vec![("floor", Arc::new(floor)), ("hyper", Arc::new(hyper))];
        for (name, docker) in [
            ("bollard", as_it_comes.expect("a client")),
            (
                "bollard-nodelay",
                pooled::bollard(prompt(&rustls), &address, 0),
            ),
            (
                "bollard-pooled",
                pooled::bollard(prompt(&rustls), &address, usize::MAX),
            ),
        ] {
            clients.push((name, Arc::new(Bollard::new(docker, target))));
        }
        let config = Config::builder().endpoint(endpoint).build();
        for (name, backend) in backends(&config.expect("a configuration")).expect("backends") {
            clients.push((name, Arc::new((backend, target.clone()))));
        }
        Self {
            clients,
            on,
            _engine: engine,
            _authority: authority,
        }
    }
}

/// Who answers.
enum Engine {
    Real(Dockerd),
    /// TLS ends in a runtime of its own, before the engine's unix socket.
    Front {
        peer: TlsPeer,
        _runtime: Runtime,
    },
}

impl Engine {
    fn start(authority: &Authority, behind: &Endpoint) -> (Self, String) {
        let server = authority.issue("server", &["127.0.0.1"]);
        match Dockerd::start(&server, authority) {
            Ok(dockerd) => (
                Self::Real(dockerd),
                "on a private dockerd --tlsverify".to_owned(),
            ),
            Err(why) => {
                let runtime = Runtime::new().expect("a runtime");
                let peer = runtime.block_on(TlsPeer::start(&server, authority, behind));
                let front = Self::Front {
                    peer,
                    _runtime: runtime,
                };
                let on = format!(
                    "through a TLS proxy to {behind}, whose own time adds to every client's: {why}"
                );
                (front, on)
            }
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Real(dockerd) => dockerd.port(),
            Self::Front { peer, .. } => peer.port(),
        }
    }
}

fn rustls(authority: &Authority, client: &Issued) -> ClientConfig {
    let certificate = |path: PathBuf| CertificateDer::from_pem_file(path).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate(authority.ca()))
        .expect("an authority");
    let key = PrivateKeyDer::from_pem_file(&client.key).expect("a key");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(client.cert.clone())], key)
        .expect("a pair")
}

async fn connect(connector: &TlsConnector, port: u16) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("a connection");
    stream.set_nodelay(true).expect("an option");
    let name = "127.0.0.1".try_into().expect("an address");
    connector.connect(name, stream).await.expect("a handshake")
}

/// Without Nagle's delay.
fn prompt(rustls: &ClientConfig) -> HttpsConnector<HttpConnector> {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    HttpsConnectorBuilder::new()
        .with_tls_config(rustls.clone())
        .https_only()
        .enable_http1()
        .wrap_connector(http)
}
