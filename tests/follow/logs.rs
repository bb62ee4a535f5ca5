//! Logs, on an engine that keeps one as Docker does, and whose connections break at every byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catamaran::model::{ContainerRef, LogSource, LogStream, LogsOptions, ReconnectOptions};
use catamaran::{ContainerBackend, ContainerBackendExt, Error};
use futures::StreamExt;
use serde_json::json;

use crate::common::peer::{MULTIPLEXED, frame};
use crate::engine::{Answer, Engine, nanoseconds, parameter};
use crate::{backends, hasty};

pub const SECOND: u64 = 1_000_000_000;
pub const START: u64 = 1_700_000_000 * SECOND;
const RAW: &str = "application/vnd.docker.raw-stream";

/// What one write to the log has made of it: the stream, when, and what.
pub type Record = (u8, u64, &'static str);

/// A log with all that is odd in one: parts of a line that share its time, though the other stream went on
/// meanwhile; lines that are alike to the nanosecond; streams out of order by a moment; pauses of all lengths.
pub const RECORDS: &[Record] = &[
    (1, START, "one\n"),
    (1, START, "one\n"),
    (2, START + 1, "warn\n"),
    (1, START + 900, "long"),
    (2, START + 800, "early\n"),
    (2, START + 5 * SECOND, "late\n"),
    (1, START + 900, ", longer"),
    (2, START + 6 * SECOND, "later\n"),
    (1, START + 900, ", end\n"),
    (1, START + 7 * SECOND, "\n"),
    (2, START + 7 * SECOND, "same time\n"),
    (1, START + 7 * SECOND, "more\n"),
    (1, START + 7 * SECOND + 1, "no end"),
];

/// A terminal's log, which is one stream.
pub const TERMINAL: &[Record] = &[
    (1, START, "one\r\n"),
    (1, START, "one\r\n"),
    (1, START + 900, "2023-11-14T22:13:20.000000900"),
    (1, START + 900, ", longer"),
    (1, START + 900, ", end\r\n"),
    (1, START + 5 * SECOND, "\n"),
    (
        1,
        START + 6 * SECOND,
        "2023-11-14T22:13:20.000000000Z not a time of ours\n",
    ),
    (1, START + 6 * SECOND, "more\n"),
    (1, START + 6 * SECOND + 1, "no end 2023"),
];

/// A container with a log.
#[derive(Clone)]
pub struct Container {
    pub records: &'static [Record],
    pub tty: bool,
}

impl Container {
    /// What an engine gives of the first so many records, for that request.
    pub fn log(&self, target: &str, written: usize) -> Vec<u8> {
        let since = nanoseconds(target, "since").unwrap_or(0);
        let asked = |name| parameter(target, name) == Some("true");
        let records = self.records[..written].iter();
        let records: Vec<_> = records
            .filter(|(stream, time, _)| {
                *time >= since && asked(if *stream == 1 { "stdout" } else { "stderr" })
            })
            .collect();
        let tail = parameter(target, "tail").and_then(|tail| tail.parse().ok());
        let from = records.len() - records.len().min(tail.unwrap_or(usize::MAX));
        assert!(asked("timestamps"), "{target}");
        let of = |(stream, time, text): &&Record| {
            let time = UNIX_EPOCH + Duration::from_nanos(*time);
            let line = format!("{} {text}", humantime::format_rfc3339_nanos(time));
            if self.tty {
                return line.into_bytes();
            }
            frame(*stream, line.as_bytes())
        };
        records[from..].iter().flat_map(of).collect()
    }

    pub fn content_type(&self) -> &'static str {
        if self.tty { RAW } else { MULTIPLEXED }
    }

    pub fn details(&self, status: &str) -> Answer {
        let details = json!({
            "Id": "c0ffee", "State": {"Status": status}, "Config": {"Tty": self.tty},
        });
        Answer::new(200, details.to_string())
    }

    /// What is in it, by stream; a terminal makes one of both.
    pub fn expected(&self, from: usize) -> [String; 3] {
        let mut expected = [const { String::new() }; 3];
        for (stream, _, text) in &self.records[from..] {
            let stream = if self.tty { 3 } else { *stream };
            expected[usize::from(stream) - 1] += text;
        }
        expected
    }
}

