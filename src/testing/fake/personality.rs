//! Whose engine the fake is like.

use serde_json::{Value, json};

/// Whose engine a fake one is like: its versions, the fields of its answers, its ways to refuse.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Personality {
    /// Docker 20.10, of 2020: API 1.12 to 1.41.
    Docker20,
    /// Docker 26, of 2024: API 1.24 to 1.45.
    Docker26,
    /// Docker 28, of 2025: API 1.24 to 1.51.
    #[default]
    Docker28,
    /// Docker 29, of 2025 and later: API 1.44 to 1.52.
    Docker29,
    /// Podman 5's service for Docker's clients: API 1.24 to 1.41.
    Podman,
}

/// What differs, as data.
pub(super) struct Traits {
    pub(super) version: &'static str,
    pub(super) api: (u32, u32),
    pub(super) min_api: (u32, u32),
}

impl Personality {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Docker20,
        Self::Docker26,
        Self::Docker28,
        Self::Docker29,
        Self::Podman,
    ];

    pub(super) fn traits(self) -> Traits {
        let (version, api, min_api) = match self {
            Self::Docker20 => ("20.10.24-fake", (1, 41), (1, 12)),
            Self::Docker26 => ("26.1.5-fake", (1, 45), (1, 24)),
            Self::Docker28 => ("28.5.1-fake", (1, 51), (1, 24)),
            Self::Docker29 => ("29.0.0-fake", (1, 52), (1, 44)),
            Self::Podman => ("5.4.2-fake", (1, 41), (1, 24)),
        };
        Traits {
            version,
            api,
            min_api,
        }
    }

    pub(super) fn is_podman(self) -> bool {
        self == Self::Podman
    }

    /// The status of a name that is taken: Podman says 500 (measured with 4.3 and 5.4).
    pub(super) fn conflict(self) -> u16 {
        if self.is_podman() { 500 } else { 409 }
    }

    /// An inspect as this engine shows it: API 1.52 took fields away that 1.41 had.
    pub(super) fn details(self, details: &mut Value) {
        if self.traits().api >= (1, 52) {
            let gone = [
                "Bridge",
                "Gateway",
                "IPAddress",
                "IPPrefixLen",
                "MacAddress",
                "HairpinMode",
            ];
            remove(&mut details["NetworkSettings"], &gone);
        }
        if self.traits().api >= (1, 44) {
            remove(
                &mut details["Config"],
                &["AttachStdin", "AttachStdout", "AttachStderr"],
            );
        }
        if self.is_podman() {
            details["ImageName"] = details["Config"]["Image"].clone();
            details["Pod"] = json!("");
        }
    }

    /// A list's image, or an inspect's: `VirtualSize` went with API 1.44.
    pub(super) fn image(self, image: &mut Value) {
        if self.traits().api < (1, 44) {
            image["VirtualSize"] = image["Size"].clone();
        }
    }
}

pub(super) fn remove(value: &mut Value, names: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !names.contains(&name.as_str()));
    }
}
