//! The health check that the engine runs inside a container.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::arguments;
use crate::error::{Error, Result};

/// What the engine runs to learn whether the container is healthy.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthTest {
    /// A program and its arguments, without a shell.
    Command(Vec<String>),
    /// A line for the image's default shell.
    Shell(String),
    /// No check, not even the image's own.
    Disabled,
}

/// A health check: the test and its rhythm. A `None` leaves the engine's default.
///
/// ```
/// use catamaran::model::HealthCheck;
/// use std::time::Duration;
///
/// let check = HealthCheck::command(["test", "-e", "/tmp/ready"])
///     .with_interval(Duration::from_secs(1))
///     .with_retries(3u32);
/// # let _ = check;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is run.
    pub test: HealthTest,
    /// From one run to the next; Docker's default is 30 s.
    #[serde(default)]
    pub interval: Option<Duration>,
    /// How long a run may take; Docker's default is 30 s.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// How long failures don't count at the beginning; Docker's default is 0 s.
    #[serde(default)]
    pub start_period: Option<Duration>,
    /// The rhythm during the start period (API 1.44 and later).
    #[serde(default)]
    pub start_interval: Option<Duration>,
    /// How many failures in a row make it unhealthy; Docker's default is 3.
    #[serde(default)]
    pub retries: Option<u32>,
}

impl HealthCheck {
    fn new(test: HealthTest) -> Self {
        Self {
            test,
            interval: None,
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: None,
        }
    }

    /// Runs a program with its arguments.
    #[must_use]
    pub fn command<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self::new(HealthTest::Command(
            command.into_iter().map(Into::into).collect(),
        ))
    }

    /// Runs a line in the image's shell.
    #[must_use]
    pub fn shell(line: impl Into<String>) -> Self {
        Self::new(HealthTest::Shell(line.into()))
    }

    /// Switches off the check that the image brings.
    #[must_use]
    pub fn disabled() -> Self {
        Self::new(HealthTest::Disabled)
    }

    setters! {
        /// Sets the time from one run to the next.
        with_interval(interval: Option<Duration>);
        /// Sets how long a run may take.
        with_timeout(timeout: Option<Duration>);
        /// Sets how long failures don't count at the beginning.
        with_start_period(start_period: Option<Duration>);
        /// Sets the rhythm during the start period (API 1.44 and later).
        with_start_interval(start_interval: Option<Duration>);
        /// Sets how many failures in a row make it unhealthy.
        with_retries(retries: Option<u32>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if matches!(&self.test, HealthTest::Command(command) if command.is_empty())
            || matches!(&self.test, HealthTest::Shell(line) if line.is_empty())
        {
            return Err(Error::invalid("health_check.test", "the command is empty"));
        }
        match &self.test {
            HealthTest::Command(command) => arguments("health_check.test", command)?,
            HealthTest::Shell(line) => arguments("health_check.test", std::slice::from_ref(line))?,
            HealthTest::Disabled => {}
        }
        // The engine's own rule (moby daemon/container.go): at least 1 ms, or 0 for its default.
        for (field, value) in [
            ("health_check.interval", self.interval),
            ("health_check.timeout", self.timeout),
            ("health_check.start_period", self.start_period),
            ("health_check.start_interval", self.start_interval),
        ] {
            if value.is_some_and(|v| {
                v < Duration::from_millis(1) || v > Duration::from_secs(86_400 * 365)
            }) {
                return Err(Error::invalid(field, "must be from 1 ms to a year"));
            }
        }
        Ok(())
    }
}

/// How long, and how often, a container is looked at until it is healthy.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthyOptions {
    /// How long it may take; 60 s by default.
    pub timeout: Duration,
    /// From one look to the next, from 1 ms to 1 s; 50 ms by default. The engine's own checks come at the
    /// interval of the [`HealthCheck`].
    pub interval: Duration,
}

impl Default for HealthyOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            interval: Duration::from_millis(50),
        }
    }
}

impl HealthyOptions {
    setters! {
        /// Sets how long it may take.
        with_timeout(timeout: Duration);
        /// Sets the time from one look to the next.
        with_interval(interval: Duration);
    }
}
