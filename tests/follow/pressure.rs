//! A reader that doesn't read holds the engine up, and nothing is kept for it without bound.

use std::time::Duration;

use catamaran::model::{LogStream, LogsOptions};
use catamaran::{ContainerBackend, ContainerBackendExt};
use futures::TryStreamExt;
use tokio::sync::watch;

use crate::backends;
use crate::common::peer::frame;
use crate::engine::{Answer, Engine};
use crate::logs::{Container, container};

/// How much leaves an engine for a reader that doesn't read: what the socket holds, what the client's
/// connection reads ahead (some 400 KiB), and a piece.
const MOST: usize = 2 << 20;

/// Waits until the engine can't write, and says how much it has written.
async fn held_up(written: &mut watch::Receiver<usize>) -> usize {
    let pause = Duration::from_millis(500);
    while let Ok(changed) = tokio::time::timeout(pause, written.changed()).await {
        changed.expect("an engine");
        let count = *written.borrow_and_update();
        assert!(count < 16 * MOST, "it writes without an end: {count} bytes");
    }
    *written.borrow()
}

async fn open(backend: &dyn ContainerBackend, followed: bool) -> LogStream {
    let options = LogsOptions::default().with_follow(true);
    let log = match followed {
        true => backend.follow_logs(&container(), &options).await,
        false => backend.logs(&container(), &options).await,
    };
    log.expect("a log")
}

/// A stream from which some was taken, so that it isn't for want of a beginning that nothing comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_log_waits_for_its_reader() {
    // A line of a terminal that never ends, and frames.
    for tty in [true, false] {
        let text = [
            b"2023-11-14T22:13:20.000000000Z ".as_slice(),
            &[b'x'; 16 << 10],
        ]
        .concat();
        let scripted = Container { records: &[], tty };
        let engine = Engine::start();
        let body = if tty { text } else { frame(1, &text) };
        let endless = Answer::endless(scripted.content_type(), &body);
        engine.follow(move |target| match target.contains("/logs") {
            true => endless.clone(),
            false => scripted.details("running"),
        });
        let mut written = engine.written();
        for (name, backend) in backends(&engine.endpoint()) {
            for followed in [false, true] {
                let shown = format!("{name}, with a terminal: {tty}, followed: {followed}");
                let before = *written.borrow_and_update();
                let mut log = open(&*backend, followed).await;
                log.try_next().await.expect(&shown).expect("a chunk");
                let held = held_up(&mut written).await;
                assert!(held - before < MOST, "{shown}: {} bytes", held - before);
                let mut taken = 0;
                while taken < 2 * MOST {
                    let chunk = log.try_next().await.expect(&shown).expect("it goes on");
                    assert!(chunk.bytes.len() < MOST, "{shown}");
                    taken += chunk.bytes.len();
                }
                let went = held_up(&mut written).await - before;
                assert!(
                    went >= taken / 2 && went < taken + MOST,
                    "{shown}: {went} of {taken}"
                );
            }
        }
    }
}
