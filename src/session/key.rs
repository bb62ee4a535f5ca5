//! By what a session is found, and how that stands in a container's name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::backend::CallContext;
use crate::error::{Error, Result};
use crate::model::ContainerName;
use crate::quote::quote;

/// How long both parts may be, as they are written in a container's name: with that of the host they fit into its 255 bytes.
const LONGEST: usize = 180;
/// How long the host's name may be, written so.
const LONGEST_HOST: usize = 60;
const PREFIX: &str = "catamaran.";

/// By what a session is found: whose it is, and which one of theirs.
///
/// Owners are apart: nobody can name another's session. Any text will do that has no control characters; both together, with
/// three bytes for each one that isn't a letter, a digit or `-`, have 180 bytes at most, since the key stands in the
/// [name](crate::model::ContainerName) of the session's container.
///
/// ```
/// use catamaran::session::SessionKey;
///
/// let key = SessionKey::new("alice@example.com", "notebook 1")?;
/// assert_eq!(key.to_string(), "alice@example.com/notebook 1");
/// assert_eq!(key, "alice@example.com/notebook 1".parse()?);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionKey {
    owner: Arc<str>,
    name: Arc<str>,
}

impl SessionKey {
    /// The session of that name of that owner.
    ///
    /// # Errors
    /// `InvalidInput` where a part is empty, has control characters or is too long; an owner has no `/`.
    pub fn new(owner: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self> {
        let (owner, name) = (owner.as_ref(), name.as_ref());
        for (field, part) in [("owner", owner), ("session", name)] {
            if part.is_empty() || part.contains(char::is_control) {
                let message = format!("{} is empty or has control characters", quote(part));
                return Err(Error::invalid(field, message));
            }
        }
        if owner.contains('/') {
            let message = format!("{} has a '/', which ends an owner", quote(owner));
            return Err(Error::invalid("owner", message));
        }
        if escaped(owner).len() + escaped(name).len() > LONGEST {
            let message = format!(
                "with three bytes for each that isn't a letter, a digit or '-', owner and name have at most {LONGEST}"
            );
            return Err(Error::invalid("session", message));
        }
        Ok(Self {
            owner: owner.into(),
            name: name.into(),
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub(super) fn shared_owner(&self) -> &Arc<str> {
        &self.owner
    }

    /// What says that calls are this session's.
    pub(super) fn context(&self) -> CallContext {
        CallContext::new().with_session(self.to_string())
    }

    /// Which one of theirs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the session's container: an engine gives it to one alone.
    pub(super) fn container_name(&self, host: &str) -> Result<ContainerName> {
        let [host, owner, name] = [host, &self.owner, &self.name].map(escaped);
        ContainerName::new(format!("{PREFIX}{host}.{owner}.{name}"))
    }

    /// The key that stands in a container's name; nothing where none of this host does.
    pub(super) fn read(host: &str, name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('.');
        let (of, owner, session) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || of != escaped(host) {
            return None;
        }
        let key = Self::new(plain(owner)?, plain(session)?).ok()?;
        // One way of writing it alone.
        (key.container_name(host).ok()?.as_str() == name).then_some(key)
    }
}

/// Whether sessions of a host of that name can be named.
pub(super) fn check_host(host: &str) -> Result<()> {
    if escaped(host).len() > LONGEST_HOST {
        let message = format!(
            "with three bytes for each '.' and '_', the name of a host with sessions has at most {LONGEST_HOST}"
        );
        return Err(Error::invalid("name", message));
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => written.push(char::from(byte)),
            _ => written.push_str(&format!("_{byte:02x}")),
        }
    }
    written
}

fn plain(written: &str) -> Option<String> {
    let mut parts = written.split('_');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for SessionKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let both = text.split_once('/').ok_or_else(|| {
            let message = format!("{} isn't written owner/name", quote(text));
            Error::invalid("session", message)
        })?;
        Self::new(both.0, both.1)
    }
}

impl TryFrom<String> for SessionKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SessionKey> for String {
    fn from(key: SessionKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(owner in "[^/\\pC]{1,20}", name in "\\PC{1,20}", host in "[a-z][a-z0-9._-]{0,15}") {
            let Ok(key) = SessionKey::new(&owner, &name) else {
                prop_assert!(escaped(&owner).len() + escaped(&name).len() > LONGEST);
                return Ok(());
            };
            let written = key.container_name(&host).expect("a name");
            prop_assert_eq!(SessionKey::read(&host, written.as_str()), Some(key.clone()));
            prop_assert_eq!(SessionKey::read("another", written.as_str()), None);
            prop_assert_eq!(key.to_string().parse::<SessionKey>().expect("a key"), key);
        }

        #[test]
        fn nothing_else_is_read(name in "catamaran\\.h\\.[a-z_.0-9-]{0,20}") {
            if let Some(key) = SessionKey::read("h", &name) {
                let again = key.container_name("h").expect("a name");
                prop_assert_eq!(again.as_str(), name);
            }
        }
    }

    #[test]
    fn what_cant_be_a_key_is_refused_by_its_part() {
        for (owner, name, field) in [
            ("", "a", "owner"),
            ("a", "", "session"),
            ("a/b", "c", "owner"),
            ("a\n", "c", "owner"),
            ("a", "c\0", "session"),
            ("a", &"é".repeat(31), "session"),
        ] {
            let refused = SessionKey::new(owner, name).expect_err("no key");
            assert_eq!(refused.field(), Some(field), "{owner:?} {name:?}");
        }
        SessionKey::new("o".repeat(90), "n".repeat(90)).expect("it just fits");
        let long = SessionKey::new("o".repeat(90), "n".repeat(90)).expect("a key");
        long.container_name(&"h".repeat(LONGEST_HOST))
            .expect("it fits");
        assert!(check_host("note_books").is_ok() && check_host(&"_".repeat(21)).is_err());
    }
}
