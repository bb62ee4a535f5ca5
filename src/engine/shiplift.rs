//! The blocking engine's client: the one file that names shiplift.
//!
//! Requests go through the hyper client of shiplift's `Transport`, which shows status and headers, in
//! *lanes*: a lane is a current-thread runtime with a client of its own, checked out by the blocking
//! closure, so that the thread that waits also drives the connection. Streams outlive their call and
//! hold no thread: they live on one small runtime of their own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use hyper014::client::HttpConnector;
use hyper014::header::{self, HeaderValue};
use hyper014::{Client, Request, Response};
use shiplift::transport::Transport;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use super::carrier::{
    Answer, Carrier, Envelope, Handover, OpenAnswer, Status, broken, connection, no_answer,
    no_connection,
};
use super::idle::{Idle, Keep};
use super::takeover::Kept;
#[cfg(feature = "tls")]
use super::tls::openssl::{Connections, Connector as Tls};
use super::wire::{self, Body, Call, Command, Head, Headers};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;
use crate::model::{ContainerRef, TarArchive};
use crate::policy::Permit;
use crate::telemetry::metrics::{self, OneMore};

/// What an engine makes of it is nothing.
const HOST: HeaderValue = HeaderValue::from_static("localhost");

/// shiplift's transport behind `spawn_blocking`.
pub struct ShipliftCarrier {
    shared: Arc<Shared>,
}

struct Shared {
    roads: Arc<Roads>,
    lanes: Idle<Lane>,
    streams: OnceLock<Lane>,
}

/// A runtime with a client of its own, whose connections it drives: a lane, or the place of streams.
struct Lane {
    runtime: Option<tokio::runtime::Runtime>,
    road: Place,
    _counted: OneMore,
}

/// shiplift's transport, and what its failures mean.
struct Road {
    transport: Transport,
    /// What its requests' addresses begin with.
    origin: hyper014::Uri,
    /// And what its connections are made with.
    #[cfg(feature = "tls")]
    tls: Option<(Tls, Arc<Connections>)>,
}

/// Where a road is kept, which is made when it is first wanted.
type Place = Arc<Mutex<Option<Arc<Road>>>>;

/// What roads are made of.
struct Roads {
    config: Config,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        // An ordinary drop would block, and panics where blocking isn't allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Lane {
    fn runtime(&self) -> Result<&tokio::runtime::Runtime> {
        self.runtime.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Cancelled, "the engine is shutting down")
                .with_effect(Effect::NotSent)
        })
    }
}

impl Roads {
    fn road(&self) -> Result<Road> {
        let mut builder = Client::builder();
        builder.pool_idle_timeout(self.config.idle_timeout());
        let endpoint = self.config.endpoint();
        let authority = endpoint.authority().unwrap_or_default();
        let (transport, origin) = match endpoint {
            Endpoint::Unix { path } => {
                let client = builder.build(hyperlocal::UnixConnector);
                let path = path.to_string_lossy().into_owned();
                let origin = hyperlocal::Uri::new(&path, "/").into();
                (Transport::Unix { client, path }, origin)
            }
            Endpoint::Tcp { .. } => {
                let client = builder.build(http(&self.config));
                let host = format!("http://{authority}");
                let origin = url(&host, "/")?;
                (Transport::Tcp { client, host }, origin)
            }
            Endpoint::Tls { .. } => {
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let latest = tls.look();
                    let client = builder.build(latest.value.clone());
                    let host = format!("https://{authority}");
                    return Ok(Road {
                        origin: url(&host, "/")?,
                        transport: Transport::EncryptedTcp { client, host },
                        tls: Some((tls.clone(), latest)),
                    });
                }
                // Refused when the engine is made: no plaintext is ever sent there.
                return Err(super::left_out(endpoint));
            }
        };
        Ok(Road {
            transport,
            origin,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The road of that place, made anew where the certificates have been; what is under way on the old one
    /// goes on. It looks at their files, and so may block.
    fn latest(&self, place: &Mutex<Option<Arc<Road>>>) -> Result<Arc<Road>> {
        let mut place = lock(place);
        match &*place {
            Some(road) if road.is_latest() => Ok(Arc::clone(road)),
            _ => Ok(Arc::clone(place.insert(Arc::new(self.road()?)))),
        }
    }

    /// As [`latest`](Self::latest), on a thread that mustn't block.
    async fn latest_aside(self: Arc<Self>, place: Place) -> Result<Arc<Road>> {
        match self.config.endpoint() {
            Endpoint::Tls { .. } => tokio::task::spawn_blocking(move || self.latest(&place))
                .await
                .map_err(stopping)?,
            _ => self.latest(&place),
        }
    }
}

impl Road {
    /// Where that is asked for.
    fn uri(&self, path: &str) -> Result<hyper014::Uri> {
        // Of the origin, which may be long itself, nothing is read again.
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(no_url)?);
        hyper014::Uri::from_parts(parts).map_err(no_url)
    }

    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self))]
    fn is_latest(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some((tls, with)) = &self.tls {
            return tls.look().generation == with.generation;
        }
        true
    }
}

