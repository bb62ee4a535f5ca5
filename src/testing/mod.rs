//! Engines that can be made to fail, for tests of what stands on this crate. Behind the feature `testing`.
//!
//! | To | take |
//! |---|---|
//! | test a service without Docker | [`FakeEngine`] |
//! | see what a service does when its engine fails | [`Faults`], on a fake engine or, by [`FaultProxy`], on a real one |
//! | test a backend of one's own | [`conformance`](crate::conformance) |
//!
//! A test of a host is its service on a fake engine, and what is left there:
//!
//! ```
//! use catamaran::model::{ContainerSpec, ImageRef};
//! use catamaran::testing::{Fault, FakeEngine, Rule, When};
//! use catamaran::{ContainerBackendExt, HybridBackend};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = FakeEngine::start().await?;
//! // The answer to the first creation is lost; the engine has made the container.
//! let lost = Rule::new("POST", "/containers/create", Fault::DropAnswer).when(When::First(1));
//! engine.faults().add(lost);
//! let backend = HybridBackend::new(&engine.config()?)?;
//! let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["true"]);
//! assert_eq!(backend.run(&spec).await?.exit_code, 0, "it was found again");
//! assert!(engine.containers().is_empty(), "and there was one alone");
//! # Ok(())
//! # }
//! ```

mod fake;
mod faults;
mod proxy;
mod serve;

pub use fake::{
    Asked, FakeContainer, FakeEngine, FakeEngineBuilder, Journal, Personality, Process, PullFault,
    RegistryImage,
};
pub use faults::{Count, Fault, Faults, Hold, Rule, When};
pub use proxy::FaultProxy;

/// The path without its version.
pub(crate) fn unversioned(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else {
        return path;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (version, rest) = rest.split_at(end);
    let is_version = version
        .split_once('.')
        .is_some_and(|(major, minor)| major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok());
    if is_version { rest } else { path }
}
