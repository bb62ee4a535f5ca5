//! A manager as variables say.

use std::ops::RangeInclusive;

use super::builder::SessionManagerBuilder;
use super::limits::SessionLimits;
use crate::config::vars::{DURATIONS, duration, number};
use crate::endpoint::Environment;
use crate::endpoint::environment::vars;
use crate::error::{Error, ErrorKind, Result};

pub(super) fn read(environment: &Environment) -> Result<SessionManagerBuilder> {
    let Some(host) = environment.text(vars::SERVICE)? else {
        let message = format!(
            "{} isn't set: the service's name, by which its processes find each other's sessions",
            vars::SERVICE
        );
        return Err(Error::new(ErrorKind::Config, message));
    };
    let named = |name: &'static str| {
        move |error: Error| {
            Error::new(ErrorKind::Config, format!("{name}: {}", error.message())).with_source(error)
        }
    };
    let mut builder = SessionManagerBuilder::new(host).map_err(named(vars::SERVICE))?;
    if let Some(lease) = time(environment, vars::LEASE)? {
        builder = builder.with_lease(lease).map_err(named(vars::LEASE))?;
    }
    let mut limits = SessionLimits::default();
    let many = 1..=1_000_000;
    limits.sessions = count(environment, vars::SESSIONS, many)?.unwrap_or(limits.sessions);
    if let Some(sessions) = count(environment, vars::OWNER_SESSIONS, 0..=1_000_000)? {
        limits.owner_sessions = (sessions > 0).then_some(sessions);
    }
    limits.opens = count(environment, vars::OPENS, 1..=1_024)?.unwrap_or(limits.opens);
    limits.queue = count(environment, vars::OPEN_QUEUE, 0..=65_536)?.unwrap_or(limits.queue);
    limits.queue_time = time(environment, vars::OPEN_QUEUE_TIME)?.unwrap_or(limits.queue_time);
    builder
        .with_limits(limits)
        .map_err(named(vars::OPEN_QUEUE_TIME))
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::super::builder::SessionManagerBuilder;
    use super::*;

    const SET: [(&str, &str); 7] = [
        (vars::SERVICE, "notebooks"),
        (vars::LEASE, "9s"),
        (vars::SESSIONS, "90"),
        (vars::OWNER_SESSIONS, "9"),
        (vars::OPENS, "7"),
        (vars::OPEN_QUEUE, "70"),
        (vars::OPEN_QUEUE_TIME, "7s"),
    ];

    fn set() -> Environment {
        let empty = Environment::empty();
        SET.iter().fold(empty, |so_far, (name, value)| {
            so_far.with_var(*name, *value)
        })
    }

    fn check(builder: &SessionManagerBuilder) {
        let limits = &builder.limits;
        assert_eq!(builder.host.lease, Duration::from_secs(9));
        assert_eq!((limits.sessions, limits.owner_sessions), (90, Some(9)));
        assert_eq!((limits.opens, limits.queue), (7, 70));
        assert_eq!(limits.queue_time, Duration::from_secs(7));
    }

    #[test]
    fn each_variable_is_read() {
        let names = SET.map(|(name, _)| name);
        assert_eq!(names, vars::OF_SESSIONS, "all of them are tried");
        check(&read(&set()).expect("a builder"));
        let unlimited = set().with_var(vars::OWNER_SESSIONS, "0");
        let builder = read(&unlimited).expect("a builder");
        assert_eq!(builder.limits.owner_sessions, None);
    }

    #[test]
    fn what_cant_be_right_is_told_by_its_name() {
        for (name, _) in SET {
            let wrong = set().with_var(name, "-1 / ?");
            let error = read(&wrong).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().starts_with(name), "{error}");
        }
        let error = read(&Environment::empty()).expect_err("no name");
        assert!(error.message().starts_with(vars::SERVICE), "{error}");
    }

    /// The process's own can't be changed from within: this is its own child.
    #[test]
    fn the_process_says_it() {
        const CHILD: &str = "CATAMARAN_TEST_IS_CHILD";
        if std::env::var_os(CHILD).is_some() {
            check(&SessionManagerBuilder::from_env().expect("a builder"));
            return;
        }
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "session::environment::tests::the_process_says_it",
            ])
            .envs(SET)
            .env(CHILD, "1")
            .stdin(Stdio::null())
            .output()
            .expect("a child");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }
}