fn stopping(ended: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Cancelled, "the host's runtime is shutting down").with_source(ended)
}

/// Nobody drives a lane that is idle: what it has open goes with it.
impl Keep for Shared {
    type Kept = Lane;

    fn idle(&self) -> &Idle<Lane> {
        &self.lanes
    }
}

impl Shared {
    fn check_out(&self) -> Result<Lane> {
        self.prune(Instant::now());
        if let Some((_, lane)) = self.lanes.take(|_| true) {
            return Ok(lane);
        }
        self.lane(&mut tokio::runtime::Builder::new_current_thread())
    }

    fn lane(&self, runtime: &mut tokio::runtime::Builder) -> Result<Lane> {
        let runtime = runtime.enable_io().enable_time().build().map_err(|error| {
            Error::new(ErrorKind::Connect, "no runtime can be made").with_source(error)
        })?;
        Ok(Lane {
            runtime: Some(runtime),
            road: Place::default(),
            _counted: connection(EngineKind::Blocking),
        })
    }

    fn streams(&self) -> Result<&Lane> {
        if let Some(streams) = self.streams.get() {
            return Ok(streams);
        }
        // Made whole before it is offered: where another came first, this one must end as a lane does.
        let streams = self.lane(
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("catamaran-streams"),
        )?;
        Ok(self.streams.get_or_init(|| streams))
    }
}

fn http(config: &Config) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(config.connect_timeout()));
    connector
}

fn request(road: &Road, call: Call, envelope: Envelope) -> Result<Request<hyper014::Body>> {
    let uri = road.uri(&wire::versioned(&call.path, envelope.version)?)?;
    let content_type = HeaderValue::from_static(call.body.content_type());
    let body = match call.body {
        Body::Empty => hyper014::Body::empty(),
        Body::Json(bytes) | Body::Tar(TarArchive::Bytes(bytes)) => bytes.into(),
        Body::Tar(TarArchive::Stream(pieces)) => hyper014::Body::wrap_stream(pieces),
    };
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(uri)
        .header(header::HOST, HOST)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(no_url)?;
    if let Some(auth) = call.registry_auth {
        let mut auth = HeaderValue::from_bytes(auth.as_bytes())
            .map_err(|_| Error::invalid("auth", "can't be a header"))?;
        auth.set_sensitive(true);
        request.headers_mut().insert(wire::REGISTRY_AUTH, auth);
    }
    Ok(request)
}

async fn send(road: &Road, request: Request<hyper014::Body>) -> Result<Response<hyper014::Body>> {
    let sent = match &road.transport {
        Transport::Unix { client, .. } => client.request(request).await,
        Transport::Tcp { client, .. } => client.request(request).await,
        #[cfg(feature = "tls")]
        Transport::EncryptedTcp { client, .. } => client.request(request).await,
    };
    match sent {
        Ok(response) => Ok(response),
        Err(error) => Err(failed(road, error).await),
    }
}

fn url(host: &str, path: &str) -> Result<hyper014::Uri> {
    format!("{host}{path}").parse().map_err(no_url)
}

