//! When a session is ready, as a real engine shows it.

use std::time::{Duration, Instant};

use catamaran::ErrorKind;
use catamaran::model::HealthCheck;
use catamaran::session::{HttpReady, OpenFailure, OwnNetwork, Phase, Ready};

use crate::stage::*;

/// The program isn't ready before.
const LATE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_when_it_says_so() {
    let stage = Stage::new("ready");
    let manager = stage.manager().await;
    let serves = "sleep 1; exec httpd -f -p 8080 -h /etc";
    let line = "sleep 1; echo the server is listening on 8080; exec sleep 6000";
    let well = "sleep 1; touch /tmp/up; exec sleep 6000";
    let check = HealthCheck::shell("test -e /tmp/up").with_interval(Duration::from_secs(1));
    let mut healthy = shell(well).await.with_ready(Ready::Healthy);
    healthy.container.health_check = Some(check);
    let page = Ready::Http(HttpReady::new(8080, "/passwd"));
    for (name, spec) in [
        (
            "tcp",
            shell(serves)
                .await
                .with_own_network(OwnNetwork::Internal)
                .with_ready(Ready::Tcp(8080)),
        ),
        (
            "http",
            shell(serves)
                .await
                .with_own_network(OwnNetwork::Outward)
                .with_ready(page),
        ),
        (
            "line",
            shell(line)
                .await
                .with_ready(Ready::LogLine("is listening on".to_owned())),
        ),
        ("healthy", healthy),
    ] {
        let session = manager.open(&key("alice", name), &spec).await;
        let session = session.unwrap_or_else(|error| panic!("{name}: {error}"));
        let timings = session.opening().timings;
        println!("{name}: {timings:?}");
        assert!(timings.start + timings.ready >= LATE, "{name}: {timings:?}");
        if name == "tcp" {
            let fetched = run(&session, "wget -q -O - http://127.0.0.1:8080/passwd").await;
            assert!(fetched.contains("nobody"));
        }
        session.close().await.expect("it closes");
    }
    stage.gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_fails_at_once_with_its_code_and_its_last_words() {
    let stage = Stage::new("death");
    let manager = stage.manager().await;
    let line = "sleep 1; echo reading the licence; echo no licence >&2; exit 7";
    for ready in [
        Ready::Tcp(8080),
        Ready::LogLine("listening".to_owned()),
        Ready::Exec(vec!["false".to_owned()]),
    ] {
        let spec = shell(line).await;
        let spec = spec
            .with_own_network(OwnNetwork::Internal)
            .with_volume("/work")
            .with_ready(ready.clone())
            .with_ready_timeout(Duration::from_secs(600));
        let began = Instant::now();
        let opened = manager.open(&key("alice", "dies"), &spec).await;
        let error = opened.expect_err("it ends");
        println!("{ready:?}: {error} after {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(60), "{ready:?}");
        assert_eq!(
            (error.kind(), error.exit_code()),
            (ErrorKind::Container, Some(7))
        );
        let failure = OpenFailure::of(&error).expect("why it failed");
        assert_eq!(
            (failure.phase(), failure.exit_code()),
            (Phase::Ready, Some(7))
        );
        assert!(!failure.oom_killed());
        let log = failure.log();
        assert!(
            log.contains("reading the licence") && log.contains("no licence"),
            "{log}"
        );
        assert_eq!(manager.usage().sessions, 0);
        stage.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_needs_more_memory_than_it_has_fails_for_that() {
    let stage = Stage::new("memory");
    let manager = stage.manager().await;
    let mut spec = shell("exec tail /dev/zero").await;
    let resources = spec.container.resources;
    spec.container.resources = resources.with_memory_and_no_swap(32 << 20);
    let spec = spec.with_ready(Ready::LogLine("never".to_owned()));
    // Why it was killed may come to the engine too late, see `memory_limit_holds` of the conformance suite: not every time.
    let mut told = false;
    for _ in 0..5 {
        let opened = manager.open(&key("alice", "greedy"), &spec).await;
        let error = opened.expect_err("it is killed");
        let failure = OpenFailure::of(&error).expect("why it failed");
        assert_eq!(failure.exit_code(), Some(137), "{error}");
        told = failure.oom_killed();
        if told {
            break;
        }
    }
    assert!(told, "it is never said to have ended for want of memory");
    stage.gone().await;
}
