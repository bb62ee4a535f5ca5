//! What the pipeline allocates for a call that succeeds: counted, on a backend that answers at once.

#[path = "common/prompt.rs"]
mod prompt;

use std::sync::Arc;

use catamaran::{ContainerBackend, HybridBackend, Mode};
use prompt::{Ask, Asked, Prompt};

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

/// Blocks per call, of many in a row: what is kept once doesn't count.
async fn blocks(backend: &dyn ContainerBackend, asked: &Asked, ask: Ask) -> u64 {
    let calls = 1000;
    asked.of(backend, ask).await;
    let before = dhat::HeapStats::get().total_blocks;
    for _ in 0..calls {
        asked.of(backend, ask).await;
    }
    (dhat::HeapStats::get().total_blocks - before) / calls
}

#[tokio::test]
async fn a_call_through_the_pipeline_allocates_little() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let asked = Asked::default();
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt));
    for mode in [Mode::Async, Mode::Auto, Mode::Blocking] {
        hybrid.set_mode(mode);
        for ask in Ask::ALL {
            let bare = blocks(&Prompt, &asked, ask).await;
            let through = blocks(&hybrid, &asked, ask).await;
            let added = through - bare;
            println!("{mode} {}: {added} blocks", ask.name());
            // The boxed future of the trait's method, and the engine's handle with the attempt's context.
            assert!(added <= 2, "{mode} {}: {added} blocks a call", ask.name());
        }
    }
}
