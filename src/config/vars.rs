//! What the variables beside the engine's address mean.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Mode;
use crate::endpoint::environment::{flag, vars};
use crate::endpoint::{ApiVersion, Environment};
use crate::error::Result;
use crate::policy::LimitOptions;

const YES_OR_NO: &str = "true, false, 1, 0, yes, no, on, off";
pub(crate) const DURATIONS: &str = "seconds (30, 2.5) or a duration (30s, 500ms, 1m 30s)";
const DAY: u64 = 24 * 60 * 60;
pub(super) const TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(DAY);
pub(super) const POOL_SIZES: RangeInclusive<usize> = 1..=1024;
pub(super) const STREAMS: RangeInclusive<usize> = 1..=65_536;
pub(super) const PERCENT: RangeInclusive<u8> = 0..=100;
pub(super) const QUEUE_SIZES: RangeInclusive<usize> = 0..=65_536;

pub(super) fn mode(environment: &Environment) -> Result<Option<Mode>> {
    let accepted = format!("{YES_OR_NO}, async, blocking, auto");
    environment.read(vars::USE_ASYNC, &accepted, |text| match flag(text) {
        Some(true) => Ok(Mode::Auto),
        Some(false) => Ok(Mode::Blocking),
        None => text
            .parse()
            .map_err(|_| "neither true nor false, nor a mode"),
    })
}

pub(super) fn percent(environment: &Environment, name: &'static str) -> Result<Option<u8>> {
    environment.read(name, "0 to 100, in percent", |text| {
        let sizes = usize::from(*PERCENT.start())..=usize::from(*PERCENT.end());
        let percent = number(text, &sizes)?;
        u8::try_from(percent).map_err(|_| "out of range")
    })
}

pub(super) fn insecure_tcp(environment: &Environment) -> Result<Option<bool>> {
    environment.read(vars::INSECURE_TCP, YES_OR_NO, |text| {
        flag(text).ok_or("neither true nor false")
    })
}

pub(super) fn api_version(environment: &Environment) -> Result<Option<ApiVersion>> {
    let accepted = format!("{} to {}", ApiVersion::OLDEST, ApiVersion::NEWEST);
    environment.read(vars::API_VERSION, &accepted, |text| {
        match text.parse::<ApiVersion>() {
            Ok(version) if version.is_spoken() => Ok(version),
            Ok(_) => Err("this crate doesn't speak that version"),
            Err(_) => Err("not an API version"),
        }
    })
}

pub(super) fn limits(environment: &Environment) -> Result<LimitOptions> {
    let mut limits = LimitOptions::default();
    for (name, limit, sizes) in [
        (vars::POOL_SIZE, &mut limits.calls, POOL_SIZES),
        (vars::STREAM_POOL_SIZE, &mut limits.streams, STREAMS),
        (vars::PULL_POOL_SIZE, &mut limits.pulls, POOL_SIZES),
        (vars::QUEUE_SIZE, &mut limits.queue, QUEUE_SIZES),
    ] {
        *limit = size(environment, name, &sizes)?.unwrap_or(*limit);
    }
    Ok(limits)
}

fn size(
    environment: &Environment,
    name: &'static str,
    sizes: &RangeInclusive<usize>,
) -> Result<Option<usize>> {
    let accepted = format!("{} to {}", sizes.start(), sizes.end());
    environment.read(name, &accepted, |text| number(text, sizes))
}

pub(crate) fn number(text: &str, fits: &RangeInclusive<usize>) -> Result<usize, &'static str> {
    // `usize::from_str` alone would take `+1`.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match digits.then(|| text.parse().ok()).flatten() {
        Some(number) if fits.contains(&number) => Ok(number),
        Some(_) => Err("out of range"),
        None => Err("not a number"),
    }
}

pub(super) fn operation_timeout(environment: &Environment) -> Result<Option<Duration>> {
    let accepted = format!("{DURATIONS}, from 1ms to 24h");
    environment.read(vars::OPERATION_TIMEOUT, &accepted, |text| {
        match duration(text) {
            Some(timeout) if TIMEOUTS.contains(&timeout) => Ok(timeout),
            Some(_) => Err("out of range"),
            None => Err("not a duration"),
        }
    })
}

pub(crate) fn duration(text: &str) -> Option<Duration> {
    // `f64::from_str` alone would take `1e3`, `inf` and `+1`.
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        Duration::try_from_secs_f64(text.parse().ok()?).ok()
    } else if is_countable(text) {
        humantime::parse_duration(text).ok()
    } else {
        Some(Duration::MAX)
    }
}

/// Whether the sum can't come to the end of what a [`Duration`] holds, where humantime 2.4 panics.
fn is_countable(text: &str) -> bool {
    let digits = |number: &str| number.bytes().filter(u8::is_ascii_digit).count();
    let mut numbers = text.split(|c: char| c.is_alphabetic() || c == '.');
    text.len() <= 128 && numbers.all(|number| digits(number) <= 10)
}
