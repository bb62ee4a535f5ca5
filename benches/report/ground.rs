//! What the cells stand on: the engine that the environment names, and something on it to ask for.

use std::path::PathBuf;

use catamaran::{Config, ConfigBuilder, LimitOptions};
use tokio::runtime::Runtime;

use crate::common::fixture::Target;

pub struct Ground<'a> {
    pub runtime: &'a Runtime,
    /// For shiplift's connections, as a host has to make one.
    pub driver: &'a Runtime,
    pub config: Config,
    pub socket: PathBuf,
    pub target: Target,
}

impl Ground<'_> {
    pub fn socket(&self) -> &str {
        self.socket.to_str().expect("it was looked at")
    }

    /// At the same engine, for so many callers at once where that is more than what the crate lets through by itself.
    pub fn config_for(&self, callers: u64) -> catamaran::Result<Config> {
        config_for(
            Config::builder().endpoint(self.config.endpoint().clone()),
            callers,
        )
    }
}

pub fn config_for(builder: ConfigBuilder, callers: u64) -> catamaran::Result<Config> {
    let callers = usize::try_from(callers).expect("a few");
    let calls = LimitOptions::default().calls.max(callers);
    builder
        .limits(LimitOptions::default().with_calls(calls))
        .build()
}
