//! A service that gives each of its callers containers of their own: to open, to run commands in, to move files in and out of,
//! and to follow. A team can start from it.
//!
//! ```sh
//! export SESSION_SERVICE_IMAGE=busybox SESSION_SERVICE_COMMAND='sleep 86400'
//! export SESSION_SERVICE_TOKENS=correct-horse-battery:alice
//! cargo run --features metrics --example session_service
//!
//! auth='Authorization: Bearer correct-horse-battery' json='Content-Type: application/json' at=http://127.0.0.1:8080
//! curl -i $at/health
//! curl -i -H "$auth" -H "$json" -d '{"name":"demo"}' $at/sessions
//! curl -N -H "$auth" -H "$json" -d '{"command":["sh","-c","echo hello; exit 3"]}' $at/sessions/demo/exec
//! curl -T notes.txt -H "$auth" $at/sessions/demo/files/tmp/notes.txt
//! curl -H "$auth" $at/sessions/demo/files/tmp/notes.txt
//! curl -N -H "$auth" "$at/sessions/demo/logs?follow=true&tail=10"
//! curl -N -H "$auth" $at/events
//! curl -X DELETE -H "$auth" $at/sessions/demo
//! ```
//!
//! For whoever runs it, a browser shows at `/` what `/health` tells; `scripts/observe` tries all of this on a real engine:
//!
//! | Path | tells |
//! |---|---|
//! | `/live` | 200 as long as this process should go on, whatever the engine does |
//! | `/ready` | 200, or 503 and why nothing new should be sent here |
//! | `/health` | all of it as JSON (`catamaran::telemetry::HealthReport`): 200 where calls are served, 503 where they aren't |
//! | `/metrics` | the numbers of `docs/metrics.md`, for Prometheus |
//! | `PUT /rollout` | takes `{"percent": 10}` from an operator: the share of the sessions that the async engine serves; answers what it was before and how the service does |
//!
//! Whom it tells what, `OBSERVE` says: anybody (numbers and states, no session's name and no owner's) or operators, whose token
//! `/metrics` takes and the page asks for. `/live`, `/ready` and of `/health` the status are for everybody.
//!
//! Whose token it is owns what it opens, and sees nothing else. What goes wrong is told as `application/problem+json`; the
//! log says more, by the answer's `x-request-id`. It speaks plain HTTP: put something before it that speaks TLS.
//!
//! # Variables
//!
//! Where the engine is, the variables of this crate say (`DOCKER_HOST` and its kin). An empty one counts as unset.
//!
//! | `SESSION_SERVICE_…` | is | unless set |
//! |---|---|---|
//! | `ADDR` | where it listens | `127.0.0.1:8080` |
//! | `NAME` | the name by which its next instance finds its sessions | `session-service` |
//! | `TOKENS` | `token:owner` pairs, between spaces, commas or lines; a token has 16 characters at least | must be set |
//! | `TOKENS_FILE` | a file of such pairs, in place of `TOKENS` | |
//! | `OPERATORS` | owners who may set the rollout, and are shown all | nobody |
//! | `OBSERVE` | who is shown how it does: `anybody` or `operators` | `anybody` where `ADDR` is loopback, else `operators` |
//! | `AUDIT` | the file of the audit log: who had what done, and how it ended; what can't be recorded isn't done | none |
//! | `IMAGE` | what sessions are made of | must be set |
//! | `COMMAND` | their program: words, or a JSON array of strings | the image's |
//! | `MEMORY`, `CPUS` | what each may take | `512m`, `1` |
//! | `WARM` | how many are kept ready | `0` |
//! | `LEASE` | for how long it may be silent before the next instance takes its sessions over; as long it takes to begin | `6s` |
//! | `IDLE`, `MAX_AGE` | after which time they are stopped | `30m`, `24h` |
//! | `SESSIONS`, `OWNER_SESSIONS` | how many there may be, and of one owner | `100`, `10` |
//! | `BODY_LIMIT` | how many bytes a request, and a file that is read, may have | `16m` |
//! | `REQUESTS`, `STREAMS` | how many may be under way at once | `64`, `256` |
//! | `REQUEST_TIMEOUT`, `OPEN_TIMEOUT` | how long an answer may take, and that to an open | `30s`, `2m` |
//! | `EXEC_TIMEOUT` | how long a command may run | `10m` |
//! | `DRAIN` | how long requests have to end when it is stopped | `20s` |
//! | `ON_SHUTDOWN` | what becomes of the sessions then: `leave`; `close`; or `drain`, so that they are served until their owners close them, or for `DRAIN` | `leave` |
//! | `LOG` | `error`, `warn`, `info`, `debug` or `trace` | `info` |
//!
//! Its tests need no engine: `cargo test --features metrics --example session_service`.

mod auth;
mod config;
mod exporter;
mod problem;
mod routes;
mod shutdown;
mod state;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use catamaran::{Config, HybridBackend};
use tokio::net::TcpListener;

use config::Settings;
use state::App;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    tracing_subscriber::fmt()
        .with_max_level(settings.log)
        .with_ansi(std::io::stdout().is_terminal())
        .init();
    tracing::info!("as configured:\n{settings}");
    // From here on: a signal that comes while it starts isn't lost.
    let asked = shutdown::asked()?;
    let address = settings.address;
    // Before the first call: what is counted without it is lost.
    let metrics = exporter::install()?;
    let config = Config::from_env()?;
    let app = App::start(settings, HybridBackend::new(&config)?, metrics).await?;
    app.consult(config);
    exporter::keep_up(&app);
    let listener = TcpListener::bind(address).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let routes = routes::router(&app);
    shutdown::serve(app, routes, listener, asked).await??;
    tracing::info!("stopped");
    Ok(())
}
