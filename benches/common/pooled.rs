//! Clients over hyper-util's pool of kept connections: hyper alone, and bollard at its best.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;

use super::clients::{Client, Operation};
use super::fixture::Target;

/// Connects to this socket, whatever the address.
pub fn unix(socket: &Path) -> impl Connect + Clone + Send + Sync + 'static {
    let socket: Arc<Path> = socket.into();
    tower::service_fn(move |_: Uri| {
        let socket = Arc::clone(&socket);
        Box::pin(async move { UnixStream::connect(socket).await.map(TokioIo::new) })
    })
}

/// bollard keeping so many connections of that kind.
pub fn bollard(
    connector: impl Connect + Clone + Send + Sync + 'static,
    address: &str,
    kept: usize,
) -> Docker {
    let pool = Pool::builder(TokioExecutor::new())
        .pool_max_idle_per_host(kept)
        .build(connector);
    let transport = move |request: BollardRequest| {
        let answer = pool.request(request);
        Box::pin(async move { answer.await.map_err(Into::into) })
            as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    };
    Docker::connect_with_custom_transport(transport, Some(address), 30, API_DEFAULT_VERSION)
        .expect("a client")
}

/// Plain hyper: answers are read to their end, but nothing is decoded.
pub struct Hyper<C> {
    pool: Pool<C, Empty<Bytes>>,
    ping: Uri,
    list: Uri,
    inspect: Uri,
}

impl<C: Connect + Clone + Send + Sync + 'static> Hyper<C> {
    /// At that address: a scheme, a host and a port.
    pub fn new(connector: C, address: &str, target: &Target) -> Self {
        let uri = |operation: Operation| {
            let uri = format!("{address}{}", operation.path(target));
            uri.parse().expect("an address")
        };
        Self {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            ping: uri(Operation::Ping),
            list: uri(Operation::List),
            inspect: uri(Operation::Inspect),
        }
    }
}

#[async_trait]
impl<C: Connect + Clone + Send + Sync + 'static> Client for Hyper<C> {
    async fn call(&self, operation: Operation) {
        let uri = match operation {
            Operation::Ping => &self.ping,
            Operation::List => &self.list,
            Operation::Inspect => &self.inspect,
        };
        let answer = self.pool.get(uri.clone()).await.expect("an answer");
        assert!(answer.status().is_success());
        answer.into_body().collect().await.expect("a body");
    }
}
