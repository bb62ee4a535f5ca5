//! Sessions that misbehave, all at once: the engine answers, and so do their neighbours; the limits hold; who it is is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use catamaran::model::{ExecOptions, LogConfig, LogsOptions};
use catamaran::session::{Change, ResourceWatch, SessionSpec};
use futures::StreamExt;

use crate::common::witness;
use crate::stage::*;

const PIDS: u64 = 64;
const FILE: u64 = 1 << 20;
const FILES: u64 = 2;
/// What goes into the log: many times what is kept of it.
const WRITTEN: u64 = 24 << 20;
/// A busy machine's: what matters is that it answers.
const PROMPT: Duration = Duration::from_secs(30);

/// It begins when it is told to, so that it is a session before.
async fn armed(line: &str) -> SessionSpec {
    let line = format!("while [ ! -e /tmp/go ]; do sleep 0.1; done; {line}");
    let mut spec = shell(&line).await;
    let resources = spec.container.resources;
    spec.container.resources = resources
        .with_memory_and_no_swap(64 << 20)
        .with_cpus(0.25)
        .with_pids(PIDS as u32);
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_misbehave_are_held_to_their_limits_and_named() {
    let stage = Stage::new("hogs");
    let watch = ResourceWatch::default().with_interval(Duration::from_secs(1));
    let builder = stage.builder().with_resource_watch(watch);
    let manager = stage.start(builder).await;
    let mut told = Told::of(&manager);

    // A shell that can't fork ends: those that are there by then stay.
    let bomb = "i=0; while [ $i -lt 58 ]; do sleep 6000 & i=$((i + 1)); done; \
        bomb() { while :; do (bomb) & done; }; bomb & exec sleep 6000";
    let bomb = armed(bomb).await;
    let hog = armed("exec tail /dev/zero").await;
    // A short line would be a tenth of what the engine writes for it.
    let mut chatter = armed(&format!(
        "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\" | head -c {WRITTEN}; touch /tmp/done; exec sleep 6000"
    ))
    .await;
    chatter.container.log = Some(LogConfig::rotated(FILE, FILES as u32));
    let spinner = armed("while :; do :; done").await;

    let neighbour = key("alice", "neighbour");
    let neighbour = manager
        .open(&neighbour, &idle().await)
        .await
        .expect("it opens");
    let mut opened = Vec::new();
    for (name, spec) in [
        ("bomb", bomb),
        ("hog", hog),
        ("chatter", chatter),
        ("spinner", spinner),
    ] {
        let session = manager.open(&key("mallory", name), &spec).await;
        opened.push(session.expect("it opens"));
    }
    for session in &opened {
        run(session, "touch /tmp/go").await;
    }
    let [bomb, hog, chatter, spinner] = &opened[..] else {
        panic!("there are four")
    };

    let slowest = AtomicU64::new(0);
    let neighbourly = async {
        loop {
            let began = Instant::now();
            assert_eq!(run(&neighbour, "echo here").await, "here\n");
            witness().ping().await.expect("the engine answers");
            let took = began.elapsed();
            assert!(took < PROMPT, "the neighbour took {took:?}");
            let took = took.as_millis().try_into().unwrap_or(u64::MAX);
            slowest.fetch_max(took, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let limited = async {
        let (witness, mut most) = (witness(), 0);
        for _ in 0..20 {
            let pids = witness.stats(bomb.container()).await.expect("stats").pids;
            most = most.max(pids.expect("a count"));
            assert!(most <= PIDS, "{most} processes");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(most > PIDS / 2, "{most} processes are no bomb");

        let high = told
            .of_session(bomb.key(), |change| {
                matches!(change, Change::PidsHigh { .. })
            })
            .await;
        assert!(
            matches!(high, Change::PidsHigh { current, limit } if limit == PIDS && current <= limit),
            "{high:?}"
        );
        let died = told
            .of_session(hog.key(), |change| matches!(change, Change::Died { .. }))
            .await;
        // Why it was killed may come to the engine too late, see `memory_limit_holds` of the conformance suite.
        let by_signal = |change: &Change| matches!(change, Change::Died { exit_code, .. } if *exit_code == Some(137));
        assert!(by_signal(&died), "{died:?}");
        let state = inspect(hog.container())["State"].take();
        assert_eq!(
            (&state["ExitCode"], &state["Running"]),
            (&137.into(), &false.into())
        );
        let held_back = told
            .of_session(spinner.key(), |change| {
                matches!(change, Change::CpuThrottled { .. })
            })
            .await;
        assert!(
            matches!(held_back, Change::CpuThrottled { percent } if (50.0..300.0).contains(&percent)),
            "{held_back:?}"
        );
        let done = ExecOptions::new(["test", "-e", "/tmp/done"]);
        until("all is written", async || {
            chatter.exec(&done).await.expect("it runs").success()
        })
        .await;
        let kept = kept(chatter).await;
        let most = FILE * FILES + (1 << 20);
        assert!(kept > 0 && kept <= most, "{kept} bytes are kept");
    };
    tokio::select! {
        () = neighbourly => unreachable!("it goes on"),
        () = limited => {}
    }
    println!(
        "the neighbour's slowest answer: {} ms",
        slowest.load(Ordering::Relaxed)
    );

    for session in &opened {
        assert!(session.close().await.expect("it closes"));
    }
    let left: Vec<_> = manager.sessions().into_iter().map(|one| one.key).collect();
    assert_eq!(left, [neighbour.key().clone()]);
    assert_eq!(stage.things().len(), 1, "{:?}", stage.things());
    neighbour.close().await.expect("it closes");
    stage.gone().await;
}

/// How much of a log there is: what is read of it, and its files where they can be seen from here.
async fn kept(session: &catamaran::session::Session) -> u64 {
    let mut log = session.logs(&LogsOptions::default()).await.expect("a log");
    let mut read = 0;
    while let Some(piece) = log.next().await {
        read += piece.expect("it can be read").bytes.len() as u64;
    }
    let details = inspect(session.container());
    let path = std::path::PathBuf::from(details["LogPath"].as_str().unwrap_or_default());
    let files = path.parent().and_then(|parent| {
        let beginning = path.file_name()?.to_str()?;
        let entries = std::fs::read_dir(parent).ok()?.flatten();
        let ours = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.starts_with(beginning))
        });
        Some(
            ours.filter_map(|entry| Some(entry.metadata().ok()?.len()))
                .sum(),
        )
    });
    println!("{read} bytes of the log are read, its files have {files:?}");
    read.max(files.unwrap_or_default())
}
