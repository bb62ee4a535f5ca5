//! The two engines by name, for errors, reports and metrics.

use std::fmt;

use serde::Serialize;

/// Which of the two engines.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The async engine, on bollard.
    Async,
    /// The blocking engine, on shiplift behind `spawn_blocking`.
    Blocking,
}

impl EngineKind {
    pub(crate) const BOTH: [Self; 2] = [Self::Async, Self::Blocking];

    /// The name as `Display` and serde have it.
    ///
    /// ```
    /// assert_eq!(catamaran::EngineKind::Async.as_str(), "async");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Blocking => "blocking",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
