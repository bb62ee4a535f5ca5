//! One backend, two engines: switched while calls are under way, with a count of who served what.
//!
//! `cargo run --example switching`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catamaran::{CallReport, ContainerBackend, EngineKind, HybridBackend, Mode};

type Counts = Arc<Mutex<BTreeMap<EngineKind, u32>>>;

#[tokio::main]
async fn main() -> catamaran::Result<()> {
    // USE_ASYNC_DOCKER gives the mode to begin with.
    let backend = HybridBackend::from_env()?;
    println!("begins in mode {}", backend.mode());

    let counts = Counts::default();
    let served = Arc::clone(&counts);
    let observed = backend.with_observer(Arc::new(move |report: &CallReport| {
        let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
        *served.entry(report.engine).or_default() += 1;
    }));
    let calls = tokio::spawn(async move {
        loop {
            observed.ping().await?;
        }
    });

    // Callers notice nothing: a call under way ends with the engine that it began with.
    for mode in [Mode::Blocking, Mode::Async, Mode::Auto] {
        backend.set_mode(mode);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let counts = std::mem::take(&mut *counts.lock().unwrap_or_else(PoisonError::into_inner));
        for (engine, count) in counts {
            println!("in mode {mode:<9} the {engine:<9} engine served {count} pings");
        }
    }
    calls.abort();
    match calls.await {
        Ok(failed) => failed,
        Err(_) => {
            println!("no call failed");
            Ok(())
        }
    }
}
