//! What is bounded, by both engines and together, on the fake engine: calls, streams, pulls, and each key's share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catamaran::model::{
    ContainerRef, ContainerSpec, ExecOptions, ImageRef, LogStream, LogsOptions, PullOptions,
    RemoveOptions, StopOptions,
};
use catamaran::testing::{FakeEngine, Fault, Hold, Rule};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, Effect, Error, ErrorKind,
    HybridBackend, LimitOptions, Mode,
};
use futures::StreamExt;

/// Nobody waits.
fn one_stream() -> LimitOptions {
    LimitOptions::default()
        .with_streams(1usize)
        .with_queue(0usize)
}

fn one_call() -> LimitOptions {
    LimitOptions::default()
        .with_calls(1usize)
        .with_queue(0usize)
}

async fn fake(limits: LimitOptions) -> (FakeEngine, Config) {
    let engine = FakeEngine::start().await.expect("a fake engine");
    let config = Config::builder()
        .endpoint(engine.endpoint().clone())
        .limits(limits)
        .build()
        .expect("a configuration");
    (engine, config)
}

/// Holds answers to this back, until they are let go.
fn hold(engine: &FakeEngine, method: &str, path: &str) -> (usize, Hold) {
    let hold = Hold::new();
    let held = Rule::new(method, path, Fault::HoldAnswerUntil(hold.clone()));
    (engine.faults().add(held), hold)
}

fn engines(config: &Config) -> [Arc<dyn ContainerBackend>; 2] {
    [
        Arc::new(AsyncEngine::new(config).expect("an engine")),
        Arc::new(BlockingEngine::new(config).expect("an engine")),
    ]
}

async fn running(backend: &dyn ContainerBackend, command: &[&str]) -> ContainerRef {
    let image = ImageRef::new("busybox").expect("an image");
    let spec = ContainerSpec::untrusted(image).with_command(command.iter().copied());
    let id = backend.create(&spec).await.expect("a container").id;
    backend.start(&id).await.expect("a start");
    id
}

async fn followed(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
) -> catamaran::Result<LogStream> {
    backend
        .logs(id, &LogsOptions::default().with_follow(true))
        .await
}

fn is_saturated(error: &Error, setting: &str) {
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::Saturated, Effect::NotSent),
        "{error}"
    );
    assert!(error.retry_after().is_some(), "{error}");
    assert!(error.to_string().contains(setting), "{error}");
}

#[tokio::test]
async fn a_stream_holds_its_permit_as_long_as_it_is_open() {
    let (_engine, config) = fake(one_stream()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let first = followed(&*backend, &id).await.expect("a log");
        let second = followed(&*backend, &id).await.map(drop);
        is_saturated(
            &second.expect_err("one at a time"),
            "ASYNC_STREAM_POOL_SIZE",
        );
        let ran = backend.exec(&id, &ExecOptions::new(["true"])).await;
        is_saturated(&ran.expect_err("a stream, too"), "ASYNC_STREAM_POOL_SIZE");
        // Calls have permits of their own.
        backend.inspect(&id).await.expect("a container");
        drop(first);
        followed(&*backend, &id).await.map(drop).expect("a log");
        backend
            .remove(&id, &RemoveOptions::force())
            .await
            .expect("a removal");
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_gives_its_permit_back() {
    let (_engine, config) = fake(one_stream()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["echo", "done"]).await;
        let mut log = followed(&*backend, &id).await.expect("a log");
        while log.next().await.is_some() {}
        followed(&*backend, &id).await.map(drop).expect("a log");
        drop(log);
    }
}

#[tokio::test]
async fn a_session_holds_its_permit_until_its_output_ends() {
    let (_engine, config) = fake(one_stream()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let cat = ExecOptions::new(["cat"]);
        let mut session = backend.start_exec(&id, &cat).await.expect("a session");
        let second = backend.start_exec(&id, &cat).await.map(drop);
        is_saturated(
            &second.expect_err("one at a time"),
            "ASYNC_STREAM_POOL_SIZE",
        );
        tokio::io::AsyncWriteExt::shutdown(&mut session.input)
            .await
            .expect("an end");
        while session.output.next().await.is_some() {}
        let ran = backend.exec(&id, &ExecOptions::new(["true"])).await;
        assert_eq!(ran.expect("a permit").exit_code, 0);
    }
}

#[tokio::test]
async fn what_ends_an_exec_needs_no_permit() {
    let (_engine, config) = fake(one_stream()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let slow = ExecOptions::new(["sleep", "600"]).with_timeout(Duration::from_millis(200));
        let ran = backend.exec(&id, &slow).await.expect("it was ended");
        assert!(ran.timed_out);
    }
}

/// Its own time is that of its command, not of its turn.
#[tokio::test]
async fn an_exec_that_does_not_come_to_its_turn_was_never_begun() {
    let limits = one_stream()
        .with_queue(9usize)
        .with_queue_time(Duration::from_secs(1));
    let (_engine, config) = fake(limits).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let log = followed(&*backend, &id).await.expect("a log");
        let hurried = ExecOptions::new(["true"]).with_timeout(Duration::from_millis(200));
        let ran = backend.exec(&id, &hurried).await;
        is_saturated(&ran.expect_err("no turn"), "ASYNC_STREAM_POOL_SIZE");
        drop(log);
    }
}

