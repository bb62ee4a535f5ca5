//! The other programs that a report runs: in processes of their own, since what they count is a process's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// By name.
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Out of what cargo has told as it built them, with `--message-format json`.
    pub fn read(told: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(told)
            .map_err(|error| format!("{}: {error}", told.display()))?;
        let executable = |line: &str| {
            let artefact: Value = serde_json::from_str(line).ok()?;
            let path = artefact["executable"].as_str()?;
            Some((artefact["target"]["name"].as_str()?.to_owned(), path.into()))
        };
        Ok(Self(text.lines().filter_map(executable).collect()))
    }

    pub fn path(&self, program: &str) -> Result<&Path, String> {
        let path = self.0.get(program).map(PathBuf::as_path);
        path.ok_or_else(|| format!("{program} isn't built: scripts/bench does it"))
    }

    /// What that program says last, which is JSON.
    pub fn ask(
        &self,
        program: &str,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Value, String> {
        said(Command::new(self.path(program)?).args(words))
    }
}

/// No program takes longer, unless it is stuck.
const LONG: Duration = Duration::from_secs(900);

/// The last line of a program's output, which is JSON; where there is none, what it complained of.
pub fn said(command: &mut Command) -> Result<Value, String> {
    let program = command.get_program().display().to_string();
    let failed = |error: std::io::Error| format!("{program}: {error}");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let pid = Pid::from_child(&child);
    let (told, tells) = mpsc::channel();
    std::thread::spawn(move || drop(told.send(child.wait_with_output())));
    let Ok(output) = tells.recv_timeout(LONG) else {
        // It waits for an engine that is stuck, perhaps.
        let _ = kill_process(pid, Signal::KILL);
        return Err(format!("it hadn't ended after {LONG:?}"));
    };
    let output = output.map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().last().unwrap_or("it said nothing");
        format!("{}: {complaint}", output.status)
    })
}

/// Those numbers of an object, each by the name that it has on the page.
pub fn figures(
    told: &Value,
    wanted: &[(&'static str, &str)],
) -> Result<crate::cell::Figures, String> {
    let figure = |(name, pointer): &(&'static str, &str)| {
        let value = told.pointer(pointer).and_then(Value::as_f64);
        Ok((
            *name,
            value.ok_or_else(|| format!("no {pointer} in {told}"))?,
        ))
    };
    wanted.iter().map(figure).collect()
}
