//! The way to the engine, and which engine it is.

use std::error::Error as _;
use std::io::{self, ErrorKind as Io};

use tokio::time::Instant;

use super::report::{Finding, Severity};
use crate::backend::ContainerBackend;
use crate::config::Config;
use crate::endpoint::{ApiVersion, Endpoint};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{EngineInfo, EngineProduct, EngineVersion, Ping};

const PINGS: usize = 5;

pub(super) fn endpoint(name: &'static str, config: &Config) -> Finding {
    let endpoint = config.endpoint();
    let seen = format!("{endpoint}, from {}", config.endpoint_origin());
    match endpoint {
        Endpoint::Tcp { .. } if endpoint.is_loopback() => {
            Finding::warning(name, seen).advise(
                "every user and program of this machine reaches plaintext TCP, and is root through it: prefer the unix socket",
            )
        }
        Endpoint::Tcp { .. } => Finding::warning(name, seen).advise(
            "plaintext TCP: whoever is on the way is root on the engine's machine; use TLS (DOCKER_TLS_VERIFY=1)",
        ),
        _ => Finding::ok(name, seen),
    }
}

/// Better advice than the error's own, by what the system said.
pub(super) fn why_unreached(error: &Error) -> Option<&'static str> {
    if error.kind() == ErrorKind::Timeout {
        return Some(
            "the engine takes connections and doesn't answer, or the network drops them: see its log (journalctl -u docker)",
        );
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                Io::NotFound => {
                    return Some(
                        "there is no such socket: start the engine (systemctl start docker), or correct DOCKER_HOST",
                    );
                }
                Io::ConnectionRefused => {
                    return Some(
                        "nothing listens there: start the engine (systemctl start docker), and see its log (journalctl -u docker)",
                    );
                }
                Io::PermissionDenied => {
                    return Some("this user may not connect: see socket_rights");
                }
                _ => {}
            }
        }
        cause = error.source();
    }
    None
}

/// Whether both engines come to one; `again` asks where the first does once more.
pub(super) async fn agreement(
    first: Option<&EngineInfo>,
    second: Option<&EngineInfo>,
    again: Option<&dyn ContainerBackend>,
) -> Finding {
    const NAME: &str = "engines_agree";
    let id = |info: Option<&EngineInfo>| info.and_then(|info| info.id.clone());
    let (first, second) = (id(first), id(second));
    if first != second
        && first.is_some()
        && let Some(again) = again
        && let Ok(info) = again.info().await
        && info.id != first
    {
        let seen = "the engine gives another id each time it is asked, as Podman does";
        return Finding::unknown(NAME, seen)
            .advise("nothing, but it can't be used with DOCKER_FALLBACK_HOST");
    }
    match (first, second) {
        (Some(first), Some(second)) if first == second => {
            Finding::ok(NAME, format!("both reach the engine {first}"))
        }
        (Some(first), Some(second)) => Finding::problem(NAME, format!("one reaches {first}, the other {second}"))
            .advise("the address leads to several engines, or DOCKER_FALLBACK_HOST to another: no container made by one call is there for the next; name one of them"),
        _ => Finding::unknown(NAME, "not both of them gave the engine's id"),
    }
}

