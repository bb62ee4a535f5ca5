//! A disk without room, played by a limit on the size of files: a write is cut short, as there.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use catamaran::telemetry::audit::{Appended, AuditFile, AuditFileOptions, AuditLog, AuditOptions};
use catamaran::{Effect, ErrorKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{child, entry, verified};

#[test]
fn a_full_disk_refuses_calls_and_tears_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    let ended = child::filling(path.clone()).output().expect("a process");
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let report = verified(&path);
    assert_eq!((report.torn, report.lost), (0, 0));
    assert!(report.records > 10, "{report}");
}

/// In a process of its own.
pub async fn fill(path: PathBuf) {
    let all = getrlimit(Resource::Fsize);
    let room = Rlimit {
        current: Some(5000),
        ..all
    };
    let file = AuditFile::open(&path, AuditFileOptions::default()).expect("a file");
    let options = AuditOptions::default().with_pause(Duration::from_secs(3600));
    let log = AuditLog::new(file, options).expect("a log");
    setrlimit(Resource::Fsize, room).expect("a limit");
    let mut number = 0;
    let append = async |number: u32| log.append(entry("me".to_owned(), number.to_string())).await;
    while let Appended::Written { .. } = append(number).await {
        number += 1;
    }
    let status = log.status();
    assert_eq!((status.written, status.pending), (u64::from(number), 1));
    assert!(status.failing.is_some());
    let whole = fs::read(&path).expect("a file");
    assert!(whole.ends_with(b"\n"), "it was cut back");
    assert_eq!(verified(&path).records, u64::from(number));
    let error = log.admit().await.expect_err("a refusal");
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Host, Effect::NotSent)
    );
    assert_eq!(append(number + 1).await, Appended::Pending);

    setrlimit(Resource::Fsize, all).expect("no limit");
    log.admit().await.expect("there is room again");
    let appended = append(number + 2).await;
    let seq = u64::from(number) + 3;
    assert_eq!(appended, Appended::Written { seq });
    log.close(Duration::from_secs(20)).await.expect("an end");
    let report = verified(&path);
    assert_eq!((report.records, report.torn), (seq, 0));
}
