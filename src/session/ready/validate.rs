//! What can be said of a readiness before anything runs.

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::{HttpReady, Ready};
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, ExecOptions, HealthTest, NetworkMode};

/// How deep they may be within each other, and how many there may be: each is asked for again and again.
const DEEPEST: usize = 4;
const MOST: usize = 16;
/// A line to look for, in bytes.
const LONGEST_LINE: usize = 1024;
const LONGEST_PATH: usize = 2048;

impl Ready {
    /// Refuses what can't be, or can't ever come with this container.
    ///
    /// # Errors
    /// `InvalidInput` by field name.
    pub(crate) fn validate(&self, container: &ContainerSpec) -> Result<()> {
        let mut room = MOST;
        self.check(container, DEEPEST, &mut room)
    }

    fn check(&self, container: &ContainerSpec, depth: usize, room: &mut usize) -> Result<()> {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), room.checked_sub(1)) else {
            let message = format!("has over {MOST} parts, or is over {DEEPEST} deep");
            return Err(Error::invalid("ready", message));
        };
        *room = left;
        match self {
            Self::Running => Ok(()),
            Self::Healthy => {
                let check = container.health_check.as_ref();
                if check.is_some_and(|check| check.test == HealthTest::Disabled) {
                    let message = "can't be healthy: its health check is disabled";
                    return Err(Error::invalid("ready.healthy", message));
                }
                Ok(())
            }
            Self::Tcp(port) => some_port("ready.tcp", *port),
            Self::Http(page) => page.check(container),
            Self::LogLine(line) => {
                let sound = !line.is_empty()
                    && line.len() <= LONGEST_LINE
                    && !line.contains(['\n', '\r', '\0']);
                if !sound {
                    let message = format!("holds 1 to {LONGEST_LINE} bytes within one line");
                    return Err(Error::invalid("ready.log_line", message));
                }
                let log = container.log.as_ref();
                if log.is_some_and(|log| log.driver == "none") {
                    let message = "is never seen: the log driver none keeps nothing";
                    return Err(Error::invalid("ready.log_line", message));
                }
                Ok(())
            }
            Self::Exec(command) => {
                let command = ExecOptions::new(command);
                let checked = command.validate();
                checked.map_err(|error| error.with_field("ready.exec"))
            }
            Self::All(all) => {
                let mut all = all.iter();
                all.try_for_each(|one| one.check(container, depth, room))
            }
            Self::Any(any) => {
                if any.is_empty() {
                    return Err(Error::invalid(
                        "ready.any",
                        "is one of none: it never comes",
                    ));
                }
                let mut any = any.iter();
                any.try_for_each(|one| one.check(container, depth, room))
            }
        }
    }
}

impl HttpReady {
    fn check(&self, container: &ContainerSpec) -> Result<()> {
        some_port("ready.http.port", self.port)?;
        let path = &self.path;
        let sound = path.starts_with('/')
            && path.len() <= LONGEST_PATH
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
            && path.parse::<PathAndQuery>().is_ok();
        if !sound {
            let message = "is a path from its slash on, in ASCII, without spaces and '#'";
            return Err(Error::invalid("ready.http.path", message));
        }
        let statuses = 100..=599;
        let (first, last) = (self.status.start(), self.status.end());
        if self.status.is_empty() || !statuses.contains(first) || !statuses.contains(last) {
            let message = "is a range of statuses from 100 to 599";
            return Err(Error::invalid("ready.http.status", message));
        }
        if let Some(host) = &self.host {
            let sound = (1..=255).contains(&host.len())
                && host.bytes().all(|b| b.is_ascii_graphic())
                && HeaderValue::from_str(host).is_ok();
            if !sound {
                let message = "is a host name, with its port where it has one";
                return Err(Error::invalid("ready.http.host", message));
            }
        }
        let published = |port: u16| container.ports.iter().any(|p| p.container_port == port);
        if container.security.network == Some(NetworkMode::None) && !published(self.port) {
            let message = "can't be asked for: the container has no network";
            return Err(Error::invalid("ready.http", message)
                .with_advice("ask within it, by a command: Ready::Exec"));
        }
        Ok(())
    }
}

