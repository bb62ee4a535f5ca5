//! Streams that outlive their connections: logs without loss or doubling, events with their gaps told, on a
//! scripted engine whose connections break wherever they can, and on the real one behind a proxy that cuts them.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod engine;
mod events;
mod logs;
mod pressure;
mod real;

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::ReconnectOptions;
use catamaran::{ApiVersion, Config, ContainerBackend, Endpoint};

/// Both engines and their hybrid. The version is pinned, so that nothing is sent but what is asked.
fn backends(endpoint: &Endpoint) -> [(&'static str, Arc<dyn ContainerBackend>); 3] {
    let config = Config::builder()
        .endpoint(endpoint.clone())
        .api_version(ApiVersion::OLDEST)
        .build()
        .expect("a configuration");
    common::backends(&config)
}

/// Anew at once.
fn hasty() -> ReconnectOptions {
    ReconnectOptions::default()
        .with_first_pause(Duration::ZERO)
        .with_longest_pause(Duration::ZERO)
}
