//! Events, on an engine that keeps some of them, and whose connections break at every byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catamaran::model::{
    EventKind, EventWatch, EventsOptions, Gap, GapReason, ReconnectOptions, Watched,
};
use catamaran::{ContainerBackend, ContainerBackendExt, ErrorKind, Operation};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::engine::{Answer, Engine, nanoseconds, parameter};
use crate::logs::{SECOND, START};
use crate::{backends, hasty};

const JSON: &str = "application/json";

/// When it happened, and to whom.
type Happened = (u64, &'static str);

fn line((time, actor): &Happened) -> String {
    let event = json!({
        "Type": "container", "Action": "start", "Actor": {"ID": actor, "Attributes": {"name": actor}},
        "scope": "local", "timeNano": time,
    });
    format!("{event}\n")
}

/// What an engine tells that remembers these.
fn told(target: &str, remembered: &[Happened]) -> String {
    let since = nanoseconds(target, "since").unwrap_or(u64::MAX);
    let until = nanoseconds(target, "until").unwrap_or(u64::MAX);
    let within = |(time, _): &&Happened| (since..=until).contains(time);
    remembered.iter().filter(within).map(line).collect()
}

fn time(nanos: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_nanos(nanos))
}

/// Tells this over the first connection, which is cut after so many bytes, and then what is remembered.
fn serve(engine: &Engine, first: &str, cut: Option<usize>, remembered: &'static [Happened]) {
    let connections = AtomicUsize::new(0);
    let first = Answer::open(JSON, first.as_bytes());
    let first = match cut {
        Some(cut) => first.cut(cut),
        None => first,
    };
    engine.follow(move |target| {
        if connections.fetch_add(1, Ordering::SeqCst) == 0 {
            return first.clone();
        }
        let told = told(target, remembered);
        match parameter(target, "until") {
            Some(_) => Answer::ended(JSON, told.as_bytes()),
            None => Answer::open(JSON, told.as_bytes()),
        }
    });
}

async fn watch(backend: &dyn ContainerBackend, reconnect: &ReconnectOptions) -> EventWatch {
    let options = EventsOptions::default();
    let watch = backend.watch_events_with(&options, reconnect).await;
    watch.expect("a watch")
}

/// What a watch tells, in short.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Event(String),
    Gap(Gap),
    Disconnected(ErrorKind),
    Reconnected,
    Failed(ErrorKind),
    End,
}

fn event(actor: &str) -> Told {
    Told::Event(actor.to_owned())
}

fn forgotten(from: Option<SystemTime>) -> Gap {
    gap(from, None, GapReason::Forgotten)
}

fn gap(from: Option<SystemTime>, to: Option<SystemTime>, reason: GapReason) -> Gap {
    Gap::new(reason).with_from(from).with_to(to)
}

async fn next(watch: &mut EventWatch) -> Told {
    let patience = Duration::from_secs(60);
    let next = tokio::time::timeout(patience, watch.next()).await;
    match next.expect("something is told in time") {
        None => Told::End,
        Some(Err(error)) => {
            assert_eq!(error.operation(), Some(Operation::Events), "{error}");
            Told::Failed(error.kind())
        }
        Some(Ok(Watched::Event(event))) => Told::Event(event.actor),
        Some(Ok(Watched::Gap(gap))) => Told::Gap(gap),
        Some(Ok(Watched::Disconnected(error))) => Told::Disconnected(error.kind()),
        Some(Ok(Watched::Reconnected)) => Told::Reconnected,
        Some(Ok(other)) => panic!("{other:?}"),
    }
}

async fn take(watch: &mut EventWatch, count: usize) -> Vec<Told> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next(watch).await);
    }
    all
}

const BROKEN: Told = Told::Disconnected(ErrorKind::Transport);

/// The last two at the same time.
const LIFE: &[Happened] = &[
    (START, "a"),
    (START + 5 * SECOND, "b"),
    (START + 9 * SECOND, "c"),
    (START + 9 * SECOND, "d"),
];

/// Wherever the connection is cut, each event is told once, and no gap where none need be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_told_once_wherever_it_is_cut() {
    let engine = Engine::start();
    let first: String = LIFE[..3].iter().map(line).collect();
    let head = Answer::open(JSON, b"").len();
    // A chunk's length comes before the first byte.
    let begin = head + format!("{:x}\r\n", first.len()).len();
    let whole = begin + line(&LIFE[0]).len();
    for (name, backend) in backends(&engine.endpoint()) {
        for cut in head..Answer::open(JSON, first.as_bytes()).len() {
            serve(&engine, &first, Some(cut), LIFE);
            let mut watch = watch(&*backend, &hasty()).await;
            if cut < whole {
                // Before any event, nobody can say what the engine remembers.
                let told = take(&mut watch, 3).await;
                let expected = [BROKEN, Told::Reconnected, Told::Gap(forgotten(None))];
                assert_eq!(told, expected, "{name}, cut after {cut}");
                continue;
            }
            let mut told = take(&mut watch, 6).await;
            told.retain(|told| !matches!(told, Told::Reconnected | Told::Disconnected(_)));
            let expected = ["a", "b", "c", "d"].map(event);
            assert_eq!(told, expected, "{name}, cut after {cut}");
        }
    }
}

