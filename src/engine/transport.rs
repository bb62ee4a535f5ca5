//! The kept connections under the async engine.
//!
//! bollard's own connectors open a connection for every request and leave Nagle's delay on; `hyper-util`'s
//! client keeps them, at the price of another task for every answer. Here a connection is one task, goes
//! back when its answer has been read, and knows whether any byte of the current request has left, so that
//! "nothing was sent" is a fact and not a guess.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use super::carrier::{no_answer, no_connection};
use super::socket::{Gate, Road, Socket};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Effect, Error, Result};
use crate::lock::lock;

/// What an engine makes of it is nothing.
const HOST: HeaderValue = HeaderValue::from_static("localhost");

/// What drives a connection.
type Driver<B> = Connection<TokioIo<Socket>, B>;

pub(super) struct Transport<B> {
    connect_timeout: Duration,
    pool: Arc<Pool<B>>,
}

/// A connection, for one request after the other. Dropped, it ends with its current answer.
pub(super) struct Link<B> {
    requests: SendRequest<B>,
    gate: Gate,
    driver: Id,
    /// Of the certificates that it was made with.
    generation: u64,
    idle_since: Instant,
}

impl<B> Link<B> {
    /// Gives the current request up, and says what it can have done.
    fn give_up(self) -> Effect {
        if self.gate.shut() {
            Effect::NotSent
        } else {
            Effect::Unknown
        }
    }
}

/// The way to the engine, and the connections that nobody uses, the latest used last.
struct Pool<B> {
    road: Road,
    timeout: Duration,
    links: Mutex<Vec<Link<B>>>,
}

impl<B> Pool<B> {
    fn links(&self) -> MutexGuard<'_, Vec<Link<B>>> {
        lock(&self.links)
    }

    /// The latest of those that this runtime drives: nobody may be driving another's just now.
    fn take(&self, driver: Id) -> Option<Link<B>> {
        let mut links = self.links();
        let latest = links.iter().rposition(|link| link.driver == driver)?;
        Some(links.remove(latest))
    }

    /// Drops those that nobody has used for long, and those of certificates that were renewed since.
    fn prune(&self) {
        let generation = self.road.generation();
        self.links().retain(|link| {
            link.generation == generation && link.idle_since.elapsed() < self.timeout
        });
    }
}

