//! What is measured, a file for each kind.

pub mod calls;