pub fn container() -> ContainerRef {
    ContainerRef::new("web").expect("a name")
}

/// All that a stream gives, and how it ends.
pub async fn read(log: LogStream) -> ([String; 3], Option<Error>) {
    let patience = Duration::from_secs(60);
    let read = tokio::time::timeout(patience, read_all(log));
    read.await.expect("it ends in time")
}

async fn read_all(mut log: LogStream) -> ([String; 3], Option<Error>) {
    let mut texts = [const { String::new() }; 3];
    while let Some(chunk) = log.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(log.next().await.is_none(), "nothing follows an error");
                return (texts, Some(error));
            }
        };
        let text = match chunk.source {
            LogSource::Stdout => &mut texts[0],
            LogSource::Stderr => &mut texts[1],
            _ => &mut texts[2],
        };
        *text += std::str::from_utf8(&chunk.bytes).expect("text");
    }
    (texts, None)
}

pub async fn follow(
    backend: &dyn ContainerBackend,
    options: &LogsOptions,
    reconnect: &ReconnectOptions,
) -> LogStream {
    let container = container();
    let log = backend.follow_logs_with(&container, options, reconnect);
    log.await.expect("it is followed")
}

/// Every connection to the log is one of these, the last again and again: how many records there are by then, and
/// after how many bytes it is cut, if it is.
type Connections = Vec<(usize, Option<usize>)>;

/// Serves a container that has ended when the last of the connections was made.
fn serve(engine: &Engine, container: &Container, connections: Connections) -> Arc<AtomicUsize> {
    let container = container.clone();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    engine.follow(move |target| {
        if !target.contains("/logs") {
            let over = count.load(Ordering::SeqCst) >= connections.len();
            return container.details(if over { "exited" } else { "running" });
        }
        let connection = count.fetch_add(1, Ordering::SeqCst);
        let (written, cut) = connections[connection.min(connections.len() - 1)];
        let answer = Answer::ended(container.content_type(), &container.log(target, written));
        match cut {
            Some(cut) => answer.cut(cut),
            None => answer,
        }
    });
    made
}

fn head(container: &Container) -> usize {
    Answer::open(container.content_type(), b"").len()
}

fn length(container: &Container, target: &str, written: usize) -> usize {
    Answer::ended(container.content_type(), &container.log(target, written)).len()
}

const ALL: &str = "/logs?stdout=true&stderr=true&timestamps=true";

/// Wherever the first connection is cut, or the second, or both, each byte is given once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_whole_wherever_it_is_cut() {
    let engine = Engine::start();
    for tty in [false, true] {
        let records = if tty { TERMINAL } else { RECORDS };
        let container = Container { records, tty };
        let all = records.len();
        let (half, head) = (all / 2, head(&container));
        let first = length(&container, ALL, half);
        let second = length(&container, ALL, all);
        for (name, backend) in backends(&engine.endpoint()) {
            // In the body of the first: an engine that can't be reached at first is an error at once.
            let firsts = (head..first).map(|cut| vec![(half, Some(cut)), (all, None)]);
            let spread = (0..head).chain((head..second).step_by(3));
            let seconds = spread.map(|cut| {
                let before = head + (cut * 7) % (first - head);
                vec![(half, Some(before)), (all, Some(cut)), (all, None)]
            });
            // The hybrid's connections are theirs.
            let step = if name == "hybrid" { 7 } else { 1 };
            for connections in firsts.chain(seconds).step_by(step) {
                let shown = format!("{name}, with a terminal: {tty}, {connections:?}");
                serve(&engine, &container, connections);
                let log = follow(&*backend, &LogsOptions::default(), &hasty()).await;
                let (texts, error) = read(log).await;
                assert!(error.is_none(), "{shown}: {error:?}");
                assert_eq!(texts, container.expected(0), "{shown}");
            }
        }
    }
}

