//! The hybrid with all that a service can switch on: metrics, alerts, spans, an audit. The recorder and the subscriber are a
//! process's, and would slow everybody else down as well: so it is in a process of its own, and samples as it is told.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use catamaran::model::ContainerRef;
use catamaran::telemetry::alerts::{AlertOptions, Alerts};
use catamaran::telemetry::audit::AuditLog;
use catamaran::{Config, ContainerBackend, Endpoint, HybridBackend};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::runtime::Runtime;

use crate::cell::Figures;
use crate::cells::calls::figures;
use crate::common::clients::{Client, Operation};
use crate::common::fixture::{LABEL, Target};
use crate::common::samples::sample;
use crate::ground::config_for;

/// The word by which this program runs as that process.
pub const CHILD: &str = "full-stack";

pub struct FullStack {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl FullStack {
    pub fn start(socket: &Path, target: &Target, callers: u64) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .arg(socket)
            .args([target.id.as_str(), &target.label.1])
            .args([target.listed.to_string(), callers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            child,
            to,
            from: BufReader::new(from),
        })
    }

    pub fn sample(&mut self, of: Operation, callers: u64, calls: u64) -> Result<Figures, String> {
        let mut ask = || {
            let to = self.to.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            writeln!(to, "{} {callers} {calls}", of.name())?;
            let mut line = String::new();
            self.from.read_line(&mut line)?;
            Ok::<_, io::Error>(line)
        };
        let line = ask().map_err(|error| error.to_string())?;
        let told: Vec<f64> = serde_json::from_str(&line).map_err(|_| "it has failed".to_owned())?;
        Ok(FIGURES.into_iter().zip(told).collect())
    }
}

/// As [`figures`] has them.
const FIGURES: [&str; 4] = ["time_us", "p50_us", "p99_us", "cpu_us"];

impl Drop for FullStack {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

/// The other process: a line asks, a line answers, and it ends with its input.
pub fn serve(words: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [socket, id, label, listed, callers, ..] = words else {
        return Err("five words are wanted".into());
    };
    let target = Target {
        id: ContainerRef::new(id.as_str())?,
        label: (LABEL, label.clone()),
        listed: listed.parse()?,
    };
    let runtime = Runtime::new()?;
    let directory = tempfile::tempdir()?;
    let _recorder = PrometheusBuilder::new().install_recorder()?;
    catamaran::telemetry::metrics::enable();
    tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
    let alerts = Alerts::new(AlertOptions::default());
    let audit = AuditLog::open(directory.path().join("audit.jsonl"))?;
    let config = config_for(
        Config::builder().endpoint(Endpoint::unix(socket)),
        callers.parse()?,
    )?;
    let hybrid = HybridBackend::new(&config)?
        .with_alerts(&alerts)
        .with_audit(&audit);
    let backend: Arc<dyn ContainerBackend> = Arc::new(hybrid);
    let client: Arc<dyn Client> = Arc::new((backend, target));
    for line in io::stdin().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or("three words are wanted");
        let of = Operation::named(word()?).ok_or("what is asked for?")?;
        let (callers, calls) = (word()?.parse()?, word()?.parse()?);
        let figures = figures(&sample(&runtime, &client, of, callers, calls)?);
        let values: Vec<f64> = figures.into_iter().map(|(_, value)| value).collect();
        println!("{}", serde_json::to_string(&values)?);
    }
    Ok(())
}
