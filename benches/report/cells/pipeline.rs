//! What the pipeline adds to a call of a backend that answers at once.

use std::sync::Arc;
use std::time::Instant;

use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::{ContainerBackend, HybridBackend, Mode};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::runtime::Runtime;

use crate::cell::{Figures, Run};
use crate::prompt::{Ask, Asked, Prompt};

const CALLS: u32 = 10_000;

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
    let all_on = || -> Result<_, Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let recorder = PrometheusBuilder::new().install_recorder()?;
        catamaran::telemetry::metrics::enable();
        tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
        let audit = AuditLog::open(directory.path().join("audit.jsonl"))?;
        Ok((directory, recorder, audit))
    };
    let (_directory, _recorder, audit) = match all_on() {
        Ok(all) => all,
        Err(why) => return run.missing(name, "what the pipeline adds with all on", why),
    };
    let alerts = Alerts::new(AlertOptions::default());
    let hybrid = HybridBackend::over(Arc::new(Prompt), Arc::new(Prompt)).with_mode(Mode::Auto);
    let hybrid = hybrid.with_alerts(&alerts).with_audit(&audit);
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
    let rounds = run.options.either(15, 31);
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
