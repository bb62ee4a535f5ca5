//! What the probes' outcomes mean.

use super::probe::{CPUS, FORKS, IN_MEMORY, MEMORY, OPEN_FILES, PIDS};
use super::report::{Finding, Severity};
use crate::error::{Error, Result};

/// How a probe went.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `None` where it ran on.
    pub(super) exit_code: Option<i64>,
    pub(super) stdout: String,
    /// Why it wasn't made as it was asked for.
    pub(super) weakened: Option<Error>,
}

impl Outcome {
    /// The rest of the first line that begins with these words.
    fn told(&self, key: &str) -> Option<&str> {
        self.stdout.lines().find_map(|line| {
            let rest = line.strip_prefix(key)?;
            rest.strip_prefix(' ')
        })
    }

    fn says(&self, line: &str) -> bool {
        self.stdout.lines().any(|told| told == line)
    }
}

const NO_LIMIT: &str =
    "give it no code that nobody vouches for; see docker info's warnings and the engine's log";

pub(super) fn creation(look: &Result<Outcome>) -> Finding {
    const NAME: &str = "probe";
    match look {
        Err(error) => Finding::failed(NAME, Severity::Problem, error),
        Ok(Outcome {
            weakened: Some(error),
            ..
        }) => Finding::failed(NAME, Severity::Problem, error),
        Ok(outcome) if outcome.says("done") => Finding::ok(
            NAME,
            "a hardened container was made as it was asked for, and ran",
        ),
        Ok(Outcome { exit_code, .. }) => {
            let code = exit_code.map_or_else(|| "none yet".to_owned(), |code| code.to_string());
            Finding::unknown(
                NAME,
                format!("the probe didn't come to its end; exit code {code}"),
            )
            .advise("give an image whose /bin/sh is a POSIX shell")
        }
    }
}

pub(super) fn memory(eat: &Result<Outcome>) -> Finding {
    const NAME: &str = "holds_memory_limit";
    let limit = MEMORY >> 20;
    match eat {
        Err(error) => Finding::failed(NAME, Severity::Unknown, error),
        Ok(outcome) if outcome.says("over") => Finding::problem(
            NAME,
            format!("a program used 64 MiB beneath a limit of {limit} MiB"),
        )
        .advise(NO_LIMIT),
        Ok(outcome) if outcome.says("begun") && outcome.exit_code.is_some_and(|code| code != 0) => {
            let code = outcome.exit_code.unwrap_or_default();
            Finding::ok(
                NAME,
                format!("who wanted more than {limit} MiB ended, exit code {code}"),
            )
        }
        Ok(_) => Finding::unknown(NAME, "the probe came to no end"),
    }
}

pub(super) fn pids(fork: &Result<Outcome>) -> Finding {
    const NAME: &str = "holds_pids_limit";
    let outcome = match fork {
        Err(error) => return Finding::failed(NAME, Severity::Unknown, error),
        Ok(outcome) => outcome,
    };
    if outcome.says("over") {
        return Finding::problem(
            NAME,
            format!("{FORKS} processes ran beneath a limit of {PIDS}"),
        )
        .advise(NO_LIMIT);
    }
    let started = outcome
        .stdout
        .lines()
        .filter_map(|line| line.parse::<u32>().ok())
        .max();
    match started {
        Some(started) if (PIDS / 2..=PIDS).contains(&started) => Finding::ok(
            NAME,
            format!("after {started} processes more no further one began, of {PIDS} allowed"),
        ),
        Some(started) => Finding::unknown(
            NAME,
            format!("{started} processes began, of {PIDS} allowed, before the probe stopped"),
        ),
        None => Finding::unknown(NAME, "the image lacks sleep, or the probe came to no end"),
    }
}

