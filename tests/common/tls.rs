//! Certificates made on the spot, and a peer that ends TLS in front of an engine's unix socket.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use catamaran::{Endpoint, TlsConfig};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring, version,
};
use tokio_rustls::server::TlsStream;

pub const BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// An authority, and a directory of what it issues.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

/// A certificate and its key.
pub struct Issued {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::of(name, &[])
    }

    fn of(name: &str, names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, directory }
    }

    /// Its own certificate, which is for these names, and its key.
    pub fn itself(names: &[&str]) -> (Self, Issued) {
        let itself = Self::of("itself", names);
        let issued = Issued {
            cert: itself.ca(),
            key: itself.path().join("ca-key.pem"),
        };
        write_key(&issued.key, &itself.issuer.key().serialize_pem());
        (itself, issued)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn ca(&self) -> PathBuf {
        self.path().join("ca.pem")
    }

    /// A certificate for these names, kept as `{file}.pem` and `{file}-key.pem`.
    pub fn issue(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_with(file, names, |_| ())
    }

    pub fn issue_expired(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_with(file, names, |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    fn issue_with(
        &self,
        file: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        let issued = Issued {
            cert: self.path().join(format!("{file}.pem")),
            key: self.path().join(format!("{file}-key.pem")),
        };
        fs::write(&issued.cert, cert.pem()).expect("a file");
        write_key(&issued.key, &key.serialize_pem());
        issued
    }

    /// The three files as Docker names them, for a client.
    pub fn client_directory(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (from, to) in self.client_files(&self.issue("client", &[])) {
            fs::copy(from, directory.path().join(to)).expect("a file");
        }
        directory
    }

    /// What a client needs, and how Docker names it.
    pub fn client_files(&self, client: &Issued) -> [(PathBuf, &'static str); 3] {
        [
            (self.ca(), "ca.pem"),
            (client.cert.clone(), "cert.pem"),
            (client.key.clone(), "key.pem"),
        ]
    }

    /// What a client takes that trusts this authority and bears its certificate.
    pub fn client(&self) -> TlsConfig {
        let client = self.issue("client", &[]);
        TlsConfig::new()
            .with_ca(self.ca())
            .with_identity(client.cert, client.key)
    }
}

fn write_key(path: &Path, pem: &str) {
    fs::write(path, pem).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("permissions");
}

/// Takes mutual TLS on a port of its own, and hands what it decrypts to a unix socket. It ends when it is
/// dropped.
pub struct TlsPeer {
    address: SocketAddr,
    front: Arc<Front>,
    server: AbortHandle,
}

struct Front {
    acceptor: Mutex<TlsAcceptor>,
    engine: PathBuf,
    accepted: AtomicUsize,
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl TlsPeer {
    /// Starts on the current runtime, as `server`, for clients of this authority.
    pub async fn start(server: &Issued, clients: &Authority, engine: &Endpoint) -> Self {
        Self::speaking(&BOTH_VERSIONS, server, clients, engine).await
    }

    pub async fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        server: &Issued,
        clients: &Authority,
        engine: &Endpoint,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let front = Arc::new(Front {
            acceptor: Mutex::new(acceptor(versions, server, clients)),
            engine: engine.path().expect("a unix socket").to_owned(),
            accepted: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&front))).abort_handle();
        Self {
            address,
            front,
            server,
        }
    }

    /// Is this server for clients of this authority from the next connection on.
    pub fn renew(&self, server: &Issued, clients: &Authority) {
        *self.front.acceptor.lock().expect("an acceptor") =
            acceptor(&BOTH_VERSIONS, server, clients);
    }

    /// The clients' certificates, one for each connection that was taken.
    pub fn seen(&self) -> Vec<CertificateDer<'static>> {
        self.front.seen.lock().expect("certificates").clone()
    }

    pub fn endpoint(&self, tls: TlsConfig) -> Endpoint {
        Endpoint::tls("127.0.0.1", self.port(), tls)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    pub fn accepted(&self) -> usize {
        self.front.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for TlsPeer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn acceptor(
    versions: &[&'static SupportedProtocolVersion],
    server: &Issued,
    clients: &Authority,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(AsRef::<Certificate>::as_ref(&clients.issuer).der().clone())
        .expect("an authority");
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("a verifier");
    let chain = CertificateDer::from_pem_file(&server.cert).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&server.key).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![chain], key)
        .expect("a configuration");
    Arc::new(config).into()
}

/// Passes on what either says. That the engine reads no more doesn't end what it says itself.
async fn pass_on(client: TlsStream<TcpStream>, engine: UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_engine, mut to_engine) = engine.into_split();
    let there = async {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let read = from_client.read(&mut bytes).await?;
            if read == 0 || to_engine.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
        let _ = to_engine.shutdown().await;
        std::future::pending().await
    };
    let back = async {
        let copied = tokio::io::copy(&mut from_engine, &mut to_client).await;
        // Told as an end of TLS too where the engine's own was a reset.
        to_client.shutdown().await.and(copied.map(drop))
    };
    tokio::select! {
        biased;
        ended = back => ended,
        broken = there => broken,
    }
}

async fn serve(listener: TcpListener, front: Arc<Front>) {
    // Connections end with the accepting task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        front.accepted.fetch_add(1, Ordering::SeqCst);
        let front = Arc::clone(&front);
        let acceptor = front.acceptor.lock().expect("an acceptor").clone();
        connections.spawn(async move {
            stream.set_nodelay(true)?;
            let client = acceptor.accept(stream).await?;
            let chain = client.get_ref().1.peer_certificates().unwrap_or_default();
            let own = chain.iter().take(1).map(|own| own.clone().into_owned());
            front.seen.lock().expect("certificates").extend(own);
            pass_on(client, UnixStream::connect(&front.engine).await?).await
        });
    }
}
