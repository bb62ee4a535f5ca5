//! What to connect to, and how: from code, from the environment, or both.

mod builder;
mod mode;
#[cfg(test)]
mod tests;
pub(crate) mod vars;

use std::time::Duration;

use crate::endpoint::{ApiVersion, Endpoint, Environment};
use crate::error::Result;
use crate::policy::LimitOptions;

pub use builder::ConfigBuilder;
pub use mode::Mode;

/// What to connect to, and how. A value of this type is complete and checked.
///
/// # Where the engine is looked for
/// 1. The endpoint given to the builder.
/// 2. `DOCKER_HOST`. As in Docker's CLI, it wins over any context, `DOCKER_CONTEXT` included.
/// 3. The Docker context that `DOCKER_CONTEXT` names, or else `currentContext` in `config.json` under
///    `DOCKER_CONFIG` (`~/.docker`). The name `default` means no context.
/// 4. `DOCKER_TLS_VERIFY` alone: TLS to `localhost:2376`, as in Docker's CLI.
/// 5. The first socket that exists and may be opened: `/var/run/docker.sock`,
///    `$XDG_RUNTIME_DIR/docker.sock`, `~/.docker/run/docker.sock`, `/run/podman/podman.sock`,
///    `$XDG_RUNTIME_DIR/podman/podman.sock`. Where some exist and none may be opened, the first of
///    them, so that the connect says so.
///
/// [`Config::builder`] knows the first step alone and reads nothing from the process;
/// [`Config::from_env`] and [`ConfigBuilder::from_environment`] take them all.
///
/// # The environment
/// | variable | meaning | default | accepted |
/// |---|---|---|---|
/// | `DOCKER_HOST` | the engine's address | a context or a socket | `unix:///path`, `/path`, `tcp://host:port`, `host:port`, `http://…`, `https://…`; ports default to 2375, and 2376 under TLS |
/// | `DOCKER_FALLBACK_HOST` | [another road](Config::fallback_endpoint) to the same daemon, for the blocking engine | none | as `DOCKER_HOST` |
/// | `DOCKER_CONTEXT` | the Docker context | `currentContext` | a context's name; `default` for none |
/// | `DOCKER_CONFIG` | where contexts are kept | `~/.docker` | a directory |
/// | `DOCKER_TLS_VERIFY` | TLS with verification for `tcp://` | off | `1`, `true`, `yes`, `on` |
/// | `DOCKER_TLS` | as in Docker's CLI; alone it would mean TLS without verification, which is refused | off | the same, with `DOCKER_TLS_VERIFY` |
/// | `DOCKER_CERT_PATH` | where `ca.pem`, `cert.pem`, `key.pem` are; alone it asks for TLS with verification | `DOCKER_CONFIG` | a directory |
/// | `DOCKER_API_VERSION` | pins the API version | negotiated | `1.40` to `1.53` |
/// | `USE_ASYNC_DOCKER` | the [`Mode`]: true is `auto`, false is `blocking` | `true` | `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`; `async`, `blocking`, `auto` |
/// | `ASYNC_DOCKER_ROLLOUT` | in `auto`, which [share](crate::HybridBackend::set_rollout) of the calls or sessions the async engine serves, in percent | `100` | 0 to 100 |
/// | `ASYNC_DOCKER_SHADOW` | which share of the calls that only look is [compared](crate::HybridBackend::with_shadow) with the other engine's answer, in percent | `0` | 0 to 100 |
/// | `DOCKER_OPERATION_TIMEOUT` | one call's deadline | `30s` | seconds (`30`, `2.5`) or `30s`, `500ms`, `1m 30s`; 1 ms to 24 h |
/// | `ASYNC_POOL_SIZE` | calls under way at once, see [`LimitOptions`] | `20` | 1 to 1024 |
/// | `ASYNC_STREAM_POOL_SIZE` | streams open at once | `1024` | 1 to 65536 |
/// | `ASYNC_PULL_POOL_SIZE` | pulls under way at once | `8` | 1 to 1024 |
/// | `ASYNC_QUEUE_SIZE` | of each of them, how many more wait | `1024` | 0 to 65536 |
/// | `CATAMARAN_INSECURE_TCP` | allows plaintext TCP beyond loopback | `false` | `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off` |
///
/// An empty variable counts as unset. A wrong value is an error that names the variable, even where
/// the builder overrides it; nothing is silently defaulted. The variables that say *where* the engine
/// is are read when the builder builds, and not at all where it was given an endpoint.
///
/// # TLS
/// Where `DOCKER_TLS_VERIFY`, `DOCKER_TLS` or `DOCKER_CERT_PATH` asks for TLS, plaintext TCP is never
/// used: a `tcp://` in `DOCKER_HOST` becomes TLS; an `http://`, and plaintext given to the builder or by
/// a context without certificates, is an error. All three are ignored for Unix sockets, as Docker's CLI
/// does. A context that has certificates uses its own. `https://` alone trusts the system's authorities
/// and presents no client certificate. TLS always verifies: a context's `SkipTLSVerify` is refused. A
/// configuration names the files; the engines read them, with the feature `tls`, and refuse TLS without it.
///
/// ```
/// use catamaran::{Config, Environment, Mode};
///
/// let environment = Environment::empty()
///     .with_var("DOCKER_HOST", "unix:///run/docker.sock")
///     .with_var("USE_ASYNC_DOCKER", "false");
/// let config = Config::from_environment(&environment)?;
/// assert_eq!(config.endpoint().to_string(), "unix:///run/docker.sock");
/// assert_eq!(config.mode(), Mode::Blocking);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    endpoint: Endpoint,
    mode: Mode,
    rollout: u8,
    shadow: u8,
    operation_timeout: Duration,
    limits: LimitOptions,
    api_version: Option<ApiVersion>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    insecure_tcp: bool,
    endpoint_origin: String,
    /// The other road, and what named it.
    fallback: Option<(Endpoint, String)>,
}

