//! What a container shall be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mount::absolute;
use super::{
    ContainerName, DeviceRequest, HealthCheck, ImageRef, LabelKey, LogConfig, Mount, PortMapping,
    Resources, RestartPolicy, SecurityProfile, Signal,
};
use crate::error::{Error, Result};

/// Linux's `MAX_ARG_STRLEN`: `execve` refuses a longer argument or `KEY=value`, after the container
/// has been made.
const MAX_ARG: usize = 131_071;
/// A bound on a label's value; engines have none, and keep labels in memory for every list.
const MAX_LABEL: usize = 64 << 10;

guarded_map! {
    /// Environment variables, whose values `Debug` doesn't print.
    ///
    /// ```
    /// use catamaran::model::EnvVars;
    ///
    /// let env: EnvVars = [("TOKEN", "s3cret")].into();
    /// assert_eq!(format!("{env:?}"), r#"{"TOKEN": "…"}"#);
    /// assert_eq!(env.get("TOKEN"), Some("s3cret"));
    /// ```
    EnvVars of "a variable", "variables"
}

impl EnvVars {
    pub(crate) fn validate(&self) -> Result<()> {
        for (key, value) in &self.0 {
            if key.is_empty() || key.contains(['=', '\0', '\n']) || value.contains('\0') {
                return Err(Error::invalid(
                    "env",
                    "a variable's name is not empty and has no '=' or line break; neither part has NUL",
                ));
            }
            if key.len() + value.len() + 1 > MAX_ARG {
                return Err(Error::invalid(
                    "env",
                    format!("a variable of over {MAX_ARG} bytes can't be passed to a process"),
                ));
            }
        }
        Ok(())
    }
}

/// A container to be created. Only the image is needed; whatever isn't set is the image's or the
/// engine's default.
///
/// ```
/// use catamaran::model::{ContainerName, ContainerSpec, ImageRef};
///
/// let spec = ContainerSpec::untrusted(ImageRef::new("catamaran/busybox:test")?)
///     .with_name(ContainerName::new("job-42")?)
///     .with_command(["echo", "hello"])
///     .with_env("MODE", "batch")
///     .with_label("owner", "alice")?;
/// # let _ = spec;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image.
    pub image: ImageRef,
    /// The name; `None` lets the engine make one up.
    #[serde(default)]
    pub name: Option<ContainerName>,
    /// The program and its arguments, or the arguments of the entry point.
    #[serde(default)]
    pub command: Vec<String>,
    /// Replaces the image's entry point.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables, added to the image's.
    #[serde(default)]
    pub env: EnvVars,
    /// Labels; they can't change later.
    #[serde(default)]
    pub labels: BTreeMap<LabelKey, String>,
    /// The working directory.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// The host name.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Whether the container has a terminal; its output is one stream then.
    #[serde(default)]
    pub tty: bool,
    /// Whether its program has an input, to which an [attachment](crate::ContainerBackend::attach) writes;
    /// without, it reads to the end at once.
    #[serde(default)]
    pub stdin: bool,
    /// Whether that input ends with the first attachment's: by its
    /// [shutdown](crate::model::Input) or its end. Without, nothing but the program's end closes it.
    #[serde(default)]
    pub stdin_once: bool,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// What it may do.
    #[serde(default)]
    pub security: SecurityProfile,
    /// What is mounted into it.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Its published ports.
    #[serde(default)]
    pub ports: Vec<PortMapping>,
    /// Its health check.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
    /// Where its output goes; `None` is the engine's default, which for json-file never rotates.
    #[serde(default)]
    pub log: Option<LogConfig>,
    /// What the engine does when its process ends.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// GPUs and other devices.
    #[serde(default)]
    pub devices: Vec<DeviceRequest>,
    /// Whether a small init process reaps zombies and passes signals on.
    #[serde(default)]
    pub init: Option<bool>,
    /// The signal that asks it to end.
    #[serde(default)]
    pub stop_signal: Option<Signal>,
    /// How long after it the engine kills; whole seconds on the wire, rounded up.
    #[serde(default)]
    pub stop_timeout: Option<Duration>,
    /// The platform, as in `linux/arm64`, where the image has several.
    #[serde(default)]
    pub platform: Option<String>,
    /// Whether the creation fails where the engine makes something else of it; never sent.
    ///
    /// The container is inspected before anybody can start it, and removed where what the engine shows isn't
    /// what was asked for, or can't be seen: `create` fails as [`Weakened`](crate::ErrorKind::Weakened), and names
    /// each field with both values (of what may be secret, the name alone).
    ///
    /// What is set must be shown as it was set: a stricter value is a difference too, and so is one that the engine
    /// doesn't show. What is left to the engine isn't compared, except that nothing may give the container more:
    /// privileges, capabilities, devices, paths, ports, networks or namespaces of the host or of others. The image
    /// and the platform aren't compared, which engines show in words of their own. Engines may show what the kernel
    /// then doesn't hold, as an AppArmor profile where there is no AppArmor.
    #[serde(default)]
    pub strict: bool,
}

