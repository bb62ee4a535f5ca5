//! The page's tables.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use crate::bounds::{self, Limit, Of, Verdict};
use crate::cell::{Cell, Subject};
use crate::common::statistics::Estimate;
use crate::plots;
use crate::promises::{BOUNDS, RATIOS};

pub type Outcome = Result<(), Box<dyn Error>>;

/// What was promised, line by line.
pub fn promises(page: &mut String, cells: &[Cell]) -> Outcome {
    writeln!(page, "## What is promised\n")?;
    writeln!(
        page,
        "| what | measured | interval | bound | |\n|---|---|---|---|---|"
    )?;
    for bound in BOUNDS {
        let (what, limit) = (bound.what, told(bound.limit));
        match bound.estimate(cells) {
            Err(why) => writeln!(page, "| {what} | – | – | {limit} | not measured: {why} |")?,
            Ok(estimate) => {
                let (median, interval) = (short(estimate.median), interval(&estimate));
                let verdict = verdict(bound.limit, &estimate);
                writeln!(
                    page,
                    "| {what} | {median} | {interval} | {limit} | {verdict} |"
                )?;
            }
        }
    }
    writeln!(page)?;
    Ok(())
}

/// A bound in words.
pub fn told(limit: Limit) -> String {
    match limit {
        Limit::AtMost(limit) => format!("≤ {}", short(limit)),
        Limit::AtLeast(limit) => format!("≥ {}", short(limit)),
        Limit::None => "–".to_owned(),
    }
}

/// How it came out, in words.
pub fn verdict(limit: Limit, estimate: &Estimate) -> &'static str {
    match limit.judge(estimate) {
        Some(Verdict::Met) => "met",
        Some(Verdict::NotMet) => "**not met**",
        Some(Verdict::Undecided) => "undecided",
        None if limit != Limit::None => "one round: not judged",
        None => "",
    }
}

/// Pairs side by side, over several cells.
pub fn ratios(page: &mut String, cells: &[Cell]) -> Outcome {
    for table in RATIOS {
        let there = |name: &str| {
            cells
                .iter()
                .any(|cell| cell.name == name && cell.missing.is_none())
        };
        let columns: Vec<_> = table
            .columns
            .iter()
            .filter(|(_, cell)| there(cell))
            .collect();
        if columns.is_empty() {
            continue;
        }
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        writeln!(page, "## Ratios: {}\n", table.title)?;
        writeln!(
            page,
            "| | {} |\n|---|{}",
            names.join(" | "),
            "---|".repeat(names.len())
        )?;
        for (over, under) in table.rows {
            let row = columns.iter().map(|(_, cell)| {
                let estimate = bounds::estimate(cells, cell, Of::Ratio(over, under), table.figure);
                estimate.map_or_else(|_| "–".to_owned(), |estimate| brief(&estimate))
            });
            writeln!(
                page,
                "| {over} to {under} | {} |",
                row.collect::<Vec<_>>().join(" | ")
            )?;
        }
        writeln!(page)?;
    }
    Ok(())
}

/// What a figure is called in a table, in the order of its columns.
#[rustfmt::skip]
const COLUMNS: [(&str, &str); 23] = [
    ("time_us", "µs a call"),
    ("per_s", "calls a second"),
    ("p50_us", "p50, µs"),
    ("p99_us", "p99, µs"),
    ("cpu_us", "CPU of the client, µs"),
    ("back_ms", "ms"),
    ("allocations", "allocations a call"),
    ("allocated_bytes", "bytes allocated a call"),
    ("mean_ms", "open, mean, ms"),
    ("p50_ms", "p50"),
    ("p95_ms", "p95"),
    ("p99_ms", "p99"),
    ("per_min", "sessions a minute"),
    ("failed", "failed"),
    ("left_over", "left over"),
    ("lag_p99_ms", "loop lag p99, ms"),
    ("rss_mib", "memory, MiB"),
    ("warm_hits", "from the pool"),
    ("rss_bytes", "resident memory each, bytes"),
    ("heap_bytes", "heap each, bytes"),
    ("threads", "threads"),
    ("cpu_each_us", "CPU each, µs"),
    ("seconds", "all, s"),
];

/// All of a cell, and a plot.
pub fn cell(page: &mut String, cell: &Cell, out: &Path) -> Outcome {
    let Cell {
        name,
        title,
        seconds,
        ..
    } = cell;
    writeln!(page, "## {}\n", capital(title))?;
    if let Some(why) = &cell.missing {
        writeln!(page, "`{name}`: not measured: {why}\n")?;
        return Ok(());
    }
    let rounds = cell.spin_us.len();
    let rounds = if rounds == 1 {
        "one round".to_owned()
    } else {
        format!("{rounds} rounds")
    };
    writeln!(page, "`{name}`, {rounds} in {seconds:.0} s.\n")?;
    let has = |figure: &str| {
        cell.subjects
            .iter()
            .any(|subject| subject.figures.contains_key(figure))
    };
    let columns: Vec<_> = COLUMNS
        .into_iter()
        .filter(|(figure, _)| has(figure))
        .collect();
    let names: Vec<_> = columns.iter().map(|(_, name)| *name).collect();
    writeln!(
        page,
        "| | {} |\n|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    )?;
    for subject in &cell.subjects {
        writeln!(
            page,
            "| {} | {} |",
            subject.name,
            row(subject, &columns).join(" | ")
        )?;
    }
    writeln!(page)?;
    let Some((figure, unit)) = columns.first() else {
        return Ok(());
    };
    let file = format!("{}.svg", name.replace('/', "-"));
    if plots::bars(cell, figure, unit, &out.join(&file))? {
        writeln!(page, "![{title}]({file})\n")?;
    }
    Ok(())
}

fn row(subject: &Subject, columns: &[(&str, &str)]) -> Vec<String> {
    let cell = |(figure, _): &(&str, &str)| match (&subject.failed, subject.estimate(figure)) {
        (Some(why), _) => format!("failed: {why}"),
        (None, None) => "–".to_owned(),
        (None, Some(estimate)) => brief(&estimate),
    };
    columns.iter().map(cell).collect()
}

fn capital(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// A median with its interval.
pub fn brief(estimate: &Estimate) -> String {
    let median = short(estimate.median);
    // Where all rounds gave the same, or there was only one.
    match estimate.low == estimate.high {
        true => median,
        false => format!("{median} ({})", interval(estimate)),
    }
}

fn interval(estimate: &Estimate) -> String {
    let rounds = match estimate.rounds {
        1 => return "one round".to_owned(),
        rounds @ 2..6 => format!(", {rounds} rounds"),
        _ => String::new(),
    };
    format!("{}–{}{rounds}", short(estimate.low), short(estimate.high))
}

/// Three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.0995 => format!("{number:.4}"),
        size if size < 0.995 => format!("{number:.3}"),
        size if size < 9.95 => format!("{number:.2}"),
        size if size < 99.5 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
