//! What a call costs in instructions: the same each time, whatever else the machine does, so that a loss of speed can't hide
//! in its noise. `cargo bench --bench instructions [-- --renew]`
//!
//! The program runs itself under `valgrind --tool=callgrind`, a case at a time, twice with different numbers of calls, and takes
//! the difference: what a process does once doesn't count. The peer is another process, which isn't counted, and answers when
//! the client waits already, so that each call takes the same way.

mod budget;
#[allow(dead_code, reason = "each bench takes what it needs")]
#[path = "../common/canned.rs"]
mod canned;
mod cases;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use budget::Budget;
use canned::{Canned, Manner};
use cases::Case;

/// The first of these calls have made the connection, and all that is kept.
const FEW: u64 = 200;
const MANY: u64 = 1200;
/// How many containers the list has.
const LISTED: usize = 100;
/// The word by which this program runs a case.
const CASE: &str = "case";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    if canned::run_as_child() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [CASE, name, calls, socket] => cases::run(name, calls, socket).map(|()| true),
        // `cargo test` only tries.
        [] => Ok(true),
        _ if words.iter().all(|word| *word == "--bench") => compare(),
        _ if words
            .iter()
            .all(|word| ["--bench", "--renew"].contains(word)) =>
        {
            renew()
        }
        _ => Err("usage: cargo bench --bench instructions [-- --renew]".into()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Outcome<bool> {
    let budget = Budget::read()?;
    let taken = measure()?;
    Ok(budget.judge(&taken))
}

fn renew() -> Outcome<bool> {
    let taken = measure()?;
    taken.write()?;
    println!("written: {}", budget::FILE);
    Ok(true)
}

fn measure() -> Outcome<Budget> {
    let scratch = tempfile::tempdir()?;
    let mut taken = Budget::new()?;
    for case in Case::ALL {
        let counted = |calls| count(case, calls, scratch.path());
        let each = (counted(MANY)? - counted(FEW)?) / (MANY - FEW);
        println!("{:<16} {each:>9} instructions a call", case.name());
        taken.instructions.insert(case.name().to_owned(), each);
    }
    Ok(taken)
}

/// All that a process of its own executes for so many calls.
fn count(case: Case, calls: u64, scratch: &Path) -> Outcome<u64> {
    let peer = Canned::start(Manner::Late { listed: LISTED })?;
    let file = scratch.join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args([CASE, case.name(), &calls.to_string()])
        .arg(peer.socket())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind (a package of that name): {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}: {said}", case.name(), output.status).into());
    }
    let counts = std::fs::read_to_string(&file)?;
    let total = counts
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = total.ok_or("callgrind wrote no totals")?;
    Ok(total.trim().parse()?)
}
