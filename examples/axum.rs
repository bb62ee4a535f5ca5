//! A web service that runs a line of shell for whoever asks, each in a container of its own.
//!
//! `cargo run --example axum`, then
//! `curl --data 'echo hello; id' http://127.0.0.1:8080/run`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use catamaran::model::{ContainerSpec, ImageRef, RunOptions};
use catamaran::{CallContext, ContainerBackend, ContainerBackendExt, ErrorKind, HybridBackend};
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Clone)]
struct Service {
    backend: Arc<dyn ContainerBackend>,
    image: ImageRef,
}

type Failure = (StatusCode, String);

fn failure(error: catamaran::Error) -> Failure {
    let status = match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Connect | ErrorKind::Transport => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    // Where the engine is isn't for everybody to read.
    eprintln!("{error:#}");
    (status, error.kind().to_string())
}

async fn run(State(service): State<Service>, line: String) -> Result<Json<Value>, Failure> {
    let spec = ContainerSpec::untrusted(service.image).with_command(["sh", "-c", line.as_str()]);
    // However this handler ends, by the deadline or a client that hangs up, the container goes.
    let deadline = CallContext::new().with_deadline(Instant::now() + Duration::from_secs(20));
    let backend = service.backend.with_context(deadline);
    let brief = RunOptions::default().with_max_output(1usize << 20);
    let ran = backend.run_with(&spec, &brief).await.map_err(failure)?;
    Ok(Json(json!({
        "exit_code": ran.exit_code,
        "stdout": String::from_utf8_lossy(&ran.stdout),
        "stderr": String::from_utf8_lossy(&ran.stderr),
        "truncated": ran.truncated,
    })))
}

async fn ready(State(service): State<Service>) -> Result<&'static str, Failure> {
    service.backend.ping().await.map_err(failure)?;
    Ok("ready")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args().nth(1);
    let service = Service {
        backend: Arc::new(HybridBackend::from_env()?),
        image: ImageRef::new(image.as_deref().unwrap_or("catamaran/busybox:test"))?,
    };
    let routes = Router::new()
        .route("/run", post(run))
        .route("/ready", get(ready))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}
