//! What a process takes of its machine, as Linux tells it.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A number out of this process's status; those of memory are in kB.
pub fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(field, _)| *field == name);
    let number = found.and_then(|(_, value)| value.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    status("VmRSS") * 1024
}

/// Allows so many open files, or as many as are allowed, and says how many that are. Children have it from their parent.
pub fn allow_files(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let current = Some(wanted.min(most).max(limit.current.unwrap_or(u64::MAX)));
    // Where even that isn't allowed, it stays as it is.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
