//! The two engines: one implementation of the trait over two clients.

mod attach;
pub(crate) mod bollard;
mod carrier;
mod events;
mod exec;
mod files;
mod idle;
mod logs;
mod operations;
mod pull;
mod shiplift;
mod socket;
mod stats;
mod strict;
mod takeover;
#[cfg(feature = "tls")]
mod tls;
mod transport;
pub(crate) mod wire;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::StreamExt;
use futures::stream::{self, BoxStream, Stream};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use bollard::BollardCarrier;
use carrier::{Answer, Carrier, Envelope, OpenAnswer, Status};
use shiplift::ShipliftCarrier;
use wire::{Call, Command};

use crate::backend::{BackendId, CallContext};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::endpoint::{ApiVersion, Endpoint};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::ContainerRef;
use crate::policy::{Limits, Permit, Traffic};
#[cfg(fuzzing)]
pub(crate) use strict::fuzz_differences as differences;

/// One engine, over the client `C`: see [`AsyncEngine`] and [`BlockingEngine`]. Cheap to clone; clones
/// share connections.
pub struct Engine<C: Carrier> {
    shared: Arc<Shared<C>>,
    context: CallContext,
    /// What holds its calls up; nothing where it cleans up.
    limits: Option<Arc<Limits>>,
}

/// The async engine, on bollard over kept connections.
///
/// ```no_run
/// use catamaran::{AsyncEngine, ContainerBackend, Endpoint};
///
/// # async fn example() -> catamaran::Result<()> {
/// let engine = AsyncEngine::connect(Endpoint::unix("/var/run/docker.sock"))?;
/// println!("{:?}", engine.version().await?);
/// # Ok(())
/// # }
/// ```
pub type AsyncEngine = Engine<BollardCarrier>;

/// The blocking engine, on shiplift's transport behind `spawn_blocking`. Its calls need a tokio runtime,
/// whose blocking pool they wait in.
///
/// ```no_run
/// use catamaran::{BlockingEngine, ContainerBackend, Endpoint};
///
/// # async fn example() -> catamaran::Result<()> {
/// let engine = BlockingEngine::connect(Endpoint::unix("/var/run/docker.sock"))?;
/// println!("{:?}", engine.version().await?);
/// # Ok(())
/// # }
/// ```
pub type BlockingEngine = Engine<ShipliftCarrier>;

struct Shared<C> {
    id: BackendId,
    carrier: C,
    config: Config,
    endpoint: Arc<str>,
    /// Learnt once; a new cell where what was learnt may no longer be true.
    version: ArcSwap<OnceCell<ApiVersion>>,
}

impl<C: Carrier> Clone for Engine<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            context: self.context.clone(),
            limits: self.limits.clone(),
        }
    }
}

impl<C: Carrier> fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("kind", &C::KIND)
            .field("endpoint", &self.shared.endpoint)
            .field("context", &self.context)
            .finish()
    }
}

impl<C: Carrier> Engine<C> {
    /// An engine as configured; the mode is for those who have two. Nothing is sent before the first
    /// call.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where a TLS endpoint's files can't be used, or others may read its key;
    /// [`Unsupported`](ErrorKind::Unsupported) for a TLS endpoint without the feature `tls`.
    pub fn new(config: &Config) -> Result<Self> {
        Self::over(config, Some(Arc::new(Limits::new(config.limits()))))
    }