pub(super) async fn latency(backend: &dyn ContainerBackend) -> Finding {
    const NAME: &str = "ping_latency";
    let mut times = Vec::new();
    for _ in 0..PINGS {
        let begun = Instant::now();
        if let Err(error) = backend.ping().await {
            return Finding::failed(NAME, Severity::Warning, &error);
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let median = times.get(PINGS / 2).copied().unwrap_or_default();
    Finding::info(
        NAME,
        format!("{} µs, the median of {PINGS}", median.as_micros()),
    )
}

/// The API's range, what is pinned, and the engine itself.
pub(super) fn versions(
    pinned: Option<ApiVersion>,
    ping: &Ping,
    version: Result<EngineVersion>,
) -> Vec<Finding> {
    let told = version.as_ref().ok();
    let newest = ping.api_version.or(told.and_then(|told| told.api_version));
    let oldest = told.and_then(|told| told.min_api_version);
    let mut findings = vec![api(oldest, newest), pin(pinned, oldest, newest)];
    match version {
        Ok(version) => findings.extend(product(&version)),
        Err(error) => findings.push(Finding::failed("product", Severity::Unknown, &error)),
    }
    findings
}

fn api(oldest: Option<ApiVersion>, newest: Option<ApiVersion>) -> Finding {
    const NAME: &str = "api_version";
    let (ours, known) = (ApiVersion::OLDEST, ApiVersion::NEWEST);
    let Some(newest) = newest else {
        return Finding::problem(NAME, "the engine names no API version")
            .advise("see that it is a container engine that answers there, and one of Docker 19.03 or later");
    };
    let from = oldest.map_or_else(|| "?".to_owned(), |oldest| oldest.to_string());
    let seen = format!("the engine speaks {from} to {newest}, this crate {ours} to {known}");
    if newest < ours {
        return Finding::problem(NAME, seen).advise("upgrade the engine: Docker 19.03 at least");
    }
    if oldest.is_some_and(|oldest| oldest > known) {
        return Finding::problem(NAME, seen)
            .advise("upgrade catamaran: the engine takes nothing so old");
    }
    Finding::ok(NAME, format!("{seen}; {} is spoken", newest.min(known)))
}

fn pin(
    pinned: Option<ApiVersion>,
    oldest: Option<ApiVersion>,
    newest: Option<ApiVersion>,
) -> Finding {
    const NAME: &str = "pinned_api_version";
    let Some(pinned) = pinned else {
        return Finding::ok(NAME, "none: it is negotiated");
    };
    let advice = "unset DOCKER_API_VERSION (or the builder's api_version), and it is negotiated";
    if let Some(newest) = newest.filter(|newest| pinned > *newest) {
        let seen = format!(
            "{pinned} is pinned, and the engine speaks {newest} at most: it refuses every call"
        );
        return Finding::problem(NAME, seen).advise(advice);
    }
    if let Some(oldest) = oldest.filter(|oldest| pinned < *oldest) {
        let seen = format!(
            "{pinned} is pinned, and the engine speaks {oldest} at least: it refuses every call"
        );
        return Finding::problem(NAME, seen).advise(advice);
    }
    Finding::info(NAME, format!("{pinned} is pinned")).advise(advice)
}

fn product(version: &EngineVersion) -> [Finding; 3] {
    let EngineVersion {
        product,
        version: number,
        os,
        arch,
        kernel,
        ..
    } = version;
    let kernel = kernel.as_deref().unwrap_or("unknown");
    let seen = format!("{product} {number}, {os}/{arch}, kernel {kernel}");
    let product_finding = match product {
        EngineProduct::Other(_) => Finding::warning("product", seen)
            .advise("neither Docker nor Podman: run catamaran's conformance suite on it before relying on it"),
        _ => Finding::ok("product", seen),
    };
    let os_finding = match os.as_str() {
        "linux" => Finding::ok("container_os", "linux"),
        other => Finding::problem("container_os", other).advise(
            "catamaran's hardened containers are Linux's: switch the engine to Linux containers",
        ),
    };
    [product_finding, troubles(product, number), os_finding]
}

/// What is known of versions.
fn troubles(product: &EngineProduct, number: &str) -> Finding {
    const NAME: &str = "known_troubles";
    let major = number
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    let handled = "catamaran copes with it; other clients of this engine may not";
    match (product, major) {
        (EngineProduct::Docker, Some(0..20)) => {
            Finding::warning(NAME, "this Docker is older than what catamaran is tested on")
                .advise("upgrade it: 20.10 at least")
        }
        (EngineProduct::Docker, Some(20..24)) => Finding::info(
            NAME,
            "Docker 20.10 and 23 finish a create or start whose client has gone away",
        )
        .advise(handled),
        (EngineProduct::Podman, Some(0..4)) => {
            Finding::warning(NAME, "this Podman is older than what catamaran is tested on")
                .advise("upgrade it: 4.3 at least")
        }
        (EngineProduct::Podman, Some(_)) => Finding::info(
            NAME,
            "Podman answers 500 to a name that is taken, and closes connections after 10 s without a call",
        )
        .advise(handled),
        (EngineProduct::Docker, Some(_)) => Finding::ok(NAME, "none"),
        _ => Finding::unknown(NAME, "its version isn't known here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn v(minor: u32) -> Option<ApiVersion> {
        Some(ApiVersion::new(1, minor))
    }

    #[test]
    fn ranges_that_do_not_meet_are_problems() {
        for (oldest, newest, severity) in [
            (v(24), v(41), Severity::Ok),
            (None, v(60), Severity::Ok),
            (v(12), v(39), Severity::Problem),
            (v(54), v(60), Severity::Problem),
            (None, None, Severity::Problem),
        ] {
            let finding = api(oldest, newest);
            assert_eq!(finding.severity, severity, "{finding:?}");
        }
        for (pinned, oldest, newest, severity) in [
            (None, v(24), v(41), Severity::Ok),
            (v(41), v(24), v(41), Severity::Info),
            (v(44), v(24), v(41), Severity::Problem),
            (v(40), v(44), v(52), Severity::Problem),
            (v(40), None, None, Severity::Info),
        ] {
            let finding = pin(pinned, oldest, newest);
            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }

    #[test]
    fn old_engines_are_told_by_their_major_version() {
        use EngineProduct::{Docker, Podman};
        for (product, number, severity) in [
            (Docker, "19.03.1", Severity::Warning),
            (Docker, "20.10.24+dfsg1", Severity::Info),
            (Docker, "28.5.1", Severity::Ok),
            (Docker, "dev", Severity::Unknown),
            (Podman, "3.0.1", Severity::Warning),
            (Podman, "5.4.2", Severity::Info),
        ] {
            let finding = troubles(&product, number);
            assert_eq!(finding.severity, severity, "{number}: {finding:?}");
        }
    }
}