impl Config {
    /// How long a call may take unless configured: 30 s.
    pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
    /// Which share the async engine serves unless configured, in percent: all.
    pub(crate) const ROLLOUT: u8 = 100;

    /// A builder that reads nothing from the process; it needs an endpoint.
    ///
    /// ```
    /// use catamaran::{Config, Endpoint};
    /// use std::time::Duration;
    ///
    /// let config = Config::builder()
    ///     .endpoint(Endpoint::unix("/run/docker.sock"))
    ///     .operation_timeout(Duration::from_secs(10))
    ///     .build()?;
    /// assert_eq!(config.operation_timeout(), Duration::from_secs(10));
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// What the process's environment says.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a variable or a context is wrong, or no
    /// engine was found; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for an address of a
    /// kind that this crate doesn't speak, such as `ssh://`.
    ///
    /// ```no_run
    /// let config = catamaran::Config::from_env()?;
    /// println!("the engine is at {}", config.endpoint());
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn from_env() -> Result<Self> {
        Self::from_environment(&Environment::from_process())
    }

    /// What this environment says.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    ///
    /// ```
    /// use catamaran::{Config, Environment, ErrorKind};
    ///
    /// let environment = Environment::empty().with_var("ASYNC_POOL_SIZE", "many");
    /// let error = Config::from_environment(&environment).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// assert!(error.message().starts_with("ASYNC_POOL_SIZE=\"many\""));
    /// ```
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        ConfigBuilder::from_environment(environment)?.build()
    }

    /// Where the engine is.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// let config = Config::builder().endpoint(Endpoint::unix("/run/docker.sock")).build()?;
    /// assert_eq!(config.endpoint(), &Endpoint::unix("/run/docker.sock"));
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What named the endpoint: a variable with its value, a context, a socket that was found, or the
    /// code.
    ///
    /// ```
    /// # use catamaran::{Config, Environment};
    /// let environment = Environment::empty().with_var("DOCKER_HOST", "unix:///run/docker.sock");
    /// let config = Config::from_environment(&environment)?;
    /// assert_eq!(config.endpoint_origin(), "DOCKER_HOST=\"unix:///run/docker.sock\"");
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn endpoint_origin(&self) -> &str {
        &self.endpoint_origin
    }

    /// Another road to the same daemon, say the local socket beside a TLS endpoint. `None`, the default: both
    /// engines of a [`HybridBackend`](crate::HybridBackend) connect to the [`endpoint`](Self::endpoint).
    ///
    /// Where it is set, the blocking engine takes this road in every mode, in [`Mode::Blocking`] for every call, and
    /// only while the daemon there gives the same engine ID as the one at the endpoint does or, while that can't be
    /// reached, did: see *Another road* at [`HybridBackend`](crate::HybridBackend). It can't be used with Podman, which gives
    /// another ID each time it is asked. The two engines alone know nothing of it.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint, Environment};
    /// let environment = Environment::empty()
    ///     .with_var("DOCKER_HOST", "tcp://127.0.0.1:2375")
    ///     .with_var("DOCKER_FALLBACK_HOST", "unix:///run/docker.sock");
    /// let config = Config::from_environment(&environment)?;
    /// assert_eq!(config.fallback_endpoint(), Some(&Endpoint::unix("/run/docker.sock")));
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn fallback_endpoint(&self) -> Option<&Endpoint> {
        self.fallback.as_ref().map(|(endpoint, _)| endpoint)
    }

    /// Which share of the calls or sessions the async engine serves in [`Mode::Auto`], in percent; 100 unless set.
    ///
    /// ```
    /// # use catamaran::{Config, Environment};
    /// let environment = Environment::empty()
    ///     .with_var("DOCKER_HOST", "unix:///run/docker.sock")
    ///     .with_var("ASYNC_DOCKER_ROLLOUT", "10");
    /// assert_eq!(Config::from_environment(&environment)?.rollout(), 10);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn rollout(&self) -> u8 {
        self.rollout
    }

    /// Which share of the calls that only look is compared with the other engine's answer, in percent; 0 unless set.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// let config = Config::builder().endpoint(Endpoint::unix("/run/docker.sock")).shadow(1).build()?;
    /// assert_eq!(config.shadow(), 1);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn shadow(&self) -> u8 {
        self.shadow
    }

    /// Which engine serves the calls; [`Mode::Auto`] unless set.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint, Mode};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.mode(), Mode::Auto);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The deadline of one call, from queueing to the last byte of its answer; 30 s unless set.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.operation_timeout().as_secs(), 30);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn operation_timeout(&self) -> Duration {
        self.operation_timeout
    }

    /// How many calls may be under way at once; 20 unless set. Streams and pulls have [`limits`](Self::limits) of their own.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.pool_size(), 20);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn pool_size(&self) -> usize {
        self.limits.calls
    }

    /// How much may be under way at once, and how long the rest waits.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.limits().streams, 1024);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn limits(&self) -> &LimitOptions {
        &self.limits
    }

    /// The pinned API version; `None`, the default, negotiates it.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.api_version(), None);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn api_version(&self) -> Option<ApiVersion> {
        self.api_version
    }

    /// How long one connection may take to be made; 5 s unless set.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.connect_timeout().as_secs(), 5);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// How long an idle connection is kept, and of the blocking engine what drives it; 5 s unless set, well below the 10 s after which Podman's
    /// service closes it: whoever closes first avoids the race of a request against the close.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert_eq!(builder.build()?.idle_timeout().as_secs(), 5);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Whether plaintext TCP beyond loopback was allowed. The endpoint has been checked against it.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint};
    /// # let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// assert!(!builder.build()?.insecure_tcp());
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn insecure_tcp(&self) -> bool {
        self.insecure_tcp
    }

    /// The same by the other road, where there is one.
    pub(crate) fn by_fallback(&self) -> Option<Self> {
        let (endpoint, endpoint_origin) = self.fallback.clone()?;
        Some(Self {
            endpoint,
            endpoint_origin,
            fallback: None,
            ..self.clone()
        })
    }

    /// The same with the API version negotiated, to see an engine that doesn't take the pinned one.
    pub(crate) fn negotiated(&self) -> Self {
        Self {
            api_version: None,
            ..self.clone()
        }
    }
}
