//! One backend, two engines: switched while calls are under way, with a count of who served what.
//!
//! `cargo run --example switching`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catamaran::{CallReport, ContainerBackend, EngineKind, HybridBackend, Mode};

type Counts = Arc<Mutex<BTreeMap<(Mode, EngineKind), u32>>>;

#[tokio::main]
async fn main() -> catamaran::Result<()> {
    // USE_ASYNC_DOCKER gives the mode to begin with.
    let backend = HybridBackend::from_env()?;
    println!("begins in mode {}", backend.mode());

    let counts = Counts::default();
    let observer = {
        let (counts, backend) = (Arc::clone(&counts), backend.clone());
        move |report: &CallReport| {
            let key = (backend.mode(), report.engine);
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(key).or_default() += 1;
        }
    };
    let observed = backend.with_observer(Arc::new(observer));
    let calls = tokio::spawn(async move {
        loop {
            observed.ping().await?;
        }
    });

    // Callers notice nothing: calls under way end with the engine that they began with.
    for mode in [Mode::Blocking, Mode::Async, Mode::Auto] {
        backend.set_mode(mode);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    calls.abort();
    match calls.await {
        Ok(failed) => return failed,
        Err(_) => println!("no call failed"),
    }
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    for ((mode, engine), count) in counts.iter() {
        println!("in mode {mode:<9} the {engine:<9} engine served {count} pings");
    }
    Ok(())
}
