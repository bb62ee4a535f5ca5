//! The two engines and what they share.

pub(crate) mod bollard;
pub(crate) mod wire;
