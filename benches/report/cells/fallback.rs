//! What it costs when the async path fails: the first call that finds out, those after the breaker has opened, and how long it
//! takes until that path is used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::testing::{Fault, FaultProxy, Rule};
use catamaran::{
    AsyncEngine, BlockingEngine, BreakerOptions, BreakerState, ContainerBackend, EngineKind,
    HybridBackend, Mode,
};

use crate::cell::{Figures, Run};
use crate::cells::calls::Who;
use crate::common::clients::Operation;
use crate::ground::Ground;

const LONG: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(30);

/// An async path that can be cut, in front of the engine, and a blocking one that can't.
struct Paths {
    proxy: FaultProxy,
    cut: Arc<dyn ContainerBackend>,
    blocking: Arc<dyn ContainerBackend>,
}

impl Paths {
    async fn new(ground: &Ground<'_>) -> Result<Self, Box<dyn std::error::Error>> {
        let proxy = FaultProxy::start(&ground.endpoint).await?;
        let cut = Arc::new(AsyncEngine::connect(proxy.endpoint().clone())?);
        let blocking = Arc::new(BlockingEngine::connect(ground.endpoint.clone())?);
        blocking.ping().await?;
        Ok(Self {
            proxy,
            cut,
            blocking,
        })
    }

    fn cut(&self) {
        self.proxy.faults().add(Rule::any(Fault::Refuse));
    }

    fn mend(&self) {
        self.proxy.faults().clear();
    }

    fn hybrid(&self, rest: Option<Duration>) -> HybridBackend {
        let hybrid = HybridBackend::over(Arc::clone(&self.cut), Arc::clone(&self.blocking));
        let hybrid = hybrid.with_mode(Mode::Auto);
        match rest {
            Some(rest) => hybrid.with_breaker(
                BreakerOptions::default()
                    .with_rest(rest)
                    .with_longest_rest(rest),
            ),
            None => hybrid,
        }
    }
}

/// Calls until the breaker of the async path is as wanted.
async fn until(hybrid: &HybridBackend, open: bool) -> Result<(), String> {
    let began = Instant::now();
    loop {
        hybrid.ping().await.map_err(|error| error.to_string())?;
        let closed = matches!(hybrid.breaker(EngineKind::Async), BreakerState::Closed);
        if closed != open {
            return Ok(());
        }
        if began.elapsed() > SOON {
            return Err(format!(
                "after {SOON:?} it is {:?}",
                hybrid.breaker(EngineKind::Async)
            ));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub fn measure(run: &mut Run, ground: &Ground<'_>) {
    let title = "a ping while the breaker of the async path is open";
    if !run.wants_some("fallback/") {
        return;
    }
    let paths = match ground.runtime.block_on(Paths::new(ground)) {
        Ok(paths) => Arc::new(paths),
        Err(why) => return run.missing("fallback/open", title, why),
    };
    paths.cut();
    let open = paths.hybrid(Some(LONG));
    if let Err(why) = ground.runtime.block_on(until(&open, true)) {
        return run.missing("fallback/open", title, why);
    }
    let by_blocking = paths.hybrid(None).with_mode(Mode::Blocking);
    let target = &ground.target;
    let backends: [(&str, Arc<dyn ContainerBackend>); 3] = [
        ("blocking engine", Arc::clone(&paths.blocking)),
        ("hybrid, by choice blocking", Arc::new(by_blocking)),
        ("hybrid, breaker open", Arc::new(open)),
    ];
    let mut subjects = backends.map(|(name, backend)| {
        (
            name.to_owned(),
            Who::Here(Arc::new((backend, target.clone()))),
        )
    });
    let rounds = run.options.either(31, 61);
    run.measure("fallback/open", title, rounds, &mut subjects, |_, who| {
        who.sample(ground, Operation::Ping, 1, 60)
    });

    let title = "the first call that finds the async path refused, and falls back";
    let mut subjects = [("blocking engine", false), ("hybrid, first failure", true)]
        .map(|(name, first)| (name.to_owned(), first));
    run.measure(
        "fallback/first",
        title,
        rounds,
        &mut subjects,
        |_, first| {
            let paths = Arc::clone(&paths);
            let first = *first;
            let backend: Arc<dyn ContainerBackend> = match first {
                true => Arc::new(paths.hybrid(None)),
                false => Arc::clone(&paths.blocking),
            };
            timed(ground, "time_us", 1e6, async move {
                backend
                    .ping()
                    .await
                    .map(drop)
                    .map_err(|error| error.to_string())
            })
        },
    );

    let title = "from the repair of the async path to the first call that takes it again";
    let mut subjects = [("hybrid".to_owned(), ())];
    let rounds = run.options.either(11, 21);
    run.measure("fallback/back", title, rounds, &mut subjects, |_, ()| {
        paths.cut();
        let hybrid = paths.hybrid(None);
        ground.runtime.block_on(until(&hybrid, true))?;
        paths.mend();
        timed(ground, "back_ms", 1e3, async move {
            until(&hybrid, false).await
        })
    });
}

/// How long that took, inside a task, in so many of a second.
fn timed(
    ground: &Ground<'_>,
    figure: &'static str,
    unit: f64,
    work: impl Future<Output = Result<(), String>> + Send + 'static,
) -> Result<Figures, String> {
    let task = ground.runtime.spawn(async move {
        let began = Instant::now();
        work.await.map(|()| began.elapsed())
    });
    let took = ground
        .runtime
        .block_on(task)
        .map_err(|error| error.to_string())??;
    Ok(vec![(figure, took.as_secs_f64() * unit)])
}
