//! The pooled connection under the async engine.
//!
//! bollard's own connectors open a connection for every request and leave Nagle's delay on; here a
//! `hyper-util` client keeps connections, and each knows whether any byte of the current request has
//! left, so that "nothing was sent" is a fact and not a guess.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::carrier::{no_answer, no_connection};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Effect, Result};

pub(super) struct Transport<B> {
    client: Client<Connector, B>,
}

impl<B> Transport<B>
where
    B: HttpBody + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn new(config: &Config) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout())
            .build(Connector {
                endpoint: Arc::new(config.endpoint().clone()),
                timeout: config.connect_timeout(),
            });
        Self { client }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// The client itself repeats a request on a fresh connection where the kept one turned out closed
    /// before anything was written.
    pub(super) async fn send(
        &self,
        mut request: Request<B>,
        deadline: Deadline,
    ) -> Result<Response<Incoming>> {
        let captured = capture_connection(&mut request);
        let effect = || {
            let connection = captured.connection_metadata();
            let mut written = http::Extensions::new();
            if let Some(connected) = connection.as_ref() {
                connected.get_extras(&mut written);
            }
            match written.get::<Written>() {
                Some(written) if written.0.load(Ordering::Acquire) => Effect::Unknown,
                _ => Effect::NotSent,
            }
        };
        match deadline.bound(self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(no_connection(error)),
            Ok(Err(error)) => Err(no_answer(error).with_effect(effect())),
            Err(timeout) => Err(timeout.with_effect(effect())),
        }
    }
}

/// Whether any byte has been written since the last one was read: of the current request, that is,
/// since HTTP/1 requests on a connection follow one another.
#[derive(Clone, Default)]
struct Written(Arc<AtomicBool>);

#[derive(Clone)]
struct Connector {
    endpoint: Arc<Endpoint>,
    timeout: Duration,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (endpoint, timeout) = (Arc::clone(&self.endpoint), self.timeout);
        Box::pin(async move {
            let stream = tokio::time::timeout(timeout, connect(&endpoint))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(TokioIo::new(Socket {
                stream,
                written: Written::default(),
            }))
        })
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<Stream> {
    match endpoint {
        Endpoint::Unix { path } => UnixStream::connect(path).await.map(Stream::Unix),
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Requests are small and answered at once: Nagle's delay would cost 40 ms.
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
        Endpoint::Tls { .. } => Err(io::Error::other("TLS is refused before")),
    }
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

struct Socket {
    stream: Stream,
    written: Written,
}

/// Calls the same method on whichever stream it is.
macro_rules! either {
    ($socket:expr, $method:ident, $($argument:expr),*) => {
        match &mut $socket.stream {
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = either!(self, poll_read, cx, buffer);
        if buffer.filled().len() > before {
            self.written.0.store(false, Ordering::Release);
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = either!(self, poll_write, cx, bytes);
        if matches!(polled, Poll::Ready(Ok(count)) if count > 0) {
            self.written.0.store(true, Ordering::Release);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.written.clone())
    }
}
