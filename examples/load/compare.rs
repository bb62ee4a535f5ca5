//! All modes one after the other, each in a fresh process, so that none has what another took.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::Outcome;
use crate::args::{Mode, Options};

/// As large as the pool is where nobody says.
const WARM: u64 = 20;

const HEAD: [(&str, &str); 12] = [
    ("mode", "mode"),
    ("sessions/min", "/sessions_per_min"),
    ("open mean ms", "/open_ms/mean"),
    ("p50", "/open_ms/p50"),
    ("p95", "/open_ms/p95"),
    ("p99", "/open_ms/p99"),
    ("claim p50 ms", "/claim_ms/p50"),
    ("lag p50 ms", "/loop_lag_ms/p50"),
    ("lag p99 ms", "/loop_lag_ms/p99"),
    ("threads", "/threads_peak"),
    ("RSS MiB", "/rss_peak_mb"),
    ("failed", "/failed"),
];

/// Runs them, and tells a table and, as the last line, one JSON array.
pub fn compare(options: &Options) -> Outcome<ExitCode> {
    // A terminal's Ctrl-C is every child's as well, which cleans up; after it, none is begun.
    let interrupted = heed_interrupts()?;
    let warm = if options.warm > 0 { options.warm } else { WARM };
    let mut lines = Vec::new();
    let mut good = true;
    for (mode, warm) in [
        (Mode::Naive, 0),
        (Mode::Bollard, 0),
        (Mode::Blocking, 0),
        (Mode::Async, 0),
        (Mode::Hybrid, 0),
        (Mode::Hybrid, warm),
    ] {
        eprintln!("{mode}{}", if warm > 0 { " with a pool" } else { "" });
        let (line, ended_well) = run(options, mode, warm)?;
        if interrupted.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        good &= ended_well;
        lines.push(line);
    }
    if let Some(engine) = lines.first().and_then(|line| line["engine"].as_str()) {
        let (sessions, users) = (options.sessions, options.users);
        println!("{sessions} sessions by {users} users, on {engine}\n");
    }
    println!("{}", table(&lines));
    println!("{}", serde_json::to_string(&lines)?);
    Ok(ExitCode::from(u8::from(!good)))
}

fn heed_interrupts() -> Outcome<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                while tokio::signal::ctrl_c().await.is_ok() {
                    seen.store(true, Ordering::Relaxed);
                }
            });
        })?;
    Ok(interrupted)
}

/// One child: its last line, and whether all was well.
fn run(options: &Options, mode: Mode, warm: u64) -> Outcome<(Value, bool)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(options.words(mode, warm))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("a child without an output")?;
    let said = BufReader::new(said).lines().collect::<io::Result<Vec<_>>>();
    let status = child.wait()?;
    let last = said?
        .pop()
        .ok_or_else(|| format!("{mode} ended with {status} and said nothing"))?;
    Ok((serde_json::from_str(&last)?, status.success()))
}

/// In Markdown; a mode with a pool says so.
fn table(lines: &[Value]) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = row(HEAD.map(|(name, _)| name.to_owned()).to_vec());
    table += &row(HEAD.map(|_| "---".to_owned()).to_vec());
    for line in lines {
        let cells = HEAD.map(|(_, at)| match at {
            "mode" => named(line),
            at => line
                .pointer(at)
                .map_or_else(|| "–".to_owned(), Value::to_string),
        });
        table += &row(cells.to_vec());
    }
    table
}

fn named(line: &Value) -> String {
    let mode = line["mode"].as_str().unwrap_or("?");
    match line["warm"].as_u64() {
        Some(0) | None => mode.to_owned(),
        Some(warm) => format!("{mode} + {warm} warm"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_mode() {
        let spread = json!({"mean": 12.5, "p50": 11.0, "p95": 20.0, "p99": 30.25});
        let lines = [
            json!({"mode": "naive", "warm": 0, "open_ms": spread, "failed": 0}),
            json!({"mode": "hybrid", "warm": 20, "claim_ms": {"p50": 2.5}, "sessions_per_min": 600.0}),
        ];
        let table = table(&lines);
        let rows: Vec<_> = table.lines().collect();
        assert_eq!(rows.len(), 4);
        assert!(
            rows[2].starts_with("| naive | – | 12.5 | 11.0 | 20.0 | 30.25 | – |"),
            "{table}"
        );
        assert!(
            rows[3].starts_with("| hybrid + 20 warm | 600.0 | – |"),
            "{table}"
        );
        let columns = |row: &str| row.matches('|').count();
        assert!(
            rows.iter().all(|row| columns(row) == HEAD.len() + 1),
            "{table}"
        );
    }
}