    /// An engine at that place, with the defaults of [`Config`].
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Config`](ErrorKind::Config) for plaintext TCP beyond this machine,
    /// which anybody on the way could read and change.
    pub fn connect(endpoint: Endpoint) -> Result<Self> {
        Self::new(&Config::builder().endpoint(endpoint).build()?)
    }

    /// As [`new`](Self::new), with the permits of an engine that leads to the same daemon: what bounds
    /// the calls under way bounds both together.
    pub(crate) fn sharing<D: Carrier>(config: &Config, other: &Engine<D>) -> Result<Self> {
        Self::over(config, other.limits.clone())
    }

    /// Connections of its own, for what cleans up: it neither waits among calls nor holds them up.
    fn apart(&self) -> Result<Self> {
        Self::over(&self.shared.config, None)
    }

    /// The same without limits, for what a call under way does to end what it began.
    fn unlimited(&self) -> Self {
        Self {
            limits: None,
            ..self.clone()
        }
    }

    /// The permits that its calls take.
    pub(crate) fn limits(&self) -> Option<Arc<Limits>> {
        self.limits.clone()
    }

    fn over(config: &Config, limits: Option<Arc<Limits>>) -> Result<Self> {
        speakable(config.endpoint())?;
        Ok(Self {
            shared: Arc::new(Shared {
                id: BackendId::new(),
                carrier: C::new(config)?,
                config: config.clone(),
                endpoint: config.endpoint().to_string().into(),
                version: ArcSwap::from_pointee(OnceCell::new_with(config.api_version())),
            }),
            context: CallContext::new(),
            limits,
        })
    }
}

/// Refuses what would otherwise be spoken to in plaintext.
fn speakable(endpoint: &Endpoint) -> Result<()> {
    match endpoint {
        Endpoint::Unix { .. } | Endpoint::Tcp { .. } => Ok(()),
        Endpoint::Tls { .. } if cfg!(feature = "tls") => Ok(()),
        Endpoint::Tls { .. } => Err(left_out(endpoint)),
    }
}

/// The error of a TLS endpoint without the feature.
fn left_out(endpoint: &Endpoint) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{endpoint} needs TLS, which this build of catamaran leaves out"),
    )
    .with_advice(
        "build it with the feature tls, or reach the engine through a unix socket or a tunnel that \
         ends on loopback",
    )
}

impl<C: Carrier> Engine<C> {
    /// The call's deadline; `extra` is what the operation takes by its own nature.
    fn deadline(&self, extra: Duration) -> Deadline {
        let usual = self.shared.config.operation_timeout().saturating_add(extra);
        let timeout = self.context.timeout.unwrap_or(usual);
        Deadline::new(Some(timeout), self.context.deadline)
    }

    /// Notes an error after which the engine may be another one: it was gone, or it doesn't take what
    /// was sent, as one does that was replaced by an older or a much newer one. The next call learns the
    /// version anew.
    fn doubt_version(&self, error: &Error) {
        let gone = error.kind() == ErrorKind::Connect;
        if (gone || error.status() == Some(400)) && self.shared.config.api_version().is_none() {
            self.shared.version.store(Arc::default());
        }
    }

    /// The version to speak, learnt from a ping once.
    async fn envelope(&self, deadline: Deadline) -> Result<Envelope> {
        let learn = async {
            let envelope = Envelope {
                version: None,
                deadline,
            };
            // All wait for it, whosever turn it is.
            let answer = self.unlimited().ask(wire::ping(), envelope).await?;
            wire::agree(wire::ping_answer(&answer.head).api_version)
        };
        let known = self.shared.version.load().get().copied();
        let version = match known {
            Some(known) => known,
            None => {
                let cell = self.shared.version.load_full();
                let learnt = deadline.bound(cell.get_or_try_init(|| learn)).await;
                // The caller's own operation hasn't been sent, whatever became of the ping.
                *learnt.and_then(|learnt| learnt).map_err(not_sent)?
            }
        };
        Ok(Envelope {
            version: Some(version),
            deadline,
        })
    }

    /// As [`envelope`](Self::envelope), for a call that takes as long as it takes: within the caller's own
    /// time, if any. Learning the version is no waiting, and has the usual one.
    async fn open_ended(&self) -> Result<Envelope> {
        let deadline = self.context.own_deadline();
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        Ok(Envelope {
            deadline,
            ..envelope
        })
    }

    /// Waits for the call's turn, with which the time of its attempt begins.
    async fn turn(&self, traffic: Traffic, envelope: Envelope) -> Result<(Permit, Envelope)> {
        let (deadline, now) = (envelope.deadline, Instant::now());
        if deadline.has_passed_at(now) {
            return Err(not_sent(deadline.error()));
        }
        let (permit, then) = match &self.limits {
            Some(limits) => {
                let key = self.context.key.as_ref();
                limits.turn(traffic, key, deadline, now).await?
            }
            None => (Permit::unbounded(), now),
        };
        let deadline = deadline.within_from(then, self.context.attempt_timeout);
        Ok((
            permit,
            Envelope {
                deadline,
                ..envelope
            },
        ))
    }

    async fn ask(&self, call: Call, envelope: Envelope) -> Result<Answer> {
        self.ask_as(Traffic::Call, call, envelope).await
    }

    async fn ask_as(&self, traffic: Traffic, call: Call, envelope: Envelope) -> Result<Answer> {
        let (permit, envelope) = self.turn(traffic, envelope).await?;
        success(self.shared.carrier.ask(call, envelope, permit).await?)
    }

    async fn command(
        &self,
        container: &ContainerRef,
        command: Command,
        envelope: Envelope,
    ) -> Result<Status> {
        // One that waits for a container to end waits as long as a stream does.
        let traffic = match command {
            Command::Stop { seconds } | Command::Restart { seconds } if seconds != Some(0) => {
                Traffic::Stream
            }
            _ => Traffic::Call,
        };
        let (permit, envelope) = self.turn(traffic, envelope).await?;
        self.shared
            .carrier
            .command(container, command, envelope, permit)
            .await
    }

    /// Begins a stream within the call's time, and within that of an attempt. What goes on after has neither,
    /// but for the envelope's deadline where the caller holds it to that.
    async fn open_stream(&self, call: Call) -> Result<(OpenAnswer, Envelope)> {
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        Ok((self.open(Traffic::Stream, call, envelope).await?, envelope))
    }

    /// Opens a stream, its head within the deadline; a refusal is read and becomes an error.
    async fn open(&self, traffic: Traffic, call: Call, envelope: Envelope) -> Result<OpenAnswer> {
        let (permit, envelope) = self.turn(traffic, envelope).await?;
        let opened = self.shared.carrier.open(call, envelope).await?;
        if opened.head.is_success() {
            return Ok(OpenAnswer {
                body: holding(permit, opened.body),
                ..opened
            });
        }
        Err(refused(opened, envelope).await)
    }
}

/// The stream holds the permit until it has ended, or is dropped.
fn holding<T: Send + 'static>(
    permit: Permit,
    body: impl Stream<Item = T> + Send + 'static,
) -> BoxStream<'static, T> {
    let mut permit = Some(permit);
    let end = stream::poll_fn(move |_| {
        drop(permit.take());
        Poll::Ready(None)
    });
    body.chain(end).boxed()
}

/// Reads a refusal.
async fn refused(answer: OpenAnswer, envelope: Envelope) -> Error {
    let body = wire::whole(answer.body, answer.head.body_bound());
    let body = envelope.deadline.bound(body).await;
    let body = body.and_then(|body| body).unwrap_or_default();
    answer.head.into_error(&body)
}

fn success(answer: Answer) -> Result<Answer> {
    if answer.head.is_success() {
        return Ok(answer);
    }
    Err(answer.head.into_error(&answer.body))
}

fn not_sent(error: Error) -> Error {
    error.with_effect(Effect::NotSent)
}
