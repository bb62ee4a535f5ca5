//! What an engine must be able to do; everything above it is shared.

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::{self, Call, Command, Head};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::endpoint::ApiVersion;
use crate::engine_kind::EngineKind;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ContainerRef;
use crate::policy::Permit;
use crate::telemetry::metrics::{self, OneMore};

/// What goes along with a call.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    pub(crate) version: Option<ApiVersion>,
    pub(crate) deadline: Deadline,
}

/// An answer that has been read, up to a bound.
#[derive(Debug)]
pub struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads an answer; what a broken or endless refusal says is lost, its status isn't.
    pub(super) async fn read(
        head: Head,
        body: impl Stream<Item = Result<Bytes>> + Unpin,
        deadline: Deadline,
    ) -> Result<Self> {
        let read = deadline.bound(wire::whole(body, head.body_bound())).await;
        match read.and_then(|read| read) {
            Ok(body) => Ok(Self { head, body }),
            Err(_) if !head.is_success() => Ok(Self {
                head,
                body: Bytes::new(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// What an error was caused by.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// No connection could be made.
pub(super) fn no_connection(cause: impl Into<Cause>) -> Error {
    Error::new(ErrorKind::Connect, "")
        .with_source(cause)
        .with_advice("see that an engine listens there and that this user may connect to it")
}

/// One more connection, until it is dropped.
pub(super) fn connection(engine: EngineKind) -> OneMore {
    OneMore::of(metrics::CONNECTIONS, Some(("engine", engine.as_str())))
}

/// The connection failed before the answer's head.
pub(super) fn no_answer(cause: impl Into<Cause>) -> Error {
    let message = "the connection ended before the answer";
    Error::new(ErrorKind::Transport, message).with_source(cause)
}

/// The connection failed within the answer's body.
pub(super) fn broken(cause: impl Into<Cause>) -> Error {
    let message = "the connection broke within the answer";
    Error::new(ErrorKind::Transport, message).with_source(cause)
}

/// An answer whose body is still to come.
pub struct OpenAnswer {
    pub(crate) head: Head,
    pub(crate) body: BoxStream<'static, Result<Bytes>>,
}

/// A connection that was handed over: its bytes are the program's, both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// How a call that asks for the connection itself was answered.
pub enum Handover {
    Taken(Box<dyn Duplex>),
    /// By an answer as any other.
    Answered(OpenAnswer),
}

/// How a command was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Done,
    /// There was nothing to do (304).
    Unchanged,
}

/// A client that carries calls to the engine. Sealed: it is public in name only.
pub trait Carrier: Send + Sync + 'static {
    /// Which engine it makes.
    const KIND: EngineKind;

    /// A client with connections of its own; none is made yet.
    fn new(config: &Config) -> Result<Self>
    where
        Self: Sized;

    /// Sends a call and reads its whole answer, whatever the status, within the deadline. The permit
    /// lasts as long as the work, which may outlive the caller's future by a moment.
    fn ask(
        &self,
        call: Call,
        envelope: Envelope,
        permit: Permit,
    ) -> impl Future<Output = Result<Answer>> + Send;

    /// Sends a call whose answer is a stream. The deadline covers the head.
    fn open(
        &self,
        call: Call,
        envelope: Envelope,
    ) -> impl Future<Output = Result<OpenAnswer>> + Send;

    /// Sends a call that asks for the connection itself, which isn't kept. The deadline covers the head.
    fn take_over(
        &self,
        call: Call,
        envelope: Envelope,
    ) -> impl Future<Output = Result<Handover>> + Send;

    /// Sends a command; a refusal is an error.
    fn command(
        &self,
        container: &ContainerRef,
        command: Command,
        envelope: Envelope,
        permit: Permit,
    ) -> impl Future<Output = Result<Status>> + Send;
}