/// With timestamps, the bytes are the engine's own, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_are_given_once_where_they_are_asked_for() {
    let engine = Engine::start();
    let container = Container {
        records: TERMINAL,
        tty: true,
    };
    let all = TERMINAL.len();
    let expected = String::from_utf8(container.log(ALL, all)).expect("text");
    let options = LogsOptions::default().with_timestamps(true);
    for (name, backend) in backends(&engine.endpoint()) {
        for cut in head(&container)..length(&container, ALL, all) {
            serve(&engine, &container, vec![(all, Some(cut)), (all, None)]);
            let (texts, error) = read(follow(&*backend, &options, &hasty()).await).await;
            assert!(error.is_none(), "{name}, {cut}: {error:?}");
            assert_eq!(texts[2], expected, "{name}, cut after {cut}");
        }
    }
}

/// A tail is the last lines of what is there at first, and all that comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_is_asked_for_once() {
    const LINES: &[Record] = &[
        (1, START, "1\n"),
        (2, START + 1, "2\n"),
        (1, START + 2 * SECOND, "3\n"),
        (1, START + 3 * SECOND + 1, "4\n"),
        (2, START + 3 * SECOND + 5, "5\n"),
        (1, START + 9 * SECOND, "6\n"),
    ];
    let engine = Engine::start();
    for tty in [false, true] {
        let container = Container {
            records: LINES,
            tty,
        };
        let there = 4;
        let tail = |lines: usize| format!("{ALL}&tail={lines}");
        for (name, backend) in backends(&engine.endpoint()) {
            for lines in 0..=5 {
                // Of no lines, the look for the end is a call of its own, for more than one, which fails as one.
                let looked_at = if lines == 0 { 64 } else { lines };
                let body = length(&container, &tail(looked_at), there);
                let head = if lines == 0 { body } else { head(&container) };
                for cut in head..=body {
                    let connections = vec![(there, Some(cut)), (LINES.len(), None)];
                    serve(&engine, &container, connections);
                    let options = LogsOptions::default().with_tail(lines as u64);
                    let (texts, error) = read(follow(&*backend, &options, &hasty()).await).await;
                    let shown = format!("{name}, {lines} lines, cut after {cut}, {tty}");
                    assert!(error.is_none(), "{shown}: {error:?}");
                    let given = engine
                        .asked()
                        .iter()
                        .filter(|t| t.contains("tail="))
                        .count();
                    // Where nothing came of the tail, it is asked for anew, and there is more by then.
                    let there = if given > 1 { LINES.len() } else { there };
                    let from = there - lines.min(there);
                    assert_eq!(texts, container.expected(from), "{shown}");
                }
            }
        }
    }
}

