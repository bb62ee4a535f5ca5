//! How it goes: what a service's operators look at, what calls them, and what proves afterwards what was done.
//!
//! | To | take |
//! |---|---|
//! | answer a `/health`, `/live` or `/ready` | [`HybridBackend::health`](crate::HybridBackend::health), [`HealthReport`] |
//! | be called when something is wrong, and when it no longer is | [`alerts`] |
//! | draw what happens over time | [`metrics`], with the feature `metrics` |
//! | see where the time of one call went | spans of [`tracing`] at level debug: `call`, and its `attempt`s |
//! | prove who did what to which container | [`audit`] |
//! | compare the two engines' answers | [`HybridBackend::with_shadow`](crate::HybridBackend::with_shadow) |
//!
//! None of it tells a secret: values of the environment, arguments of commands, credentials and what files hold are in no span, log,
//! metric, alert or record.

pub mod alerts;
pub mod audit;
mod health;
pub mod metrics;
mod recorder;
mod vitals;
mod window;

pub use health::{EngineHealth, HealthReport, HealthStatus, LimitHealth, SessionsHealth};

pub(crate) use health::{Ground, PROBE, Probes};
pub(crate) use recorder::{Called, Telemetry};
