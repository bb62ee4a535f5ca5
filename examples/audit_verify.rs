//! Says whether an audit log is as it was written. The exit code is 1 where it isn't, 2 where the arguments make no sense.
//!
//! `cargo run --example audit_verify -- PATH [--expect SEQ:HASH]…`; each expected record is a head of the log that was kept
//! elsewhere, and shows that nothing up to it was rewritten or cut off. The rotated files are read, too.

use std::process::ExitCode;

use catamaran::telemetry::audit::{self, AuditHead, VerifyOptions};

fn main() -> ExitCode {
    let (path, options) = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\nusage: audit_verify PATH [--expect SEQ:HASH]...");
            return ExitCode::from(2);
        }
    };
    match audit::verify(path, &options) {
        Ok(report) => {
            println!("The log is as it was written: {report}");
            if options.expected.is_empty() {
                println!(
                    "Without --expect, a log that was rewritten as a whole or cut off at its end looks the same."
                );
            }
            ExitCode::SUCCESS
        }
        Err(fault) => {
            println!("The log isn't as it was written: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(String, VerifyOptions), String> {
    let (mut path, mut options) = (None, VerifyOptions::default());
    while let Some(argument) = given.next() {
        if argument == "--expect" {
            let head = given.next().ok_or("--expect wants SEQ:HASH")?;
            let head: AuditHead = head.parse().map_err(|error| format!("{error}"))?;
            options = options.expecting(head);
        } else if path.replace(argument).is_some() {
            return Err("one path is enough: the rotated files are found by it".to_owned());
        }
    }
    Ok((path.ok_or("which file?")?, options))
}
