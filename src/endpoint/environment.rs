//! The environment as a value, so that nothing but [`Environment::from_process`] reads the process's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::quote::{quote, quote_url};

/// The variables by name.
pub(crate) mod vars {
    pub(crate) const HOST: &str = "DOCKER_HOST";
    pub(crate) const FALLBACK_HOST: &str = "DOCKER_FALLBACK_HOST";
    pub(crate) const CONTEXT: &str = "DOCKER_CONTEXT";
    pub(crate) const CONFIG: &str = "DOCKER_CONFIG";
    pub(crate) const TLS_VERIFY: &str = "DOCKER_TLS_VERIFY";
    pub(crate) const TLS: &str = "DOCKER_TLS";
    pub(crate) const CERT_PATH: &str = "DOCKER_CERT_PATH";
    pub(crate) const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
    pub(crate) const API_VERSION: &str = "DOCKER_API_VERSION";
    pub(crate) const USE_ASYNC: &str = "USE_ASYNC_DOCKER";
    pub(crate) const ROLLOUT: &str = "ASYNC_DOCKER_ROLLOUT";
    pub(crate) const SHADOW: &str = "ASYNC_DOCKER_SHADOW";
    pub(crate) const OPERATION_TIMEOUT: &str = "DOCKER_OPERATION_TIMEOUT";
    pub(crate) const POOL_SIZE: &str = "ASYNC_POOL_SIZE";
    pub(crate) const STREAM_POOL_SIZE: &str = "ASYNC_STREAM_POOL_SIZE";
    pub(crate) const PULL_POOL_SIZE: &str = "ASYNC_PULL_POOL_SIZE";
    pub(crate) const QUEUE_SIZE: &str = "ASYNC_QUEUE_SIZE";
    pub(crate) const INSECURE_TCP: &str = "CATAMARAN_INSECURE_TCP";

    pub(crate) const SERVICE: &str = "CATAMARAN_HOST";
    pub(crate) const LEASE: &str = "CATAMARAN_LEASE";
    pub(crate) const SESSIONS: &str = "CATAMARAN_SESSIONS";
    pub(crate) const OWNER_SESSIONS: &str = "CATAMARAN_OWNER_SESSIONS";
    pub(crate) const OPENS: &str = "CATAMARAN_OPENS";
    pub(crate) const OPEN_QUEUE: &str = "CATAMARAN_OPEN_QUEUE";
    pub(crate) const OPEN_QUEUE_TIME: &str = "CATAMARAN_OPEN_QUEUE_TIME";

    /// What a configuration is read from.
    pub(crate) const OF_CONFIG: &[&str] = &[
        HOST,
        FALLBACK_HOST,
        CONTEXT,
        CONFIG,
        TLS_VERIFY,
        TLS,
        CERT_PATH,
        RUNTIME_DIR,
        API_VERSION,
        USE_ASYNC,
        ROLLOUT,
        SHADOW,
        OPERATION_TIMEOUT,
        POOL_SIZE,
        STREAM_POOL_SIZE,
        PULL_POOL_SIZE,
        QUEUE_SIZE,
        INSECURE_TCP,
    ];

    /// What a manager of sessions is read from.
    pub(crate) const OF_SESSIONS: &[&str] = &[
        SERVICE,
        LEASE,
        SESSIONS,
        OWNER_SESSIONS,
        OPENS,
        OPEN_QUEUE,
        OPEN_QUEUE_TIME,
    ];
}

/// The variables, the home directory and the root under which well-known sockets are looked for.
///
/// Injected, so that tests need neither process variables nor `/var/run`.
///
/// ```
/// use catamaran::Environment;
///
/// let environment = Environment::empty()
///     .with_var("DOCKER_HOST", "tcp://127.0.0.1:2375")
///     .with_home("/home/me");
/// // Names, never values.
/// assert!(!format!("{environment:?}").contains("127.0.0.1"));
/// ```
#[derive(Clone, Default)]
pub struct Environment {
    vars: BTreeMap<String, OsString>,
    home: Option<PathBuf>,
    root: Option<PathBuf>,
}

impl Environment {
    /// The process's: the variables that this crate knows (no other is copied), its home and `/`.
    ///
    /// ```
    /// let environment = catamaran::Environment::from_process();
    /// ```
    #[must_use]
    pub fn from_process() -> Self {
        let vars = [vars::OF_CONFIG, vars::OF_SESSIONS]
            .concat()
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)))
            .collect();
        Self {
            vars,
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            root: Some(PathBuf::from("/")),
        }
    }

    /// Nothing: no variable, no home, and no root, so that no well-known socket is found.
    ///
    /// ```
    /// use catamaran::{Config, Environment};
    /// assert!(Config::from_environment(&Environment::empty()).is_err());
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sets a variable. An empty value counts as unset.
    ///
    /// ```
    /// use catamaran::{Config, Environment};
    ///
    /// let environment = Environment::empty().with_var("DOCKER_HOST", "unix:///run/docker.sock");
    /// assert!(Config::from_environment(&environment).is_ok());
    /// ```
    #[must_use]
    pub fn with_var(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Sets the home directory.
    ///
    /// ```
    /// let environment = catamaran::Environment::empty().with_home("/home/me");
    /// ```
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Sets what stands for `/` where the well-known sockets are looked for.
    ///
    /// ```
    /// let environment = catamaran::Environment::empty().with_root("/srv/fake-root");
    /// ```
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The value as it is, for what is a path by nature; `None` where unset or empty.
    pub(crate) fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(name)
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The value as text; `None` where unset or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let Some(value) = self.os(name) else {
            return Ok(None);
        };
        value.to_str().map(Some).ok_or_else(|| {
            let shown = quote_url(&value.to_string_lossy());
            Error::new(
                ErrorKind::Config,
                format!("{name}={shown}: not UTF-8; accepted: UTF-8 text"),
            )
        })
    }

    /// The value as a path, made absolute now: certificates are read again later, when the process may be
    /// in another directory.
    pub(crate) fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(path) = self.text(name)? else {
            return Ok(None);
        };
        std::path::absolute(path).map(Some).map_err(|cause| {
            let shown = quote(path);
            Error::new(
                ErrorKind::Config,
                format!("{name}={shown}: {cause}; accepted: a directory"),
            )
            .with_source(cause)
        })
    }

    /// The value, parsed; white space around it, as env files leave it, doesn't count.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        accepted: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>> {
        let Some(value) = self.text(name)? else {
            return Ok(None);
        };
        parse(value.trim()).map(Some).map_err(|why| {
            let shown = quote(value);
            Error::new(
                ErrorKind::Config,
                format!("{name}={shown}: {why}; accepted: {accepted}"),
            )
        })
    }
}

pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("vars", &self.vars.keys())
            .field("home", &self.home)
            .field("root", &self.root)
            .finish()
    }
}
