//! Who somebody is to a registry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde::Serialize;

use super::spec::bounded;
use crate::error::{Error, Result};

/// The longest name or secret: a header has room for it, and identity tokens take a few kilobytes.
const MAX_SECRET: usize = 16 << 10;

/// Credentials for a registry. They go to the engine with a pull and nowhere else: no `Debug`, error or
/// log record shows a secret.
///
/// ```
/// use catamaran::model::RegistryAuth;
///
/// let auth = RegistryAuth::password("me", "s3cret").with_server_address("registry.example:5000");
/// assert_eq!(
///     format!("{auth:?}"),
///     r#"RegistryAuth { username: Some("me"), secret: "…", server_address: Some("registry.example:5000") }"#,
/// );
/// ```
// `secrecy` would clear our copy alone, of those that base64, the HTTP client and the socket make.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryAuth {
    secret: Secret,
    server_address: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Secret {
    Password { username: String, password: String },
    IdentityToken(String),
    RegistryToken(String),
}

impl RegistryAuth {
    /// A name and a password, or an access token in its place.
    #[must_use]
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::new(Secret::Password {
            username: username.into(),
            password: password.into(),
        })
    }

    /// A token that the engine trades for one that the registry takes, as `docker login` gets them.
    #[must_use]
    pub fn identity_token(token: impl Into<String>) -> Self {
        Self::new(Secret::IdentityToken(token.into()))
    }

    /// A bearer token that the registry takes as it is.
    #[must_use]
    pub fn registry_token(token: impl Into<String>) -> Self {
        Self::new(Secret::RegistryToken(token.into()))
    }

    fn new(secret: Secret) -> Self {
        Self {
            secret,
            server_address: None,
        }
    }

    /// Sets the registry's address, as in `registry.example:5000`.
    #[must_use]
    pub fn with_server_address(mut self, address: impl Into<String>) -> Self {
        self.server_address = Some(address.into());
        self
    }

    /// The name, where there is a password.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match &self.secret {
            Secret::Password { username, .. } => Some(username),
            Secret::IdentityToken(_) | Secret::RegistryToken(_) => None,
        }
    }

    /// The registry's address, where one is given.
    #[must_use]
    pub fn server_address(&self) -> Option<&str> {
        self.server_address.as_deref()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let texts = match &self.secret {
            Secret::Password { username, password } => [username, password],
            Secret::IdentityToken(token) | Secret::RegistryToken(token) => [token, token],
        };
        if texts.iter().any(|text| text.is_empty()) {
            return Err(Error::invalid("auth", "a name or secret is empty"));
        }
        let server = self.server_address.iter();
        texts
            .into_iter()
            .chain(server)
            .try_for_each(|text| bounded("auth", text, MAX_SECRET))
    }

    /// The value of `X-Registry-Auth`: JSON in padded base64url, as every engine takes it.
    pub(crate) fn header(&self) -> Result<String> {
        #[derive(Serialize, Default)]
        struct Config<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            username: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            password: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            identitytoken: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            registrytoken: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            serveraddress: Option<&'a str>,
        }
        let mut config = Config {
            serveraddress: self.server_address(),
            ..Config::default()
        };
        match &self.secret {
            Secret::Password { username, password } => {
                config.username = Some(username);
                config.password = Some(password);
            }
            Secret::IdentityToken(token) => config.identitytoken = Some(token),
            Secret::RegistryToken(token) => config.registrytoken = Some(token),
        }
        // Strings can't fail to be JSON, but need not be trusted not to.
        let json = serde_json::to_vec(&config)
            .map_err(|_| Error::invalid("auth", "can't be written as JSON"))?;
        Ok(URL_SAFE.encode(json))
    }
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("username", &self.username())
            .field("secret", &"…")
            .field("server_address", &self.server_address)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_padded_base64url_of_what_engines_read() {
        for (auth, json) in [
            (
                RegistryAuth::password("me", "ÿÿ>?").with_server_address("registry.example"),
                r#"{"username":"me","password":"ÿÿ>?","serveraddress":"registry.example"}"#,
            ),
            (
                RegistryAuth::identity_token("t1"),
                r#"{"identitytoken":"t1"}"#,
            ),
            (
                RegistryAuth::registry_token("t"),
                r#"{"registrytoken":"t"}"#,
            ),
        ] {
            let header = auth.header().expect("a header");
            assert!(
                header.len() % 4 == 0 && !header.contains(['+', '/']),
                "{header}"
            );
            let read = URL_SAFE.decode(header).expect("base64url");
            assert_eq!(String::from_utf8_lossy(&read), json);
        }
    }

    #[test]
    fn nobody_sees_a_secret() {
        for auth in [
            RegistryAuth::password("me", "s3cret"),
            RegistryAuth::identity_token("s3cret"),
            RegistryAuth::registry_token("s3cret"),
        ] {
            assert!(!format!("{auth:?}{auth:#?}").contains("s3cret"));
        }
        for bad in [
            RegistryAuth::password("", "s3cret"),
            RegistryAuth::password("me", ""),
            RegistryAuth::identity_token("s3cret".repeat(1 << 20)),
            RegistryAuth::password("me", "s3cret\0"),
        ] {
            let error = bad.validate().expect_err("bad credentials");
            assert_eq!(error.field(), Some("auth"));
            assert!(!format!("{error:#} {error:?}").contains("s3cret"));
        }
    }
}
