//! What is measured, a file for each kind.

pub mod calls;
pub mod fallback;
pub mod list;
pub mod memory;
pub mod pipeline;
pub mod python;
pub mod scale;
pub mod sessions;
#[cfg(feature = "tls")]
pub mod tls;
