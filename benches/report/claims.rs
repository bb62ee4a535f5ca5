//! The claims that the crate began with, wherever sessions were opened under load.

use std::fmt::Write;
use std::path::Path;

use crate::bounds::{self, Of};
use crate::cell::Cell;
use crate::common::statistics::Estimate;
use crate::plots;
use crate::promises::{CLAIMS, Claim, OURS, PATIENCE_MS};
use crate::tables::{Outcome, brief, told, verdict};

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
        "about half of its worst, while those that begin all at once share the engine and finish together. *bollard* opens as many at"
    )?;
    writeln!(
        page,
        "once as there are users. This crate's manager opens sixteen at once unless it is told otherwise (`SessionLimits::with_opens`,"
    )?;
    writeln!(
        page,
        "`CATAMARAN_OPENS`), so that a crowd of users isn't one of creations at the engine: behind a simulated delay, which any number"
    )?;
    writeln!(
        page,
        "may wait out together, that sets its pace and bollard is ahead; *async, all at once* is the manager without that bound.\n"
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
                // The quick form hasn't everybody everywhere.
                Err(_) if cell.subjects.iter().all(|who| who.name != ours) => "–".to_owned(),
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
    let mut places: Vec<&str> = sessions
        .iter()
        .filter_map(|cell| Some(place(cell)?.0))
        .collect();
    places.dedup();
    // One number tells nothing of how many there could be.
    places.retain(|at| {
        let there = |cell: &&&Cell| place(cell).is_some_and(|(place, _)| place == *at);
        sessions.iter().filter(there).count() > 1
    });
    if places.is_empty() {
        writeln!(
            page,
            "How many users there can be at once is tried in the full form, with one, ten, twenty, fifty and a hundred.\n"
        )?;
        return Ok(());
    }
    let patience = PATIENCE_MS / 1e3;
    writeln!(
        page,
        "Users at once where a blocking client holds 15–20, wanted are 50: the most, of those numbers that were tried, whose"
    )?;
    writeln!(
        page,
        "sessions were open after {patience} s in 95 of 100 cases (the median round), without a failure:\n"
    )?;
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
