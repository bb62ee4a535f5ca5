use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::telemetry::audit::kin;

const SOON: Duration = Duration::from_secs(20);

/// Opens the log, has it write for these actors, each on its own, and closes it.
async fn written(path: &Path, options: &AuditFileOptions, actors: &[&str]) {
    let file = AuditFile::open(path, options.clone()).expect("a file");
    let log = AuditLog::new(file, AuditOptions::default()).expect("a log");
    for actor in actors {
        let appended = log.append(entry(actor)).await;
        assert!(matches!(appended, Appended::Written { .. }), "{appended:?}");
    }
    log.close(SOON).await.expect("an end");
}

/// Files of two records each.
fn small() -> AuditFileOptions {
    AuditFileOptions::default().with_max_bytes(1000u32)
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(path)
        .expect("a file");
    file.write_all(bytes).expect("room");
}

fn refusal(path: &Path) -> crate::Error {
    let error = AuditFile::open(path, small()).expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::Host);
    error
}

#[tokio::test]
async fn a_torn_end_is_no_fault_and_is_cut_off() {
    let (_folder, path) = folder();
    let options = AuditFileOptions::default();
    written(&path, &options, &["a", "b"]).await;
    let whole = fs::read(&path).expect("a file");
    let line = whole.split_inclusive(|byte| *byte == b'\n').next_back();
    let line = line.expect("a line").to_vec();
    for torn in [&line[..1], &line[..line.len() - 1], &[0; 40_000]] {
        append(&path, torn);
        let report = verified(&path);
        assert_eq!((report.records, report.torn), (2, torn.len() as u64));
        assert!(report.to_string().contains("unfinished"), "{report}");
        drop(AuditFile::open(&path, options.clone()).expect("a file"));
        assert_eq!(fs::read(&path).expect("a file"), whole);
    }
    append(&path, &line[..100]);
    written(&path, &options, &["c"]).await;
    assert_eq!(actors(&path), ["a", "b", "c"]);
    // Nothing but a torn beginning.
    let (_folder, path) = folder();
    fs::write(&path, &whole[..50]).expect("a file");
    assert_eq!(verified(&path).records, 0);
    written(&path, &options, &["a"]).await;
    assert_eq!(verified(&path).first, Some(1));
}

#[tokio::test]
async fn what_is_broken_is_not_gone_on_with() {
    let (_folder, path) = folder();
    written(&path, &AuditFileOptions::default(), &["a", "b", "c"]).await;
    let whole = fs::read_to_string(&path).expect("a file");
    let lines: Vec<_> = whole.lines().collect();
    for broken in [
        whole.replace("\"c\"", "\"x\""),
        whole.replace("\"b\"", "\"x\""),
        format!("{}\n{}\n{}\n", lines[0], lines[1], lines[3]),
        format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]),
        format!("{whole}nonsense\n"),
        // The end of the last line alone.
        format!("{}\u{b}", whole.trim_end()),
        lines[1..].join("\n"),
    ] {
        fs::write(&path, &broken).expect("a file");
        verify(&path, &VerifyOptions::default()).expect_err("a fault");
        let error = refusal(&path);
        assert!(error.to_string().contains("broken"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("a file"), broken);
    }
}

#[tokio::test]
async fn it_rotates_keeps_so_many_and_the_chain_goes_on() {
    let (_folder, path) = folder();
    let options = small().with_keep(2u32);
    let all: Vec<_> = (0..9).map(|number| number.to_string()).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    for actors in all.chunks(3) {
        written(&path, &options, actors).await;
    }
    let report = verified(&path);
    assert_eq!(
        (report.files, report.head.map(|head| head.seq)),
        (3, Some(9))
    );
    let first = report.first.expect("a record");
    assert!(first > 1 && report.to_string().contains(&format!("begins at {first}")));
    assert_eq!(actors(&path), all[first as usize - 1..]);
    assert_eq!(kin::numbers(&path).expect("a folder"), [1, 2]);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Its first record can't go unseen, though those before it are gone; nor can a file in between.
    let oldest = kin::beside(&path, "2");
    let text = fs::read_to_string(&oldest).expect("a file");
    let mut lines: Vec<_> = text.lines().collect();
    lines.remove(1);
    fs::write(&oldest, lines.join("\n") + "\n").expect("a file");
    let fault = verify(&path, &VerifyOptions::default()).expect_err("a fault");
    assert!(
        matches!(fault.problem, AuditProblem::OutOfSequence { .. }),
        "{fault}"
    );
    fs::write(&oldest, &text).expect("a file");
    fs::remove_file(kin::beside(&path, "1")).expect("a file");
    let fault = verify(&path, &VerifyOptions::default()).expect_err("a fault");
    assert!(
        matches!(fault.problem, AuditProblem::OutOfSequence { .. }),
        "{fault}"
    );
    assert_eq!((fault.file, fault.line), (path.clone(), 1));
}

