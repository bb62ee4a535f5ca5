//! `POST /sessions/{name}/exec`: a command in a session, whose output is told as it comes.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use catamaran::model::{ExecId, ExecOptions, ExecSession, ExecTag, LogSource, LogStream};
use catamaran::session::Session;
use catamaran::{ContainerBackendExt, Result};
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::text::Text;
use crate::problem::{Problem, sorts};
use crate::state::{App, Named};

/// How long what a command has written comes after its processes were ended, and its exit code after its output.
const REST: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    command: Vec<String>,
    /// All that it reads, as text …
    #[serde(default)]
    stdin: String,
    /// … or as base64.
    #[serde(default)]
    stdin_base64: String,
    /// In seconds; what the service allows, unless it is less.
    timeout: Option<u64>,
}

/// Lines of JSON: `stdout` or `stderr` (or `stdout_base64`, `stderr_base64`, where it isn't UTF-8), as it comes; last
/// `exit_code`, with `timed_out` where the command was killed for its time, or `error`, a problem.
///
/// A caller that goes away ends the command.
pub async fn exec(
    State(app): State<App>,
    named: Result<Named, Problem>,
    body: Result<Json<Run>, JsonRejection>,
) -> Result<Response, Problem> {
    let session = app.session(&named?.0)?;
    let Json(run) = body?;
    let most = app.settings.exec_timeout;
    let within = run
        .timeout
        .map_or(most, |asked| most.min(Duration::from_secs(asked)));
    let input = match (run.stdin.is_empty(), run.stdin_base64.is_empty()) {
        (_, true) => Bytes::from(run.stdin),
        (true, false) => {
            let decoded = STANDARD.decode(run.stdin_base64);
            decoded
                .map_err(|_| Problem::invalid("stdin_base64 isn't base64"))?
                .into()
        }
        (false, false) => return Err(Problem::invalid("stdin and stdin_base64: one of them")),
    };

    let (lines, told) = mpsc::channel(16);
    let (started, start) = oneshot::channel();
    let options = ExecOptions::new(run.command);
    let tasks = app.stopping.tasks.clone();
    // In a task of its own, so that the command is ended however this request ends, at any point.
    let running = async move {
        match session.start_exec(&options).await {
            Err(error) => drop(started.send(Err(error))),
            Ok((exec, _in_use)) => {
                // Where nobody waits for it any more, the lines have no reader either.
                let _ = started.send(Ok(()));
                Running {
                    app,
                    session,
                    lines,
                    within,
                }
                .follow(exec, input)
                .await;
            }
        }
    };
    tasks.spawn(running.in_current_span());
    start.await.map_err(|_| Problem::new(&sorts::INTERNAL))??;
    let lines = stream::unfold(told, |mut told| async { Some((told.recv().await?, told)) });
    let body = Body::from_stream(lines.map(Ok::<_, std::convert::Infallible>));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// A command that runs, and who is told of it.
struct Running {
    app: App,
    session: Session,
    lines: mpsc::Sender<String>,
    within: Duration,
}

impl Running {
    async fn follow(self, exec: ExecSession, input: Bytes) {
        let ExecSession {
            id,
            tag,
            input: mut stdin,
            output,
            ..
        } = exec;
        // Beside the reading: a command that isn't read doesn't read either. One that ends without reading is no error.
        let _writing = AbortOnDropHandle::new(tokio::spawn(async move {
            if stdin.write_all(&input).await.is_ok() {
                let _ = stdin.shutdown().await;
            }
        }));
        let mut reading = std::pin::pin!(self.read(output));
        let mut timed_out = false;
        let read = tokio::select! {
            read = &mut reading => read,
            () = self.lines.closed() => {
                tracing::debug!("its caller has gone: the command is ended");
                return self.end(&tag, &id).await;
            }
            () = self.app.stopping.over.cancelled() => {
                self.end(&tag, &id).await;
                return self.tell(json!({ "error": Problem::new(&sorts::STOPPING).into_value() })).await;
            }
            () = sleep(self.within) => {
                timed_out = true;
                self.end(&tag, &id).await;
                timeout(REST, &mut reading).await.unwrap_or(Ok(()))
            }
        };
        let ended = match read {
            Ok(()) => timeout(REST, self.session.backend().wait_exec(&id)).await,
            Err(error) => Ok(Err(error)),
        };
        self.tell(match ended {
            Ok(Ok(code)) if timed_out => json!({ "exit_code": code, "timed_out": true }),
            Ok(Ok(code)) => json!({ "exit_code": code }),
            Ok(Err(error)) => json!({ "error": Problem::from(error).into_value() }),
            Err(_) => json!({ "error": Problem::new(&sorts::TIMEOUT).into_value() }),
        })
        .await;
    }

    /// Reads to the end, as fast as it is told.
    async fn read(&self, mut output: LogStream) -> Result<()> {
        let (mut stdout, mut stderr) = (Text::default(), Text::default());
        while let Some(chunk) = output.next().await.transpose()? {
            let line = match chunk.source {
                LogSource::Stderr => stderr.push("stderr", chunk.bytes),
                _ => stdout.push("stdout", chunk.bytes),
            };
            if let Some(line) = line {
                self.tell(line.into()).await;
            }
        }
        for line in [stdout.finish("stdout"), stderr.finish("stderr")]
            .into_iter()
            .flatten()
        {
            self.tell(line.into()).await;
        }
        Ok(())
    }

    /// A caller that has gone is found out elsewhere.
    async fn tell(&self, line: Value) {
        let _ = self.lines.send(format!("{line}\n")).await;
    }

    /// Ends the command and all that it has started. Its program may just be about to begin, and isn't found then.
    async fn end(&self, tag: &ExecTag, id: &ExecId) {
        let backend = self.session.backend();
        for _ in 0..5 {
            match backend.end_exec(self.session.container(), tag).await {
                Ok(true) => return,
                Ok(false) => match backend.inspect_exec(id).await {
                    Ok(exec) if exec.running => sleep(Duration::from_millis(200)).await,
                    _ => return,
                },
                Err(error) => return tracing::warn!("a command may still run: {error:#}"),
            }
        }
        tracing::warn!("a command may still run: it wasn't found");
    }
}
