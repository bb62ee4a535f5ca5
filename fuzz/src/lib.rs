//! What several targets need.

pub mod archive;
pub mod disk;
pub mod memory;
