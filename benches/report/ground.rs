//! What the cells stand on: the engine that the environment names, and something on it to ask for.

use std::path::PathBuf;

use catamaran::Endpoint;
use tokio::runtime::Runtime;

use crate::common::fixture::Target;

pub struct Ground<'a> {
    pub runtime: &'a Runtime,
    /// For shiplift's connections, as a host has to make one.
    pub driver: &'a Runtime,
    pub endpoint: Endpoint,
    pub socket: PathBuf,
    pub target: Target,
}
