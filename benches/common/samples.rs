//! Calls in a row, timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::clients::{Client, Operation};

/// So many calls.
pub struct Sample {
    /// From the first to the last, as if exactly so many had been asked for.
    pub elapsed: Duration,
    /// What this process spent on them, of all its threads.
    pub cpu: Duration,
    /// Each by itself.
    pub calls: Vec<Duration>,
}

/// So many calls, one after the other for each of so many callers, inside tasks: where web handlers run. Calls from the
/// main thread would add the wake-ups between it and the workers, which no host pays. `Err` where one failed.
pub fn sample(
    runtime: &Runtime,
    client: &Arc<dyn Client>,
    of: Operation,
    callers: u64,
    calls: u64,
) -> Result<Sample, String> {
    let each = calls.div_ceil(callers);
    let client = Arc::clone(client);
    let task = runtime.spawn(async move {
        let (start, spent) = (Instant::now(), cpu());
        let mut others = JoinSet::new();
        for _ in 1..callers {
            others.spawn(calling(Arc::clone(&client), of, each));
        }
        let mut all = calling(client, of, each).await;
        while let Some(done) = others.join_next().await {
            all.extend(done.expect("every call is answered"));
        }
        (start.elapsed(), cpu().saturating_sub(spent), all)
    });
    let (elapsed, cpu, done) = runtime.block_on(task).map_err(|error| error.to_string())?;
    // All callers make as many.
    let share = calls as f64 / (each * callers) as f64;
    Ok(Sample {
        elapsed: elapsed.mul_f64(share),
        cpu: cpu.mul_f64(share),
        calls: done,
    })
}

async fn calling(client: Arc<dyn Client>, of: Operation, calls: u64) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..calls {
        let start = Instant::now();
        client.call(of).await;
        took.push(start.elapsed());
    }
    took
}

/// What this process has spent so far.
pub fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}
