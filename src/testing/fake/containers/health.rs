//! Health checks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Container, Status, number, texts};
use crate::testing::fake::Shared;
use crate::testing::fake::exec::run_for_engine;
use crate::testing::fake::time::Time;

/// What is checked, and how often.
pub(super) struct Check {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    retries: u64,
}

impl Check {
    pub(super) fn of(config: &Value) -> Option<Self> {
        let check = &config["Healthcheck"];
        let test = texts(&check["Test"]);
        let command = match test.split_first() {
            Some((kind, command)) if kind == "CMD" => command.to_vec(),
            Some((kind, line)) if kind == "CMD-SHELL" => {
                let line = line.first().cloned().unwrap_or_default();
                vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
            }
            _ => return None,
        };
        let span = |name: &str, default: u64| {
            number(&check[name]).map_or(Duration::from_secs(default), Duration::from_nanos)
        };
        Some(Self {
            command,
            interval: span("Interval", 30),
            timeout: span("Timeout", 30),
            start_period: span("StartPeriod", 0),
            retries: number(&check["Retries"]).unwrap_or(3),
        })
    }
}

/// Checks for as long as this run goes on.
pub(super) async fn watch(engine: Arc<Shared>, container: Arc<Container>, check: Check) {
    let started = container.inner().started;
    let began = tokio::time::Instant::now();
    let mut life = container.life.subscribe();
    loop {
        let over = life.wait_for(|life| !life.status.lives());
        tokio::select! {
            _ = over => return,
            () = tokio::time::sleep(check.interval) => {}
        }
        if container.status() != Status::Running {
            continue;
        }
        if container.inner().started != started {
            return;
        }
        let begun = Time::now();
        let ran = run_for_engine(&container, check.command.clone(), check.timeout).await;
        let (code, output) = ran;
        let changed = {
            let mut inner = container.inner();
            let Some(health) = &mut inner.health else {
                return;
            };
            health.log.push(json!({
                "Start": begun.text(), "End": Time::now().text(), "ExitCode": code, "Output": output,
            }));
            let kept = health.log.len().saturating_sub(5);
            health.log.drain(..kept);
            let before = health.status;
            if code == 0 {
                health.streak = 0;
                health.status = "healthy";
            } else if before != "starting" || began.elapsed() >= check.start_period {
                health.streak += 1;
                if health.streak >= check.retries {
                    health.status = "unhealthy";
                }
            }
            (before != health.status).then_some(health.status)
        };
        if let Some(status) = changed {
            container.tell(&engine, format!("health_status: {status}"), &[]);
        }
    }
}
