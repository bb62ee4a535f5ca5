//! References: names and ids that go into URLs, validated when they are made.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::quote::quote;

/// The longest reference that is accepted; engines have no bound of their own.
const MAX: usize = 255;

/// Docker's `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, without `..`, which must never reach a URL (Docker itself
/// would take `a..b`; such a container can be reached by its id).
fn is_name(text: &str, least: usize) -> bool {
    (least..=MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !text.contains("..")
}

fn is_label_key(text: &str) -> bool {
    (1..=MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/'))
        && !text.contains("..")
}

fn is_exec_id(text: &str) -> bool {
    (12..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Linux's `PATH_MAX`, with its NUL.
const MAX_PATH: usize = 4095;

/// What leads to one place whoever reads it: from the root, and never upwards.
fn is_container_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= MAX_PATH
        && !text.contains('\0')
        && text.split('/').all(|part| part != "..")
}

/// What every reference has beside its own grammar.
macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&&*self.0).finish()
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(reference: $name) -> Self {
                reference.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}
pub(super) use text_type;

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $field:literal, $valid:expr, $accepted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and keeps it.
            ///
            /// # Errors
            /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where it isn't of the accepted form.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Error::invalid($field, format!("{} is not {}", quote(text), $accepted)))
                }
            }
        }

        text_type!($name);
    };
}

reference! {
    /// A container by name or id (a unique beginning of it will do).
    ///
    /// ```
    /// use catamaran::model::ContainerRef;
    /// assert!(ContainerRef::new("web-1").is_ok());
    /// assert!(ContainerRef::new("../volumes/x").is_err());
    /// ```
    ContainerRef, "container", |text| is_name(text, 1),
    "a container's name or id: a letter or digit, then letters, digits, '_', '.', '-'; without '..' or the slash that engines print before it"
}
reference! {
    /// A name for a container that is created or renamed.
    ///
    /// ```
    /// use catamaran::model::ContainerName;
    /// assert!(ContainerName::new("job-42").is_ok());
    /// assert!(ContainerName::new("a").is_err()); // Docker wants two characters
    /// ```
    ContainerName, "container_name", |text| is_name(text, 2),
    "a container's name: a letter or digit, then at least one of letters, digits, '_', '.', '-'; without '..'"
}
reference! {
    /// An exec by the id that the engine gave it.
    ///
    /// ```
    /// assert!(catamaran::model::ExecId::new("4fa6e0f0c678").is_ok());
    /// ```
    ExecId, "exec", is_exec_id, "an exec's id of 12 to 64 hexadecimal digits"
}
reference! {
    /// A network by name or id.
    ///
    /// ```
    /// assert!(catamaran::model::NetworkRef::new("bridge").is_ok());
    /// ```
    NetworkRef, "network", |text| is_name(text, 1),
    "a network's name or id: a letter or digit, then letters, digits, '_', '.', '-'; without '..'"
}
reference! {
    /// A volume by name.
    ///
    /// ```
    /// assert!(catamaran::model::VolumeName::new("data").is_ok());
    /// ```
    VolumeName, "volume", |text| is_name(text, 2),
    "a volume's name: a letter or digit, then at least one of letters, digits, '_', '.', '-'; without '..'"
}
reference! {
    /// The key of a label: Docker's guideline, with the `_` and `/` that tools use.
    ///
    /// ```
    /// assert!(catamaran::model::LabelKey::new("org.example.owner").is_ok());
    /// ```
    LabelKey, "label", is_label_key,
    "a label's key: a letter or digit, then letters, digits, '.', '_', '-', '/'; without '..'"
}

reference! {
    /// A path in a container, from its root.
    ///
    /// ```
    /// use catamaran::model::ContainerPath;
    /// assert!(ContainerPath::new("/work/a b/ü").is_ok());
    /// assert!(ContainerPath::new("work").is_err());
    /// assert!(ContainerPath::new("/work/../etc").is_err());
    /// ```
    ContainerPath, "path", is_container_path,
    "an absolute path of at most 4095 bytes; without '..' or NUL"
}

impl ContainerPath {
    /// Its parts, without those that say nothing.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
    }

    /// The directory that it is in, and its name there; `None` for the root.
    pub(crate) fn split(&self) -> Option<(Self, String)> {
        let mut parts: Vec<_> = self.parts().collect();
        let name = parts.pop()?.to_owned();
        Some((Self::of(&parts), name))
    }

    /// The path of these parts, which came of such paths.
    pub(crate) fn of<S: AsRef<str>>(parts: &[S]) -> Self {
        let mut text = String::from(if parts.is_empty() { "/" } else { "" });
        for part in parts {
            text.push('/');
            text.push_str(part.as_ref());
        }
        Self(text.into())
    }
}

impl From<ContainerName> for ContainerRef {
    fn from(name: ContainerName) -> Self {
        Self(name.0)
    }
}

impl From<&ContainerName> for ContainerRef {
    fn from(name: &ContainerName) -> Self {
        Self(Arc::clone(&name.0))
    }
}

impl Borrow<str> for LabelKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ImageRef;

    #[test]
    fn bad_input_is_refused_by_every_type() {
        let huge = "a".repeat(10 << 20);
        for bad in [
            "",
            "../volumes/x",
            "a?force=1",
            "a\n",
            "a b",
            "a#b",
            "%2e%2e",
            "a\0",
            "é",
            "a..b",
            "-a",
            huge.as_str(),
        ] {
            let fields = [
                ContainerRef::new(bad).expect_err(bad).field(),
                ContainerName::new(bad).expect_err(bad).field(),
                ExecId::new(bad).expect_err(bad).field(),
                NetworkRef::new(bad).expect_err(bad).field(),
                VolumeName::new(bad).expect_err(bad).field(),
                LabelKey::new(bad).expect_err(bad).field(),
                ImageRef::new(bad).expect_err(bad).field(),
            ];
            assert_eq!(
                fields.map(Option::unwrap_or_default),
                [
                    "container",
                    "container_name",
                    "exec",
                    "network",
                    "volume",
                    "label",
                    "image"
                ]
            );
        }
        assert!(
            ContainerRef::new(&huge)
                .expect_err("huge")
                .to_string()
                .len()
                < 400
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_in_a_url(text in "\\PC{0,40}|[a-z0-9._/:@-]{0,40}") {
            let safe = |accepted: &str| {
                !accepted.contains("..")
                    && accepted.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'%'))
            };
            if let Ok(container) = ContainerRef::new(&text) {
                prop_assert!(safe(container.as_str()) && !text.contains('/'));
            }
            if let Ok(key) = LabelKey::new(&text) {
                prop_assert!(safe(key.as_str()));
            }
            if let Ok(image) = ImageRef::new(&text) {
                prop_assert!(safe(image.as_str()));
                prop_assert_eq!(image.to_string(), text);
            }
        }
    }
}