/// One that comes at the beginning of a connection may come twice; what is alike but for a word is two.
#[tokio::test]
async fn an_event_is_told_once() {
    let engine = Engine::start();
    let twice = [LIFE[0], LIFE[1], LIFE[1], LIFE[2], LIFE[3], LIFE[2]];
    let first: String = twice.iter().map(line).collect();
    for (name, backend) in backends(&engine.endpoint()) {
        let whole = Answer::open(JSON, first.as_bytes()).len();
        serve(&engine, &first, Some(whole), LIFE);
        let mut watch = watch(&*backend, &hasty()).await;
        let told = take(&mut watch, 6).await;
        let expected = [
            event("a"),
            event("b"),
            event("c"),
            event("d"),
            BROKEN,
            Told::Reconnected,
        ];
        assert_eq!(told, expected, "{name}");
        let asked = engine.asked();
        let since = |at: usize| nanoseconds(&asked[at], "since");
        let second_before = Some(START + 8 * SECOND);
        assert_eq!(
            [since(0), since(1), since(2)],
            [None, second_before, second_before],
            "{name}: {asked:?}"
        );
        assert!(
            parameter(&asked[1], "until").is_none() && parameter(&asked[2], "until").is_some(),
            "{name}: the stream is there before the look: {asked:?}"
        );
    }
}

/// An engine that has forgotten what it told last: it was restarted, or more has happened than it keeps.
#[tokio::test]
async fn what_the_engine_has_forgotten_is_a_gap() {
    let engine = Engine::start();
    let first: String = LIFE[..2].iter().map(line).collect();
    let whole = Answer::open(JSON, first.as_bytes()).len();
    let known = || Told::Gap(forgotten(time(START + 5 * SECOND)));
    for (name, backend) in backends(&engine.endpoint()) {
        for remembered in [&LIFE[2..], &[]] {
            serve(&engine, &first, Some(whole), remembered);
            let mut watch = watch(&*backend, &hasty()).await;
            let mut expected = vec![event("a"), event("b"), BROKEN, Told::Reconnected, known()];
            expected.extend(remembered.iter().map(|(_, actor)| event(actor)));
            let told = take(&mut watch, expected.len()).await;
            assert_eq!(told, expected, "{name}");
        }
    }
}

/// A reader that doesn't read misses what doesn't fit, and is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_told_what_it_missed() {
    const COUNT: u64 = 5000;
    let engine = Engine::start();
    let many: String = (1..=COUNT).map(|n| line(&(START + n, "x"))).collect();
    for (name, backend) in backends(&engine.endpoint()) {
        let first = many.clone();
        engine.follow(move |target| match nanoseconds(target, "since") {
            None => Answer::ended(JSON, first.as_bytes()),
            Some(_) if parameter(target, "until").is_some() => {
                Answer::ended(JSON, line(&(START + COUNT, "x")).as_bytes())
            }
            Some(_) => Answer::open(JSON, line(&(START + COUNT, "x")).as_bytes()),
        });
        let mut open = engine.open();
        let mut watch = watch(&*backend, &hasty()).await;
        // The next connection is made when this one has been read.
        open.wait_for(|open| *open == 1).await.expect("an engine");
        let mut told = take(&mut watch, 1025).await;
        let missed = gap(
            time(START + 1024),
            time(START + COUNT),
            GapReason::SlowReader,
        );
        assert_eq!(told.pop(), Some(Told::Gap(missed)), "{name}");
        assert!(told.iter().all(|told| *told == event("x")), "{name}");
        drop(watch);
        open.wait_for(|open| *open == 0).await.expect("an engine");
    }
}

