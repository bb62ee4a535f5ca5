//! What containers use: samples of it, once and as a stream.

use std::time::Duration;

use futures::TryStreamExt;

use super::scratch::{assert_refused, idle, shell, with_running};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::ErrorKind;
use crate::model::{
    ContainerRef, ContainerSpec, ContainerStats, ImageRef, KillOptions, RemoveOptions, Resources,
    StatsStream, WaitOptions,
};

/// One sample shows what a running container uses, against the limit in force.
///
/// # Panics
/// Where it doesn't.
pub async fn stats_once(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let stats = backend.stats(&id).await.expect("stats answers");
        let memory = stats.memory.expect("memory is told");
        assert!(memory.usage > 0, "it uses memory: {memory:?}");
        assert_eq!(memory.limit, Some(256 << 20), "the hardened limit");
        let cpu = stats.cpu.expect("CPU time is told");
        assert!(cpu.total > Duration::ZERO, "{cpu:?}");
        assert!(stats.pids >= Some(1), "{:?} processes", stats.pids);
        assert!(stats.read_at.is_some(), "a sample has its time");
        let none = stats
            .network
            .is_none_or(|all| (all.input, all.output) == (0, 0));
        assert!(none, "there is no network: {:?}", stats.network);
    })
    .await;
}

/// The next sample of a container that is there.
async fn next(samples: &mut StatsStream) -> ContainerStats {
    let sample = samples.try_next().await.expect("the stream can be read");
    sample.expect("it goes on while the container is there")
}

/// Samples come, a second apart, until one shows a fitting load since the one before: on a busy machine the times of
/// one may be off.
async fn until_load(
    backend: &dyn ContainerBackend,
    spec: ContainerSpec,
    fits: fn(&ContainerStats, &ContainerStats, f64) -> bool,
) {
    with_running(backend, spec, |id| async move {
        let mut samples = backend.stats_stream(&id).await.expect("a stream");
        let mut last = next(&mut samples).await;
        let mut seen = Vec::new();
        for _ in 0..20 {
            let sample = next(&mut samples).await;
            let percent = sample.cpu_percent_since(&last);
            let percent = percent.expect("two samples of what runs tell it");
            if fits(&last, &sample, percent) {
                return;
            }
            seen.push(percent);
            last = sample;
        }
        panic!("a load that fits is shown; it was {seen:?}");
    })
    .await;
}

/// Half a CPU, or as much of it as the machine has to give: whatever that is, each period of 100 ms in which the limit
/// held the loop back has used its 50 ms.
fn is_half(before: &ContainerStats, now: &ContainerStats, percent: f64) -> bool {
    let throttled = |stats: &ContainerStats| stats.cpu.and_then(|cpu| cpu.throttled_periods);
    let periods = throttled(now).zip(throttled(before));
    let periods = periods.map_or(0, |(now, before)| now.saturating_sub(before));
    let used = Duration::from_millis(50) * u32::try_from(periods).unwrap_or(u32::MAX);
    let passed = now.read_at.zip(before.read_at);
    let passed = passed.and_then(|(now, before)| now.duration_since(before).ok());
    let least = used.as_secs_f64() / passed.unwrap_or_default().as_secs_f64() * 100.0;
    // The kernel gives time out in slices, and may take some back.
    (1.0_f64.max(least * 0.7)..65.0).contains(&percent)
}

/// A busy loop that may use half a CPU shows about 50 %, one that only waits about 0, and a meter tells the same
/// from two samples of its own.
///
/// # Panics
/// Where it isn't so.
pub async fn stats_stream_shows_the_load(backend: &dyn ContainerBackend, image: &ImageRef) {
    let half = Resources::default().with_cpus(0.5);
    let busy = shell(image, "while :; do :; done").with_resources(half);
    until_load(backend, busy.clone(), is_half).await;
    until_load(backend, idle(image), |_, _, percent| percent < 10.0).await;
    with_running(backend, busy, |id| async move {
        let mut meter = backend.usage_meter(&id);
        let first = meter.sample().await.expect("a sample");
        assert_eq!(first.cpu_percent, None, "one sample tells nothing");
        // Two samples of the stream are about a second apart.
        let mut pace = backend.stats_stream(&id).await.expect("a stream");
        next(&mut pace).await;
        next(&mut pace).await;
        let second = meter.sample().await.expect("a sample");
        let percent = second.stats.cpu_percent_since(&first.stats);
        assert_eq!(second.cpu_percent, percent);
        assert!(percent > Some(0.0), "{percent:?}");
    })
    .await;
}

/// A container that doesn't run shows nothing, and the stream ends without an error when it is removed; an engine
/// may end it before.
///
/// # Panics
/// Where it shows something, or the stream goes on.
pub async fn stats_end_with_their_container(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let mut samples = backend.stats_stream(&id).await.expect("a stream");
        let running = next(&mut samples).await;
        assert!(
            running.cpu.is_some() && running.read_at.is_some(),
            "{running:?}"
        );
        let kill = KillOptions::default();
        backend.kill(&id, &kill).await.expect("a signal");
        let waited = backend.wait(&id, &WaitOptions::default()).await;
        waited.expect("it ends");
        let stopped = shows_nothing(backend, &id, &mut samples).await;
        let removed = backend.remove(&id, &RemoveOptions::force()).await;
        removed.expect("it goes");
        if stopped {
            while let Some(empty) = samples.try_next().await.expect("an end without an error") {
                assert_eq!((empty.cpu, empty.pids), (None, None), "{empty:?}");
            }
        }
    })
    .await;
}

/// Whether the stream goes on, with empty samples.
async fn shows_nothing(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
    samples: &mut StatsStream,
) -> bool {
    match backend.stats(id).await {
        Ok(stats) => assert_eq!((stats.cpu, stats.pids), (None, None), "{stats:?}"),
        Err(error) => assert_refused(
            &error,
            &[ErrorKind::Conflict],
            "a sample of what doesn't run",
        ),
    }
    // Those that were taken before come first.
    while let Some(sample) = samples.try_next().await.expect("the stream can be read") {
        if sample.cpu.is_none() {
            assert_eq!((sample.memory, sample.pids), (None, None), "{sample:?}");
            return true;
        }
    }
    false
}
