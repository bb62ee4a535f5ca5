//! What the benches share: who is measured, on what, and how samples are judged.

pub mod canned;
pub mod clients;
#[cfg(feature = "tls")]
#[path = "../../tests/common/dockerd.rs"]
pub mod dockerd;
pub mod fixture;
#[cfg(feature = "tls")]
pub mod over_tls;
pub mod pooled;
pub mod samples;
pub mod statistics;
#[cfg(feature = "tls")]
#[path = "../../tests/common/tls.rs"]
pub mod tls;
pub mod unix;
pub mod usage;
pub mod watch;

use std::sync::Arc;

use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend, HybridBackend};

use clients::Client;

/// Who is measured, by name.
pub type Clients = Vec<(&'static str, Arc<dyn Client>)>;

/// This crate's own: one line each.
pub fn backends(
    config: &Config,
) -> catamaran::Result<Vec<(&'static str, Arc<dyn ContainerBackend>)>> {
    Ok(vec![
        ("async", Arc::new(AsyncEngine::new(config)?)),
        ("blocking", Arc::new(BlockingEngine::new(config)?)),
        ("hybrid", Arc::new(HybridBackend::new(config)?)),
    ])
}
