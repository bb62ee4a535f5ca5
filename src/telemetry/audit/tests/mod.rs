mod chain;
mod file;
mod policy;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use super::*;
use crate::engine_kind::EngineKind;
use crate::lock::lock;
use crate::operation::Operation;

fn entry(actor: &str) -> AuditEntry {
    AuditEntry::new(Operation::Start, EngineKind::Async).with_actor(actor.to_owned())
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    (folder, path)
}

fn verified(path: &Path) -> AuditReport {
    verify(path, &VerifyOptions::default()).expect("a log as it was written")
}

fn actors(path: &Path) -> Vec<String> {
    read(path)
        .map(|record| record.expect("a record").actor.expect("an actor"))
        .collect()
}

/// A sink that does as it is told.
#[derive(Clone, Default)]
struct Scripted(Arc<(Mutex<Script>, Condvar)>);

#[derive(Default)]
struct Script {
    kept: Vec<u8>,
    writes: usize,
    fails: bool,
    panics: bool,
    holds: bool,
}

impl Scripted {
    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.0.0));
        self.0.1.notify_all();
    }

    fn writes(&self) -> usize {
        lock(&self.0.0).writes
    }

    /// What it has, in words: each actor, and how many were lost before.
    fn kept(&self) -> Vec<(String, u64)> {
        let mut chain = super::chain::Chain::after(None);
        let kept = lock(&self.0.0).kept.clone();
        let lines = kept.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| {
                let line = line.strip_suffix(b"\n").expect("a whole line");
                let record = chain.follow(line).expect("a chain");
                (record.actor.expect("an actor"), record.lost)
            })
            .collect()
    }
}

impl AuditSink for Scripted {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let (script, changed) = &*self.0;
        let mut script = lock(script);
        script.writes += 1;
        while script.holds {
            script = changed.wait(script).expect("a script");
        }
        assert!(!script.panics, "as it was told");
        if script.fails {
            return Err(io::Error::other("it was told to fail"));
        }
        script.kept.extend_from_slice(lines);
        Ok(())
    }
}
