//! The async engine's client: the one file that names bollard.

pub(crate) use bollard::models;
