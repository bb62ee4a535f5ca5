//! Building a [`Config`] from code, over an environment or without one.

use std::time::Duration;

use super::vars::{self, PERCENT, POOL_SIZES, QUEUE_SIZES, STREAMS, TIMEOUTS};
use super::{Config, Mode};
use crate::endpoint::environment::vars as names;
use crate::endpoint::{ApiVersion, Endpoint, Environment, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::LimitOptions;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Builds a [`Config`]: what the code says wins over the environment, which wins over the defaults.
///
/// ```
/// use catamaran::{ConfigBuilder, Environment, Mode};
///
/// let environment = Environment::empty()
///     .with_var("DOCKER_HOST", "unix:///run/docker.sock")
///     .with_var("USE_ASYNC_DOCKER", "true");
/// let config = ConfigBuilder::from_environment(&environment)?.mode(Mode::Blocking).build()?;
/// assert_eq!(config.mode(), Mode::Blocking);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ConfigBuilder {
    environment: Option<Environment>,
    endpoint: Option<Endpoint>,
    fallback_endpoint: Option<Endpoint>,
    mode: Option<Mode>,
    rollout: Option<u8>,
    shadow: Option<u8>,
    operation_timeout: Option<Duration>,
    limits: LimitOptions,
    api_version: Option<ApiVersion>,
    connect_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    insecure_tcp: Option<bool>,
}

