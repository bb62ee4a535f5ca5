//! A manager as variables say.

use std::ops::RangeInclusive;

use super::builder::SessionManagerBuilder;
use super::limits::SessionLimits;
use crate::config::vars::{DURATIONS, duration, number};
use crate::endpoint::Environment;
use crate::error::{Error, ErrorKind, Result};

const HOST: &str = "CATAMARAN_HOST";
const LEASE: &str = "CATAMARAN_LEASE";
const SESSIONS: &str = "CATAMARAN_SESSIONS";
const OWNER_SESSIONS: &str = "CATAMARAN_OWNER_SESSIONS";
const OPENS: &str = "CATAMARAN_OPENS";
const QUEUE: &str = "CATAMARAN_OPEN_QUEUE";
const QUEUE_TIME: &str = "CATAMARAN_OPEN_QUEUE_TIME";

pub(super) fn read(environment: &Environment) -> Result<SessionManagerBuilder> {
    let Some(host) = environment.text(HOST)? else {
        let message = format!(
            "{HOST} isn't set: the service's name, by which its processes find each other's sessions"
        );
        return Err(Error::new(ErrorKind::Config, message));
    };
    let named = |name: &'static str| {
        move |error: Error| {
            Error::new(ErrorKind::Config, format!("{name}: {}", error.message())).with_source(error)
        }
    };
    let mut builder = SessionManagerBuilder::new(host).map_err(named(HOST))?;
    if let Some(lease) = time(environment, LEASE)? {
        builder = builder.with_lease(lease).map_err(named(LEASE))?;
    }
    let mut limits = SessionLimits::default();
    let many = 1..=1_000_000;
    limits.sessions = count(environment, SESSIONS, many)?.unwrap_or(limits.sessions);
    if let Some(sessions) = count(environment, OWNER_SESSIONS, 0..=1_000_000)? {
        limits.owner_sessions = (sessions > 0).then_some(sessions);
    }
    limits.opens = count(environment, OPENS, 1..=1_024)?.unwrap_or(limits.opens);
    limits.queue = count(environment, QUEUE, 0..=65_536)?.unwrap_or(limits.queue);
    limits.queue_time = time(environment, QUEUE_TIME)?.unwrap_or(limits.queue_time);
    builder
        .with_limits(limits)
        .map_err(named("CATAMARAN_OPEN_QUEUE_TIME"))
}

fn count(
    environment: &Environment,
    name: &'static str,
    fits: RangeInclusive<usize>,
) -> Result<Option<usize>> {
    let accepted = format!("{} to {}", fits.start(), fits.end());
    environment.read(name, &accepted, |text| number(text, &fits))
}

fn time(environment: &Environment, name: &'static str) -> Result<Option<std::time::Duration>> {
    environment.read(name, DURATIONS, |text| {
        duration(text).ok_or("not a duration")
    })
}
