//! What the pipeline costs a call: `cargo bench --all-features --bench policies`. On a backend that answers at once, and on
//! a real ping where the environment names an engine; criterion first, then ratios and differences of samples taken in turn.

#[path = "../../tests/common/prompt.rs"]
mod prompt;
#[path = "../common/watch.rs"]
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::{AsyncEngine, Config, ContainerBackend, HybridBackend, Mode};
use criterion::Criterion;
use tokio::runtime::Runtime;

use prompt::{Ask, Asked, Prompt};
use watch::Watch;

/// In turn, at least so many; odd, so that the median is one of them.
const ROUNDS: usize = 21;
/// Many and short where an engine answers, since what disturbs a round comes in bursts.
const PINGS: usize = 201;
/// What the pipeline may add to a call, and to a real ping.
const ADDED: Duration = Duration::from_micros(5);
const RATIO: f64 = 1.06;
/// The same where all is watched.
const ALL_ADDED: Duration = Duration::from_micros(10);
const ALL_RATIO: f64 = 1.10;

/// The time of one call, of so many one after the other in a task, where web handlers run.
fn sample<F>(runtime: &Runtime, calls: u32, one: impl Fn() -> F + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    let task = runtime.spawn(async move {
        let began = Instant::now();
        for _ in 0..calls {
            one().await;
        }
        began.elapsed()
    });
    runtime.block_on(task).expect("every call is answered") / calls
}

fn asks(
    runtime: &Runtime,
    backend: &Arc<dyn ContainerBackend>,
    asked: &Arc<Asked>,
    ask: Ask,
    calls: u32,
) -> Duration {
    let (backend, asked) = (Arc::clone(backend), Arc::clone(asked));
    sample(runtime, calls, move || {
        let (backend, asked) = (Arc::clone(&backend), Arc::clone(&asked));
        async move { asked.of(&*backend, ask).await }
    })
}

fn pings(runtime: &Runtime, backend: &Arc<dyn ContainerBackend>, calls: u32) -> Duration {
    let backend = Arc::clone(backend);
    sample(runtime, calls, move || {
        let backend = Arc::clone(&backend);
        async move { drop(backend.ping().await.expect("a pong")) }
    })
}

/// The median of differences or ratios of samples in turn, with two of them around it, between which it lies in at least 95
/// of 100 cases, whatever the distribution.
fn judge(title: &str, unit: &str, bound: f64, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let rounds = values.len();
    let beside = (rounds as f64).sqrt().ceil() as usize;
    let median = values[rounds / 2];
    let (low, high) = (values[rounds / 2 - beside], values[rounds / 2 + beside]);
    let verdict = match () {
        () if high <= bound => "met",
        () if low > bound => "not met",
        () => "undecided",
    };
    println!(
        "{title:<44} {median:>8.3}{unit}  {low:.3} .. {high:.3}  (<= {bound}{unit}: {verdict})"
    );
}

fn in_turn(
    rounds: usize,
    mut bare: impl FnMut() -> Duration,
    mut through: impl FnMut() -> Duration,
    value: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let round = |round: usize| {
        // Each first in every other round.
        let (bare, through) = if round.is_multiple_of(2) {
            let bare = bare();
            (bare, through())
        } else {
            let through = through();
            (bare(), through)
        };
        value(bare.as_secs_f64(), through.as_secs_f64())
    };
    (0..rounds).map(round).collect()
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let asked = Arc::new(Asked::default());
    let bare: Arc<dyn ContainerBackend> = Arc::new(Prompt);
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt)).with_mode(Mode::Auto);
    let through: Arc<dyn ContainerBackend> = Arc::new(hybrid);

    let mut criterion = Criterion::default().configure_from_args();
    for ask in Ask::ALL {
        let mut group = criterion.benchmark_group(format!("policies/{}", ask.name()));
        for (name, backend) in [("bare", &bare), ("pipeline", &through)] {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|calls| {
                    let calls = u32::try_from(calls).expect("fewer");
                    asks(&runtime, backend, &asked, ask, calls) * calls
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
    // `cargo test` only tries, and so does a list.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("what the pipeline adds: the median of rounds in turn, with its interval");
    let added = |what: &str, through: &Arc<dyn ContainerBackend>, bound: Duration| {
        for ask in Ask::ALL {
            let values = in_turn(
                ROUNDS,
                || asks(&runtime, &bare, &asked, ask, 10_000),
                || asks(&runtime, through, &asked, ask, 10_000),
                |bare, through| (through - bare) * 1e6,
            );
            let title = format!("{}: added to a call{what}", ask.name());
            judge(&title, " µs", bound.as_secs_f64() * 1e6, values);
        }
    };
    added("", &through, ADDED);
    let config = Config::from_env();
    match &config {
        Ok(config) => pinged(&runtime, config, "", RATIO, |hybrid| hybrid),
        Err(_) => println!("no engine is named: a real ping isn't measured"),
    }
    println!(
        "and with everything on: metrics, alerts, spans, and an audit, which has no record of what only looks"
    );
    let watch = Watch::everything().expect("the first");
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt)).with_mode(Mode::Auto);
    let watched: Arc<dyn ContainerBackend> = Arc::new(watch.over(hybrid));
    added(", all on", &watched, ALL_ADDED);
    heard(&runtime);
    if let Ok(config) = &config {
        let title = ", all on";
        pinged(&runtime, config, title, ALL_RATIO, |hybrid| {
            watch.over(hybrid)
        });
    }
}

/// What is put on record waits for another thread, so that the event loop never waits for a disk. How long a mere word to one and
/// back takes is the least that such a call adds.
fn heard(runtime: &Runtime) {
    let (ask, asked) = std::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>();
    let listener = std::thread::spawn(move || {
        while let Ok(answer) = asked.recv() {
            // Whoever asked waits.
            let _ = answer.send(());
        }
    });
    let word = move || {
        let (answer, answered) = tokio::sync::oneshot::channel();
        ask.send(answer).expect("it listens");
        async move { answered.await.expect("it answers") }
    };
    let word = Arc::new(word);
    let times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let word = Arc::clone(&word);
            sample(runtime, 10_000, move || word()).as_secs_f64() * 1e6
        })
        .collect();
    drop(word);
    listener.join().expect("it ends");
    let title = "a word to another thread and back";
    judge(title, " µs", ALL_ADDED.as_secs_f64() * 1e6, times);
}

/// Real pings, by the async engine alone and by the pipeline over it.
fn pinged(
    runtime: &Runtime,
    config: &Config,
    what: &str,
    bound: f64,
    with: impl FnOnce(HybridBackend) -> HybridBackend,
) {
    let engine: Arc<dyn ContainerBackend> = Arc::new(AsyncEngine::new(config).expect("an engine"));
    let hybrid = with(HybridBackend::new(config).expect("a backend"));
    let hybrid: Arc<dyn ContainerBackend> = Arc::new(hybrid);
    // The first of each makes the connection.
    pings(runtime, &engine, 200);
    pings(runtime, &hybrid, 200);
    let alone = pings(runtime, &engine, 1000).as_secs_f64() * 1e6;
    println!("a ping by the async engine alone: some {alone:.1} µs");
    let values = in_turn(
        PINGS,
        || pings(runtime, &engine, 60),
        || pings(runtime, &hybrid, 60),
        |bare, through| through / bare,
    );
    let title = format!("ping: pipeline over async engine{what}");
    judge(&title, "", bound, values);
}
