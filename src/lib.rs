//! Containers on demand for Rust services, without ever stalling their event loop.
//!
//! Two engines under one trait, [`ContainerBackend`]: [`AsyncEngine`] on bollard, and [`BlockingEngine`] on
//! shiplift behind `spawn_blocking`. Both send the same requests and read the same answers; the nouns are in
//! [`model`]. Take the async engine unless a host can only spare blocking threads.
//!
//! The crate has no optional features yet.

mod backend;
pub mod blocking;
mod config;
mod deadline;
mod endpoint;
mod engine;
mod error;
mod hybrid;
pub mod model;
mod operation;
mod quote;

pub use backend::{CallContext, ContainerBackend, ContainerBackendExt, ContainerGuard, EngineKind};
pub use config::{Config, ConfigBuilder, Mode};
pub use endpoint::{ApiVersion, Endpoint, Environment, TlsConfig};
pub use engine::{AsyncEngine, BlockingEngine, Engine};
pub use error::{Effect, Error, ErrorKind, Result};
pub use hybrid::{CallReport, HybridBackend, LastCall, Observer, Reason};
pub use operation::Operation;

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