#[tokio::test]
async fn what_is_on_the_disk_is_the_same() {
    let (_folder, path) = folder();
    let options = small().with_durability(Durability::Disk);
    for _ in 0..2 {
        written(&path, &options, &["a", "b", "c"]).await;
    }
    assert_eq!(actors(&path), ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(verified(&path).files, 3);
}

/// A rotation that fails holds nothing up.
#[tokio::test]
async fn what_cannot_be_rotated_grows() {
    let (_folder, path) = folder();
    // In the way of the next file.
    let next = kin::beside(&path, "next");
    fs::create_dir(&next).expect("a folder");
    written(&path, &small(), &["a", "b", "c", "d"]).await;
    assert_eq!(verified(&path).files, 1);
    fs::remove_dir(&next).expect("a folder");
    written(&path, &small(), &["e"]).await;
    assert_eq!(verified(&path).files, 2);
    assert_eq!(actors(&path), ["a", "b", "c", "d", "e"]);
}

/// Wherever a kill ends a rotation, the chain goes on and all is there.
#[tokio::test]
async fn a_rotation_may_end_anywhere() {
    let options = small().with_keep(4u32);
    let moves = [("2", "3"), ("1", "2"), ("", "1")];
    for done in 0..=moves.len() {
        let (_folder, path) = folder();
        written(&path, &options, &["a", "b", "c", "d", "e"]).await;
        let files = kin::all(&path).expect("files").len();
        assert_eq!(files, 3);
        fs::write(kin::beside(&path, "next"), "").expect("a file");
        let named = |name: &str| match name {
            "" => path.clone(),
            number => kin::beside(&path, number),
        };
        for (from, to) in &moves[..done] {
            fs::rename(named(from), named(to)).expect("a file");
        }
        assert_eq!(verified(&path).records, 5, "after {done} moves");
        written(&path, &options, &["f", "g", "h"]).await;
        assert_eq!(verified(&path).records, 8, "after {done} moves");
        assert_eq!(actors(&path), ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert!(!kin::beside(&path, "next").exists());
    }
}

#[test]
fn the_oldest_is_deleted_and_only_when_there_is_no_room() {
    for (there, keep, left) in [
        (&[][..], 2, &[][..]),
        (&[1, 2], 2, &["1 to 2"]),
        (&[1, 2], 3, &["1 to 2", "2 to 3"]),
        (&[1, 3], 3, &["1 to 2", "3"]),
        (&[2, 3], 3, &["2", "3"]),
        (&[1, 2, 3, 4, 5], 3, &["1 to 2", "2 to 3"]),
        (&[1], 1, &[]),
    ] {
        let (folder, path) = folder();
        for number in there {
            fs::write(kin::beside(&path, &number.to_string()), number.to_string()).expect("room");
        }
        for foreign in ["0", "01", "x", "lock", "1.gz"] {
            fs::write(kin::beside(&path, foreign), "").expect("room");
        }
        kin::make_room(&path, keep).expect("room");
        let mut found = Vec::new();
        for number in kin::numbers(&path).expect("a folder") {
            let was = fs::read_to_string(kin::beside(&path, &number.to_string())).expect("text");
            found.push(match was == number.to_string() {
                true => was,
                false => format!("{was} to {number}"),
            });
        }
        assert_eq!(found, left, "{there:?}, {keep}");
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, found.len() + 5, "what is foreign stays");
    }
}

#[tokio::test]
async fn one_writes_at_a_time() {
    let (folder, path) = folder();
    let log = AuditLog::open(&path).expect("a log");
    let error = refusal(&path);
    assert!(error.to_string().contains("another writer"), "{error}");
    log.close(SOON).await.expect("an end");
    drop(AuditFile::open(&path, small()).expect("it is free again"));
    refusal(&folder.path().join("none/audit.jsonl"));
    let other = folder.path().join("folder");
    fs::create_dir(&other).expect("a folder");
    refusal(&other);
}

#[tokio::test]
async fn a_file_that_was_moved_is_begun_anew_and_one_that_was_changed_is_left() {
    let (folder, path) = folder();
    let log = AuditLog::open(&path).expect("a log");
    for actor in ["a", "b"] {
        _ = log.append(entry(actor)).await;
    }
    fs::rename(&path, folder.path().join("elsewhere")).expect("a file");
    let appended = log.append(entry("c")).await;
    assert_eq!(appended, Appended::Written { seq: 3 });
    let report = verified(&path);
    assert_eq!((report.first, report.records), (Some(3), 1));

    append(&path, b"{}\n");
    assert_eq!(log.append(entry("d")).await, Appended::Pending);
    let failing = log.status().failing.expect("a failure");
    assert!(failing.contains("somebody else"), "{failing}");
    log.close(SOON).await.expect_err("a record is left");
}

#[tokio::test]
async fn expected_records_must_be_there() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).expect("a log");
    let mut heads = Vec::new();
    for actor in ["a", "b", "c"] {
        _ = log.append(entry(actor)).await;
        heads.push(log.head().expect("a head"));
    }
    log.close(SOON).await.expect("an end");
    let expecting = |head: AuditHead| {
        let options = VerifyOptions::default().expecting(head);
        verify(&path, &options).map_err(|fault| fault.problem)
    };
    for head in &heads {
        assert_eq!(expecting(*head).expect("as it was").records, 3);
    }
    let other = AuditHead {
        hash: heads[0].hash,
        ..heads[1]
    };
    assert_eq!(
        expecting(other),
        Err(AuditProblem::OtherThanExpected { seq: 2 })
    );
    let text = fs::read_to_string(&path).expect("a file");
    let cut = text
        .lines()
        .take(3)
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(&path, cut).expect("a file");
    assert_eq!(verified(&path).records, 2);
    assert_eq!(expecting(heads[1]).expect("as it was").records, 2);
    assert_eq!(
        expecting(heads[2]),
        Err(AuditProblem::EndsBefore { seq: 3 })
    );
}
