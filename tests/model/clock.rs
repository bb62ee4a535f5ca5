//! The two clocks that cases run by.

use std::cell::Cell;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catamaran::{BlockingEngine, Endpoint, HybridBackend};
use tokio::runtime::{Builder, Runtime};

/// How far a paused clock goes at once: far less than a call may be late.
const TICK: Duration = Duration::from_millis(20);
/// How often everybody gets a turn in between; each looks at the sockets, too.
const TURNS: usize = 12;

thread_local! {
    /// Whether something is waited for that has another clock.
    static NAPS: Cell<bool> = const { Cell::new(false) };
}

/// When timers of the machine's clock were late, and by how much.
static LATE: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// What cases wait by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// A runtime of one thread, whose clock goes on when everybody has had their turn. It doesn't by itself: while the
    /// janitor is waited for, on a thread of the runtime, tokio would hold it.
    Paused,
    /// The machine's, for the blocking engine: its lanes know no other.
    Real,
}

impl Clock {
    pub fn deadlines(self) -> [Duration; 4] {
        match self {
            Self::Paused => [300, 1000, 3000, 8000].map(Duration::from_millis),
            Self::Real => [200, 400, 700, 1000].map(Duration::from_millis),
        }
    }

    pub fn runtime(self) -> Runtime {
        let runtime = match self {
            Self::Paused => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build(),
            Self::Real => Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build(),
        };
        let runtime = runtime.expect("a runtime");
        if self == Self::Real {
            runtime.spawn(watch());
        }
        runtime
    }

    /// Runs it by this clock.
    pub fn run<T>(self, runtime: &Runtime, case: impl Future<Output = T>) -> T {
        if self == Self::Real {
            return runtime.block_on(case);
        }
        runtime.block_on(async {
            tokio::select! {
                biased;
                told = case => told,
                never = tick() => never,
            }
        })
    }

    /// By how much it did.
    pub async fn jump(self, by: Duration) -> Duration {
        if self == Self::Real {
            return Duration::ZERO;
        }
        tokio::time::advance(by).await;
        by
    }

    /// A little while for what goes by the machine's clock, whichever this is.
    pub async fn nap(self) {
        NAPS.set(true);
        let napped = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2)));
        napped.await.expect("a nap");
        NAPS.set(false);
    }

    /// Waits until the janitor has nothing more to do, for any engine in this process.
    pub async fn janitor_is_idle(self) {
        let nowhere = Endpoint::unix("/nonexistent/docker.sock");
        let anybody = BlockingEngine::connect(nowhere).expect("an engine");
        let anybody = HybridBackend::over(Arc::new(anybody.clone()), Arc::new(anybody));
        let idle = anybody.shutdown(Duration::from_secs(1_000_000));
        let napping = async {
            loop {
                self.nap().await;
            }
        };
        tokio::select! {
            idle = idle => idle.expect("it comes to an end"),
            () = napping => {}
        }
    }

    /// What a call may outlast its deadline by. By the machine's clock, a processor that another machine has taken for so long is seen
    /// by nothing in here.
    pub fn late(self) -> Duration {
        match self {
            Self::Paused => Duration::from_millis(50),
            _ => Duration::from_millis(500),
        }
    }

    /// What a busy machine adds: timers of this very runtime were so late meanwhile, and a call that is ended by one passes
    /// through some five of them and threads: the attempt's, the lane's, the caller's.
    pub fn slack(self, since: Instant) -> Duration {
        if self == Self::Paused {
            return TICK;
        }
        let late = LATE.lock().expect("no panic");
        let meanwhile = late.iter().rev().take_while(|(when, _)| *when >= since);
        5 * meanwhile.map(|(_, late)| *late).max().unwrap_or_default()
    }
}

async fn tick() -> ! {
    loop {
        match NAPS.get() {
            true => drop(
                tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await,
            ),
            false => {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
            }
        }
        tokio::time::advance(TICK).await;
    }
}

async fn watch() {
    let nap = Duration::from_millis(5);
    loop {
        let began = Instant::now();
        tokio::time::sleep(nap).await;
        let late = began.elapsed().saturating_sub(nap);
        if late > Duration::from_millis(2) {
            LATE.lock().expect("no panic").push((Instant::now(), late));
        }
    }
}
