//! The numbers, as Prometheus reads them.

use std::time::Duration;

use catamaran::telemetry::metrics;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

use crate::state::App;

/// In seconds. One stands at 2, from where on `docs/prometheus/alerts.yml` calls an engine slow.
const BUCKETS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the process's recorder. There can be but one.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let durations = Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(durations, &BUCKETS)?
        .install_recorder()?;
    metrics::enable();
    Ok(handle)
}

/// Sums up what was recorded, now and then: while nobody scrapes, it would grow without end.
pub fn keep_up(app: &App) {
    let (handle, over) = (app.metrics.clone(), app.stopping.over.clone());
    tokio::spawn(over.run_until_cancelled_owned(async move {
        let mut interval = interval(UPKEEP);
        loop {
            interval.tick().await;
            handle.run_upkeep();
        }
    }));
}
