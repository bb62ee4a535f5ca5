//! Who is measured over a unix socket.

use std::path::Path;
use std::sync::Arc;

use catamaran::{Config, Endpoint, HybridBackend};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::clients::{Bollard, Client, Floor, Shiplift};
use super::fixture::Target;
use super::pooled::{self, Hyper};
use super::watch::Watch;
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

/// The hybrid with all that a service can switch on, in a process of its own.
pub struct FullStack {
    pub client: Arc<dyn Client>,
    _watch: Watch,
}

impl FullStack {
    pub fn new(socket: &Path, target: Target) -> Result<Self, Box<dyn std::error::Error>> {
        let watch = Watch::everything()?;
        let config = Config::builder().endpoint(Endpoint::unix(socket)).build()?;
        let hybrid = watch.over(HybridBackend::new(&config)?);
        Ok(Self {
            client: Arc::new((Arc::new(hybrid) as _, target)),
            _watch: watch,
        })
    }
}
