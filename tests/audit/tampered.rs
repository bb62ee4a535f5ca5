use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catamaran::telemetry::audit::{
    Appended, AuditFile, AuditFileOptions, AuditHead, AuditLog, AuditOptions, AuditProblem,
    VerifyOptions, verify,
};

use crate::{Dice, entry, fault, problem, verified};

struct Written {
    _folder: tempfile::TempDir,
    /// The oldest first, with what is in them.
    files: Vec<(PathBuf, Vec<u8>)>,
    head: AuditHead,
}

impl Written {
    /// Ten records in three files.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let options = AuditFileOptions::default().with_max_bytes(1700u32);
        let file = AuditFile::open(&path, options).expect("a file");
        let log = AuditLog::new(file, AuditOptions::default()).expect("a log");
        for number in 0..10 {
            let appended = log
                .append(entry("me".to_owned(), format!("box-{number}")))
                .await;
            assert!(matches!(appended, Appended::Written { .. }), "{appended:?}");
        }
        log.close(Duration::from_secs(20)).await.expect("an end");
        let head = log.head().expect("a head");
        let files = [".2", ".1", ""].map(|suffix| {
            let file = folder.path().join(format!("audit.jsonl{suffix}"));
            let bytes = fs::read(&file).expect("a file");
            (file, bytes)
        });
        Self {
            _folder: folder,
            files: files.into(),
            head,
        }
    }

    fn path(&self) -> &Path {
        &self.files[2].0
    }

    /// All lines of all files, by file.
    fn lines(&self) -> Vec<Vec<Vec<u8>>> {
        let lines = |bytes: &[u8]| {
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            lines.map(<[u8]>::to_vec).collect()
        };
        self.files.iter().map(|(_, bytes)| lines(bytes)).collect()
    }

    fn write(&self, lines: &[Vec<Vec<u8>>]) {
        for ((file, _), lines) in self.files.iter().zip(lines) {
            fs::write(file, lines.concat()).expect("room");
        }
    }

    fn restore(&self) {
        self.write(&self.lines());
        assert_eq!(verified(self.path()).records, 10);
    }

    /// Whether the last record that was kept elsewhere is still there.
    fn anchored(&self) -> Result<(), AuditProblem> {
        let options = VerifyOptions::default().expecting(self.head);
        verify(self.path(), &options)
            .map(|_| ())
            .map_err(|fault| fault.problem)
    }
}

#[tokio::test]
async fn each_flipped_byte_is_found() {
    let written = Written::new().await;
    let mut dice = Dice(3);
    for (file, whole) in &written.files {
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << dice.below(8);
            fs::write(file, &bytes).expect("room");
            let fault = fault(written.path(), &VerifyOptions::default());
            assert_eq!(&fault.file, file, "byte {at}: {fault}");
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(fault.line, line + 1, "byte {at}: {fault}");
        }
        fs::write(file, whole).expect("room");
    }
    written.restore();
}

#[tokio::test]
async fn each_removed_line_is_found() {
    let written = Written::new().await;
    let whole = written.lines();
    for file in 0..whole.len() {
        for line in 0..whole[file].len() {
            let mut lines = whole.clone();
            lines[file].remove(line);
            written.write(&lines);
            if (file, line) == (2, whole[2].len() - 1) {
                // The end of all: nothing follows on it, so that only what was kept elsewhere shows it.
                assert_eq!(verified(written.path()).records, 9);
                let seq = written.head.seq;
                assert_eq!(written.anchored(), Err(AuditProblem::EndsBefore { seq }));
            } else {
                problem(written.path());
            }
        }
    }
    written.restore();
    written.anchored().expect("it is all there");
}

#[tokio::test]
async fn each_reordered_line_is_found() {
    let written = Written::new().await;
    let whole = written.lines();
    let places: Vec<_> = (0..whole.len())
        .flat_map(|file| (0..whole[file].len()).map(move |line| (file, line)))
        .collect();
    for (first, one) in places.iter().enumerate() {
        for other in &places[first + 1..] {
            let mut lines = whole.clone();
            lines[one.0][one.1] = whole[other.0][other.1].clone();
            lines[other.0][other.1] = whole[one.0][one.1].clone();
            written.write(&lines);
            problem(written.path());
        }
    }
    // Nor can one stand there twice.
    for (file, line) in places {
        let mut lines = whole.clone();
        let again = whole[file][line].clone();
        lines[file].insert(line, again);
        written.write(&lines);
        problem(written.path());
    }
    written.restore();
}

#[tokio::test]
async fn what_is_cut_off_is_found_by_what_was_kept_elsewhere() {
    let written = Written::new().await;
    let (file, whole) = &written.files[2];
    for length in 0..whole.len() {
        fs::write(file, &whole[..length]).expect("room");
        let seq = written.head.seq;
        assert_eq!(
            written.anchored(),
            Err(AuditProblem::EndsBefore { seq }),
            "{length} bytes"
        );
    }
    fs::remove_file(file).expect("a file");
    written.anchored().expect_err("the last file is gone");
    written.restore();
    // The oldest is deleted, as a rotation does: the rest stands, and says where it begins.
    fs::remove_file(&written.files[0].0).expect("a file");
    let report = verified(written.path());
    assert!(report.first.is_some_and(|first| first > 1), "{report}");
    fs::remove_file(&written.files[1].0).expect("a file");
    fs::remove_file(file).expect("a file");
    assert!(matches!(
        problem(written.path()),
        AuditProblem::Unreadable { .. }
    ));
}
