//! Waiting until a container says that it is healthy.

use std::time::Duration;

use tokio::time::Instant;

use super::{CallContext, ContainerBackend};
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{ContainerDetails, ContainerRef, ContainerState, HealthStatus, HealthyOptions};
use crate::operation::Operation;
use crate::quote::quote;

/// From one look at a container's health to the next.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn wait<B: ContainerBackend + ?Sized>(
    backend: &B,
    container: &ContainerRef,
    options: &HealthyOptions,
) -> Result<ContainerDetails> {
    let deadline = Deadline::new(Some(options.timeout), None);
    let hurried = backend.with_context(CallContext::new().with_deadline(deadline.moment()));
    loop {
        let details = hurried.inspect(container).await?;
        match verdict(&details) {
            Verdict::Healthy => return Ok(details),
            Verdict::Failed(why) => {
                return Err(Error::new(ErrorKind::Container, why)
                    .with_operation(Operation::Inspect)
                    .with_effect(Effect::Rejected)
                    .with_subject(container.to_string()));
            }
            Verdict::Open => {}
        }
        let pause = options.interval.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let next = Instant::now() + pause;
        if deadline.moment().is_some_and(|moment| moment <= next) {
            return Err(Error::new(
                ErrorKind::Timeout,
                format!("not healthy within {:?}", options.timeout),
            )
            .with_operation(Operation::Inspect)
            .with_subject(container.to_string())
            .with_advice(last_output(&details)));
        }
        tokio::time::sleep_until(next).await;
    }
}

enum Verdict {
    Healthy,
    Failed(String),
    Open,
}

fn verdict(details: &ContainerDetails) -> Verdict {
    let state = &details.state;
    match (&state.status, &state.health) {
        (ContainerState::Exited | ContainerState::Dead | ContainerState::Removing, _) => {
            let code = state
                .exit_code
                .map_or_else(String::new, |code| format!(" with exit code {code}"));
            let oom = if state.oom_killed {
                ", out of memory"
            } else {
                ""
            };
            Verdict::Failed(format!("it is {}{code}{oom}, not healthy", state.status))
        }
        (ContainerState::Created, _) => Verdict::Failed("it hasn't been started".to_owned()),
        (_, None) => Verdict::Failed("it has no health check to say that it is healthy".to_owned()),
        (_, Some(health)) => match health.status {
            HealthStatus::Healthy => Verdict::Healthy,
            HealthStatus::Unhealthy => {
                Verdict::Failed(format!("it is unhealthy; {}", last_output(details)))
            }
            _ => Verdict::Open,
        },
    }
}

/// What the last check printed, shortened: a check may print anything.
fn last_output(details: &ContainerDetails) -> String {
    let health = details.state.health.as_ref();
    match health.and_then(|health| health.last_output.as_deref()) {
        Some(output) if !output.trim().is_empty() => {
            format!("its last check printed {}", quote(output))
        }
        _ => "no check has printed anything yet".to_owned(),
    }
}