pub(super) fn look(look: &Result<Outcome>) -> Vec<Finding> {
    // Why is told by the finding `probe`.
    let Ok(outcome) = look else { return Vec::new() };
    vec![
        cpu(outcome),
        root(outcome),
        size(outcome, "holds_tmpfs_size", "/tmp"),
        size(outcome, "holds_shm_size", "/dev/shm"),
        exact(
            outcome,
            "holds_ulimits",
            "nofile",
            &OPEN_FILES.to_string(),
            "the limit on open files",
        ),
        exact(
            outcome,
            "holds_no_new_privileges",
            "NoNewPrivs:",
            "1",
            "no-new-privileges",
        ),
        exact(
            outcome,
            "holds_no_capabilities",
            "CapBnd:",
            "0000000000000000",
            "the empty set of capabilities",
        ),
        exact(outcome, "holds_user", "Uid:", "65534", "the user nobody"),
        seccomp(outcome),
        network(outcome),
    ]
}

/// What has one right value.
fn exact(outcome: &Outcome, name: &'static str, key: &str, wanted: &str, what: &str) -> Finding {
    match outcome.told(key).map(str::trim) {
        Some(told) if told == wanted => Finding::ok(name, format!("{what} is in force: {told}")),
        Some("") | None => Finding::unknown(name, format!("the container doesn't show {what}")),
        Some(told) => Finding::problem(
            name,
            format!("{what} isn't in force: {told} instead of {wanted}"),
        )
        .advise(NO_LIMIT),
    }
}

fn cpu(outcome: &Outcome) -> Finding {
    const NAME: &str = "holds_cpu_quota";
    let told = outcome.told("cpu").and_then(|told| told.split_once(' '));
    match told {
        Some((quota, period)) => match (quota.parse::<f64>(), period.trim().parse::<f64>()) {
            (Ok(quota), Ok(period))
                if quota > 0.0 && period > 0.0 && (quota / period - CPUS).abs() < 0.01 =>
            {
                Finding::ok(
                    NAME,
                    format!("{quota} of {period} µs, which is {CPUS} CPUs"),
                )
            }
            _ => Finding::problem(
                NAME,
                format!("{quota} of {period} µs instead of {CPUS} CPUs"),
            )
            .advise(NO_LIMIT),
        },
        None if outcome.weakened.is_none() => Finding::info(
            NAME,
            format!("{CPUS} CPUs by the engine's word alone: the container doesn't see its cgroup"),
        ),
        None => Finding::unknown(NAME, "the container doesn't see its cgroup"),
    }
}

fn root(outcome: &Outcome) -> Finding {
    const NAME: &str = "holds_read_only_root";
    // Of mounts on top of each other the last is seen.
    let last = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("mount / "))
        .next_back();
    match last {
        Some(options) if options.split(',').any(|option| option == "ro") => {
            Finding::ok(NAME, "the root is mounted read-only")
        }
        Some(_) => Finding::problem(NAME, "the root is writable").advise(NO_LIMIT),
        None => Finding::unknown(NAME, "the container doesn't show its mounts"),
    }
}

fn size(outcome: &Outcome, name: &'static str, at: &str) -> Finding {
    let wanted = IN_MEMORY >> 10;
    match outcome.told(&format!("fill {at}")) {
        Some("over") => {
            Finding::problem(name, format!("2 MiB fit into {at}, of {wanted} KiB")).advise(NO_LIMIT)
        }
        Some("full") => {
            // A write can fail for another reason; the mount says whether it may have been this one.
            let sized = outcome.told(&format!("mount {at}")).is_some_and(|options| {
                options
                    .split(',')
                    .any(|option| option == format!("size={wanted}k"))
            });
            if sized {
                Finding::ok(name, format!("{at} was full at {wanted} KiB"))
            } else {
                Finding::unknown(
                    name,
                    format!("a write of 2 MiB to {at} failed, and its size isn't shown"),
                )
            }
        }
        _ => Finding::unknown(name, "the image lacks dd"),
    }
}

fn seccomp(outcome: &Outcome) -> Finding {
    const NAME: &str = "holds_seccomp";
    match outcome.told("Seccomp:") {
        Some("2") => Finding::ok(NAME, "system calls are filtered"),
        Some("0") => Finding::warning(NAME, "no system call is filtered")
            .advise("see the finding seccomp; a runtime with a kernel of its own may not need it"),
        _ => Finding::unknown(NAME, "the container doesn't show it"),
    }
}

