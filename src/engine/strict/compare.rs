//! What was asked for beside what is in force, field by field.
//!
//! What a spec sets has to be shown as it was set: a stricter value is a difference too, and so is one that the
//! engine doesn't show. What it leaves to the engine isn't compared, except for what would give the
//! container more than the engine's default, which [`granted`](super::granted) looks for. Values that may be
//! secret are compared and not told.

use std::fmt;

use super::attached::{devices_of, mounts_of, ports_of};
use super::granted;
use super::security::profile;
use crate::backend::leftover::is_own;
use crate::engine::wire::{clean, signal_name, whole_seconds};
use crate::model::{
    ContainerDetails, ContainerSpec, HealthCheck, LogConfig, MemorySwap, Resources, RestartPolicy,
    Ulimit,
};
use crate::quote::quote;

/// A field that isn't as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) field: &'static str,
    asked: String,
    found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            asked,
            found,
        } = self;
        write!(f, "{field} was to be {asked} and is {found}")
    }
}

/// Collects what differs.
#[derive(Default)]
pub(super) struct Table(Vec<Difference>);

impl Table {
    pub(super) fn differ(
        &mut self,
        field: &'static str,
        asked: impl Into<Option<String>>,
        found: impl Into<Option<String>>,
    ) {
        let (asked, found) = (shown(asked.into()), shown(found.into()));
        self.0.push(Difference {
            field,
            asked,
            found,
        });
    }

    /// What was asked for, if anything was, must be found in the same words.
    pub(super) fn same(
        &mut self,
        field: &'static str,
        asked: Option<String>,
        found: Option<String>,
    ) {
        if asked.is_some() && asked != found {
            self.differ(field, asked, found);
        }
    }

    /// The same for what may be secret.
    fn same_secret(&mut self, field: &'static str, key: &str, asked: &str, found: Option<&str>) {
        if found != Some(asked) {
            let found = found.map_or_else(|| "not there".to_owned(), |_| "another".to_owned());
            self.differ(field, format!("{key} as given"), found);
        }
    }
}

/// A value on one line, cut where it is long.
fn shown(value: Option<String>) -> String {
    match value {
        None => "none".to_owned(),
        Some(text) if text.len() <= 64 && text.bytes().all(|b| matches!(b, b' '..=b'~')) => text,
        Some(text) => quote(&text),
    }
}

pub(super) fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// Where what was made isn't what was asked for.
pub(super) fn differences(spec: &ContainerSpec, found: &ContainerDetails) -> Vec<Difference> {
    let ContainerSpec {
        image: _,    // Engines show it by a name of their own.
        platform: _, // Shown by its operating system alone.
        strict: _,   // No engine knows of it.
        name,
        command,
        entrypoint,
        env,
        labels,
        working_dir,
        hostname,
        tty,
        stdin,
        stdin_once,
        resources: limits,
        security,
        mounts,
        ports,
        health_check,
        log,
        restart_policy,
        devices,
        init,
        stop_signal,
        stop_timeout,
    } = spec;
    let mut table = Table::default();
    resources(&mut table, limits, &found.resources);
    profile(&mut table, security, found);
    mounts_of(&mut table, mounts, &found.mounts);
    ports_of(&mut table, ports, &found.port_bindings);
    devices_of(&mut table, devices, &found.devices);
    if let Some(log) = log {
        log_of(&mut table, log, found);
    }
    let held = found.restart_policy.map(policy);
    table.same(
        "restart_policy",
        Some(policy(*restart_policy)),
        held.or_else(|| Some("unknown".to_owned())),
    );
    // An engine whose default is none may say nothing.
    table.same("init", text(*init), text(found.init.or(Some(false))));
    table.same("tty", text(Some(tty)), text(Some(found.tty)));
    table.same("stdin", text(Some(stdin)), text(Some(found.stdin)));
    let once = (text(Some(stdin_once)), text(Some(found.stdin_once)));
    table.same("stdin_once", once.0, once.1);
    table.same("name", text(name.as_ref()), Some(found.name.clone()));
    table.same("hostname", hostname.clone(), found.hostname.clone());
    let path = |path: &Option<String>| path.as_deref().map(clean);
    table.same("working_dir", path(working_dir), path(&found.working_dir));
    table.same(
        "stop_signal",
        text(stop_signal.as_ref()).and_then(signal_name),
        found.stop_signal.clone(),
    );
    let seconds = |time: std::time::Duration| whole_seconds(time).to_string();
    table.same(
        "stop_timeout",
        stop_timeout.map(seconds),
        found.stop_timeout.map(seconds),
    );
    program(&mut table, entrypoint.as_deref(), command, &found.command);
    for (key, value) in env.iter() {
        table.same_secret("env", key, value, found.env.get(key));
    }
    // The crate's own are no part of what was asked for.
    let asked = labels.iter().filter(|(key, _)| !is_own(key.as_str()));
    for (key, value) in asked {
        let found = found.labels.get(key.as_str()).map(String::as_str);
        table.same_secret("labels", key.as_str(), value, found);
    }
    if let Some(check) = health_check
        && !found
            .health_check
            .as_ref()
            .is_some_and(|found| same_check(check, found))
    {
        let found = found.health_check.as_ref().map(|_| "another".to_owned());
        table.differ("health_check", "as given".to_owned(), found);
    }
    granted::granted(&mut table, spec, found);
    table.0
}

