//! HTTP/1.1 at a unix socket or a TCP port, in this process: what the fake engine and the proxy answer through.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::faults::{Fault, Faults, Met};
use crate::config::Config;
use crate::endpoint::Endpoint;

/// How much of a connection is read ahead: the least that hyper takes.
const MAX_BUFFER: usize = 8 << 10;

/// How long nobody is let in after that failed.
const RETRY: Duration = Duration::from_millis(10);

/// The body of an answer. An error in it ends the connection in the middle of the body.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The body of a request.
pub(crate) type Sent = UnsyncBoxBody<Bytes, hyper::Error>;

/// What answers requests. An answer with status 101 takes the connection over by `hyper::upgrade::on(&mut request)`.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(
        self: &Arc<Self>,
        request: Request<Sent>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Where to listen.
#[derive(Debug)]
pub(crate) enum Listen {
    /// At a socket in a directory of its own.
    Unix(Directory),
    /// At a port of loopback that the system picks.
    Loopback,
}

/// A directory for a socket, of which nobody else knows; it goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> io::Result<Self> {
        let name = format!("catamaran-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("docker.sock")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What can't be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What answers at an endpoint, and the faults in front of it; its connections end when it is dropped.
#[derive(Debug)]
pub(crate) struct Server<S> {
    endpoint: Endpoint,
    service: Arc<S>,
    faults: Faults,
    accepting: JoinHandle<()>,
    /// Goes with it.
    _directory: Option<Directory>,
}

impl<S: Service> Server<S> {
    /// Listens and answers, on the current runtime; some requests meet faults.
    pub(crate) async fn start(listen: Listen, service: S, faults: Faults) -> io::Result<Self> {
        let (endpoint, directory) = match listen {
            Listen::Unix(directory) => (Endpoint::unix(directory.socket()), Some(directory)),
            Listen::Loopback => (Endpoint::tcp(Ipv4Addr::LOCALHOST.to_string(), 0), None),
        };
        let service = Arc::new(service);
        let (endpoint, accepting) = accept_at(&endpoint, &service, &faults).await?;
        Ok(Self {
            endpoint,
            service,
            faults,
            accepting,
            _directory: directory,
        })
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A configuration that leads to it.
    pub(crate) fn config(&self) -> crate::error::Result<Config> {
        Config::builder().endpoint(self.endpoint.clone()).build()
    }

    pub(crate) fn service(&self) -> &Arc<S> {
        &self.service
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Ends all connections; new ones are refused.
    pub(crate) fn close(&self) {
        self.accepting.abort();
        if let Endpoint::Unix { path } = &self.endpoint {
            // It may be closed already.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Answers again, at the same place.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        self.close();
        if !self.accepting.is_finished() {
            // A port is free again only when the one who listened at it is gone.
            let _ = (&mut self.accepting).await;
        }
        (_, self.accepting) = accept_at(&self.endpoint, &self.service, &self.faults).await?;
        Ok(())
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Listens there; for port 0, at one that the system picks.
async fn accept_at(
    endpoint: &Endpoint,
    service: &Arc<impl Service>,
    faults: &Faults,
) -> io::Result<(Endpoint, JoinHandle<()>)> {
    let (service, faults) = (Arc::clone(service), faults.clone());
    Ok(match endpoint {
        Endpoint::Unix { path } => {
            let listener = UnixListener::bind(path)?;
            let accept = async move || Ok(listener.accept().await?.0);
            let accepting = tokio::spawn(serve(accept, service, faults));
            (endpoint.clone(), accepting)
        }
        Endpoint::Tcp { port, .. } => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await?;
            let port = listener.local_addr()?.port();
            let accept = async move || {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            };
            let accepting = tokio::spawn(serve(accept, service, faults));
            let endpoint = Endpoint::tcp(Ipv4Addr::LOCALHOST.to_string(), port);
            (endpoint, accepting)
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}

async fn serve<S, A>(accept: A, service: Arc<impl Service>, faults: Faults)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: AsyncFn() -> io::Result<S>,
{
    // Connections end with the accepting task.
    let mut connections = JoinSet::new();
    loop {
        let accepted = accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                connections.spawn(converse(stream, Arc::clone(&service), faults.clone()));
            }
            // A client that went away meanwhile, or no descriptors for now: others are still answered.
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Arc<impl Service>,
    faults: Faults,
) {
    let cut = Arc::new(Notify::new());
    let answer = service_fn(|request: Request<Incoming>| {
        let (service, faults, cut) = (Arc::clone(&service), faults.clone(), Arc::clone(&cut));
        async move {
            let request = request.map(BodyExt::boxed_unsync);
            let met = faults.meet(request.method(), request.uri().path());
            Ok::<_, Infallible>(match met {
                None => service.answer(request).await,
                Some(met) => faulty(service, request, &faults, met, &cut).await,
            })
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::select! {
        // A client that goes away is no failure of the server.
        _ = connection => {}
        () = cut.notified() => {}
    }
}

/// Ends the connection.
async fn cut_off<T>(cut: &Notify) -> T {
    cut.notify_one();
    futures::future::pending().await
}

/// An answer to a request that meets a fault.
async fn faulty(
    service: Arc<impl Service>,
    request: Request<Sent>,
    faults: &Faults,
    met: Met,
    cut: &Notify,
) -> Response<Body> {
    let acted = async |request| {
        let response = service.answer(request).await;
        faults.acted(&met);
        response
    };
    match &met.fault {
        Fault::Refuse => cut_off(cut).await,
        Fault::ResetRequest(bytes) => {
            let (mut body, mut left) = (request.into_body(), *bytes);
            while left > 0 {
                match body.frame().await {
                    Some(Ok(frame)) => {
                        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                        left = left.saturating_sub(length);
                    }
                    _ => break,
                }
            }
            cut_off(cut).await
        }
        Fault::DropAnswer => {
            drop(acted(request).await);
            cut_off(cut).await
        }
        Fault::HoldAnswer(time) => {
            let response = acted(request).await;
            tokio::time::sleep(*time).await;
            response
        }
        Fault::HoldAnswerUntil(hold) => {
            let response = acted(request).await;
            hold.wait().await;
            response
        }
        Fault::DelayRequest(_) | Fault::DelayRequestUntil(_) => {
            late(service, request, faults, met, cut).await
        }
        Fault::Truncate(bytes) => truncated(acted(request).await, *bytes),
        Fault::Drip(bytes, time) => dripping(acted(request).await, *bytes, *time),
        Fault::Status(status) => instead(*status),
        Fault::RetryAfter(status, seconds) => {
            let mut response = instead(*status);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(*seconds));
            response
        }
        Fault::StatusAfter(status) => {
            drop(acted(request).await);
            instead(*status)
        }
        Fault::Malformed => {
            let mut response = acted(request)
                .await
                .map(|_| full(super::faults::malformed()));
            response.headers_mut().remove(CONTENT_LENGTH);
            response
        }
        Fault::Latency(time) => {
            tokio::time::sleep(*time).await;
            acted(request).await
        }
    }
}

/// Passes a request on later, whether its client is still there or not.
async fn late(
    service: Arc<impl Service>,
    request: Request<Sent>,
    faults: &Faults,
    met: Met,
    cut: &Notify,
) -> Response<Body> {
    // Once its client has gone, nothing more of it comes.
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return cut_off(cut).await;
    };
    let body = Full::new(body.to_bytes()).map_err(|never| match never {});
    let request = Request::from_parts(head, body.boxed_unsync());
    let (sender, answered) = oneshot::channel();
    let faults = faults.clone();
    tokio::spawn(async move {
        match &met.fault {
            Fault::DelayRequest(time) => tokio::time::sleep(*time).await,
            Fault::DelayRequestUntil(hold) => hold.wait().await,
            _ => {}
        }
        let response = service.answer(request).await;
        faults.acted(&met);
        // Nobody may be left to hear it.
        let _ = sender.send(response);
    });
    match answered.await {
        Ok(response) => response,
        Err(_) => cut_off(cut).await,
    }
}

fn full(bytes: Bytes) -> Body {
    let body = Full::new(bytes).map_err(|never| match never {});
    body.boxed_unsync()
}

/// An answer that is no engine's.
fn instead(status: u16) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from_static(
        b"{\"message\": \"a fault that was asked for\"}\n",
    )));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn streamed(
    response: Response<Body>,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    response.map(|_| StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync())
}

/// Ends within the body.
fn truncated(response: Response<Body>, bytes: u64) -> Response<Body> {
    let (head, body) = response.into_parts();
    let cut = futures::stream::try_unfold(
        (body.into_data_stream().boxed(), bytes),
        |(mut body, left)| async move {
            let Some(mut piece) = body.try_next().await? else {
                return Ok(None);
            };
            if left == 0 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - piece.len() as u64;
            Ok(Some((piece, (body, left))))
        },
    );
    // The end of what is let through is no end: with a length or in chunks, the client misses the rest.
    let cut = cut.chain(futures::stream::iter([Err(
        io::ErrorKind::ConnectionReset.into()
    )]));
    streamed(Response::from_parts(head, full(Bytes::new())), cut)
}

/// Comes piece by piece.
fn dripping(response: Response<Body>, bytes: usize, time: Duration) -> Response<Body> {
    let (head, body) = response.into_parts();
    let drops = body.into_data_stream().map_ok(move |piece| {
        let all = piece.clone();
        let drops: Vec<_> = all
            .chunks(bytes.max(1))
            .map(|drop| Ok(piece.slice_ref(drop)))
            .collect();
        futures::stream::iter(drops)
    });
    let drops = drops.try_flatten().then(move |drop| async move {
        tokio::time::sleep(time).await;
        drop
    });
    streamed(Response::from_parts(head, full(Bytes::new())), drops)
}