fn some_port(field: &'static str, port: u16) -> Result<()> {
    match port {
        0 => Err(Error::invalid(field, "port 0 is none")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::{HealthCheck, ImageRef, LogConfig, PortMapping};

    fn hardened() -> ContainerSpec {
        ContainerSpec::untrusted(ImageRef::new("busybox").expect("a reference"))
    }

    fn networked() -> ContainerSpec {
        let mut spec = hardened();
        spec.security.network = Some(NetworkMode::Default);
        spec
    }

    fn http(change: impl FnOnce(&mut HttpReady)) -> Ready {
        let mut page = HttpReady::new(80, "/");
        change(&mut page);
        Ready::Http(page)
    }

    fn nested(depth: usize) -> Ready {
        (1..depth).fold(Ready::Running, |inner, _| Ready::All(vec![inner]))
    }

    #[test]
    fn what_can_come_passes() {
        for (ready, spec) in [
            (Ready::Running, hardened()),
            (Ready::Healthy, hardened()),
            (
                Ready::Healthy,
                hardened().with_health_check(HealthCheck::shell("true")),
            ),
            (Ready::Tcp(80), hardened()),
            (Ready::LogLine("x".repeat(1024)), hardened()),
            (Ready::Exec(vec!["true".to_owned()]), hardened()),
            (http(|_| ()), networked()),
            (
                http(|page| page.path = "/a/b?c=%20&d".to_owned()),
                networked(),
            ),
            (
                http(|page| page.host = Some("app:80".to_owned())),
                networked(),
            ),
            (http(|_| ()), hardened().with_port(PortMapping::tcp(80))),
            (Ready::All(Vec::new()), hardened()),
            (nested(4), hardened()),
            (Ready::Any(vec![Ready::Running; 15]), hardened()),
        ] {
            ready.validate(&spec).expect("it can come");
        }
    }

    #[test]
    fn what_cannot_is_refused_by_its_field() {
        let path = |path: &str| http(|page| page.path = path.to_owned());
        let host = |host: &str| http(|page| page.host = Some(host.to_owned()));
        let line = |line: &str| Ready::LogLine(line.to_owned());
        let net = networked;
        for (field, ready, spec) in [
            (
                "ready.healthy",
                Ready::Healthy,
                hardened().with_health_check(HealthCheck::disabled()),
            ),
            ("ready.tcp", Ready::Tcp(0), net()),
            ("ready.http.port", http(|page| page.port = 0), net()),
            ("ready.http.path", path(""), net()),
            ("ready.http.path", path("health"), net()),
            ("ready.http.path", path("/a b"), net()),
            ("ready.http.path", path("/a\r\nx: y"), net()),
            ("ready.http.path", path("/a\0"), net()),
            ("ready.http.path", path("/é"), net()),
            ("ready.http.path", path("/a#b"), net()),
            (
                "ready.http.path",
                path(&format!("/{}", "x".repeat(2048))),
                net(),
            ),
            (
                "ready.http.status",
                http(|page| page.status = std::ops::RangeInclusive::new(300, 200)),
                net(),
            ),
            (
                "ready.http.status",
                http(|page| page.status = 0..=200),
                net(),
            ),
            (
                "ready.http.status",
                http(|page| page.status = 200..=600),
                net(),
            ),
            ("ready.http.host", host(""), net()),
            ("ready.http.host", host("a\r\nx: y"), net()),
            ("ready.http", http(|_| ()), hardened()),
            (
                "ready.http",
                http(|_| ()),
                hardened().with_port(PortMapping::tcp(81)),
            ),
            ("ready.log_line", line(""), hardened()),
            ("ready.log_line", line("a\nb"), hardened()),
            ("ready.log_line", line("a\rb"), hardened()),
            ("ready.log_line", line(&"x".repeat(1025)), hardened()),
            (
                "ready.log_line",
                line("x"),
                hardened().with_log(LogConfig::new("none")),
            ),
            ("ready.exec", Ready::Exec(Vec::new()), hardened()),
            (
                "ready.exec",
                Ready::Exec(vec!["a\0".to_owned()]),
                hardened(),
            ),
            ("ready.any", Ready::Any(Vec::new()), hardened()),
            (
                "ready.tcp",
                Ready::All(vec![Ready::Any(vec![Ready::Tcp(0)])]),
                net(),
            ),
            ("ready", nested(5), hardened()),
            ("ready", Ready::Any(vec![Ready::Running; 16]), hardened()),
        ] {
            let error = ready.validate(&spec).expect_err(field);
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::InvalidInput, Some(field))
            );
        }
        let refused = http(|_| ()).validate(&hardened()).expect_err("no network");
        assert!(
            refused
                .advice()
                .is_some_and(|advice| advice.contains("Exec"))
        );
    }
}
