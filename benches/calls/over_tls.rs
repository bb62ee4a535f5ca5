//! A ping over TLS with certificates on both sides, by one caller and by sixteen at once.
//!
//! shiplift isn't among the clients: it takes certificates from the process's environment alone, which a
//! program with other threads can't set.

use std::cell::LazyCell;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use catamaran::{Config, Endpoint, TlsConfig};
use criterion::{Criterion, SamplingMode};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::clients::{Bollard, Floor, Operation};
use crate::dockerd::Dockerd;
use crate::fixture::Target;
use crate::ratios::{Plan, Ratio};
use crate::tls::{Authority, Issued, TlsPeer};
use crate::{Clients, backends, compare, sample};

const CALLERS: u64 = 16;

const NAMES: [&str; 7] = [
    "floor",
    "bollard",
    "bollard-nodelay",
    "bollard-pooled",
    "async",
    "blocking",
    "hybrid",
];

/// All but the first have no promise: where the gain comes from, and what is left of it over bollard at
/// its best.
const fn ratios(to_bollard: f64) -> [Ratio; 9] {
    [
        ("async", "bollard", false, Some(to_bollard)),
        ("hybrid", "async", false, None),
        ("blocking", "bollard", false, None),
        ("bollard-nodelay", "bollard", false, None),
        ("bollard-pooled", "bollard", false, None),
        ("async", "bollard-nodelay", false, None),
        ("async", "bollard-pooled", false, None),
        ("async", "floor", false, None),
        ("blocking", "floor", false, None),
    ]
}

const ALONE: Plan = Plan {
    rounds: 41,
    calls: |name| match name {
        "bollard" => 4,
        "bollard-nodelay" => 20,
        _ => 60,
    },
    ratios: &ratios(1.0 / 50.0),
};

const AT_ONCE: Plan = Plan {
    rounds: 41,
    calls: |name| match name {
        "bollard" => 2 * CALLERS,
        "bollard-nodelay" => 4 * CALLERS,
        _ => 10 * CALLERS,
    },
    ratios: &ratios(1.0 / 15.0),
};

pub fn compare_all(
    criterion: &mut Criterion,
    runtime: &Runtime,
    behind: &Endpoint,
    target: &Target,
) {
    let setup = LazyCell::new(|| Setup::new(runtime, behind, target));
    for (title, callers, plan) in [("ping/tls", 1, ALONE), ("ping/tls/16", CALLERS, AT_ONCE)] {
        let mut group = criterion.benchmark_group(title);
        // Few samples, each of few calls: bollard's own take long.
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.warm_up_time(Duration::from_secs(1));
        let sample = |client: &_, calls| sample(runtime, client, Operation::Ping, callers, calls);
        compare(&mut group, title, &NAMES, || &setup.clients, &plan, sample);
        group.finish();
    }
}

/// The engine and those who ask it. A step that fails panics, as a call does.
struct Setup {
    clients: Clients,
    _engine: Engine,
    /// Its directory: bollard reads its files for every connection.
    _authority: Authority,
}

impl Setup {
    fn new(runtime: &Runtime, behind: &Endpoint, target: &Target) -> Self {
        let authority = Authority::new("bench");
        let engine = Engine::start(&authority, behind);
        let client = authority.issue("client", &[]);
        let tls = TlsConfig::new()
            .with_ca(authority.ca())
            .with_identity(&client.cert, &client.key);
        let endpoint = Endpoint::tls("127.0.0.1", engine.port(), tls);
        let address = endpoint.to_string();
        let rustls = rustls(&authority, &client);

        let connector = TlsConnector::from(Arc::new(rustls.clone()));
        let connect = || runtime.block_on(connect(&connector, engine.port()));
        let floor = Floor::new((0..CALLERS).map(|_| connect()), target);
        let as_it_comes = Docker::connect_with_ssl(
            &address,
            &client.key,
            &client.cert,
            &authority.ca(),
            30,
            API_DEFAULT_VERSION,
        );
        let mut clients: Clients = vec![("floor", Arc::new(floor))];
        for (name, docker) in [
            ("bollard", as_it_comes.expect("a client")),
            ("bollard-nodelay", tuned(&rustls, &address, 0)),
            ("bollard-pooled", tuned(&rustls, &address, usize::MAX)),
        ] {
            clients.push((name, Arc::new(Bollard::new(docker, target))));
        }
        let config = Config::builder().endpoint(endpoint).build();
        for (name, backend) in backends(&config.expect("a configuration")).expect("backends") {
            clients.push((name, Arc::new((backend, target.clone()))));
        }
        Self {
            clients,
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
    fn start(authority: &Authority, behind: &Endpoint) -> Self {
        let server = authority.issue("server", &["127.0.0.1"]);
        match Dockerd::start(&server, authority) {
            Ok(dockerd) => {
                println!("ping/tls: on a private dockerd --tlsverify");
                Self::Real(dockerd)
            }
            Err(why) => {
                println!(
                    "ping/tls: through a TLS proxy to {behind}, whose own time adds to every client's: {why}"
                );
                let runtime = Runtime::new().expect("a runtime");
                let peer = runtime.block_on(TlsPeer::start(&server, authority, behind));
                Self::Front {
                    peer,
                    _runtime: runtime,
                }
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

/// bollard without Nagle's delay, keeping so many connections.
fn tuned(rustls: &ClientConfig, address: &str, kept: usize) -> Docker {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(rustls.clone())
        .https_only()
        .enable_http1()
        .wrap_connector(http);
    let pool = Pool::builder(TokioExecutor::new())
        .pool_max_idle_per_host(kept)
        .build(https);
    let transport = move |request: BollardRequest| {
        let answer = pool.request(request);
        Box::pin(async move { answer.await.map_err(Into::into) })
            as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    };
    Docker::connect_with_custom_transport(transport, Some(address), 30, API_DEFAULT_VERSION)
        .expect("a client")
}
