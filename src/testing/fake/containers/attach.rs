//! What a program writes and reads, live and as it was.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Container, Status};
use crate::testing::fake::Shared;
use crate::testing::fake::log::{Asked, frame};
use crate::testing::fake::machine::Stream as Source;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};
use crate::testing::fake::time::Time;

/// Pieces that wait for whoever is attached.
const WAITING: usize = 16;

/// What an engine calls output, by its framing; it has a name of its own since API 1.42.
pub(in super::super) fn content_type(tty: bool, version: (u32, u32)) -> &'static str {
    match tty || version < (1, 42) {
        true => "application/vnd.docker.raw-stream",
        false => "application/vnd.docker.multiplexed-stream",
    }
}

pub(in super::super) fn logs(container: &Arc<Container>, request: &Request) -> Answered {
    let asked = asked(container, request)?;
    if !asked.stdout && !asked.stderr {
        let message = "Bad parameters: you must choose at least one stream";
        return Err(Refusal::new(400, message));
    }
    let driver = container.config()["HostConfig"]["LogConfig"]["Type"].take();
    if driver == "none" {
        return Err(Refusal::new(
            501,
            "configured logging driver does not support reading",
        ));
    }
    let answer = Answer::stream(200, container.log.read(asked));
    Ok(answer.with_header("content-type", content_type(asked.tty, request.version)))
}

fn asked(container: &Container, request: &Request) -> Result<Asked, Refusal> {
    let query = &request.query;
    let time = |name: &str| match query.get(name) {
        None | Some("" | "0") => Ok(None),
        Some(text) => match Time::parse(text) {
            Some(time) => Ok(Some(time)),
            None => Err(Refusal::new(
                400,
                format!("invalid value for {name:?}: {text:?}"),
            )),
        },
    };
    Ok(Asked {
        follow: query.is("follow"),
        stdout: query.is("stdout"),
        stderr: query.is("stderr"),
        timestamps: query.is("timestamps"),
        since: time("since")?,
        until: time("until")?,
        tail: query
            .number("tail")
            .and_then(|tail| usize::try_from(tail).ok()),
        tty: container.config()["Tty"] == true,
    })
}

pub(in super::super) fn attach(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: Request,
) -> Answered {
    if container.status() == Status::Paused {
        let message = format!(
            "Container {} is paused, unpause the container before attach.",
            container.id
        );
        return Err(Refusal::new(409, message));
    }
    let query = &request.query;
    let tty = container.config()["Tty"] == true;
    let (stdout, stderr) = (query.is("stdout"), query.is("stderr"));
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut asked = asked(container, &request)?;
    asked.follow = false;
    if query.is("stream") {
        let mut inner = container.inner();
        if !matches!(inner.status, Status::Exited | Status::Removing) {
            inner.attached.push(sender);
        }
    }
    let before = query.is("logs").then(|| container.log.read(asked));
    let before = stream::iter(before).flatten();
    let live = stream::unfold(receiver, move |mut receiver| async move {
        loop {
            let (source, bytes) = receiver.recv().await?;
            let wanted = if source == Source::Out {
                stdout
            } else {
                stderr
            };
            if wanted {
                let piece = if tty { bytes } else { frame(source, &bytes) };
                return Some((Ok(piece), receiver));
            }
        }
    });
    container.tell(engine, "attach", &[]);
    let input = query.is("stdin").then(|| {
        let container = Arc::clone(container);
        move |typed: mpsc::Receiver<Bytes>| feed(container, typed)
    });
    Ok(converse(engine, request, tty, before.chain(live), input))
}

/// Passes what is typed on; its end is the program's where that was asked for.
async fn feed(container: Arc<Container>, mut typed: mpsc::Receiver<Bytes>) {
    let mut life = container.life.subscribe();
    while let Some(bytes) = typed.recv().await {
        // It may not run yet.
        let _ = life.wait_for(|life| life.status != Status::Created).await;
        let stdin = container.inner().stdin.clone();
        match stdin {
            Some(stdin) => drop(stdin.send(bytes).await),
            None => return,
        }
    }
    let config = container.config();
    if config["StdinOnce"] == true && config["Tty"] != true {
        let _ = life.wait_for(|life| life.status != Status::Created).await;
        container.inner().stdin = None;
    }
}

/// Hands the connection over, where that is asked for; else it answers with the output alone.
pub(in super::super) fn converse<F, I>(
    engine: &Arc<Shared>,
    mut request: Request,
    tty: bool,
    output: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    input: Option<I>,
) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
    I: FnOnce(mpsc::Receiver<Bytes>) -> F,
{
    let kind = content_type(tty, request.version);
    let upgrade = request.upgrade.take().filter(|_| request.upgrades());
    let Some(upgrade) = upgrade else {
        return Answer::stream(200, output).with_header("content-type", kind);
    };
    let (sender, typed) = mpsc::channel(1);
    if let Some(input) = input {
        engine.spawn(input(typed));
    } else {
        drop(typed);
    }
    engine.spawn(async move {
        // A client that goes away ends nothing but this.
        let Ok(taken) = upgrade.await else { return };
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(taken));
        let reads = async {
            let mut buffer = vec![0; 32 << 10];
            loop {
                match reader.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => {
                        let piece = buffer.get(..count).unwrap_or_default();
                        // What nobody reads is read all the same, so that the end is seen.
                        let _ = sender.send(Bytes::copy_from_slice(piece)).await;
                    }
                }
            }
            drop(sender);
            futures::future::pending::<()>().await;
        };
        let writes = async {
            let mut output = std::pin::pin!(output);
            while let Some(Ok(piece)) = output.next().await {
                if writer.write_all(&piece).await.is_err() || writer.flush().await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        };
        tokio::select! {
            () = reads => {}
            () = writes => {}
        }
    });
    Answer::empty(101)
        .with_header("content-type", kind)
        .with_header("connection", "Upgrade")
        .with_header("upgrade", "tcp")
}