impl ConfigBuilder {
    /// Starts from what this environment says. Where the engine is gets looked up by
    /// [`build`](Self::build), and only where the code gives no endpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the variable whose value is wrong.
    ///
    /// ```
    /// use catamaran::{ConfigBuilder, Endpoint, Environment};
    ///
    /// let config = ConfigBuilder::from_environment(&Environment::from_process())?
    ///     .endpoint(Endpoint::unix("/run/docker.sock"))
    ///     .build()?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Ok(Self {
            environment: Some(environment.clone()),
            mode: vars::mode(environment)?,
            rollout: vars::percent(environment, names::ROLLOUT)?,
            shadow: vars::percent(environment, names::SHADOW)?,
            operation_timeout: vars::operation_timeout(environment)?,
            limits: vars::limits(environment)?,
            api_version: vars::api_version(environment)?,
            insecure_tcp: vars::insecure_tcp(environment)?,
            ..Self::default()
        })
    }

    /// Where the engine is.
    ///
    /// ```
    /// use catamaran::{Config, Endpoint};
    /// let builder = Config::builder().endpoint(Endpoint::unix("/run/docker.sock"));
    /// ```
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Another road to the same daemon, for the blocking engine: see
    /// [`Config::fallback_endpoint`]. Default: none.
    ///
    /// ```
    /// use catamaran::{Config, Endpoint, TlsConfig};
    ///
    /// let config = Config::builder()
    ///     .endpoint(Endpoint::tls("engine.example", 2376, TlsConfig::new()))
    ///     .fallback_endpoint(Endpoint::unix("/run/docker.sock"))
    ///     .build()?;
    /// assert_eq!(config.fallback_endpoint(), Some(&Endpoint::unix("/run/docker.sock")));
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn fallback_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.fallback_endpoint = Some(endpoint);
        self
    }

    /// Which engine serves the calls. Default: [`Mode::Auto`].
    ///
    /// ```
    /// use catamaran::{Config, Mode};
    /// let builder = Config::builder().mode(Mode::Async);
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Which share of the calls or sessions the async engine serves in [`Mode::Auto`], in percent: see
    /// [`HybridBackend::set_rollout`](crate::HybridBackend::set_rollout). Default: 100.
    ///
    /// ```
    /// let builder = catamaran::Config::builder().rollout(10);
    /// ```
    pub fn rollout(mut self, percent: u8) -> Self {
        self.rollout = Some(percent);
        self
    }

    /// Which share of the calls that only look is also asked of the other engine, to compare the answers, in percent: see
    /// [`HybridBackend::with_shadow`](crate::HybridBackend::with_shadow). Default: 0.
    ///
    /// ```
    /// let builder = catamaran::Config::builder().shadow(1);
    /// ```
    pub fn shadow(mut self, percent: u8) -> Self {
        self.shadow = Some(percent);
        self
    }

    /// The deadline of one call, from 1 ms to 24 h. Default: 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = catamaran::Config::builder().operation_timeout(Duration::from_secs(10));
    /// ```
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// How many calls may be under way at once, from 1 to 1024. Default: 20. Short for the same of
    /// [`limits`](Self::limits).
    ///
    /// ```
    /// let builder = catamaran::Config::builder().pool_size(64);
    /// ```
    pub fn pool_size(mut self, size: usize) -> Self {
        self.limits.calls = size;
        self
    }

    /// How much may be under way at once, and how long the rest waits, all of it instead of what the environment says.
    ///
    /// ```
    /// use catamaran::{Config, LimitOptions};
    /// let builder = Config::builder().limits(LimitOptions::default().with_pulls(2usize));
    /// ```
    pub fn limits(mut self, limits: LimitOptions) -> Self {
        self.limits = limits;
        self
    }

    /// Pins the API version, from [`ApiVersion::OLDEST`] to [`ApiVersion::NEWEST`]. Default: negotiated.
    ///
    /// ```
    /// use catamaran::{ApiVersion, Config};
    /// let builder = Config::builder().api_version(ApiVersion::new(1, 44));
    /// ```
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.api_version = Some(version);
        self
    }

    /// How long one connection may take to be made, from 1 ms to 24 h. Default: 5 s. The call's own
    /// deadline ends it too.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = catamaran::Config::builder().connect_timeout(Duration::from_secs(2));
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long an idle connection is kept, and of the blocking engine what drives it, from 1 ms to 24 h. Default: 5 s. Keep it below the engine's
    /// own limit (Podman's service: 10 s).
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = catamaran::Config::builder().idle_timeout(Duration::from_secs(2));
    /// ```
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Allows plaintext TCP beyond loopback: whoever can reach or listen to that connection is root on
    /// the engine's machine. It never turns off TLS that was asked for. Default: `false`.
    ///
    /// ```
    /// use catamaran::{Config, Endpoint, ErrorKind};
    ///
    /// let plaintext = || Config::builder().endpoint(Endpoint::tcp("10.0.0.7", 2375));
    /// assert_eq!(plaintext().build().unwrap_err().kind(), ErrorKind::Config);
    /// assert!(plaintext().insecure_tcp(true).build().is_ok());
    /// ```
    pub fn insecure_tcp(mut self, allowed: bool) -> Self {
        self.insecure_tcp = Some(allowed);
        self
    }

    /// Checks everything and gives the configuration. May read files (contexts, certificates) and look
    /// for sockets, but connects to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where a value is out of range, no endpoint was given and no environment
    /// either, the environment names no usable engine, a certificate file can't be read, or plaintext
    /// TCP would leave this machine; [`ErrorKind::Unsupported`] for an address of a kind that this
    /// crate doesn't speak.
    ///
    /// ```
    /// let error = catamaran::Config::builder().build().unwrap_err();
    /// assert!(error.message().contains("no endpoint"));
    /// ```
    pub fn build(self) -> Result<Config> {
        let given = |endpoint, origin: &str| {
            let endpoint = match &self.environment {
                Some(environment) => resolve::given(endpoint, origin, environment)?,
                None => endpoint,
            };
            Ok::<_, Error>((endpoint, origin.to_owned()))
        };
        let fallback = match (self.fallback_endpoint, &self.environment) {
            (Some(endpoint), _) => Some(given(endpoint, resolve::GIVEN_FALLBACK)?),
            // As for the engine itself: whose place the code gives, the environment knows no other road to.
            (None, Some(environment)) if self.endpoint.is_none() => resolve::fallback(environment)?,
            (None, _) => None,
        };
        let found = match (self.endpoint, &self.environment) {
            (Some(endpoint), _) => given(endpoint, resolve::GIVEN)?,
            (None, Some(environment)) => resolve::found(environment)?,
            (None, None) => {
                return Err(
                    Error::new(ErrorKind::Config, "no endpoint was given").with_advice(
                        "give the builder one, or use Config::from_env, which looks for the engine",
                    ),
                );
            }
        };
        let insecure_tcp = self.insecure_tcp.unwrap_or(false);
        for (endpoint, origin) in std::iter::once(&found).chain(&fallback) {
            endpoint.check()?;
            resolve::refuse_plaintext(endpoint, origin, insecure_tcp)?;
        }
        let (endpoint, origin) = found;
        // The same address is no other road.
        let fallback = fallback.filter(|(fallback, _)| *fallback != endpoint);

        let timeout = |name, value: Option<Duration>, default| {
            let value = value.unwrap_or(default);
            if TIMEOUTS.contains(&value) {
                Ok(value)
            } else {
                Err(wrong(name, format_args!("{value:?}"), "1ms to 24h"))
            }
        };
        let percent = |name, value: Option<u8>, default| match value.unwrap_or(default) {
            value if PERCENT.contains(&value) => Ok(value),
            value => Err(wrong(name, format_args!("{value}"), "0 to 100")),
        };
        let limits = self.limits;
        for (name, size, sizes) in [
            ("pool_size", limits.calls, POOL_SIZES),
            ("limits.streams", limits.streams, STREAMS),
            ("limits.pulls", limits.pulls, POOL_SIZES),
            ("limits.queue", limits.queue, QUEUE_SIZES),
        ] {
            if !sizes.contains(&size) {
                let accepted = format!("{} to {}", sizes.start(), sizes.end());
                return Err(wrong(name, format_args!("{size}"), &accepted));
            }
        }
        timeout("limits.queue_time", Some(limits.queue_time), Duration::ZERO)?;
        let longest = Some(limits.pull_queue_time);
        timeout("limits.pull_queue_time", longest, Duration::ZERO)?;
        if let Some(version) = self.api_version.filter(|version| !version.is_spoken()) {
            let accepted = format!("{} to {}", ApiVersion::OLDEST, ApiVersion::NEWEST);
            return Err(wrong("api_version", format_args!("{version}"), &accepted));
        }
        Ok(Config {
            endpoint,
            mode: self.mode.unwrap_or_default(),
            rollout: percent("rollout", self.rollout, Config::ROLLOUT)?,
            shadow: percent("shadow", self.shadow, 0)?,
            operation_timeout: timeout(
                "operation_timeout",
                self.operation_timeout,
                Config::OPERATION_TIMEOUT,
            )?,
            limits,
            api_version: self.api_version,
            connect_timeout: timeout("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?,
            idle_timeout: timeout("idle_timeout", self.idle_timeout, IDLE_TIMEOUT)?,
            insecure_tcp,
            endpoint_origin: origin,
            fallback,
        })
    }
}

fn wrong(name: &str, value: std::fmt::Arguments<'_>, accepted: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("{name} = {value}: out of range; accepted: {accepted}"),
    )
}
