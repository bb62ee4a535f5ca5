//! Who a host is.

use std::time::Duration;

use crate::error::{Error, Result};

/// Who a host is, and how long it may be silent.
///
/// ```
/// use std::time::Duration;
/// use catamaran::HostOptions;
///
/// let options = HostOptions::new("notebooks")?.with_lease(Duration::from_secs(30))?;
/// assert!(HostOptions::new("note books").is_err());
/// # let _ = options;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOptions {
    /// The service's name: instances of one name stand in for each other. 1 to 63 of `a`–`z`, `A`–`Z`, `0`–`9`, `.`, `_`
    /// and `-`, not first one of the latter three.
    pub name: String,
    /// After so long a silence an instance counts as dead, 1 s to 1 h; 6 s unless set. A restarted service finds what the
    /// one before it has left after about this time; one that is stopped, or cut off from the engine, for longer loses
    /// what it has.
    pub lease: Duration,
}

impl HostOptions {
    /// A host of this name.
    ///
    /// # Errors
    /// `InvalidInput` for a name that can't be part of a volume's.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let options = Self {
            name: name.into(),
            lease: Duration::from_secs(6),
        };
        options.check().map(|()| options)
    }

    /// Sets how long an instance may be silent.
    ///
    /// # Errors
    /// `InvalidInput` below 1 s or above 1 h.
    pub fn with_lease(mut self, lease: Duration) -> Result<Self> {
        self.lease = lease;
        self.check().map(|()| self)
    }

    pub(super) fn check(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let begins = self.name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || self.name.len() > 63 || !self.name.chars().all(fits) {
            let accepted =
                "1 to 63 of a-z, A-Z, 0-9, '.', '_' and '-', the first a letter or digit";
            return Err(Error::invalid("name", format!("isn't {accepted}")));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.lease) {
            return Err(Error::invalid("lease", "isn't 1 s to 1 h"));
        }
        Ok(())
    }
}
