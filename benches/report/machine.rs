//! Where and with what it was measured.

use std::fs;
use std::process::Command;

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub kernel: String,
    pub rustc: String,
    /// Of this crate, as git tells it.
    pub commit: String,
    pub engine: String,
    pub date: String,
    /// Crates and their versions, as Cargo.lock has them.
    pub crates: Vec<(String, String)>,
}

const CRATES: [&str; 8] = [
    "catamaran",
    "bollard",
    "shiplift",
    "hyper",
    "hyper-util",
    "tokio",
    "rustls",
    "serde_json",
];

impl Machine {
    pub fn look(engine: String) -> Self {
        let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
        let kib = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib.unwrap_or(0.0_f64) / f64::from(1 << 20) * 10.0).round() / 10.0,
            kernel: said("uname", &["-sr"]),
            rustc: said("rustc", &["--version"]),
            commit: said(
                "git",
                &["describe", "--always", "--dirty", "--exclude", "*"],
            ),
            engine,
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            crates: CRATES
                .into_iter()
                .flat_map(|name| {
                    let found = locked(&lock, name);
                    found
                        .into_iter()
                        .map(move |version| (name.to_owned(), version))
                })
                .collect(),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().ok();
    let text = output
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(unknown)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| field.trim() == name)?;
    Some(value.trim().to_owned())
}

/// All versions of a crate in a lock file.
fn locked(lock: &str, name: &str) -> Vec<String> {
    let wanted = format!("name = \"{name}\"");
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line == wanted) {
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = \""));
        found.extend(version.map(|version| version.trim_end_matches('"').to_owned()));
    }
    found
}
