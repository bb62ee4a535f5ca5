//! The kept connections under the async engine.
//!
//! bollard's own connectors open a connection for every request and leave Nagle's delay on; `hyper-util`'s
//! client keeps them, and has a task for each, which must be woken for a request and must wake whoever waits for
//! the answer. Here whoever waits drives the connection, and needs no wake for what it does itself. It goes back when
//! its answer has been read, and knows whether any byte of the current request has left, so that "nothing was sent" is
//! a fact and not a guess.

mod wakes;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::Stream;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::wakes::Wakes;
use super::carrier::{broken, no_answer, no_connection};
use super::idle::{Idle, Keep};
use super::socket::{Gate, Road, Socket};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Effect, Error, Result};

/// What an engine makes of it is nothing.
const HOST: HeaderValue = HeaderValue::from_static("localhost");

/// A connection that was used so lately is taken for open.
const A_MOMENT: Duration = Duration::from_millis(1);

/// What drives a connection.
type Driver<B> = Connection<TokioIo<Socket>, B>;

/// What is asked by requests with such a body.
pub(super) trait RequestBody:
    HttpBody<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> RequestBody for B
where
    B: HttpBody + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
}

pub(super) struct Transport<B: RequestBody> {
    connect_timeout: Duration,
    pool: Arc<Pool<B>>,
}

/// A connection, for one request after the other. It ends where it is dropped, and what it hadn't sent or read by then goes with it: an
/// engine that is stuck keeps nothing of a call that was given up.
pub(super) struct Link<B: RequestBody> {
    requests: SendRequest<B>,
    /// Until the connection has ended.
    driver: Option<Pin<Box<Driver<B>>>>,
    wakes: Wakes,
    gate: Gate,
    /// Where its bytes come and go.
    runtime: Handle,
    /// Of the certificates that it was made with.
    generation: u64,
}

impl<B: RequestBody> Link<B> {
    /// Gives the current request up, and says what it can have done.
    fn give_up(self) -> Effect {
        if self.gate.shut() {
            Effect::NotSent
        } else {
            Effect::Unknown
        }
    }

    /// Takes what has come already, so that there is room for more, and else drives the connection for it.
    fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut waited_for: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { driver, wakes, .. } = self;
        wakes.poll(cx, |cx| {
            let come = waited_for(cx);
            if come.is_ready() {
                return come;
            }
            if let Some(open) = driver
                && open.as_mut().poll(cx).is_ready()
            {
                // How it has ended shows where it is used.
                *driver = None;
            }
            waited_for(cx)
        })
    }

    /// Drives the connection until this has come of it.
    fn drive<F: Future>(&mut self, waited_for: F) -> Drive<&mut Self, F> {
        Drive {
            link: self,
            waited_for,
        }
    }
}

pin_project! {
    /// Something that comes by a connection, and whoever waits for it drives that.
    struct Drive<L, F> {
        link: L,
        #[pin]
        waited_for: F,
    }
}

impl<L: Driven, F: Future> Future for Drive<L, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let waited_for = &mut this.waited_for;
        (this.link).poll_for(cx, |cx| waited_for.as_mut().poll(cx))
    }
}

/// An answer's body, and the connection that it comes by: whoever reads drives it.
pub(super) struct Pieces<L> {
    /// Dropped before the connection, which ends with it.
    body: Option<Incoming>,
    link: L,
}

impl<L> Pieces<L> {
    pub(super) fn new(body: Incoming, link: L) -> Self {
        Self {
            body: Some(body),
            link,
        }
    }
}

/// A connection that is read from, its own or somebody's.
pub(super) trait Driven {
    fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        waited_for: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T>;

    /// The answer has been read.
    fn end(&mut self);
}

impl<B: RequestBody> Driven for &mut Link<B> {
    fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        waited_for: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        Link::poll_for(self, cx, waited_for)
    }

    fn end(&mut self) {}
}

/// A stream may last, and often ends with its connection: that isn't kept.
impl<B: RequestBody> Driven for Option<Link<B>> {
    fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut waited_for: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self {
            Some(link) => link.poll_for(cx, waited_for),
            None => waited_for(cx),
        }
    }

    fn end(&mut self) {
        *self = None;
    }
}

impl<L: Driven + Unpin> Stream for Pieces<L> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Self { body, link } = &mut *self;
        loop {
            let Some(incoming) = body else {
                return Poll::Ready(None);
            };
            match link.poll_for(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are none of the body.
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    *body = None;
                    return Poll::Ready(Some(Err(broken(error))));
                }
                Poll::Ready(None) => {
                    *body = None;
                    link.end();
                }
            }
        }
    }
}

/// The way to the engine, and the connections that nobody uses.
struct Pool<B: RequestBody> {
    road: Road,
    idle: Idle<Link<B>>,
}

impl<B: RequestBody> Keep for Pool<B> {
    type Kept = Link<B>;

    fn idle(&self) -> &Idle<Link<B>> {
        &self.idle
    }

