//! Probes that are given up in the middle leave no container, whoever looks.

use std::time::Duration;

use catamaran::doctor::{DoctorOptions, Severity};
use catamaran::model::{ImageRef, LabelKey, ListOptions};
use catamaran::testing::{FakeEngine, Fault, Faults, Hold, Personality, Rule};
use catamaran::{AsyncEngine, ContainerBackend, doctor};
use tokio::runtime::{Builder, Runtime};

use crate::{REAL, bearing_the_label, common, severity};

const IMAGE: &str = "catamaran/busybox:test";
/// For what goes on in the background; a failure alone takes so long.
const MOST: Duration = Duration::from_secs(40);

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn options() -> DoctorOptions {
    DoctorOptions::default().with_image(ImageRef::new(IMAGE).expect("a reference"))
}

async fn fake(personality: Personality, faults: &Faults) -> FakeEngine {
    let builder = FakeEngine::builder().personality(personality).image(IMAGE);
    let started = builder.faults(faults.clone()).start().await;
    started.expect("a fake engine")
}

/// Waits until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(MOST, waiting).await;
    waited.unwrap_or_else(|_| panic!("not within {MOST:?}: {what}"));
}

/// The host's runtime ends with the report: what is left by then is left.
#[test]
fn at_each_step_the_probes_go_with_the_report() {
    let engines = runtime();
    for personality in [Personality::Docker28, Personality::Podman] {
        for (method, path, count) in [
            ("POST", "/containers/create", 1),
            ("POST", "/containers/create", 3),
            // Made and looked at.
            ("POST", "/containers/", 4),
            ("POST", "/containers/", 6),
            // Started and waited for.
            ("POST", "/containers/", 9),
            ("DELETE", "/containers/", 1),
        ] {
            let step = format!("{personality:?} at {method} {path} {count}");
            let faults = Faults::new();
            let engine = engines.block_on(fake(personality, &faults));
            let (config, journal) = (engine.config(), engine.journal());
            let (host, options) = (runtime(), options());
            host.block_on(async {
                tokio::select! {
                    report = doctor(config, &options) => panic!("{step} never came:\n{report}"),
                    () = journal.until(method, path, count) => {}
                }
            });
            // Waits for what goes on in the background, for a moment where nobody knows whether it was made.
            drop(host);
            let gone = async || engine.containers().is_empty();
            engines.block_on(until(&step, gone));
        }
    }
}

/// The engine makes a container though nobody waits for it any more.
#[test]
fn a_probe_that_comes_to_be_after_all_goes_too() {
    let engines = runtime();
    let (faults, hold) = (Faults::new(), Hold::new());
    let late = Fault::DelayRequestUntil(hold.clone());
    let rule = faults.add(Rule::new("POST", "/containers/create", late));
    let engine = engines.block_on(fake(Personality::Docker28, &faults));
    let (host, options) = (runtime(), options());
    host.block_on(async {
        tokio::select! {
            report = doctor(engine.config(), &options) => panic!("it was held:\n{report}"),
            () = faults.until(rule, |count| count.matched == 3) => {}
        }
    });
    assert!(engine.containers().is_empty(), "none was made yet");
    hold.release();
    engines.block_on(faults.until(rule, |count| count.acted == 3));
    engines.block_on(until("they are gone", async || {
        engine.containers().is_empty()
    }));
    drop(host);
    assert!(engine.journal().count("DELETE", "/containers/") >= 3);
}

#[test]
fn probes_whose_time_is_up_go_too() {
    let engines = runtime();
    let (faults, hold) = (Faults::new(), Hold::new());
    let never = Fault::HoldAnswerUntil(hold);
    faults.add(Rule::new("POST", "/containers/*/start", never));
    let engine = engines.block_on(fake(Personality::Docker28, &faults));
    let host = runtime();
    let brief = options().with_timeout(Duration::from_secs(2));
    let report = host.block_on(doctor(engine.config(), &brief));
    assert_eq!(severity(&report, "async_engine"), Severity::Ok, "{report}");
    let probe = report.get("probe").expect("a finding");
    assert!(probe.severity >= Severity::Unknown, "{report}");
    drop(host);
    assert!(engine.containers().is_empty(), "{:?}", engine.containers());
    assert_eq!(engine.journal().count("POST", "/containers/create"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_engine_nothing_is_left() {
    let _alone = REAL.lock().await;
    let options = DoctorOptions::default().with_image(common::image().await);
    let probes = AsyncEngine::new(&common::config()).expect("an engine");
    let label = LabelKey::new("catamaran.doctor").expect("a key");
    let bearing = ListOptions::default().with_label(label, "probe".to_owned());
    let running = async || !probes.list(&bearing).await.expect("a list").is_empty();
    tokio::select! {
        report = doctor(Ok(common::config()), &options) => panic!("no probe was seen:\n{report}"),
        () = until("a probe runs", running) => {}
    }
    until("they are gone", async || bearing_the_label().await == 0).await;
}