impl<B> Transport<B>
where
    B: HttpBody + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            connect_timeout: config.connect_timeout(),
            pool: Arc::new(Pool {
                road: Road::new(config.endpoint())?,
                timeout: config.idle_timeout(),
                links: Mutex::default(),
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
            let kept = self.kept(deadline).await?;
            let fresh = kept.is_none();
            let mut link = match kept {
                Some(link) => link,
                None => self.connect(deadline).await?,
            };
            let sent = deadline.bound(link.requests.try_send_request(request));
            match sent.await {
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

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, mut link: Link<B>) {
        link.gate.reopen();
        link.idle_since = Instant::now();
        self.pool.links().push(link);
    }

    /// A kept connection that is open still.
    async fn kept(&self, deadline: Deadline) -> Result<Option<Link<B>>> {
        self.pool.prune();
        loop {
            let Some(mut link) = self.pool.take(Handle::current().id()) else {
                return Ok(None);
            };
            // Nobody reads its last answer any more: it is ready at once, or closed.
            let ready = deadline.bound(link.requests.ready()).await;
            match ready.map_err(|timeout| timeout.with_effect(Effect::NotSent))? {
                Ok(()) => return Ok(Some(link)),
                Err(_closed) => {}
            }
        }
    }

    async fn connect(&self, deadline: Deadline) -> Result<Link<B>> {
        let (link, connection) = self.open(deadline).await?;
        let pool = Arc::downgrade(&self.pool);
        let period = self.pool.timeout;
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // How it ends shows where it is used. Each also looks after the idle ones, whoever is left, and
            // after the certificates, which no new connection does while those that are kept suffice.
            let look_after = || async {
                tokio::time::sleep(period).await;
                if let Some(pool) = pool.upgrade() {
                    pool.prune();
                    pool.road.look().await;
                }
            };
            loop {
                tokio::select! {
                    _ = &mut connection => break,
                    () = look_after() => {}
                }
            }
        });
        Ok(link)
    }

    /// A new connection, and what drives it.
    async fn open(&self, deadline: Deadline) -> Result<(Link<B>, Driver<B>)> {
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
        let link = Link {
            requests,
            gate,
            driver: Handle::current().id(),
            generation,
            idle_since: Instant::now(),
        };
        Ok((link, connection))
    }

    /// Sends a request that asks for its connection, a new one, and gives it back where the engine hands it
    /// over; else the answer.
    pub(super) async fn take_over(
        &self,
        mut request: Request<B>,
        deadline: Deadline,
    ) -> Result<std::result::Result<TokioIo<Upgraded>, Response<Incoming>>> {
        request.headers_mut().insert(header::HOST, HOST);
        let (mut link, connection) = self.open(deadline).await?;
        tokio::spawn(connection.with_upgrades());
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
mod tests {
    use http_body_util::{BodyExt, Empty};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;
    use crate::endpoint::Endpoint;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

    /// An engine that ends each connection after so many answers, and counts those it has open.
    struct Engine {
        directory: tempfile::TempDir,
        open: Arc<Mutex<(usize, usize)>>,
    }

    impl Engine {
        fn new(answers: usize) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
            let open = Arc::new(Mutex::new((0, 0)));
            let counts = Arc::clone(&open);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let counts = Arc::clone(&counts);
                    tokio::spawn(async move {
                        counts.lock().expect("counts").0 += 1;
                        counts.lock().expect("counts").1 += 1;
                        for _ in 0..answers {
                            let mut request = [0; 1024];
                            match stream.read(&mut request).await {
                                Ok(length) if length > 0 => {}
                                _ => break,
                            }
                            stream.write_all(ANSWER).await.expect("an answer");
                        }
                        counts.lock().expect("counts").1 -= 1;
                    });
                }
            });
            Self { directory, open }
        }

        fn transport(&self, idle: Duration) -> Transport<Empty<bytes::Bytes>> {
            let config = Config::builder()
                .endpoint(Endpoint::unix(self.directory.path().join("socket")))
                .idle_timeout(idle);
            Transport::new(&config.build().expect("a configuration")).expect("a transport")
        }

        /// How many connections there were, and how many there are.
        fn connections(&self) -> (usize, usize) {
            *self.open.lock().expect("counts")
        }
    }

    async fn call(transport: &Transport<Empty<bytes::Bytes>>) {
        let request = Request::get("/_ping")
            .body(Empty::new())
            .expect("a request");
        let deadline = Deadline::new(Some(Duration::from_secs(10)), None);
        let (response, link) = transport.send(request, deadline).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "OK");
        transport.keep(link);
    }

    #[tokio::test]
    async fn calls_share_a_connection_while_it_is_open() {
        let engine = Engine::new(3);
        let transport = engine.transport(Duration::from_secs(5));
        for _ in 0..9 {
            call(&transport).await;
        }
        assert_eq!(engine.connections().0, 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn calls_at_once_have_a_connection_each_and_keep_it() {
        let engine = Engine::new(usize::MAX);
        let transport = Arc::new(engine.transport(Duration::from_secs(60)));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let transport = Arc::clone(&transport);
                tokio::spawn(async move {
                    for _ in 0..100 {
                        call(&transport).await;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("a caller");
        }
        let (ever, open) = engine.connections();
        assert!(ever <= 8 && open == ever, "{ever} connections, {open} open");
    }

    #[tokio::test]
    async fn idle_connections_end_though_nobody_calls() {
        let engine = Engine::new(usize::MAX);
        let transport = engine.transport(Duration::from_millis(50));
        call(&transport).await;
        assert_eq!(engine.connections(), (1, 1));
        let ended = async {
            while engine.connections() != (1, 0) {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        ended.expect("it ends in time");
        call(&transport).await;
        assert_eq!(engine.connections(), (2, 1));
    }
}
