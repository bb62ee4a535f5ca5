//! Who is measured over a unix socket.

use std::path::Path;
use std::sync::Arc;

use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::{Config, Endpoint, HybridBackend};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::clients::{Bollard, Client, Floor, Shiplift};
use super::fixture::Target;
use super::pooled::{self, Hyper};
use super::{Clients, backends};

/// What those over hyper-util's pool call the engine.
const ADDRESS: &str = "http://localhost";

/// Everybody but the full stack, for so many callers at once. The driver is for shiplift's connections, as a host has to make one.
pub fn clients(
    runtime: &Runtime,
    driver: &Runtime,
    socket: &Path,
    target: &Target,
    callers: u64,
) -> Result<Clients, Box<dyn std::error::Error>> {
    let connections: Result<Vec<_>, _> = runtime.block_on(async {
        let connect = (0..callers).map(|_| UnixStream::connect(socket));
        futures::future::join_all(connect)
            .await
            .into_iter()
            .collect()
    });
    let path = socket.to_str().ok_or("the socket's path is no UTF-8")?;
    let pooled_bollard = pooled::bollard(pooled::unix(socket), ADDRESS, usize::MAX);
    let mut clients: Clients = vec![
        ("floor", Arc::new(Floor::new(connections?, target))),
        (
            "hyper",
            Arc::new(Hyper::new(pooled::unix(socket), ADDRESS, target)),
        ),
        ("bollard", Arc::new(Bollard::unix(path, target)?)),
        (
            "bollard-pooled",
            Arc::new(Bollard::new(pooled_bollard, target)),
        ),
        (
            "shiplift",
            Arc::new(Shiplift::new(path, target, driver.handle())),
        ),
    ];
    let config = Config::builder().endpoint(Endpoint::unix(socket)).build()?;
    for (name, backend) in backends(&config)? {
        clients.push((name, Arc::new((backend, target.clone()))));
    }
    Ok(clients)
}

/// The hybrid with all that a service can switch on: metrics, alerts, spans, an audit. The recorder and the subscriber are the
/// process's: everybody else in it would pay for them, too.
pub struct FullStack {
    pub client: Arc<dyn Client>,
    _directory: tempfile::TempDir,
    _recorder: PrometheusHandle,
}

impl FullStack {
    pub fn new(socket: &Path, target: Target) -> Result<Self, Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        // With buckets, as docs/metrics.md has it: without them every value is kept until somebody asks.
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[0.001, 0.01, 0.1, 1.0, 10.0])?
            .install_recorder()?;
        catamaran::telemetry::metrics::enable();
        tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
        let alerts = Alerts::new(AlertOptions::default());
        let audit = AuditLog::open(directory.path().join("audit.jsonl"))?;
        let config = Config::builder().endpoint(Endpoint::unix(socket)).build()?;
        let hybrid = HybridBackend::new(&config)?
            .with_alerts(&alerts)
            .with_audit(&audit);
        Ok(Self {
            client: Arc::new((Arc::new(hybrid) as _, target)),
            _directory: directory,
            _recorder: recorder,
        })
    }
}
