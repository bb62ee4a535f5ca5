//! What the pipeline adds to a call of a backend that answers at once.

use std::sync::Arc;
use std::time::Instant;

use catamaran::{ContainerBackend, HybridBackend, Mode};
use tokio::runtime::Runtime;

use crate::cell::{Figures, Run};
use crate::common::watch::Watch;
use crate::prompt::{Ask, Asked, Prompt};

const CALLS: u32 = 5_000;

pub fn measure(run: &mut Run, runtime: &Runtime) {
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt)).with_mode(Mode::Auto);
    over(run, runtime, "pipeline", "nothing on", Arc::new(hybrid));
}

/// The recorder and the subscriber are the process's: so this comes after all else.
pub fn measure_all_on(run: &mut Run, runtime: &Runtime) {
    let name = "pipeline/all-on";
    if !run.wants_some(name) {
        return;
    }
    let watch = match Watch::everything() {
        Ok(watch) => watch,
        Err(why) => return run.missing(name, "what the pipeline adds with all on", why),
    };
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt)).with_mode(Mode::Auto);
    let hybrid = watch.over(hybrid);
    let what = "metrics, alerts, spans and an audit on";
    over(run, runtime, name, what, Arc::new(hybrid));
}

fn over(
    run: &mut Run,
    runtime: &Runtime,
    name: &str,
    what: &str,
    through: Arc<dyn ContainerBackend>,
) {
    let asked = Arc::new(Asked::default());
    let bare: Arc<dyn ContainerBackend> = Arc::new(Prompt);
    let rounds = run.options.either(11, 31);
    for ask in Ask::ALL {
        let name = format!("{name}/{}", ask.name());
        let title = format!("what the pipeline adds to {}, {what}", ask.name());
        let mut subjects = [("bare", &bare), ("pipeline", &through)]
            .map(|(name, backend)| (name.to_owned(), Arc::clone(backend)));
        run.measure(&name, &title, rounds, &mut subjects, |_, backend| {
            asks(runtime, backend, &asked, ask)
        });
    }
}

fn asks(
    runtime: &Runtime,
    backend: &Arc<dyn ContainerBackend>,
    asked: &Arc<Asked>,
    ask: Ask,
) -> Result<Figures, String> {
    let (backend, asked) = (Arc::clone(backend), Arc::clone(asked));
    let task = runtime.spawn(async move {
        let began = Instant::now();
        for _ in 0..CALLS {
            asked.of(&*backend, ask).await;
        }
        began.elapsed() / CALLS
    });
    let took = runtime.block_on(task).map_err(|error| error.to_string())?;
    Ok(vec![("time_us", took.as_secs_f64() * 1e6)])
}
