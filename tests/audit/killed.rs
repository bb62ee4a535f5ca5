use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use catamaran::telemetry::audit::{VerifyOptions, read, verify};

use crate::child::Orders;
use crate::{Dice, verified};

/// Records by their number: in which life they were acknowledged, and their subject.
type Acknowledged = BTreeMap<u64, (String, String)>;

/// A writer that is killed at some moment: while it starts, opens the log, writes, rotates, or is done.
fn kill(orders: &Orders, dice: &mut Dice, acknowledged: &mut Acknowledged) {
    let mut child = orders.command().spawn().expect("a process");
    let mut said = BufReader::new(child.stderr.take().expect("an output"));
    let mut lines = String::new();
    let most = match dice.below(3) {
        0 => 12_000,
        _ => {
            // What it says first, it says when it has begun to write.
            said.read_line(&mut lines).expect("text");
            1500
        }
    };
    std::thread::sleep(Duration::from_micros(dice.below(most)));
    child.kill().expect("it runs");
    let ended = child.wait().expect("an end");
    said.read_to_string(&mut lines).expect("text");
    assert_eq!(ended.signal(), Some(9), "it ended by itself: {lines}");
    for line in lines.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let ["acknowledged", seq, life, subject] = words[..] else {
            panic!("it said {lines}")
        };
        let record = (life.to_owned(), subject.to_owned());
        let seq = seq.parse().expect("a number");
        let twice = acknowledged.insert(seq, record);
        assert_eq!(twice, None, "{seq} was acknowledged twice");
    }
}

/// Every one that was acknowledged is there as it was, but for those before the first that is kept; how many are.
fn found(path: &Path, acknowledged: &Acknowledged) -> usize {
    let mut left = acknowledged.clone();
    let mut first = None;
    for record in read(path) {
        let record = record.expect("a record");
        first.get_or_insert(record.seq);
        if let Some(expected) = left.remove(&record.seq) {
            let there = (record.actor, record.subject);
            assert_eq!(
                there,
                (Some(expected.0), Some(expected.1)),
                "{}",
                record.seq
            );
        }
    }
    let deleted = left.len();
    left.retain(|seq, _| first.is_none_or(|first| *seq >= first));
    assert!(left.is_empty(), "acknowledged, and lost: {left:?}");
    acknowledged.len() - deleted
}

fn ends_torn(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.last().is_some_and(|last| *last != b'\n')
}

#[test]
fn a_thousand_kills_lose_no_acknowledged_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    let (mut dice, mut acknowledged, mut torn) = (Dice(1), Acknowledged::new(), 0);
    for life in 0..1000 {
        let orders = Orders {
            path: path.clone(),
            life,
            max_bytes: 64 << 10,
            keep: u32::MAX,
        };
        kill(&orders, &mut dice, &mut acknowledged);
        torn += u32::from(ends_torn(&path));
    }
    let report = verified(&path);
    assert_eq!(report.first, Some(1), "all files are kept");
    assert_eq!(found(&path, &acknowledged), acknowledged.len());
    println!(
        "1000 kills: {} records in {} files, {} of them acknowledged; {torn} torn lines",
        report.records,
        report.files,
        acknowledged.len()
    );
    // Otherwise little was shown.
    assert!(acknowledged.len() > 3000, "{}", acknowledged.len());
}

/// Nearly every write rotates, so that kills meet rotations.
#[test]
fn kills_amid_rotations_break_no_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    let (mut dice, mut acknowledged, mut without) = (Dice(2), Acknowledged::new(), 0);
    let mut head = None;
    for life in 0..200 {
        let orders = Orders {
            path: path.clone(),
            life,
            max_bytes: 1 << 10,
            keep: 5,
        };
        kill(&orders, &mut dice, &mut acknowledged);
        without += u32::from(!path.exists());
        if acknowledged.is_empty() {
            continue;
        }
        let report = verified(&path);
        assert!(report.files <= 6, "{report}");
        let now = report.head.expect("a record");
        assert!(acknowledged.keys().all(|seq| *seq <= now.seq));
        found(&path, &acknowledged);
        // What was there before is there, or was deleted with its file.
        if let Some(before) = head.replace(now)
            && report.first.is_some_and(|first| first <= before.seq)
        {
            let options = VerifyOptions::default().expecting(before);
            verify(&path, &options).expect("as it was before");
        }
    }
    println!("200 kills amid rotations, {without} between two names");
}
