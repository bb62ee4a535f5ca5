//! Containers on demand for Rust services, without ever stalling their event loop.
//!
//! Two engines under one trait, [`ContainerBackend`]: [`AsyncEngine`] on bollard, and [`BlockingEngine`] on
//! shiplift behind `spawn_blocking`. Both send the same requests and read the same answers.
//!
//! | To | take |
//! |---|---|
//! | serve calls by the async engine, with the blocking one where its path fails | [`HybridBackend`] |
//! | have one engine alone | [`AsyncEngine`] or [`BlockingEngine`] |
//! | run a container once, or keep one for a scope | [`ContainerBackendExt`] |
//! | talk to a program while it runs | [`ContainerBackend::start_exec`], [`ContainerBackend::attach`] |
//! | move files in and out | [`ContainerBackendExt::copy_in`], [`ContainerBackendExt::copy_out`] and their kin |
//! | follow logs and events over lost connections | [`ContainerBackendExt::follow_logs`], [`ContainerBackendExt::watch_events`] |
//! | give each user, job or agent a container | [`session`], [`SessionManager`](session::SessionManager) |
//! | give calls a deadline | [`CallContext`] |
//! | see how it goes, be called when it doesn't, and prove what was done | [`telemetry`] |
//! | do without an async runtime | [`blocking`] |
//! | test a service without Docker | `testing::FakeEngine` |
//! | know what to connect to, and whom to trust there | [`Config`], [`TlsConfig`] |
//! | say what to create, and read what is there | [`model`] |
//! | see what an engine gives, and why it isn't reached | [`fn@doctor`] |
//! | act on a failure | [`Error`], its [`ErrorKind`] and [`Effect`] |
//!
//! ```no_run
//! use catamaran::model::{ContainerSpec, ImageRef};
//! use catamaran::{ContainerBackendExt, HybridBackend};
//!
//! # async fn example() -> catamaran::Result<()> {
//! let backend = HybridBackend::from_env()?;
//! let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["id"]);
//! let ran = backend.run(&spec).await?;
//! println!("exit code {}: {}", ran.exit_code, String::from_utf8_lossy(&ran.stdout));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `metrics` (off by default): counts, durations and states through the [`metrics`](https://docs.rs/metrics) facade, see
//!   [`telemetry`].
//! - `testing` (off by default): what services and backends are tested with, `testing` and `conformance`.
//! - `tls` (off by default): TLS with certificates on both sides, for both engines. It links OpenSSL, which
//!   the blocking engine's client is made with. Without it, an endpoint with TLS is refused.

mod backend;
pub mod blocking;
mod config;
#[cfg(feature = "testing")]
pub mod conformance;
mod deadline;
pub mod doctor;
mod endpoint;
mod engine;
mod engine_kind;
mod error;
mod fanout;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod hybrid;
mod lock;
pub mod model;
mod operation;
mod policy;
mod quote;
mod registry;
pub mod session;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use backend::{
    BackendId, CallContext, ContainerBackend, ContainerBackendExt, ContainerGuard, UsageMeter,
};
pub use config::{Config, ConfigBuilder, Mode};
pub use doctor::doctor;
pub use endpoint::{ApiVersion, Endpoint, Environment, TlsConfig};
pub use engine::{AsyncEngine, BlockingEngine, Engine};
pub use engine_kind::EngineKind;
pub use error::{Effect, Error, ErrorKind, Result};
pub use host::{Fate, Host, HostOptions, Orphan};
pub use hybrid::{CallReport, HybridBackend, LastCall, Observer, Reason, ShadowReport};
pub use operation::Operation;
pub use policy::{Attempt, BreakerOptions, BreakerState, Gate, LimitOptions, Passed, RetryOptions};

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
