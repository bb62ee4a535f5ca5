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
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

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
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            pieces: Vec::new(),
            held: None,
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
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, hyper::Error> {
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
