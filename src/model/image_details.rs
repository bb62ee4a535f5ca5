//! An image as `inspect` shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::{EnvVars, ImageRef};

/// An image as `inspect` shows it: what it is, and what a container of it gets where nothing else is said.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ImageDetails {
    /// Its id.
    pub id: ImageRef,
    /// Its names, as in `busybox:latest`.
    pub tags: Vec<String>,
    /// Its names by digest, where it came from a registry.
    pub digests: Vec<String>,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Its size in bytes.
    pub size: u64,
    /// The operating system that it is for, as in `linux`; empty where nobody says.
    pub os: String,
    /// The architecture that it is for, as in `arm64`; empty where nobody says.
    pub architecture: String,
    /// The architecture's variant, as in `v8`.
    pub variant: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The environment of its containers.
    #[serde(skip)]
    pub env: EnvVars,
    /// The program of its containers, before the command.
    pub entrypoint: Vec<String>,
    /// The command of its containers.
    pub command: Vec<String>,
    /// The working directory of its containers.
    pub working_dir: Option<String>,
    /// The user of its containers.
    pub user: Option<String>,
    /// The ports that its programs listen on, as in `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Where its containers have anonymous volumes.
    pub volumes: Vec<String>,
    /// The signal that stops its containers.
    pub stop_signal: Option<String>,
    /// The digests of its layers, the lowest first.
    pub layers: Vec<String>,
}

impl ImageDetails {
    /// Whether it is for that platform, `os[/architecture[/variant]]`. What one of both doesn't say is no
    /// difference.
    pub(crate) fn is_for(&self, platform: &str) -> bool {
        let variant = self.variant.as_deref().unwrap_or_default();
        let own = [&self.os, &self.architecture, variant];
        own.into_iter()
            .zip(platform.split('/'))
            .all(|(own, asked)| own.is_empty() || asked.is_empty() || common(own) == common(asked))
    }
}

/// Docker's own name of an architecture (containerd's `platforms/database.go`).
fn common(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "x86_64" | "x86-64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "macos" => "darwin".to_owned(),
        _ => word,
    }
}

impl fmt::Debug for ImageDetails {
    // As for containers: arguments, labels and variables may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDetails")
            .field("id", &self.id)
            .field("tags", &self.tags)
            .field("digests", &self.digests)
            .field("size", &self.size)
            .field("os", &self.os)
            .field("architecture", &self.architecture)
            .field("env", &self.env)
            .field("labels", &self.labels.keys())
            .finish_non_exhaustive()
    }
}
