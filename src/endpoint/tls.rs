//! Which certificates a TLS connection uses. The connection itself is made by the engines.

use std::fs::{self, File};
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use crate::quote::one_line;

/// The certificates of a TLS connection: whom to trust, and who we are.
///
/// The engine's certificate and name are always verified; there is no switch for it. Only paths are kept, so
/// that nothing secret is in `Debug` or a log.
///
/// With the feature `tls`, an engine reads the files when it is made, and refuses a key that others than its
/// owner may read. They may be renewed at any time, in any way: written over, moved into place, or through a
/// link, as Kubernetes does it. Each new connection is made with the files as they are, and after the idle
/// timeout at the latest nothing is begun on those that were made before. A set that can't be used, such as a new
/// certificate whose key is still to come, is told in the log once and tried again by the next connection;
/// until then the last good one serves. The platform's authorities are read again only with files of one's own.
///
/// ```
/// use catamaran::TlsConfig;
///
/// // Docker's own file names: ca.pem, cert.pem, key.pem.
/// let tls = TlsConfig::from_dir("/etc/docker/certs");
/// assert_eq!(tls.ca(), Some("/etc/docker/certs/ca.pem".as_ref()));
///
/// let tls = TlsConfig::new()
///     .with_ca("/pki/root.pem")
///     .with_identity("/pki/client.pem", "/pki/client.key");
/// assert_eq!(tls.key(), Some("/pki/client.key".as_ref()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsConfig {
    ca: Option<PathBuf>,
    identity: Option<Identity>,
}

/// A certificate is of no use without its key, nor the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

impl TlsConfig {
    /// Trusts the platform's certificate authorities and presents no client certificate.
    ///
    /// ```
    /// assert_eq!(catamaran::TlsConfig::new().ca(), None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `ca.pem`, `cert.pem` and `key.pem` in this directory, as Docker's tools name them.
    ///
    /// ```
    /// let tls = catamaran::TlsConfig::from_dir("/certs/client");
    /// assert_eq!(tls.cert(), Some("/certs/client/cert.pem".as_ref()));
    /// ```
    #[must_use]
    pub fn from_dir(dir: impl AsRef<Path>) -> Self {
        let dir = dir.as_ref();
        Self::new()
            .with_ca(dir.join(CA))
            .with_identity(dir.join(CERT), dir.join(KEY))
    }

    /// Trusts the authorities in this PEM file, and no others.
    ///
    /// ```
    /// let tls = catamaran::TlsConfig::new().with_ca("/pki/root.pem");
    /// assert_eq!(tls.ca(), Some("/pki/root.pem".as_ref()));
    /// ```
    #[must_use]
    pub fn with_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(path.into());
        self
    }

    /// Presents this certificate (chain), with this private key, to the engine.
    ///
    /// ```
    /// let tls = catamaran::TlsConfig::new().with_identity("/pki/client.pem", "/pki/client.key");
    /// assert_eq!(tls.cert(), Some("/pki/client.pem".as_ref()));
    /// ```
    #[must_use]
    pub fn with_identity(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(Identity {
            cert: cert.into(),
            key: key.into(),
        });
        self
    }

    /// The file of trusted authorities; `None` stands for the platform's.
    ///
    /// ```
    /// assert!(catamaran::TlsConfig::from_dir("/certs").ca().is_some());
    /// ```
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The client certificate's file.
    ///
    /// ```
    /// assert_eq!(catamaran::TlsConfig::new().cert(), None);
    /// ```
    #[must_use]
    pub fn cert(&self) -> Option<&Path> {
        self.identity.as_ref().map(|identity| &*identity.cert)
    }

    /// The client key's file.
    ///
    /// ```
    /// assert_eq!(catamaran::TlsConfig::new().key(), None);
    /// ```
    #[must_use]
    pub fn key(&self) -> Option<&Path> {
        self.identity.as_ref().map(|identity| &*identity.key)
    }

    /// What a context keeps in its TLS directory: any of the three files, a certificate and its key only
    /// together. `None` where there is no such directory; as in Docker's CLI, an empty one asks for TLS
    /// with the platform's authorities. An `Err` says which file is at fault.
    pub(super) fn from_context(dir: &Path) -> Result<Option<Self>, String> {
        // The entry, not what it points to: a link whose target is gone (a secret that is being rotated)
        // must not turn TLS into plaintext.
        let exists = |path: &Path| match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => Ok(false),
            Err(error) => Err(format!("{}: {error}", one_line(path))),
        };
        if !exists(dir)? {
            return Ok(None);
        }
        let there = |name: &str| exists(&dir.join(name));
        let mut tls = Self::new();
        if there(CA)? {
            tls = tls.with_ca(dir.join(CA));
        }
        // One without the other is half a copy: the missing one gets named.
        if there(CERT)? || there(KEY)? {
            tls = tls.with_identity(dir.join(CERT), dir.join(KEY));
        }
        match tls.first_unreadable() {
            Some(fault) => Err(fault),
            None => Ok(Some(tls)),
        }
    }

    /// Names the first file that isn't there or can't be read, and why.
    pub(crate) fn first_unreadable(&self) -> Option<String> {
        [self.ca(), self.cert(), self.key()]
            .into_iter()
            .flatten()
            .find_map(|path| unreadable(path).map(|why| format!("{}: {why}", one_line(path))))
    }
}

pub(super) const CA: &str = "ca.pem";
pub(super) const CERT: &str = "cert.pem";
pub(super) const KEY: &str = "key.pem";

fn unreadable(path: &Path) -> Option<String> {
    match fs::metadata(path) {
        Err(error) => Some(error.to_string()),
        // Opening anything else (a pipe) may block.
        Ok(found) if !found.is_file() => Some("not a file".to_owned()),
        Ok(_) => File::open(path).err().map(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_file_that_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let tls = TlsConfig::from_dir(dir.path());
        for name in [CA, CERT, KEY] {
            let fault = tls.first_unreadable().unwrap();
            assert!(fault.contains(name), "{fault}");
            fs::write(dir.path().join(name), "pem").unwrap();
        }
        assert_eq!(tls.first_unreadable(), None);
        assert_eq!(TlsConfig::new().first_unreadable(), None);

        fs::remove_file(dir.path().join(KEY)).unwrap();
        fs::create_dir(dir.path().join(KEY)).unwrap();
        let fault = tls.first_unreadable().unwrap();
        assert!(fault.ends_with("key.pem: not a file"), "{fault}");
    }

    #[test]
    fn a_context_may_hold_some_but_no_half_pair() {
        let found = |names: &[&str]| {
            let dir = tempfile::tempdir().unwrap();
            for name in names {
                fs::write(dir.path().join(name), "pem").unwrap();
            }
            TlsConfig::from_context(dir.path())
        };
        assert_eq!(found(&[]), Ok(Some(TlsConfig::new())));
        assert!(found(&[CA]).unwrap().unwrap().cert().is_none());
        assert!(found(&[CERT, KEY]).unwrap().unwrap().ca().is_none());
        assert!(found(&[CA, CERT]).unwrap_err().contains(KEY));
        assert!(found(&[CA, KEY]).unwrap_err().contains(CERT));
    }

    #[test]
    fn a_context_whose_files_are_gone_is_no_plaintext_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            TlsConfig::from_context(&dir.path().join("docker")),
            Ok(None)
        );
        for name in [CA, CERT, KEY] {
            std::os::unix::fs::symlink("/gone", dir.path().join(name)).unwrap();
            assert!(
                TlsConfig::from_context(dir.path())
                    .unwrap_err()
                    .contains(CA)
            );
        }
    }
}
