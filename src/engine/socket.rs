//! One connection's bytes: over a unix socket, TCP or TLS, and whether any of the current request has left.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::carrier::{connection, no_connection};
#[cfg(feature = "tls")]
use super::tls::rustls::{Alert, Connector, TlsStream};
use crate::endpoint::Endpoint;
use crate::engine_kind::EngineKind;
use crate::error::{Error, Result};
use crate::telemetry::metrics::OneMore;

/// How connections to an engine are made.
pub(super) enum Road {
    Unix(PathBuf),
    Tcp(Address),
    #[cfg(feature = "tls")]
    Tls(Address, Connector),
}

type Address = (String, u16);

impl Road {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self> {
        match endpoint {
            Endpoint::Unix { path } => Ok(Self::Unix(path.clone())),
            Endpoint::Tcp { host, port } => Ok(Self::Tcp((host.clone(), *port))),
            #[cfg(feature = "tls")]
            Endpoint::Tls { host, port, tls } => {
                Ok(Self::Tls((host.clone(), *port), Connector::new(host, tls)?))
            }
            #[cfg(not(feature = "tls"))]
            Endpoint::Tls { .. } => Err(super::left_out(endpoint)),
        }
    }

    /// A connection, and the generation of the certificates that it was made with.
    pub(super) async fn connect(&self) -> Result<(Stream, u64)> {
        let stream = match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(address) => tcp(address).await.map(Stream::Tcp),
            #[cfg(feature = "tls")]
            Self::Tls(address, connector) => {
                let with = connector.look().await.map_err(no_connection)?;
                let stream = tcp(address).await.map_err(no_connection)?;
                let stream = connector.connect(&with, stream).await;
                return stream
                    .map(|stream| (Stream::Tls(Box::new(stream)), with.generation))
                    .map_err(|cause| connector.no_connection(cause));
            }
        };
        stream.map(|stream| (stream, 0)).map_err(no_connection)
    }

    /// The latest generation of certificates, as far as anybody has looked.
    pub(super) fn generation(&self) -> u64 {
        match self {
            Self::Unix(_) | Self::Tcp(_) => 0,
            #[cfg(feature = "tls")]
            Self::Tls(_, connector) => connector.generation(),
        }
    }

    /// Looks whether there are new certificates.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_async))]
    pub(super) async fn look(&self) {
        #[cfg(feature = "tls")]
        if let Self::Tls(_, connector) = self {
            // What goes wrong in it goes wrong when a connection is made, and is told then.
            drop(connector.look().await);
        }
    }

    /// The error of a connection that was refused after it had been made; else the cause again.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, unused_variables))]
    pub(super) fn refused(&self, gate: &Gate, cause: hyper::Error) -> Result<Error, hyper::Error> {
        #[cfg(feature = "tls")]
        if let (Self::Tls(_, connector), Some(alert)) = (self, gate.alert()) {
            return connector.refused(alert, cause);
        }
        Err(cause)
    }
}

async fn tcp((host, port): &Address) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host.as_str(), *port)).await?;
    // Requests are small and answered at once: Nagle's delay would cost 40 ms.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What every byte that leaves a connection passes: whether any of the current request has. Shut before
/// the first, it lets none pass any more, so that a request that was given up isn't written after all.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<State>);

#[derive(Default)]
struct State {
    passed: AtomicU8,
    /// With which the engine ended the connection before it said anything else.
    #[cfg(feature = "tls")]
    alert: OnceLock<Alert>,
}

impl Gate {
    const UNUSED: u8 = 0;
    const PASSED: u8 = 1;
    const SHUT: u8 = 2;

    /// Whether these are the first bytes; `None` where they may not pass.
    fn pass(&self) -> Option<bool> {
        match self.turn(Self::UNUSED, Self::PASSED) {
            Ok(_) => Some(true),
            Err(Self::SHUT) => None,
            Err(_) => Some(false),
        }
    }

    /// What passed has been answered to the last byte, or didn't leave.
    pub(super) fn reopen(&self) {
        let _ = self.turn(Self::PASSED, Self::UNUSED);
    }

    /// Whether nothing has passed, nor ever will.
    pub(super) fn shut(&self) -> bool {
        matches!(self.turn(Self::UNUSED, Self::SHUT), Ok(_) | Err(Self::SHUT))
    }

    fn turn(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.0
            .passed
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }

    #[cfg(feature = "tls")]
    fn alert(&self) -> Option<Alert> {
        self.0.alert.get().copied()
    }
}

pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection whose bytes pass a gate.
pub(super) struct Socket {
    stream: Stream,
    gate: Gate,
    _counted: OneMore,
    /// Whether the engine has said anything.
    #[cfg(feature = "tls")]
    heard: bool,
}

impl Socket {
    pub(super) fn new(stream: Stream, gate: Gate) -> Self {
        Self {
            stream,
            gate,
            _counted: connection(EngineKind::Async),
            #[cfg(feature = "tls")]
            heard: false,
        }
    }

    /// Whether nothing at all left with a write that came out so. What TLS has taken may have left in part
    /// though the write failed.
    fn kept_back(&self, written: &Poll<io::Result<usize>>) -> bool {
        match written {
            Poll::Ready(Ok(count)) => *count == 0,
            #[cfg(feature = "tls")]
            Poll::Ready(Err(_)) => !matches!(self.stream, Stream::Tls(_)),
            #[cfg(not(feature = "tls"))]
            Poll::Ready(Err(_)) => true,
            Poll::Pending => true,
        }
    }
}

/// The alert that ends a connection may be all that an engine ever says on it: it is noted, since what
/// becomes of the request tells less.
#[cfg(feature = "tls")]
impl Socket {
    fn note(&mut self, read: &Poll<io::Result<()>>, length: usize) {
        self.heard |= length > 0;
        if let (false, Poll::Ready(Err(error))) = (self.heard, read)
            && let Some(alert) = Alert::of(error)
        {
            let _ = self.gate.0.alert.set(alert);
        }
    }

    /// A write may fail because the engine has gone, before anybody read why it went.
    fn look_for_alert(&mut self, cx: &mut Context<'_>) {
        if let (Stream::Tls(stream), false) = (&mut self.stream, self.heard) {
            let mut byte = [0];
            let mut byte = ReadBuf::new(&mut byte);
            let read = Pin::new(stream).poll_read(cx, &mut byte);
            self.note(&read, byte.filled().len());
        }
    }
}

/// Calls the same method on whichever stream it is.
macro_rules! either {
    ($socket:expr, $method:ident, $($argument:expr),*) => {
        match &mut $socket.stream {
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        #[cfg(feature = "tls")]
        let before = buffer.filled().len();
        let read = either!(self, poll_read, cx, buffer);
        #[cfg(feature = "tls")]
        self.note(&read, buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(first) = self.gate.pass() else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        let written = either!(self, poll_write, cx, bytes);
        if first && self.kept_back(&written) {
            self.gate.reopen();
        }
        #[cfg(feature = "tls")]
        if let Poll::Ready(Err(_)) = written {
            self.look_for_alert(cx);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = either!(self, poll_flush, cx);
        #[cfg(feature = "tls")]
        if let Poll::Ready(Err(_)) = flushed {
            self.look_for_alert(cx);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_unsent_is_never_sent() {
        let gate = Gate::default();
        assert_eq!((gate.pass(), gate.pass()), (Some(true), Some(false)));
        assert!(!gate.shut(), "something passed");
        gate.reopen();
        assert!(gate.shut() && gate.shut());
        gate.reopen();
        assert_eq!(gate.pass(), None);
    }
}
