//! The certificates and the key, read and looked at before anything is connected to.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::endpoint::TlsConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::quote::one_line;

/// No certificate is so large, nor are all authorities of a platform.
const LARGEST_FILE: u64 = 1 << 20;

/// What a TLS connection is made with.
pub(super) struct Files {
    /// Who is trusted, and nobody else.
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) identity: Option<Identity>,
}

/// Who we are: a certificate, those that lead to its authority, and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Files {
    pub(super) fn read(tls: &TlsConfig) -> Result<Self> {
        let authorities = match tls.ca() {
            Some(path) => certificates(path)?,
            None => platform()?,
        };
        let identity = match (tls.cert(), tls.key()) {
            (Some(cert), Some(path)) => Some(Identity {
                chain: certificates(cert)?,
                key: key(path)?,
            }),
            _ => None,
        };
        Ok(Self {
            authorities,
            identity,
        })
    }
}

/// The same for both engines: each library would look in places of its own.
fn platform() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(
            wrong("TLS needs authorities to trust, and this machine has none".into())
                .with_advice("name the engine's in ca.pem, or install the ca-certificates package"),
        );
    }
    Ok(found.certs)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path, open(path)?)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        // What the parser says may quote the file, which may be the wrong one: a key.
        _ => Err(fault(path, "holds no certificate in PEM")),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let file = open(path)?;
    // Of the file that is open: it can't be another by now.
    let mode = file.metadata().map_err(|cause| unreadable(path, cause))?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(fault(
            path,
            format!("is a private key that others may use (its mode is {mode:03o})"),
        )
        .with_advice(format!("chmod 600 {}", one_line(path))));
    }
    let pem = read(path, file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        fault(path, "holds no private key in PEM, or an encrypted one")
            .with_advice("an encrypted key has to be decrypted first (openssl pkey)")
    })
}

fn open(path: &Path) -> Result<File> {
    // A named pipe would block the open.
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(fault(path, "is no file")),
        Ok(_) => File::open(path).map_err(|cause| unreadable(path, cause)),
        Err(cause) => Err(unreadable(path, cause)),
    }
}

fn read(path: &Path, file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| unreadable(path, cause))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(fault(path, "is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    fault(path, format!("can't be read: {cause}")).with_source(cause)
}

/// The file and its fault. Never with a parser's own error, which may quote what it read.
pub(super) fn fault(path: &Path, what: impl std::fmt::Display) -> Error {
    wrong(format!("TLS: {} {what}", one_line(path)))
}

/// TLS that can't be set up.
pub(super) fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