/// Dropping the watch ends the connection, and so does dropping a stream of events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_over() {
    let engine = Engine::start();
    engine.follow(|_| Answer::open(JSON, line(&LIFE[0]).as_bytes()));
    for (_, backend) in backends(&engine.endpoint()) {
        let mut open = engine.open();
        let mut watch = watch(&*backend, &hasty()).await;
        assert_eq!(next(&mut watch).await, event("a"));
        open.wait_for(|open| *open == 1).await.expect("an engine");
        drop(watch);
        open.wait_for(|open| *open == 0).await.expect("an engine");
        let mut events = backend
            .events(&EventsOptions::default())
            .await
            .expect("it answers");
        let first = events.try_next().await.expect("an event").expect("one");
        assert_eq!(
            (first.kind, first.time),
            (EventKind::Container, time(START))
        );
        drop(events);
        open.wait_for(|open| *open == 0).await.expect("an engine");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_go_on_ends_the_watch() {
    let engine = Engine::start();
    let first: String = LIFE[..1].iter().map(line).collect();
    let whole = Answer::open(JSON, first.as_bytes()).len();
    let endless = "x".repeat(64 << 10);
    for (name, backend) in backends(&engine.endpoint()) {
        // A refusal, a lie, and a line without an end, on the second connection.
        for kind in [ErrorKind::Refused, ErrorKind::Decode, ErrorKind::TooLarge] {
            let (count, endless) = (AtomicUsize::new(0), endless.clone());
            let first = Answer::open(JSON, first.as_bytes()).cut(whole);
            engine.follow(move |target| match count.fetch_add(1, Ordering::SeqCst) {
                0 => first.clone(),
                _ if kind == ErrorKind::Refused => Answer::new(400, r#"{"message":"no"}"#),
                _ if parameter(target, "until").is_some() => {
                    Answer::ended(JSON, line(&LIFE[0]).as_bytes())
                }
                _ if kind == ErrorKind::Decode => Answer::open(JSON, b"no event\n"),
                _ => Answer::endless(JSON, endless.as_bytes()),
            });
            let mut watch = watch(&*backend, &hasty()).await;
            let mut expected = vec![event("a"), BROKEN, Told::Reconnected];
            if kind == ErrorKind::Refused {
                expected.pop();
            }
            expected.extend([Told::Failed(kind), Told::End]);
            let told = take(&mut watch, expected.len()).await;
            assert_eq!(told, expected, "{name}: {kind}");
        }
    }
}

/// One stream of events doesn't take a line without an end either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_line_is_too_large() {
    let engine = Engine::start();
    engine.follow(|_| Answer::endless(JSON, "x".repeat(64 << 10).as_bytes()));
    for (name, backend) in backends(&engine.endpoint()) {
        let mut events = backend
            .events(&EventsOptions::default())
            .await
            .expect("it answers");
        let error = events.next().await.expect("an item").expect_err(name);
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::TooLarge, Some(Operation::Events))
        );
        assert!(events.next().await.is_none(), "nothing follows an error");
    }
}

#[tokio::test]
async fn a_watch_ends_when_its_time_has_come_or_the_engine_stays_away() {
    let engine = Engine::start();
    let first: String = LIFE[..1].iter().map(line).collect();
    for (name, backend) in backends(&engine.endpoint()) {
        let answer = Answer::ended(JSON, first.as_bytes());
        engine.follow(move |_| answer.clone());
        let until = time(START + SECOND);
        let options = EventsOptions::default().with_until(until);
        let mut watch = backend
            .watch_events_with(&options, &hasty())
            .await
            .expect(name);
        assert_eq!(take(&mut watch, 2).await, [event("a"), Told::End], "{name}");

        let count = AtomicUsize::new(0);
        let answer = Answer::ended(JSON, first.as_bytes());
        engine.follow(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => answer.clone(),
            _ => Answer::new(200, "").cut(0),
        });
        let impatient = hasty().with_give_up_after(Duration::from_millis(50));
        let mut watch = self::watch(&*backend, &impatient).await;
        let failed = Told::Failed(ErrorKind::Transport);
        let expected = [event("a"), BROKEN, failed, Told::End];
        assert_eq!(take(&mut watch, 4).await, expected, "{name}");
    }
    let nowhere = catamaran::Endpoint::unix("/nonexistent/docker.sock");
    for (name, backend) in backends(&nowhere) {
        let error = backend.watch_events(&EventsOptions::default()).await;
        assert_eq!(error.expect_err(name).kind(), ErrorKind::Connect);
    }
}

/// The facade's iterators are the same streams.
#[test]
fn a_blocking_watch_goes_on_meanwhile() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let engine = runtime.block_on(async { Engine::start() });
    let first: String = LIFE[..2].iter().map(line).collect();
    let whole = Answer::open(JSON, first.as_bytes()).len();
    for (name, backend) in backends(&engine.endpoint()) {
        let backend: Arc<dyn ContainerBackend> = backend;
        let facade = catamaran::blocking::Backend::over(backend).expect("a facade");
        serve(&engine, &first, Some(whole), LIFE);
        let watch = facade.watch_events(&EventsOptions::default(), &hasty());
        let told = watch
            .expect("a watch")
            .filter_map(|told| match told.expect(name) {
                Watched::Event(event) => Some(event.actor),
                Watched::Gap(gap) => panic!("{gap:?}"),
                _ => None,
            });
        assert!(told.take(4).eq(["a", "b", "c", "d"]), "{name}");
        let past = EventsOptions::default()
            .with_since(time(START))
            .with_until(time(START + 9 * SECOND));
        let events = facade.events(&past).expect("it answers");
        let events: Result<Vec<_>, _> = events.collect();
        assert_eq!(events.expect(name).len(), 4);
    }
}
