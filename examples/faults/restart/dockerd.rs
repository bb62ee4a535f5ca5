//! A Docker daemon of our own: no other is ever killed.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use catamaran::Endpoint;

use crate::Outcome;

/// In namespaces of its own. It ends with this value, or with this process.
pub struct Dockerd {
    /// Its standard input is its lifeline.
    daemon: Child,
    directory: tempfile::TempDir,
}

impl Dockerd {
    /// It takes root, and `dockerd`. Its containers go on while it is away, or the next one stops them.
    pub fn start(live_restore: bool) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/private-dockerd");
        let daemon = Command::new("setsid")
            .args(["--wait", "unshare", "--mount", "--net", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "bash"])
            .args([&*script, directory.path()])
            .arg(if live_restore { "restarts" } else { "stops" })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("log"))?)
            .spawn()?;
        Ok(Self { daemon, directory })
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Unix {
            path: self.directory.path().join("docker.sock"),
        }
    }

    /// With SIGKILL, from within its namespace; it starts anew at once.
    pub fn kill(&mut self) -> Outcome<()> {
        let lifeline = self.daemon.stdin.as_mut().ok_or("no daemon")?;
        Ok(lifeline.write_all(b"kill\n")?)
    }

    /// What it said last, for whoever wonders why it doesn't answer.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("nothing").to_owned()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        drop(self.daemon.stdin.take());
        let _ = self.daemon.wait();
    }
}