/// While calls are stuck, what has been done is told all the same.
#[tokio::test]
async fn what_has_ended_needs_no_permit_to_be_told() {
    let (engine, config) = fake(one_call()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let (rule, goes_on) = hold(&engine, "POST", "/exec/*/start");
        let (asked, began) = hold(&engine, "GET", "/info");
        let options = ExecOptions::new(["true"]);
        let exec = backend.exec(&id, &options);
        let stuck = async {
            engine.faults().until(rule, |count| count.matched > 0).await;
            // The only permit is taken before the command ends.
            let mut info = std::pin::pin!(backend.info());
            while engine.faults().count(asked).matched == 0 {
                assert!(futures::poll!(&mut info).is_pending());
                tokio::task::yield_now().await;
            }
            goes_on.release();
            info.await
        };
        let told = async {
            let ran = exec.await;
            began.release();
            ran
        };
        let (ran, info) = futures::future::join(told, stuck).await;
        assert_eq!(ran.expect("it ran").exit_code, 0);
        info.expect("an answer");
        engine.faults().clear();
    }
}

/// A stop waits for its container, and nobody else waits for it.
#[tokio::test]
async fn a_stop_is_in_no_calls_way() {
    let (engine, config) = fake(one_call()).await;
    for backend in engines(&config) {
        let id = running(&*backend, &["sleep", "600"]).await;
        let (rule, gate) = hold(&engine, "POST", "/containers/*/stop");
        let options = StopOptions::default();
        let meanwhile = async {
            engine.faults().until(rule, |count| count.matched > 0).await;
            backend.info().await.expect("an answer");
            gate.release();
        };
        let (stopped, ()) = futures::future::join(backend.stop(&id, &options), meanwhile).await;
        stopped.expect("it is stopped");
        engine.faults().clear();
    }
}

#[tokio::test]
async fn pulls_have_permits_of_their_own() {
    let limits = LimitOptions::default()
        .with_pulls(1usize)
        .with_queue(0usize);
    let (engine, config) = fake(limits).await;
    for backend in engines(&config) {
        let (rule, gate) = hold(&engine, "POST", "/images/create");
        let image = ImageRef::new("busybox").expect("an image");
        let pull = || async { backend.pull_image(&image, &PullOptions::default()).await };
        let second = async {
            engine.faults().until(rule, |count| count.matched > 0).await;
            let second = pull().await.map(drop);
            is_saturated(&second.expect_err("one at a time"), "ASYNC_PULL_POOL_SIZE");
            backend.ping().await.expect("a pong");
            gate.release();
        };
        let (first, ()) = futures::future::join(pull(), second).await;
        // The registry has no such image, which is no matter of permits.
        assert_ne!(
            first.map(drop).err().map(|error| error.kind()),
            Some(ErrorKind::Saturated)
        );
        engine.faults().clear();
    }
}

/// A tenant that floods the backend is in nobody's way but its own.
#[tokio::test]
async fn a_greedy_key_starves_nobody() {
    let (engine, config) = fake(LimitOptions::default().with_calls(4usize)).await;
    let backend = HybridBackend::new(&config)
        .expect("a backend")
        .with_mode(Mode::Async);
    backend.ping().await.expect("a pong");
    engine
        .faults()
        .add(Rule::any(Fault::Latency(Duration::from_millis(20))));
    let of = |key: &str| backend.with_context(CallContext::new().with_key(key));
    let (greedy, modest) = (of("greedy"), of("modest"));
    let done = AtomicUsize::new(0);
    let flood = futures::future::join_all((0..200).map(|_| async {
        let answer = greedy.info().await;
        done.fetch_add(1, Ordering::Relaxed);
        answer
    }));
    let few = async {
        for _ in 0..5 {
            modest.info().await.expect("an answer");
        }
        done.load(Ordering::Relaxed)
    };
    let (flood, before) = futures::future::join(flood, few).await;
    for answer in flood {
        answer.expect("late, but served");
    }
    // Five rounds of at most three each, and as many again where the machine is held up; behind all of the greedy one's it would be 200.
    assert!(before <= 60, "{before} of the greedy one's came first");
}

#[tokio::test]
async fn a_full_queue_sheds_at_once() {
    let limits = LimitOptions::default()
        .with_calls(1usize)
        .with_queue(2usize);
    let (engine, config) = fake(limits).await;
    let backend = HybridBackend::new(&config).expect("a backend");
    // With it the version is known, which all would wait for.
    backend.info().await.expect("an answer");
    let gate = Hold::new();
    engine
        .faults()
        .add(Rule::any(Fault::HoldAnswerUntil(gate.clone())));
    let mut calls = futures::stream::FuturesUnordered::new();
    for _ in 0..8 {
        calls.push(backend.info());
    }
    for _ in 0..5 {
        let shed = calls.next().await.expect("a call").expect_err("no room");
        is_saturated(&shed, "ASYNC_POOL_SIZE");
    }
    gate.release();
    let served: Vec<_> = calls.collect().await;
    assert_eq!(served.len(), 3);
    for answer in served {
        answer.expect("its turn");
    }
}