/// Where the engine gives whole seconds alone, more may come in the second of the last lines: nothing of it is missed,
/// and nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_is_exact_though_stamps_are_coarse() {
    const LINES: &[Record] = &[
        (1, START, "0\n"),
        (1, START + SECOND, "1\n"),
        (2, START + SECOND, "2\n"),
        (1, START + SECOND, "3\n"),
        (1, START + SECOND, "3\n"),
        (2, START + SECOND, "4\n"),
        (1, START + SECOND, "5\n"),
        (1, START + 2 * SECOND, "6\n"),
        (2, START + 2 * SECOND, "7\n"),
    ];
    let engine = Engine::start();
    for tty in [false, true] {
        let container = Container {
            records: LINES,
            tty,
        };
        let tail = |lines: usize| format!("{ALL}&tail={lines}");
        for (name, backend) in backends(&engine.endpoint()) {
            for (there, lines) in [
                (5, 0),
                (5, 1),
                (5, 4),
                (5, 5),
                (5, 9),
                (9, 2),
                (9, 1),
                (9, 3),
            ] {
                let options = LogsOptions::default().with_tail(lines as u64);
                let expected = container.expected(there - lines.min(there));
                // The tail is read, then its second, then what follows.
                let whole = vec![(there, None), (there, None), (LINES.len(), None)];
                let body = length(&container, &tail(lines), there);
                let cut = |cut| vec![(there, Some(cut)), (there, None), (there, None), (9, None)];
                // Of no lines, the look for the end is a call of its own, which fails as one.
                let cuts = if lines == 0 { body } else { head(&container) }..body;
                for connections in std::iter::once(whole).chain(cuts.map(cut)) {
                    let shown = format!("{name}, {lines} of {there}, {tty}, {connections:?}");
                    serve(&engine, &container, connections);
                    let (texts, error) = read(follow(&*backend, &options, &hasty()).await).await;
                    assert!(error.is_none(), "{shown}: {error:?}");
                    assert_eq!(texts, expected, "{shown}");
                }
            }
        }
    }
}

/// A terminal's program that ends without a line end, and is run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_a_terminal_are_told_apart() {
    const RUNS: &[Record] = &[
        (1, START, "$ ls\n"),
        (1, START + 5, "$ "),
        (1, START + 7, "$ exit\n"),
        (1, START + 8, "$ "),
    ];
    let engine = Engine::start();
    let container = Container {
        records: RUNS,
        tty: true,
    };
    for (name, backend) in backends(&engine.endpoint()) {
        serve(&engine, &container, vec![(2, None), (4, None)]);
        let (texts, error) = read(follow(&*backend, &LogsOptions::default(), &hasty()).await).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(texts, container.expected(0), "{name}");
    }
}

/// What was written between the end of the connection and that of the container isn't missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_words_are_looked_for() {
    let engine = Engine::start();
    let container = Container {
        records: RECORDS,
        tty: false,
    };
    for (_, backend) in backends(&engine.endpoint()) {
        // The first ends in order, as an engine's do that is stopped; the container has ended since.
        let made = Arc::new(AtomicUsize::new(0));
        let (count, scripted) = (Arc::clone(&made), container.clone());
        engine.follow(move |target| {
            if !target.contains("/logs") {
                return scripted.details("exited");
            }
            let written = [3, RECORDS.len()][count.fetch_add(1, Ordering::SeqCst).min(1)];
            Answer::ended(scripted.content_type(), &scripted.log(target, written))
        });
        let (texts, error) = read(follow(&*backend, &LogsOptions::default(), &hasty()).await).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(texts, container.expected(0));
        assert_eq!(made.load(Ordering::SeqCst), 2, "and no more than once");
    }
}

/// What is read again is a moment's worth, not all of it.
#[tokio::test]
async fn a_log_goes_on_where_it_broke() {
    const LINES: &[Record] = &[
        (1, START, "1\n"),
        (2, START + 5 * SECOND, "2\n"),
        (1, START + 60 * SECOND, "3\n"),
    ];
    let engine = Engine::start();
    let container = Container {
        records: LINES,
        tty: false,
    };
    let [(_, backend), ..] = backends(&engine.endpoint());
    let cut = length(&container, ALL, 3) - 1;
    serve(&engine, &container, vec![(3, Some(cut)), (3, None)]);
    let since: SystemTime = UNIX_EPOCH + Duration::from_nanos(START);
    let options = LogsOptions::default().with_since(since);
    let (texts, error) = read(follow(&*backend, &options, &hasty()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(texts, container.expected(0));
    let asked = engine.asked();
    let asked: Vec<_> = asked
        .iter()
        .filter_map(|target| nanoseconds(target, "since"))
        .collect();
    let again = START + 59 * SECOND;
    assert_eq!(asked, [START, again, again], "a second before the last");
}
