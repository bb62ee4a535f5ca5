//! The real engine, behind a proxy that cuts each stream somewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use catamaran::ContainerBackendExt;
use catamaran::blocking::Backend;
use catamaran::model::{ContainerRef, EventAction, EventsOptions, LabelKey, LogsOptions, Watched};
use futures::StreamExt;

use crate::common::proxy::{Fault, Proxy};
use crate::common::{shell, unique, witness};
use crate::logs::read;
use crate::{backends, hasty};

/// Cuts the answers of these requests, each somewhere else, and later and later, so that there is an end.
fn cutting(part: &'static str, first: usize) -> (Proxy, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let cuts = Arc::clone(&count);
    let proxy = Proxy::start(move |request| {
        if !request.contains(part) {
            return Fault::None;
        }
        let cut = cuts.fetch_add(1, Ordering::SeqCst);
        // Neighbouring cuts are far from each other, and meet every place in time.
        let spread = (cut * 2_654_435_761) % 4096;
        Fault::Cut(match cut {
            0 => first,
            _ => spread + cut * 32,
        })
    });
    (proxy, count)
}

const LINES: usize = 150;

fn expected(name: &str) -> String {
    (1..=LINES).map(|n| format!("{name} {n}\n")).collect()
}

async fn writer(name: &str) -> catamaran::model::ContainerSpec {
    let line = format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo out $i; echo err $i >&2; \
         [ $((i % 10)) -gt 0 ] || sleep 0.2; done"
    );
    shell(&unique(name), &line).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_comes_once_over_a_road_that_breaks() {
    for tty in [false, true] {
        let (proxy, cuts) = cutting("/logs?", 600);
        for (name, backend) in backends(&proxy.endpoint()) {
            let spec = writer(&format!("cut-{name}-{tty}")).await.with_tty(tty);
            let container = witness().scoped(&spec).await.expect("a container");
            cuts.store(0, Ordering::SeqCst);
            witness().start(&container).await.expect("a start");
            let options = LogsOptions::default();
            let reconnect = hasty();
            let log = backend.follow_logs_with(&container, &options, &reconnect);
            let ([stdout, stderr, console], error) = read(log.await.expect("a log")).await;
            assert!(error.is_none(), "{name}: {error:?}");
            if tty {
                let lines: Vec<_> = console.lines().collect();
                let of = |stream: &str| -> String {
                    let own = lines.iter().filter(|line| line.starts_with(stream));
                    own.map(|line| format!("{line}\n")).collect()
                };
                assert_eq!(
                    (lines.len(), of("out"), of("err")),
                    (2 * LINES, expected("out"), expected("err")),
                    "{name}"
                );
            } else {
                assert_eq!(
                    (stdout, stderr),
                    (expected("out"), expected("err")),
                    "{name}"
                );
            }
            let cuts = cuts.load(Ordering::SeqCst);
            assert!(cuts > 5, "{name}: it was cut {cuts} times");
            container.remove().await.expect("a removal");
        }
    }
}

#[test]
fn each_line_comes_once_without_a_runtime_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (proxy, cuts) = {
        let _within = runtime.enter();
        cutting("/logs?", 600)
    };
    let spec = runtime.block_on(writer("cut-facade"));
    for (name, backend) in backends(&proxy.endpoint()) {
        cuts.store(0, Ordering::SeqCst);
        let witness = Backend::over(witness()).expect("a facade");
        let container = witness.scoped(&spec).expect("a container");
        witness.start(&container).expect("a start");
        let facade = Backend::over(backend).expect("a facade");
        let log = facade.follow_logs(&container, &LogsOptions::default(), &hasty());
        let log = log.expect("a log").output(1 << 20).expect(name);
        assert_eq!(
            String::from_utf8_lossy(&log.stdout),
            expected("out"),
            "{name}"
        );
        assert_eq!(
            String::from_utf8_lossy(&log.stderr),
            expected("err"),
            "{name}"
        );
        assert!(cuts.load(Ordering::SeqCst) > 5, "{name}");
        witness.close(container).expect("a removal");
    }
}

/// A moment before a container was made, by the engine's clock.
async fn before(container: &ContainerRef) -> SystemTime {
    let details = witness().inspect(container).await.expect("details");
    details.created.expect("a time") - Duration::from_secs(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_comes_once_over_a_road_that_breaks() {
    const OWN: &str = "catamaran.test.watched";
    let (proxy, cuts) = cutting("/events?", 1500);
    for (name, backend) in backends(&proxy.endpoint()) {
        let own = unique(&format!("watched-{name}"));
        let spec = shell(&own, "true").await.with_label(OWN, own.as_str());
        let spec = spec.expect("a label");
        // The first is there before the watch: so there is something to go on from.
        let first = witness().scoped(&spec).await.expect("a container");
        let mut expected = vec![(first.id().to_string(), EventAction::Create)];
        cuts.store(0, Ordering::SeqCst);
        let label = LabelKey::new(OWN).expect("a key");
        let options = EventsOptions::default()
            .with_since(before(&first).await)
            .with_label(label, own.to_string());
        let watch = backend.watch_events_with(&options, &hasty()).await;
        let mut watch = watch.expect("a watch");
        let mut seen = Vec::new();
        let mut container = Some(first);
        for _ in 0..8 {
            let guard = match container.take() {
                Some(guard) => guard,
                None => {
                    let guard = witness().scoped(&spec).await.expect("a container");
                    expected.push((guard.id().to_string(), EventAction::Create));
                    guard
                }
            };
            expected.push((guard.id().to_string(), EventAction::Destroy));
            guard.remove().await.expect("a removal");
            while seen.len() < expected.len() {
                let next = tokio::time::timeout(Duration::from_secs(60), watch.next()).await;
                match next.expect("it is told in time").expect("it goes on") {
                    Ok(Watched::Event(event)) => seen.push((event.actor, event.action)),
                    Ok(Watched::Gap(gap)) => panic!("{name}: {gap:?}"),
                    Ok(_) => {}
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
        assert_eq!(seen, expected, "{name}");
        assert!(cuts.load(Ordering::SeqCst) > 2, "{name}: it was cut");
    }
}
