//! Containers on demand for Rust services, without ever stalling their event loop.
mod backend;
mod endpoint;
mod engine;
mod error;
pub mod model;
mod operation;

pub use backend::{CallContext, ContainerBackend, EngineKind};
pub use endpoint::{ApiVersion, Endpoint};
pub use engine::{AsyncEngine, BlockingEngine, Engine};
pub use error::{Effect, Error, ErrorKind, Result};
pub use operation::Operation;