impl ContainerSpec {
    /// A container of this image with the engine's defaults: fit for your own code, not for others'.
    #[must_use]
    pub fn new(image: ImageRef) -> Self {
        Self {
            image,
            name: None,
            command: Vec::new(),
            entrypoint: None,
            env: EnvVars::default(),
            labels: BTreeMap::new(),
            working_dir: None,
            hostname: None,
            tty: false,
            stdin: false,
            stdin_once: false,
            resources: Resources::default(),
            security: SecurityProfile::default(),
            mounts: Vec::new(),
            ports: Vec::new(),
            health_check: None,
            log: None,
            restart_policy: RestartPolicy::No,
            devices: Vec::new(),
            init: None,
            stop_signal: None,
            stop_timeout: None,
            platform: None,
            strict: false,
        }
    }

    /// A container for code that nobody vouches for: [`SecurityProfile::untrusted`],
    /// [`Resources::untrusted`], logs rotated at 3 × 10 MiB, and an init process.
    #[must_use]
    pub fn untrusted(image: ImageRef) -> Self {
        Self {
            resources: Resources::untrusted(),
            security: SecurityProfile::untrusted(),
            log: Some(LogConfig::rotated(10 << 20, 3)),
            init: Some(true),
            ..Self::new(image)
        }
    }

    /// Sets the program and its arguments.
    #[must_use]
    pub fn with_command<S: Into<String>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces the image's entry point.
    #[must_use]
    pub fn with_entrypoint<S: Into<String>>(
        mut self,
        entrypoint: impl IntoIterator<Item = S>,
    ) -> Self {
        self.entrypoint = Some(entrypoint.into_iter().map(Into::into).collect());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key, value);
        self
    }

    /// Sets a label.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where the key is none, see [`LabelKey`].
    pub fn with_label(mut self, key: impl AsRef<str>, value: impl Into<String>) -> Result<Self> {
        self.labels.insert(LabelKey::new(key)?, value.into());
        Ok(self)
    }

    /// Adds a mount.
    #[must_use]
    pub fn with_mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Publishes a port.
    #[must_use]
    pub fn with_port(mut self, port: PortMapping) -> Self {
        self.ports.push(port);
        self
    }

    /// Asks for devices.
    #[must_use]
    pub fn with_devices(mut self, request: DeviceRequest) -> Self {
        self.devices.push(request);
        self
    }

    /// Sets the working directory, an absolute path.
    #[must_use]
    pub fn with_working_dir(mut self, path: impl Into<String>) -> Self {
        self.working_dir = Some(path.into());
        self
    }

    /// Sets the host name.
    #[must_use]
    pub fn with_hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = Some(hostname.into());
        self
    }

    /// Sets the platform, as in `linux/arm64`.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    setters! {
        /// Sets the name.
        with_name(name: Option<ContainerName>);
        /// Sets whether the container has a terminal.
        with_tty(tty: bool);
        /// Sets whether its program has an input.
        with_stdin(stdin: bool);
        /// Sets whether that input ends with the first attachment's.
        with_stdin_once(stdin_once: bool);
        /// Sets what it may use.
        with_resources(resources: Resources);
        /// Sets what it may do.
        with_security(security: SecurityProfile);
        /// Sets its health check.
        with_health_check(health_check: Option<HealthCheck>);
        /// Sets where its output goes.
        with_log(log: Option<LogConfig>);
        /// Sets what the engine does when its process ends.
        with_restart_policy(restart_policy: RestartPolicy);
        /// Sets whether a small init process reaps zombies and passes signals on.
        with_init(init: Option<bool>);
        /// Sets the signal that asks it to end.
        with_stop_signal(stop_signal: Option<Signal>);
        /// Sets how long after it the engine kills.
        with_stop_timeout(stop_timeout: Option<Duration>);
        /// Sets whether the creation fails where the engine makes something else of it.
        with_strict(strict: bool);
    }

    /// Checks everything that can be checked without an engine. `create` calls it before it sends.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), naming the field.
    pub fn validate(&self) -> Result<()> {
        arguments("command", &self.command)?;
        if let Some(entrypoint) = &self.entrypoint {
            arguments("entrypoint", entrypoint)?;
        }
        self.env.validate()?;
        label_values(self.labels.values())?;
        if let Some(path) = &self.working_dir {
            absolute("working_dir", path)?;
        }
        if let Some(hostname) = &self.hostname {
            // RFC 1123, section 2.1, with the kernel's 64 bytes.
            let sound = (1..=64).contains(&hostname.len())
                && hostname
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
                && !hostname.starts_with(['-', '.']);
            if !sound {
                return Err(Error::invalid(
                    "hostname",
                    "letters, digits, '-' and '.', 64 at most",
                ));
            }
        }
        if self.stdin_once && !self.stdin {
            return Err(Error::invalid(
                "stdin_once",
                "there is no input to end without stdin",
            ));
        }
        self.platform.iter().try_for_each(|text| platform(text))?;
        if self
            .stop_timeout
            .is_some_and(|t| t > Duration::from_secs(86_400))
        {
            return Err(Error::invalid("stop_timeout", "is at most a day"));
        }
        self.resources.validate()?;
        self.security.validate()?;
        self.mounts.iter().try_for_each(Mount::validate)?;
        self.ports.iter().try_for_each(PortMapping::validate)?;
        self.health_check
            .iter()
            .try_for_each(HealthCheck::validate)?;
        self.devices.iter().try_for_each(DeviceRequest::validate)?;
        self.log.iter().try_for_each(LogConfig::validate)
    }
}

