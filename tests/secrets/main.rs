//! Nothing secret is told: neither in what this crate or a dependency logs at any level, nor in errors, nor in `Debug`.
//!
//! Each secret is a canary: a word that is nowhere else. One test in a process of its own, since the subscriber that
//! takes everything is the process's.

mod calls;
mod canary;
#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Duration;

use canary::Taken;
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, HybridBackend, Mode,
};
use common::peer::{Answer, Peer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told() {
    let taken = Taken::everything();
    let config = common::config();
    let [asynchronous, blocking]: [Arc<dyn ContainerBackend>; 2] = [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
    ];
    let mut shown = calls::inputs();
    for backend in [&asynchronous, &blocking] {
        shown.extend(calls::well(backend).await);
        shown.extend(calls::ill(backend).await);
    }
    let pulls = tokio::join!(calls::pulls(&asynchronous), calls::pulls(&blocking));
    shown.extend([pulls.0, pulls.1].concat());

    // A peer that breaks off, refuses, or answers with the secrets where something else belongs.
    let peer = Peer::start();
    let config = Config::builder().endpoint(peer.endpoint());
    let config = config.build().expect("a configuration");
    let hybrid = HybridBackend::new(&config).expect("both engines");
    hybrid.set_mode(Mode::Auto);
    // What the peer says of an exec never ends.
    let brief = CallContext::new().with_timeout(Duration::from_millis(200));
    let hybrid = hybrid.with_context(brief);
    for answer in calls::odd_answers() {
        peer.follow(Arc::new(move |_, request| match request.path.as_str() {
            "/_ping" => Answer::new(200).with_header("api-version", "1.41"),
            _ => answer.clone(),
        }));
        shown.extend(calls::ill(&hybrid).await);
        shown.extend(calls::pulls(&hybrid).await);
    }

    canary::assert_silent("an error or Debug", shown.join("\n").as_bytes());
    let log = taken.log();
    canary::assert_silent("the log", &log);
    // It would have been heard: both facades are, a dependency at trace level, and this crate.
    let log = String::from_utf8_lossy(&log);
    for control in [
        "control of tracing",
        "control of log",
        "TRACE hyper",
        "catamaran::policy",
    ] {
        assert!(log.contains(control), "{control} isn't in the log");
    }
}
