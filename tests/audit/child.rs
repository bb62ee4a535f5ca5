//! The test again, in a process of its own: it does something only where it is told what.

use std::env;
use std::io::{Read, Write, stderr, stdin};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use catamaran::telemetry::audit::{Appended, AuditFile, AuditFileOptions, AuditLog, AuditOptions};

use crate::{entry, full};

const PATH: &str = "CATAMARAN_AUDIT_PATH";
const LIFE: &str = "CATAMARAN_AUDIT_LIFE";
const BYTES: &str = "CATAMARAN_AUDIT_BYTES";
const KEEP: &str = "CATAMARAN_AUDIT_KEEP";
const FULL: &str = "CATAMARAN_AUDIT_FULL";

const TASKS: u32 = 3;
/// Of each task, in one life.
const RECORDS: u32 = 15;

/// What a writer is to do.
pub struct Orders {
    pub path: PathBuf,
    pub life: u64,
    pub max_bytes: u64,
    pub keep: u32,
}

impl Orders {
    /// It appends records, says which were acknowledged (`SEQ LIFE SUBJECT` on standard error), and then waits.
    pub fn command(&self) -> Command {
        let mut command = child(env::current_exe().expect("this test"));
        command
            .env(PATH, &self.path)
            .env(LIFE, self.life.to_string())
            .env(BYTES, self.max_bytes.to_string())
            .env(KEEP, self.keep.to_string());
        command
    }
}

/// It fills a disk of its own.
pub fn filling(path: PathBuf) -> Command {
    // What fills the disk here is a limit on files, whose signal must be ignored from the beginning.
    let mut command = child("/bin/sh".into());
    let exe = env::current_exe().expect("this test");
    command.env(PATH, path).env(FULL, exe);
    command
}

fn child(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    if command.get_program() == "/bin/sh" {
        command.args([
            "-c",
            r#"trap "" XFSZ; exec "$CATAMARAN_AUDIT_FULL" "$@""#,
            "sh",
        ]);
    }
    command
        .args([
            "--exact",
            "child::writes",
            "--test-threads",
            "1",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn told<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn writes() {
    let Some(path) = told::<PathBuf>(PATH) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if env::var_os(FULL).is_some() {
        return runtime.block_on(full::fill(path));
    }
    let options = AuditFileOptions::default()
        .with_max_bytes(told::<u64>(BYTES).expect("a size"))
        .with_keep(told::<u32>(KEEP).expect("a number"));
    let life = told(LIFE).expect("a number");
    runtime.block_on(append(path, options, life));
    // Until it is killed, or nobody is there who would.
    let _ = stdin().read(&mut [0]);
}

async fn append(path: PathBuf, options: AuditFileOptions, life: u64) {
    let file = AuditFile::open(path, options).expect("a file");
    let log = AuditLog::new(file, AuditOptions::default()).expect("a log");
    let tasks = (0..TASKS).map(|task| {
        let log = log.clone();
        async move {
            for number in 0..RECORDS {
                let subject = format!("{task}-{number}");
                let appended = log.append(entry(life.to_string(), subject.clone())).await;
                let Appended::Written { seq } = appended else {
                    panic!("{appended:?}")
                };
                // In one write, so that a line is said whole or not at all.
                let line = format!("acknowledged {seq} {life} {subject}\n");
                stderr().write_all(line.as_bytes()).expect("a listener");
            }
        }
    });
    futures::future::join_all(tasks).await;
}