fn resources(table: &mut Table, asked: &Resources, found: &Resources) {
    let Resources {
        memory,
        memory_swap,
        memory_reservation,
        cpus,
        cpu_shares,
        cpuset_cpus,
        pids,
        ulimits,
        shm_size,
        disk,
    } = asked;
    let swap = |swap: Option<MemorySwap>| {
        swap.map(|swap| match swap {
            MemorySwap::Total(bytes) => bytes.to_string(),
            MemorySwap::Unlimited => "unlimited".to_owned(),
        })
    };
    let reservation = found.memory_reservation;
    for (field, asked, found) in [
        ("resources.memory", text(*memory), text(found.memory)),
        (
            "resources.memory_swap",
            swap(*memory_swap),
            swap(found.memory_swap),
        ),
        (
            "resources.memory_reservation",
            text(*memory_reservation),
            text(reservation),
        ),
        (
            "resources.cpu_shares",
            text(*cpu_shares),
            text(found.cpu_shares),
        ),
        (
            "resources.cpuset_cpus",
            cpuset_cpus.clone(),
            found.cpuset_cpus.clone(),
        ),
        ("resources.pids", text(*pids), text(found.pids)),
        ("resources.shm_size", text(*shm_size), text(found.shm_size)),
        ("resources.disk", text(*disk), text(found.disk)),
    ] {
        table.same(field, asked, found);
    }
    if let Some(cpus) = cpus {
        // A quota is kept to the microsecond of a tenth of a second.
        let near = |found: f64| (found - cpus).abs() <= 1e-5;
        if !found.cpus.is_some_and(near) {
            table.differ("resources.cpus", cpus.to_string(), text(found.cpus));
        }
    }
    let plain = str::to_ascii_lowercase;
    let limits = |limit: &Ulimit| {
        let Ulimit { name, soft, hard } = limit;
        format!("{} {soft}:{hard}", plain(name))
    };
    for limit in ulimits {
        // Of two of a name the last one holds.
        let held = ulimits.iter().rev().find(|other| other.name == limit.name);
        let name = plain(&limit.name);
        let found = found.ulimits.iter().rev();
        let found = found.into_iter().find(|found| plain(&found.name) == name);
        table.same("resources.ulimits", held.map(limits), found.map(limits));
    }
}

fn log_of(table: &mut Table, asked: &LogConfig, found: &ContainerDetails) {
    let LogConfig { driver, options } = asked;
    table.same("log.driver", Some(driver.clone()), found.log_driver.clone());
    for (key, value) in options {
        table.same_secret("log.options", key, value, found.log_options.get(key));
    }
}

fn policy(policy: RestartPolicy) -> String {
    match policy {
        RestartPolicy::No => "no".to_owned(),
        RestartPolicy::Always => "always".to_owned(),
        RestartPolicy::UnlessStopped => "unless-stopped".to_owned(),
        RestartPolicy::OnFailure(times) => format!("on-failure:{times}"),
    }
}

/// The program is what the entry point and the command make together, or ends with the command where the entry point
/// is the image's.
fn program(table: &mut Table, entrypoint: Option<&[String]>, command: &[String], found: &[String]) {
    let entrypoint = entrypoint.filter(|entrypoint| !entrypoint.is_empty());
    let asked: Vec<_> = entrypoint
        .unwrap_or_default()
        .iter()
        .chain(command)
        .collect();
    let fits = |found: &[String]| {
        let ends = found.iter().rev().zip(asked.iter().rev());
        let length = if entrypoint.is_some() {
            found.len() == asked.len()
        } else {
            found.len() >= asked.len()
        };
        length && ends.into_iter().all(|(found, asked)| found == *asked)
    };
    // Podman tells its init program before those that it starts.
    let started = match found {
        [init, dashes, rest @ ..] if init.ends_with("/podman-init") && dashes == "--" => rest,
        all => all,
    };
    if !fits(started) && !fits(found) {
        let field = entrypoint.map_or("command", |_| "entrypoint");
        let count = |count: usize| format!("{count} words, not told");
        table.differ(field, count(asked.len()), count(started.len()));
    }
}

/// Whether the check is as asked, where it was asked for; the rest is the image's or the engine's.
fn same_check(asked: &HealthCheck, found: &HealthCheck) -> bool {
    let HealthCheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = asked;
    let times = [
        (interval, &found.interval),
        (timeout, &found.timeout),
        (start_period, &found.start_period),
        (start_interval, &found.start_interval),
    ];
    *test == found.test
        && times.iter().all(|(asked, found)| asked.is_none() || asked == found)
        // 0 is the engine's default.
        && (retries.unwrap_or(0) == 0 || *retries == found.retries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The init program of an engine is none of what was asked for, unless it is.
    #[test]
    fn a_program_is_found_beneath_an_engines_init() {
        let init = ["/run/podman-init", "--", "sh", "x"];
        for (entrypoint, command, found, same) in [
            (None, &["sh", "x"][..], &init[..], true),
            (None, &["x"], &init, true),
            (None, &init, &init, true),
            (Some(&["sh"][..]), &["x"], &init, true),
            (Some(&init[..1]), &init[1..], &init, true),
            (Some(&["sh"]), &["x"], &["y", "sh", "x"], false),
            (None, &["y", "x"], &init, false),
            (None, &["a", "sh", "x"], &init[2..], false),
        ] {
            let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
            let entrypoint = entrypoint.map(words);
            let mut table = Table::default();
            program(
                &mut table,
                entrypoint.as_deref(),
                &words(command),
                &words(found),
            );
            assert_eq!(table.0.is_empty(), same, "{command:?} in {found:?}");
        }
    }
}
