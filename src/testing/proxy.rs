//! A way to a real engine that fails as it is told to.

use std::io;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::faults::Faults;
use super::serve::{Body, Directory, Listen, Sent, Server, Service};
use crate::config::Config;
use crate::endpoint::Endpoint;

/// Stands between clients and a real engine, and passes everything on but what [`Faults`] say: uploads, streams and
/// connections that are handed over included.
///
/// It listens at a unix socket of its own. The engine is at a unix socket or a plaintext port; one behind TLS is refused,
/// since nothing could be seen there. Each request goes to the engine on a connection of its own. What a client has
/// begun ends where the proxy is dropped, but for requests that are delayed.
///
/// ```no_run
/// use catamaran::testing::{Fault, FaultProxy, Rule, When};
/// use catamaran::{AsyncEngine, Config, ContainerBackend};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = FaultProxy::start(Config::from_env()?.endpoint()).await?;
/// let rule = proxy.faults().add(Rule::any(Fault::Status(503)).when(When::Every(2)));
/// let backend = AsyncEngine::new(&proxy.config()?)?;
/// let _ = backend.info().await;
/// println!("{:?}", proxy.faults().count(rule));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    server: Server<Upstream>,
}

impl FaultProxy {
    /// Starts it, on the current runtime, without a fault.
    ///
    /// # Errors
    /// Where no socket can be made, and [`Unsupported`](io::ErrorKind::Unsupported) for an engine behind TLS.
    pub async fn start(engine: &Endpoint) -> io::Result<Self> {
        if !matches!(engine, Endpoint::Unix { .. } | Endpoint::Tcp { .. }) {
            let message = format!(
                "a fault proxy can't see into {engine}: it needs a unix socket or a plaintext port"
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let listen = Listen::Unix(Directory::new()?);
        let server = Server::start(listen, Upstream(engine.clone()), Faults::new()).await?;
        Ok(Self { server })
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.server.endpoint()
    }

    /// A configuration that leads through it.
    ///
    /// # Errors
    /// Never, as things are: what a configuration may be refused for isn't set.
    pub fn config(&self) -> crate::error::Result<Config> {
        self.server.config()
    }

    /// What goes wrong: rules may be added and taken away while it runs.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// Ends all connections and refuses new ones.
    pub fn disconnect(&self) {
        self.server.close();
    }

    /// Answers again, at the same place.
    ///
    /// # Errors
    /// Where the socket can't be made again.
    pub async fn reconnect(&mut self) -> io::Result<()> {
        self.server.open().await
    }
}

/// The engine that requests are passed on to.
#[derive(Debug)]
struct Upstream(Endpoint);

impl Service for Upstream {
    async fn answer(self: &Arc<Self>, request: Request<Sent>) -> Response<Body> {
        match self.pass(request).await {
            Ok(response) => response,
            Err(error) => {
                // As a gateway says it; the connection to the client is sound.
                let message =
                    serde_json::json!({"message": format!("the engine isn't reached: {error}")});
                let body = http_body_util::Full::new(message.to_string().into());
                let body = body.map_err(|never| match never {}).boxed_unsync();
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }
}

impl Upstream {
    async fn pass(&self, request: Request<Sent>) -> io::Result<Response<Body>> {
        match &self.0 {
            Endpoint::Unix { path } => exchange(UnixStream::connect(path).await?, request).await,
            Endpoint::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                exchange(stream, request).await
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Sent>,
) -> io::Result<Response<Body>> {
    let theirs = hyper::upgrade::on(&mut request);
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(io::Error::other)?;
    // It ends with the answer's body, or with what it was handed over to.
    tokio::spawn(connection.with_upgrades());
    let mut response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let ours = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            // Either side may go away before.
            if let Ok((theirs, ours)) = futures::future::try_join(theirs, ours).await {
                let (mut theirs, mut ours) = (TokioIo::new(theirs), TokioIo::new(ours));
                let _ = tokio::io::copy_bidirectional(&mut theirs, &mut ours).await;
            }
        });
    }
    Ok(response.map(|body| body.map_err(io::Error::other).boxed_unsync()))
}
