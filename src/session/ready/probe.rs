//! What is waited for, each by its own way.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt};

use super::board::{Board, Place};
use super::death::is_final;
use super::pauses::Pauses;
use super::{NotReady, Reach, Ready, http, lines, tcp};
use crate::backend::ContainerBackend;
use crate::error::Error;
use crate::model::{ContainerDetails, ContainerRef, ExecOptions, Health, HealthStatus};
use crate::quote::quote;

/// How long one try of a command may take.
const TRY: Duration = Duration::from_secs(10);
/// What is kept of its output, which nobody reads.
const OUTPUT: usize = 1024;

pub(super) type Found = Result<(), NotReady>;

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) backend: &'a Arc<dyn ContainerBackend>,
    pub(super) container: &'a ContainerRef,
    /// As it was once it ran: its addresses and ports stay for as long as it does.
    pub(super) details: &'a ContainerDetails,
    pub(super) reach: &'a Reach,
    pub(super) board: &'a Board,
}

/// Waits for it; fails where it can't come any more. The container's own end isn't seen here.
pub(super) fn probe<'a>(context: &Context<'a>, ready: &'a Ready) -> BoxFuture<'a, Found> {
    let context = *context;
    let place = |what: String| context.board.place(what);
    match ready {
        // It was seen to.
        Ready::Running => futures::future::ready(Ok(())).boxed(),
        Ready::Healthy => healthy(context, place("health check".to_owned())).boxed(),
        Ready::Tcp(port) => tcp::listens(context, *port, place(format!("tcp {port}"))).boxed(),
        Ready::Http(page) => {
            let what = format!("http {}{}", page.port, page.shown_path());
            http::answers(context, page, place(what)).boxed()
        }
        Ready::LogLine(line) => {
            let what = format!("log line of {} bytes", line.len());
            lines::written(context, line, place(what)).boxed()
        }
        Ready::Exec(command) => {
            let program = command.first().map(String::as_str).unwrap_or_default();
            succeeds(context, command, place(format!("exec {}", quote(program)))).boxed()
        }
        Ready::All(all) => {
            let all: Vec<_> = all.iter().map(|one| probe(&context, one)).collect();
            async move { try_join_all(all).await.map(drop) }.boxed()
        }
        Ready::Any(any) => {
            let mut any: FuturesUnordered<_> = any.iter().map(|one| probe(&context, one)).collect();
            async move {
                let mut last = NotReady::new("there is nothing to wait for");
                while let Some(found) = any.next().await {
                    match found {
                        Ok(()) => return Ok(()),
                        Err(why) => last = why,
                    }
                }
                Err(last)
            }
            .boxed()
        }
    }
}

/// What a failed call means: nothing yet, or that another can't help.
pub(super) fn passing(error: Error) -> Result<String, NotReady> {
    match is_final(&error) {
        true => Err(NotReady::refused(error)),
        // The message may hold anything that a program or an engine has said.
        false => Ok(format!("{}: {}", error.kind(), quote(error.message()))),
    }
}

async fn healthy(context: Context<'_>, place: Place<'_>) -> Found {
    let mut pauses = Pauses::default();
    loop {
        match context.backend.inspect(context.container).await {
            Ok(details) => match details.state.health {
                // An engine that has stopped it shows no health; how it ended is seen elsewhere.
                None if !details.state.is_running() => place.found("it doesn't run"),
                None => {
                    return Err(NotReady::new(
                        "it has no health check to say that it is healthy",
                    ));
                }
                Some(health) => match health.status {
                    HealthStatus::Healthy => {
                        place.done();
                        return Ok(());
                    }
                    HealthStatus::Unhealthy => {
                        let why = format!("it is unhealthy; {}", last_output(&health));
                        return Err(NotReady::new(why));
                    }
                    _ => place.found(format!("undecided; {}", last_output(&health))),
                },
            },
            Err(error) => place.found(passing(error)?),
        }
        pauses.quick().await;
    }
}

fn last_output(health: &Health) -> String {
    match health.last_output.as_deref() {
        Some(output) if !output.trim().is_empty() => {
            format!("its last check printed {}", quote(output))
        }
        _ => "no check has printed anything yet".to_owned(),
    }
}

async fn succeeds(context: Context<'_>, command: &[String], place: Place<'_>) -> Found {
    let options = ExecOptions::new(command)
        .with_timeout(TRY)
        .with_max_output(OUTPUT);
    let mut pauses = Pauses::default();
    loop {
        match context.backend.exec(context.container, &options).await {
            Ok(ran) if ran.success() => {
                place.done();
                return Ok(());
            }
            Ok(ran) if ran.timed_out => place.found(format!("it ran longer than {TRY:?}")),
            // A program that isn't there may be on its way.
            Ok(ran) if matches!(ran.exit_code, 126 | 127) => {
                place.found(format!("it can't be run (exit code {})", ran.exit_code));
            }
            Ok(ran) => place.found(format!("exit code {}", ran.exit_code)),
            Err(error) => place.found(passing(error)?),
        }
        pauses.slow().await;
    }
}
