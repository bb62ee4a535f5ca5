//! Containers on demand for Rust services, without ever stalling their event loop.
mod backend;
mod endpoint;
mod engine;
mod error;
pub mod model;
mod observe;
mod operation;

pub use backend::{CallContext, ContainerBackend, Discard, EngineKind};
pub use endpoint::{ApiVersion, Endpoint};
pub use error::{Effect, Error, ErrorKind, Result};
pub use observe::{CallReport, LastCall, Observer, Reason};
pub use operation::Operation;
