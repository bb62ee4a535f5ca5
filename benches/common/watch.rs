//! What watches a backend in a service that leaves nothing out: metrics, alerts, spans, an audit.

use std::error::Error;

use catamaran::HybridBackend;
use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The recorder and the subscriber are the process's: from then on everybody in it pays for them.
pub struct Watch {
    alerts: Alerts,
    audit: AuditLog,
    _directory: tempfile::TempDir,
    _recorder: PrometheusHandle,
}

impl Watch {
    pub fn everything() -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        // With buckets, as docs/metrics.md has it: without them every value is kept until somebody asks.
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[0.001, 0.01, 0.1, 1.0, 10.0])?
            .install_recorder()?;
        catamaran::telemetry::metrics::enable();
        tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
        Ok(Self {
            alerts: Alerts::new(AlertOptions::default()),
            audit: AuditLog::open(directory.path().join("audit.jsonl"))?,
            _directory: directory,
            _recorder: recorder,
        })
    }

    pub fn over(&self, hybrid: HybridBackend) -> HybridBackend {
        hybrid.with_alerts(&self.alerts).with_audit(&self.audit)
    }
}