pub(crate) fn arguments(field: &'static str, arguments: &[String]) -> Result<()> {
    for argument in arguments {
        if argument.len() > MAX_ARG || argument.contains('\0') {
            return Err(Error::invalid(
                field,
                format!("an argument holds at most {MAX_ARG} bytes and no NUL"),
            ));
        }
    }
    Ok(())
}

/// Labels that are given, or looked for.
pub(crate) fn label_values<'a>(values: impl IntoIterator<Item = &'a String>) -> Result<()> {
    values
        .into_iter()
        .try_for_each(|value| bounded("labels", value, MAX_LABEL))
}

/// Text that goes to the engine as it is: of a sane length, and without NUL, at which engines end it.
pub(crate) fn bounded(field: &'static str, text: &str, most: usize) -> Result<()> {
    if text.len() > most || text.contains('\0') {
        return Err(Error::invalid(
            field,
            format!("holds at most {most} bytes and no NUL"),
        ));
    }
    Ok(())
}

pub(crate) fn platform(text: &str) -> Result<()> {
    let sound = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'.'))
        && !text.contains("..");
    if !sound {
        return Err(Error::invalid(
            "platform",
            "is written os/arch, as in linux/arm64",
        ));
    }
    Ok(())
}

impl fmt::Debug for ContainerSpec {
    // Arguments may hold secrets as well as variables do: say how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("image", &self.image)
            .field("name", &self.name)
            .field(
                "command",
                &format_args!("[{} arguments]", self.command.len()),
            )
            .field("env", &self.env)
            .field("labels", &self.labels.keys())
            .field("resources", &self.resources)
            .field("security", &self.security)
            .field("mounts", &self.mounts)
            .field("ports", &self.ports)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ContainerSpec {
        ContainerSpec::untrusted(ImageRef::new("busybox").expect("a reference"))
    }

    #[test]
    fn refuses_bad_fields_by_name() {
        assert!(spec().validate().is_ok());
        let long = "x".repeat(10 << 20);
        let bad = [
            ("command", spec().with_command([long.clone()])),
            ("command", spec().with_command(["a\0b"])),
            ("env", spec().with_env("", "x")),
            ("env", spec().with_env("A=B", "x")),
            ("env", spec().with_env("A", long.clone())),
            ("labels", spec().with_label("a", long).expect("a key")),
            ("working_dir", spec().with_working_dir("relative")),
            ("hostname", spec().with_hostname("a b")),
            ("stdin_once", spec().with_stdin_once(true)),
            ("platform", spec().with_platform("linux/../x")),
            ("mounts.target", spec().with_mount(Mount::bind("/a", "b"))),
            ("ports", spec().with_port(PortMapping::tcp(0))),
            (
                "health_check.test",
                spec().with_health_check(HealthCheck::shell("")),
            ),
        ];
        for (field, spec) in bad {
            assert_eq!(spec.validate().expect_err(field).field(), Some(field));
        }
    }

    #[test]
    fn debug_hides_what_may_be_secret() {
        let spec = spec()
            .with_env("A", "canary")
            .with_command(["canary"])
            .with_label("a", "canary")
            .expect("a key");
        assert!(!format!("{spec:?}").contains("canary"));
    }

    #[test]
    fn reads_back_what_it_writes() {
        let spec = spec()
            .with_label("a", "b")
            .expect("a key")
            .with_env("A", "1");
        let json = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(
            serde_json::from_str::<ContainerSpec>(&json).expect("a spec"),
            spec
        );
        let least: ContainerSpec = serde_json::from_str(r#"{"image":"busybox"}"#).expect("a spec");
        assert_eq!(
            least,
            ContainerSpec::new(ImageRef::new("busybox").expect("a reference"))
        );
    }
}