fn network(outcome: &Outcome) -> Finding {
    const NAME: &str = "holds_no_network";
    let devices: Vec<_> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("net "))
        .collect();
    // A new namespace of a kernel with tunnels has their idle ends.
    let idle = |name: &&str| {
        matches!(
            *name,
            "lo" | "tunl0"
                | "sit0"
                | "ip6tnl0"
                | "gre0"
                | "gretap0"
                | "erspan0"
                | "ip_vti0"
                | "ip6_vti0"
                | "ip6gre0"
        )
    };
    if devices.is_empty() {
        Finding::unknown(NAME, "the container doesn't show its interfaces")
    } else if devices.iter().all(idle) {
        Finding::ok(NAME, format!("it has {} alone", devices.join(", ")))
    } else {
        Finding::problem(NAME, format!("it has {}", devices.join(", "))).advise(NO_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const HELD: &str = "Uid: 65534\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n\
        mount / rw,relatime\nmount / ro,relatime\nmount /tmp rw,size=1024k\nmount /dev/shm rw,size=1024k\nnet lo\n\
        nofile 99\ncpu 50000 100000\nfill /tmp full\nfill /dev/shm full\ndone\n";
    const LOOSE: &str = "Uid: 0\nCapEff: 00000000a80425fb\nCapBnd: 00000000a80425fb\nNoNewPrivs: 0\nSeccomp: 0\n\
        mount / rw,relatime\nmount /tmp rw\nmount /dev/shm rw,size=65536k\nnet lo\nnet eth0\nnofile 1024\ncpu max 100000\n\
        fill /tmp over\nfill /dev/shm over\ndone\n";

    fn outcome(stdout: &str, exit_code: impl Into<Option<i64>>) -> Result<Outcome> {
        Ok(Outcome {
            exit_code: exit_code.into(),
            stdout: stdout.to_owned(),
            weakened: None,
        })
    }

    #[test]
    fn what_holds_is_told_from_what_does_not() {
        for finding in look(&outcome(HELD, 0)) {
            assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
        }
        for finding in look(&outcome(LOOSE, 0)) {
            let expected = if finding.name == "holds_seccomp" {
                Severity::Warning
            } else {
                Severity::Problem
            };
            assert_eq!(finding.severity, expected, "{finding:?}");
        }
        for finding in look(&outcome("done\n", 0)) {
            let expected = if finding.name == "holds_cpu_quota" {
                Severity::Info
            } else {
                Severity::Unknown
            };
            assert_eq!(finding.severity, expected, "{finding:?}");
        }
    }

    #[test]
    fn memory_and_processes_are_judged_by_what_was_told() {
        let failed = || Err(Error::new(ErrorKind::Engine, "no"));
        for (finding, expected) in [
            (memory(&outcome("begun\n", 137)), Severity::Ok),
            (memory(&outcome("begun\nover\n", 0)), Severity::Problem),
            (memory(&outcome("begun\n", None)), Severity::Unknown),
            (memory(&outcome("", 127)), Severity::Unknown),
            (memory(&failed()), Severity::Unknown),
            (pids(&outcome("1\n30\n", 2)), Severity::Ok),
            (pids(&outcome("1\n30\n", None)), Severity::Ok),
            (pids(&outcome("1\n96\nover\n", 0)), Severity::Problem),
            (pids(&outcome("nosleep\n", 0)), Severity::Unknown),
            (pids(&outcome("1\n2\n", 2)), Severity::Unknown),
            (pids(&failed()), Severity::Unknown),
            (creation(&outcome("done\n", 0)), Severity::Ok),
            (creation(&outcome("", 127)), Severity::Unknown),
            (creation(&failed()), Severity::Problem),
        ] {
            assert_eq!(finding.severity, expected, "{finding:?}");
        }
    }
}
