//! The same sessions by Python's clients.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::programs::{Programs, said};

const SCRIPT: &str = "scripts/lib/bench/sessions.py";

/// The engine with a delay in front of it, or a fake one: the process that examples/load would have started.
struct Behind {
    child: Child,
    endpoint: String,
}

impl Behind {
    fn start(programs: &Programs, kind: &str, delay_ms: u128) -> Result<Self, String> {
        let told = |error: io::Error| format!("the engine's process: {error}");
        let mut child = Command::new(programs.path("load")?)
            .args(["engine-process", kind, &delay_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(told)?;
        let said = child.stdout.take().ok_or("a child without an output")?;
        let mut endpoint = String::new();
        let read = BufReader::new(said).read_line(&mut endpoint);
        let behind = Self {
            child,
            endpoint: endpoint.trim().to_owned(),
        };
        read.map(|_| behind).map_err(told)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// One run of that client, on an engine of that kind and delay, or on the one at that place.
pub fn ask(
    programs: &Programs,
    python: &Path,
    client: &str,
    (kind, delay_ms, real): (&str, u128, &str),
    (users, sessions): (u64, u64),
) -> Result<Value, String> {
    let behind = match (kind, delay_ms) {
        ("real", 0) => None,
        _ => Some(Behind::start(programs, kind, delay_ms)?),
    };
    let endpoint = behind.as_ref().map_or(real, |behind| &behind.endpoint);
    said(
        Command::new(python)
            .args([SCRIPT, client, endpoint])
            .args([users.to_string(), sessions.to_string()]),
    )
}