    /// Those of certificates that were renewed since are not.
    fn of_use(&self) -> impl Fn(&Link<B>) -> bool {
        let generation = self.road.generation();
        move |link| link.generation == generation
    }

    /// No new connection looks at the certificates while those that are kept suffice.
    fn look(&self) -> impl Future<Output = ()> + Send {
        self.road.look()
    }
}

impl<B: RequestBody> Pool<B> {
    /// The latest of those that this runtime drives: nobody may be driving another's just now.
    fn take(&self) -> Option<(Instant, Link<B>)> {
        let runtime = Handle::current().id();
        self.idle.take(|link| link.runtime.id() == runtime)
    }
}

impl<B: RequestBody> Transport<B> {
    pub(super) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            connect_timeout: config.connect_timeout(),
            pool: Arc::new(Pool {
                road: Road::new(config.endpoint())?,
                idle: Idle::new(config.idle_timeout()),
            }),
        })
    }

    /// Sends a request and waits for the head of its answer. What it came over can be
    /// [kept](Self::keep) once its body has been read or dropped.
    pub(super) async fn send(
        &self,
        mut request: Request<B>,
        deadline: Deadline,
    ) -> Result<(Response<Incoming>, Link<B>)> {
        request.headers_mut().insert(header::HOST, HOST);
        loop {
            let now = Instant::now();
            self.pool.prune(now);
            let kept = self.pool.take();
            let fresh = kept.is_none();
            let mut link = match kept {
                Some((since, link)) => {
                    if now - since > A_MOMENT {
                        // Where nobody has looked at the connections since, one that was closed shows by a turn of the runtime alone.
                        tokio::task::yield_now().await;
                    }
                    link
                }
                // Apart: what it takes to connect isn't kept for as long as the call is under way.
                None => Box::pin(self.open(deadline)).await?,
            };
            let answer = link.requests.try_send_request(request);
            match deadline.bound(link.drive(answer)).await {
                Ok(Ok(response)) => return Ok((response, link)),
                Ok(Err(mut failed)) => match failed.take_message() {
                    // A kept connection that turned out closed before anything was written.
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(self.no_answer(failed.into_error(), link)),
                },
                Err(timeout) => return Err(timeout.with_effect(link.give_up())),
            }
        }
    }

    fn no_answer(&self, cause: hyper::Error, link: Link<B>) -> Error {
        match self.pool.road.refused(&link.gate, cause) {
            // The engine took the connection for none of its own, and read nothing.
            Ok(refused) => refused.with_effect(Effect::NotSent),
            Err(cause) => no_answer(cause).with_effect(link.give_up()),
        }
    }

    /// Keeps a connection for the next request, unless it has ended, or something of this one is still to be sent or read.
    pub(super) fn keep(&self, link: Link<B>) {
        if link.driver.is_none() || !link.requests.is_ready() {
            return;
        }
        link.gate.reopen();
        let runtime = link.runtime.clone();
        self.pool.keep(link, &runtime);
    }

    /// A new connection.
    async fn open(&self, deadline: Deadline) -> Result<Link<B>> {
        let gate = Gate::default();
        let open = async {
            let connected = tokio::time::timeout(self.connect_timeout, self.pool.road.connect());
            let (stream, generation) = connected
                .await
                .map_err(|_| no_connection(io::Error::from(io::ErrorKind::TimedOut)))??;
            let socket = Socket::new(stream, gate.clone());
            let made = handshake(TokioIo::new(socket)).await;
            let (requests, connection) = made.map_err(no_connection)?;
            Ok::<_, Error>((requests, connection, generation))
        };
        let opened = deadline.bound(open).await;
        let (requests, connection, generation) =
            opened.map_err(|error| error.with_effect(Effect::NotSent))??;
        Ok(Link {
            requests,
            driver: Some(Box::pin(connection)),
            wakes: Wakes::default(),
            gate,
            runtime: Handle::current(),
            generation,
        })
    }

    /// Sends a request that asks for its connection, a new one, and gives it back where the engine hands it
    /// over; else the answer.
    pub(super) async fn take_over(
        &self,
        mut request: Request<B>,
        deadline: Deadline,
    ) -> Result<std::result::Result<TokioIo<Upgraded>, Response<Incoming>>> {
        request.headers_mut().insert(header::HOST, HOST);
        let mut link = self.open(deadline).await?;
        if let Some(driver) = link.driver.take() {
            // Handed over, it is driven by nobody who waits for an answer.
            let driver = *Pin::into_inner(driver);
            tokio::spawn(driver.with_upgrades());
        }
        let exchange = async {
            let response = link.requests.send_request(request).await?;
            Ok(if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                Ok(TokioIo::new(hyper::upgrade::on(response).await?))
            } else {
                Err(response)
            })
        };
        match deadline.bound(exchange).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(cause)) => Err(self.no_answer(cause, link)),
            Err(timeout) => Err(timeout.with_effect(link.give_up())),
        }
    }
}

#[cfg(test)]
mod tests;