fn no_url(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid("path", "is no URL").with_source(error)
}

async fn failed(road: &Road, error: hyper014::Error) -> Error {
    #[cfg(feature = "tls")]
    if let (Some((tls, with)), Transport::EncryptedTcp { host, .. }) = (&road.tls, &road.transport)
    {
        return refused(tls, with, host, error).await;
    }
    #[cfg(not(feature = "tls"))]
    let _ = road;
    if error.is_connect() {
        no_connection(error)
    } else {
        no_answer(error)
    }
}

/// The error of a request over TLS. An engine that refuses our certificate may do so before hyper hands the
/// request to the connection: then nothing was sent, and hyper doesn't tell why. A connection that is made
/// for it alone does.
#[cfg(feature = "tls")]
async fn refused(tls: &Tls, with: &Connections, host: &str, error: hyper014::Error) -> Error {
    if error.is_connect() {
        return tls.no_connection(error);
    }
    let unsent = error.is_closed() || error.is_canceled();
    let error = match tls.refused(error) {
        Ok(refused) => return refused,
        Err(error) => no_answer(error),
    };
    if !unsent {
        return error;
    }
    let why = match url(host, "/_ping") {
        Ok(engine) => tls.why_refused(with, engine).await,
        Err(_) => None,
    };
    why.unwrap_or(error).with_effect(Effect::NotSent)
}

fn split(response: Response<hyper014::Body>) -> (Head, hyper014::Body) {
    let (parts, body) = response.into_parts();
    let head = Head {
        status: parts.status.as_u16(),
        headers: Headers::Hyper014(parts.headers),
    };
    (head, body)
}

fn pieces(body: hyper014::Body) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + 'static {
    body.map(|piece| piece.map_err(broken))
}

async fn ask(road: &Road, call: Call, envelope: Envelope) -> Result<Answer> {
    let (head, body) = split(send(road, request(road, call, envelope)?).await?);
    // The lane bounds the whole exchange by its own clock.
    let unbounded = Deadline::new(None, None);
    Answer::read(head, pieces(body), unbounded).await
}

/// Runs within a lane until the answer, the deadline, or the caller's going away.
async fn in_lane(
    road: &Road,
    call: Call,
    envelope: Envelope,
    gone: CancellationToken,
    left: Option<std::time::Duration>,
) -> Result<Answer> {
    // Without a turn of the runtime first, a connection that was closed while nobody drove it goes
    // unnoticed, and the request is lost on it.
    tokio::task::yield_now().await;
    let expired = async {
        match left {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = gone.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the caller went away")),
        answer = ask(road, call, envelope) => answer,
        () = expired => Err(envelope.deadline.error()),
    }
}

impl ShipliftCarrier {
    /// Runs a call in a lane, on a thread of the caller's blocking pool.
    async fn blocking(&self, call: Call, envelope: Envelope, permit: Permit) -> Result<Answer> {
        let shared = Arc::clone(&self.shared);
        let gone = CancellationToken::new();
        let _gone = gone.clone().drop_guard();
        // Taken by the closure before it sends anything, or by whoever gives up before that: then it sends nothing.
        let taken = Arc::new(AtomicBool::new(false));
        let take = Arc::clone(&taken);
        let span = Span::current();
        let join = tokio::task::spawn_blocking(move || {
            let (_within, _busy) = (span.entered(), OneMore::of(metrics::BLOCKING_THREADS, None));
            // A closure that has begun can't be aborted: the thread is taken until it ends.
            let _permit = permit;
            if gone.is_cancelled() || take.swap(true, Ordering::AcqRel) {
                return Err(Error::new(ErrorKind::Cancelled, "the caller went away")
                    .with_effect(Effect::NotSent));
            }
            let lane = shared.check_out()?;
            let road = shared.roads.latest(&lane.road)?;
            // Measured on the caller's clock, which a test may have paused; the lane has a clock of its own.
            let left = envelope.deadline.left();
            let answer = lane.runtime()?.block_on(async {
                let answer = in_lane(&road, call, envelope, gone, left).await;
                if answer.is_err() {
                    // What was given up is closed now, not when somebody takes the lane again: until then the way to the
                    // engine may still pass it on.
                    for _ in 0..4 {
                        tokio::task::yield_now().await;
                    }
                }
                answer
            });
            shared.keep(lane, &Handle::current());
            answer
        });
        match envelope.deadline.bound(join).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(ended)) => Err(stopping(ended)),
            Err(timeout) if taken.swap(true, Ordering::AcqRel) => Err(timeout),
            Err(timeout) => Err(timeout.with_effect(Effect::NotSent)),
        }
    }

    /// Runs what begins a stream where streams live.
    async fn on_streams<T, F>(
        &self,
        envelope: Envelope,
        begin: impl FnOnce(Arc<Road>) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let streams = self.shared.streams()?;
        let (roads, road) = (Arc::clone(&self.shared.roads), Arc::clone(&streams.road));
        let begins = async move {
            let road = roads.latest_aside(road).await?;
            begin(road).await
        };
        let begins = begins.instrument(Span::current());
        let begun = AbortOnDropHandle::new(streams.runtime()?.spawn(begins));
        match envelope.deadline.bound(begun).await? {
            Ok(begun) => begun,
            Err(error) => {
                Err(Error::new(ErrorKind::Cancelled, "the stream's task ended").with_source(error))
            }
        }
    }
}

