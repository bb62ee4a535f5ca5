//! A scripted peer: an HTTP/1.1 server on a unix socket that records what it is sent and answers by script.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use catamaran::Endpoint;
use futures::StreamExt;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// What an engine calls output whose pieces have Docker's header.
pub const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";

/// A piece of output with Docker's header.
pub fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("short").to_be_bytes();
    [&[stream, 0, 0, 0], &length, text].concat()
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: Method,
    pub path: String,
    /// As sent: still encoded, in its order.
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the peer answers.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// One piece goes with its length, several go in chunks.
    pub pieces: Vec<Bytes>,
    /// The last piece goes when this is told.
    pub held: Option<Arc<Notify>>,
    /// What a connection that is handed over, by status 101, is for.
    pub program: Option<Program>,
}

/// What ends an input whose end isn't told.
pub const END: &[u8] = b"\n\x04\n";

/// A program at the other end of a connection that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Reads its input to the end, or to [`END`], then writes the pieces of the answer, and ends.
    Reads,
    /// Writes them, and ends without having read anything; what is sent still is taken, so that nothing is reset.
    ReadsNothing,
    /// Reads a little, writes them, and the connection is reset by what is left unread.
    IsReset,
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            pieces: Vec::new(),
            held: None,
            program: None,
        }
    }

    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.pieces = vec![body.into()];
        self
    }

    pub fn held_by(mut self, notify: &Arc<Notify>) -> Self {
        self.held = Some(Arc::clone(notify));
        self
    }

    /// Hands the connection over to a program.
    pub fn handing_over(mut self, program: Program) -> Self {
        self.status = 101;
        self.program = Some(program);
        self.with_header("connection", "Upgrade")
            .with_header("upgrade", "tcp")
    }

    pub fn with_pieces(mut self, pieces: Vec<Bytes>) -> Self {
        self.pieces = pieces;
        self
    }
}

/// How the peer answers: told how many requests came before, and this one.
pub type Script = Arc<dyn Fn(usize, &Recorded) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    recorded: Vec<Recorded>,
    /// What programs have read.
    inputs: Vec<Bytes>,
}

/// The server; it ends when it is dropped.
pub struct Peer {
    directory: tempfile::TempDir,
    shared: Arc<Mutex<Shared>>,
    server: AbortHandle,
}

impl Peer {
    /// Starts on the current runtime; answers 500 until it is told better.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(socket(directory.path())).expect("a socket");
        let shared = Arc::new(Mutex::new(Shared {
            script: Arc::new(|_, _| Answer::new(500)),
            recorded: Vec::new(),
            inputs: Vec::new(),
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self {
            directory,
            shared,
            server,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(socket(self.directory.path()))
    }

    /// Answers by this script from now on, and forgets what was recorded.
    pub fn follow(&self, script: Script) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.script = script;
        shared.recorded.clear();
        shared.inputs.clear();
    }

    /// What programs have read to its end since then.
    pub fn inputs(&self) -> Vec<Bytes> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.inputs.clone()
    }

    /// What came since then.
    pub fn recorded(&self) -> Vec<Recorded> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.recorded.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn socket(directory: &Path) -> std::path::PathBuf {
    directory.join("peer.sock")
}

async fn serve(listener: UnixListener, shared: Arc<Mutex<Shared>>) {
    // Connections end with the accepting task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        connections.spawn(async move {
            // A client that goes away is no failure of the peer.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Mutex<Shared>>,
    mut request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, hyper::Error> {
    let taken = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    // Only what came whole is recorded.
    let body = body.collect().await?.to_bytes();
    let request = Recorded {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
    };
    let answer = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = (shared.script)(shared.recorded.len(), &request);
        shared.recorded.push(request);
        answer
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    // A script may have changed its mind.
    if let (Some(program), 101) = (answer.program, answer.status) {
        tokio::spawn(run(program, taken, answer.pieces, shared));
        let nothing = Full::default().boxed_unsync();
        return Ok(response.body(nothing).expect("a sound answer"));
    }
    let body = if answer.pieces.len() > 1 {
        let last = answer.pieces.len() - 1;
        let held = answer.held;
        let frames = futures::stream::iter(answer.pieces.into_iter().enumerate());
        let frames = frames.then(move |(index, piece)| {
            let held = held.clone().filter(|_| index == last);
            async move {
                if let Some(held) = held {
                    held.notified().await;
                }
                Ok(Frame::data(piece))
            }
        });
        StreamBody::new(frames).boxed_unsync()
    } else {
        Full::new(answer.pieces.concat().into()).boxed_unsync()
    };
    Ok(response.body(body).expect("a sound answer"))
}

async fn run(
    program: Program,
    taken: hyper::upgrade::OnUpgrade,
    pieces: Vec<Bytes>,
    shared: Arc<Mutex<Shared>>,
) {
    // A client that goes away is no failure of the peer.
    let Ok(taken) = taken.await else { return };
    let (mut input, mut output) = tokio::io::split(TokioIo::new(taken));
    match program {
        Program::Reads => {
            let mut read = Vec::new();
            while !read.ends_with(END) && input.read_buf(&mut read).await.unwrap_or(0) > 0 {}
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.inputs.push(read.into());
        }
        Program::ReadsNothing => {}
        Program::IsReset => drop(input.read_u8().await),
    }
    for piece in pieces {
        if output.write_all(&piece).await.is_err() {
            return;
        }
    }
    if program != Program::IsReset {
        let _ = output.shutdown().await;
        let _ = tokio::io::copy(&mut input, &mut tokio::io::sink()).await;
    }
}
