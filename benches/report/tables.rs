//! The page's tables.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use crate::bounds::{self, Limit, Of, Verdict};
use crate::cell::{Cell, Subject};
use crate::common::statistics::Estimate;
use crate::plots;
use crate::promises::{BOUNDS, CLAIMS, Claim, OURS, PATIENCE_MS, RATIOS};

type Outcome = Result<(), Box<dyn Error>>;

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

fn told(limit: Limit) -> String {
    match limit {
        Limit::AtMost(limit) => format!("≤ {}", short(limit)),
        Limit::AtLeast(limit) => format!("≥ {}", short(limit)),
        Limit::None => "–".to_owned(),
    }
}

fn verdict(limit: Limit, estimate: &Estimate) -> &'static str {
    match limit.judge(estimate) {
        Some(Verdict::Met) => "met",
        Some(Verdict::NotMet) => "**not met**",
        Some(Verdict::Undecided) => "undecided",
        None if limit != Limit::None => "one round: not judged",
        None => "",
    }
}

/// The seed's table, wherever sessions were opened under load.
pub fn claims(page: &mut String, cells: &[Cell], out: &Path) -> Outcome {
    let sessions = || {
        let all = cells
            .iter()
            .filter(|cell| cell.name.starts_with("sessions/"));
        all.filter(|cell| cell.name != "sessions/warm")
    };
    if sessions().next().is_none() {
        return Ok(());
    }
    writeln!(page, "## What an async service was to gain\n")?;
    writeln!(
        page,
        "The claims that the crate began with, each against a client that blocks: *naive* blocks the event loop itself, *blocking*"
    )?;
    writeln!(
        page,
        "is the manager over the blocking engine. *pool*: a container stands by for each user. An engine that starts one"
    )?;
    writeln!(
        page,
        "container after another keeps every client to its pace, async or not: where it is the limit, only a pool is faster than it."
    )?;
    writeln!(
        page,
        "*naive* has as many sessions under way as its event loop has threads, and finishes them one after the other: its mean is"
    )?;
    writeln!(
        page,
        "about half of its worst, while those that begin all at once share the engine and finish together.\n"
    )?;
    for claim in CLAIMS {
        writeln!(page, "{}, {}:\n", claim.what, told(claim.limit))?;
        writeln!(
            page,
            "| | {} |\n|---|{}",
            OURS.join(" | "),
            "---|".repeat(OURS.len())
        )?;
        for cell in sessions() {
            let against = OURS.map(|ours| match against(claim, cell, ours) {
                Ok(estimate) => {
                    let verdict = verdict(claim.limit, &estimate);
                    format!("{}: {verdict}", brief(&estimate))
                }
                Err(why) => format!("not measured: {why}"),
            });
            writeln!(page, "| {} | {} |", cell.title, against.join(" | "))?;
        }
        writeln!(page)?;
    }
    most_users(page, &sessions().collect::<Vec<_>>(), out)
}

fn against(claim: &Claim, cell: &Cell, ours: &'static str) -> Result<Estimate, String> {
    let of = match claim.inverse {
        true => Of::Ratio(claim.beside, ours),
        false => Of::Ratio(ours, claim.beside),
    };
    bounds::estimate(std::slice::from_ref(cell), &cell.name, of, claim.figure)
}

/// A cell's engine and delay, and how many users it has.
fn place(cell: &Cell) -> Option<(&str, u64)> {
    let (place, users) = cell.name.rsplit_once('/')?;
    Some((place, users.parse().ok()?))
}

fn most_users(page: &mut String, sessions: &[&Cell], out: &Path) -> Outcome {
    let patience = PATIENCE_MS / 1e3;
    writeln!(
        page,
        "Users at once where a blocking client holds 15–20, wanted are 50: the most, of those numbers that were tried, whose"
    )?;
    writeln!(
        page,
        "sessions were open after {patience} s in 95 of 100 cases (the median round), without a failure:\n"
    )?;
    let mut places: Vec<&str> = sessions
        .iter()
        .filter_map(|cell| Some(place(cell)?.0))
        .collect();
    places.dedup();
    writeln!(
        page,
        "| | tried | naive | blocking | {} |\n|---|---|---|---|{}",
        OURS.join(" | "),
        "---|".repeat(OURS.len())
    )?;
    let mut plotted = String::new();
    for at in places {
        let tried: Vec<(u64, &Cell)> = sessions
            .iter()
            .filter_map(|cell| {
                place(cell)
                    .filter(|(place, _)| *place == at)
                    .map(|(_, users)| (users, *cell))
            })
            .collect();
        let most = |name: &str| {
            let holds = |cell: &Cell| {
                let p95 = cell
                    .value(name, "p95_ms")
                    .is_ok_and(|p95| p95.median <= PATIENCE_MS);
                p95 && cell
                    .value(name, "failed")
                    .is_ok_and(|failed| failed.high == 0.0)
            };
            let most = tried
                .iter()
                .filter(|(_, cell)| holds(cell))
                .map(|(users, _)| *users)
                .max();
            most.map_or_else(|| "none of them".to_owned(), |users| users.to_string())
        };
        let numbers: Vec<_> = tried.iter().map(|(users, _)| users.to_string()).collect();
        let names = ["naive", "blocking"].into_iter().chain(OURS);
        let row: Vec<_> = names.map(most).collect();
        writeln!(
            page,
            "| {} | {} | {} |",
            at.trim_start_matches("sessions/"),
            numbers.join(", "),
            row.join(" | ")
        )?;
        let file = format!("{}.svg", at.replace('/', "-"));
        let title = format!("Time until a session is open, p95 in ms, by users ({at})");
        if plots::lines(&title, &tried, "p95_ms", &out.join(&file))? {
            writeln!(plotted, "![{title}]({file})\n")?;
        }
    }
    writeln!(page, "\n{plotted}")?;
    Ok(())
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
fn brief(estimate: &Estimate) -> String {
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