impl Carrier for ShipliftCarrier {
    const KIND: EngineKind = EngineKind::Blocking;

    fn new(config: &Config) -> Result<Self> {
        #[cfg(feature = "tls")]
        let tls = match config.endpoint() {
            Endpoint::Tls { host, tls, .. } => Some(Tls::new(http(config), host, tls)?),
            _ => None,
        };
        let shared = Shared {
            roads: Arc::new(Roads {
                config: config.clone(),
                #[cfg(feature = "tls")]
                tls,
            }),
            lanes: Idle::new(config.idle_timeout()),
            streams: OnceLock::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    async fn ask(&self, call: Call, envelope: Envelope, permit: Permit) -> Result<Answer> {
        self.blocking(call, envelope, permit).await
    }

    async fn open(&self, call: Call, envelope: Envelope) -> Result<OpenAnswer> {
        let opened = move |road: Arc<Road>| async move {
            Ok(split(send(&road, request(&road, call, envelope)?).await?))
        };
        let (head, body) = self.on_streams(envelope, opened).await?;
        // Its runtime lives as long as the stream: hyper takes the end of one for the end of the answer.
        let shared = Arc::clone(&self.shared);
        let body = pieces(body).inspect(move |_| _ = &shared).boxed();
        Ok(OpenAnswer { head, body })
    }

    async fn take_over(&self, call: Call, envelope: Envelope) -> Result<Handover> {
        let taken = move |road: Arc<Road>| async move {
            let mut request = request(&road, call, envelope)?;
            for (name, value) in wire::TAKE_OVER {
                let value = HeaderValue::from_static(value);
                request.headers_mut().insert(name, value);
            }
            let response = send(&road, request).await?;
            if response.status() == hyper014::StatusCode::SWITCHING_PROTOCOLS {
                let taken = hyper014::upgrade::on(response).await.map_err(no_answer)?;
                return Ok(Ok(taken));
            }
            Ok(Err(split(response)))
        };
        let shared = Arc::clone(&self.shared);
        Ok(match self.on_streams(envelope, taken).await? {
            Ok(stream) => Handover::Taken(Box::new(Kept::new(stream, shared))),
            Err((head, body)) => Handover::Answered(OpenAnswer {
                head,
                body: pieces(body).inspect(move |_| _ = &shared).boxed(),
            }),
        })
    }

    async fn command(
        &self,
        container: &ContainerRef,
        command: Command,
        envelope: Envelope,
        permit: Permit,
    ) -> Result<Status> {
        let Answer { head, body } = self
            .blocking(command.call(container), envelope, permit)
            .await?;
        match head.status {
            304 => Ok(Status::Unchanged),
            _ if head.is_success() => Ok(Status::Done),
            _ => Err(head.into_error(&body)),
        }
    }
}
