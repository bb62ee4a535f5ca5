//! The page, the plots and the raw figures of one run.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::cell::{Cell, Run};
use crate::claims;
use crate::common::statistics::{percentile, sorted};
use crate::machine::Machine;
use crate::noise::{self, Shares, Ticks};
use crate::tables;

/// What is known before anything is measured.
pub struct Report {
    machine: Machine,
    began: Instant,
    ticks: Ticks,
    load: Option<f64>,
}

#[derive(Serialize)]
struct Raw<'a> {
    machine: &'a Machine,
    form: &'static str,
    seconds: f64,
    /// Of all processors, from begin to end.
    shares: Shares,
    load_before: Option<f64>,
    cells: &'a [Cell],
}

impl Report {
    pub fn begin(machine: Machine) -> Self {
        Self {
            machine,
            began: Instant::now(),
            ticks: Ticks::now(),
            load: noise::load(),
        }
    }

    pub fn write(&self, run: &Run) -> Result<(), Box<dyn Error>> {
        let out = &run.options.out;
        fs::create_dir_all(out)?;
        let raw = Raw {
            machine: &self.machine,
            form: run.options.either("quick", "full"),
            seconds: self.began.elapsed().as_secs_f64().round(),
            shares: Ticks::now().since(self.ticks),
            load_before: self.load,
            cells: &run.cells,
        };
        fs::write(out.join("raw.json"), serde_json::to_string(&raw)? + "\n")?;
        let mut page = String::new();
        head(&mut page, &raw, run)?;
        tables::promises(&mut page, &run.cells)?;
        claims::claims(&mut page, &run.cells, out)?;
        tables::ratios(&mut page, &run.cells)?;
        for cell in &run.cells {
            tables::cell(&mut page, cell, out)?;
        }
        fs::write(out.join("README.md"), page)?;
        Ok(())
    }
}

/// What the quick form has no time for.
const LEFT_OUT: &str = "ten thousand calls and followed logs at once, TLS with 256 callers, allocations of a list of one and of an
inspect, one to a hundred users on the engine as it is (five are here) and with 0.25 s and 1 s of simulated delay, and clients in Python";

/// Who is measured by that name.
#[rustfmt::skip]
const WHO: [(&str, &str); 13] = [
    ("floor", "a kept socket and requests written before; answers are read to their end and nothing is decoded: no client can be below it"),
    ("hyper", "plain hyper on kept connections (hyper-util's client); nothing is decoded"),
    ("bollard", "as it comes: a connection for every request"),
    ("bollard-nodelay", "over TLS: the same without Nagle's delay"),
    ("bollard-pooled", "over hyper-util's kept connections by its custom transport (this crate's own transport isn't public)"),
    ("shiplift", "as it comes, behind `spawn_blocking`; over TLS it takes its certificates from the environment alone, and isn't measured"),
    ("async, blocking", "this crate's engines with their defaults: twenty calls under way at once, what is more waits its turn"),
    ("hybrid", "this crate's backend over both engines, with its whole pipeline"),
    ("full", "the same with metrics, alerts, spans and an audit on, in a process of its own"),
    ("async, apart", "this crate's async engine in such a process, for the comparison"),
    ("naive", "under load: a blocking client on the event loop"),
    ("pool", "under load: a warm pool, as large as there are users"),
    ("docker-py, aiodocker", "under load, in the full form: Python's clients, the former in a pool of 40 threads"),
];

fn head(page: &mut String, raw: &Raw<'_>, run: &Run) -> Result<(), Box<dyn Error>> {
    let Machine {
        processor,
        cores,
        memory_gib,
        kernel,
        rustc,
        commit,
        engine,
        date,
        crates,
    } = raw.machine;
    let minutes = raw.seconds / 60.0;
    let form = raw.form;
    writeln!(page, "# Benchmarks\n")?;
    writeln!(
        page,
        "Written by `scripts/bench --{form}`: all figures here are of one run of {minutes:.1} minutes, on {date}; none is"
    )?;
    writeln!(
        page,
        "compared with those of another. The figures of each round are in [raw.json](raw.json).\n"
    )?;
    if run.options.quick {
        writeln!(page, "Left to `scripts/bench --full`: {LEFT_OUT}.\n")?;
    }
    if !run.finished {
        writeln!(
            page,
            "**Not finished**: this is what was there when the run ended.\n"
        )?;
    }
    if let Some(only) = &run.options.only {
        writeln!(
            page,
            "**Not a whole run**: only the cells `{only}` were measured.\n"
        )?;
    }
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(
        page,
        "| processor | {processor}, {cores} cores, {memory_gib} GiB |"
    )?;
    writeln!(page, "| system | {kernel} |")?;
    writeln!(page, "| engine | Docker {engine}, on the same processors |")?;
    writeln!(page, "| compiler | {rustc}, release |")?;
    let crates: Vec<_> = crates
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    writeln!(page, "| crates | {} |", crates.join(", "))?;
    writeln!(page, "| commit | {commit} |\n")?;
    writeln!(
        page,
        "Everybody is measured in turn, round after round, and nobody always after the same one. A figure is the median"
    )?;
    writeln!(
        page,
        "of the rounds; in brackets are two rounds between which the median lies in at least 95 of 100 cases, whatever the"
    )?;
    writeln!(
        page,
        "distribution (with fewer than six rounds the least and the greatest, less surely). A ratio is the median of the"
    )?;
    writeln!(
        page,
        "ratios in each round. *met*: all of the interval keeps to the bound; *undecided*: the bound is within it.\n"
    )?;
    noise_of(page, raw)?;
    writeln!(page, "| who | |\n|---|---|")?;
    for (who, what) in WHO {
        writeln!(page, "| {who} | {what} |")?;
    }
    writeln!(page)?;
    Ok(())
}

fn noise_of(page: &mut String, raw: &Raw<'_>) -> Result<(), Box<dyn Error>> {
    let spins = sorted(
        raw.cells
            .iter()
            .flat_map(|cell| cell.spin_us.iter().copied())
            .collect(),
    );
    if spins.is_empty() {
        return Ok(());
    }
    let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| percentile(&spins, share));
    let load = raw
        .load_before
        .map_or_else(|| "unknown".to_owned(), |load| load.to_string());
    writeln!(
        page,
        "How noisy the machine was: a fixed piece of work before each of {} rounds took {middle:.0} µs in the median, 5 % of the",
        spins.len()
    )?;
    writeln!(
        page,
        "times less than {low:.0} and 5 % more than {high:.0} ({:+.0} %). The host kept {:.1} % of the time for others (steal), the",
        (high / middle - 1.0) * 100.0,
        raw.shares.steal * 100.0
    )?;
    writeln!(
        page,
        "processors were busy for {:.0} % of it, and before the run the load was {load}.\n",
        raw.shares.busy * 100.0
    )?;
    Ok(())
}
