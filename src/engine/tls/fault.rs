//! Why no TLS connection could be made, in one wording for both libraries.

use std::path::PathBuf;

use super::super::carrier::{Cause, no_connection};
use crate::endpoint::TlsConfig;
use crate::error::{Error, ErrorKind};
use crate::quote::{one_line, quote};

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Fault {
    /// The engine's certificate has expired.
    Expired,
    /// The engine's certificate is of a time to come.
    NotYetValid,
    /// Nobody who is trusted has signed the engine's certificate.
    WrongAuthority,
    /// The engine's certificate is another's.
    WrongName,
    /// The engine's certificate is wrong in another way, which the cause says.
    BadCertificate,
    /// The engine wants a certificate of ours, and there is none.
    NoClientCertificate,
    /// The engine refuses our certificate, with this alert.
    ClientRefused(&'static str),
    /// Anything else, which the cause says.
    Other,
}

/// Whom a connection is made between, for messages.
pub(super) struct Parties {
    host: String,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
}

impl Parties {
    pub(super) fn new(host: &str, tls: &TlsConfig) -> Self {
        Self {
            host: host.to_owned(),
            ca: tls.ca().map(Into::into),
            cert: tls.cert().map(Into::into),
        }
    }

    /// What an alert means that ends the handshake. An engine that misses our certificate may say just that
    /// it failed.
    pub(super) fn alert(&self, number: u8) -> Fault {
        match self.refusal(number) {
            Some(fault) => fault,
            None if number == HANDSHAKE_FAILURE && self.cert.is_none() => {
                Fault::NoClientCertificate
            }
            None => Fault::Other,
        }
    }

    /// What an alert says of our certificate, where it is about that. In TLS 1.3 it arrives after our side
    /// of the handshake, when a request may have been written already. The engine can't have read that:
    /// it decrypts nothing before it has taken our certificate, and neither library lets it ask for one
    /// later on the same connection.
    pub(super) fn refusal(&self, number: u8) -> Option<Fault> {
        let name = match number {
            42 => "bad certificate",
            43 => "unsupported certificate",
            44 => "certificate revoked",
            45 => "certificate expired",
            46 => "certificate unknown",
            48 => "unknown authority",
            49 => "access denied",
            // What it says of a signature: the certificate's, or ours within the handshake.
            51 if self.cert.is_some() => "decrypt error",
            116 => "certificate required",
            _ => return None,
        };
        Some(match self.cert {
            Some(_) => Fault::ClientRefused(name),
            None => Fault::NoClientCertificate,
        })
    }

    /// The error of a connection that couldn't be made because of TLS.
    pub(super) fn error(&self, fault: Fault, cause: impl Into<Cause>) -> Error {
        let host = quote(&self.host);
        let (message, advice) = match fault {
            Fault::Expired => (
                "the engine's certificate has expired".to_owned(),
                "renew it, or set the clock of this machine right".to_owned(),
            ),
            Fault::NotYetValid => (
                "the engine's certificate isn't valid yet".to_owned(),
                "set the clocks of both machines right".to_owned(),
            ),
            Fault::WrongAuthority => (
                format!(
                    "the engine's certificate is signed by no authority {}",
                    match &self.ca {
                        Some(path) => format!("in {}", one_line(path)),
                        None => "that this machine trusts".to_owned(),
                    }
                ),
                "see that it is the right engine, and give the authority that signed its certificate \
                 as ca.pem"
                    .to_owned(),
            ),
            Fault::WrongName => (
                format!("the engine's certificate is for another name than {host}"),
                format!(
                    "connect by a name that it has, or have it issued for {host} (subject \
                     alternative name)"
                ),
            ),
            Fault::BadCertificate => (
                "the engine's certificate can't be used".to_owned(),
                "have one issued for a server, by the authority in ca.pem".to_owned(),
            ),
            Fault::NoClientCertificate => (
                "the engine wants a client certificate, and none is configured".to_owned(),
                "give it as cert.pem, with its key as key.pem".to_owned(),
            ),
            Fault::ClientRefused(alert) => (
                format!(
                    "the engine refuses the client certificate{} ({alert})",
                    match &self.cert {
                        Some(path) => format!(" {}", one_line(path)),
                        None => String::new(),
                    }
                ),
                "have it issued by the authority that the engine trusts (--tlscacert), or renewed"
                    .to_owned(),
            ),
            Fault::Other => (
                "the TLS handshake failed".to_owned(),
                "see that the engine speaks TLS on that port".to_owned(),
            ),
        };
        Error::new(ErrorKind::Connect, message)
            .with_source(cause)
            .with_advice(advice)
    }

    /// As [`error`](Self::error), or that of any other failed connection.
    pub(super) fn no_connection(&self, fault: Option<Fault>, cause: impl Into<Cause>) -> Error {
        match fault {
            Some(fault) => self.error(fault, cause),
            None => no_connection(cause),
        }
    }
}

const HANDSHAKE_FAILURE: u8 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_our_certificate_is_a_refusal_after_the_handshake() {
        let anonymous = Parties::new("h", &TlsConfig::new());
        let known = Parties::new("h", &TlsConfig::from_dir("/certs"));
        assert_eq!(anonymous.refusal(116), Some(Fault::NoClientCertificate));
        let refused = Fault::ClientRefused("certificate expired");
        assert_eq!(known.refusal(45), Some(refused));
        // A close, a broken record, a failed handshake, an internal error: the request may have been read.
        for alert in [0, 20, 40, 80] {
            assert_eq!(anonymous.refusal(alert), None, "{alert}");
            assert_eq!(known.refusal(alert), None, "{alert}");
        }
        // Within the handshake nothing was sent whatever it means, so that a guess does no harm.
        assert_eq!(anonymous.alert(40), Fault::NoClientCertificate);
        assert_eq!(known.alert(40), Fault::Other);
    }

    #[test]
    fn messages_are_one_bounded_line() {
        let tls = TlsConfig::new().with_ca("/x\n".repeat(500));
        let parties = Parties::new(&"h".repeat(1000), &tls);
        for fault in [Fault::WrongAuthority, Fault::WrongName] {
            let error = parties.error(fault, "cause").to_string();
            assert!(error.len() < 1000 && !error.contains('\n'), "{error}");
        }
    }
}
