//! What an engine must be able to do; everything above it is shared.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::deadline::Deadline;
use super::wire::{Call, Command, Head};
use crate::backend::EngineKind;
use crate::endpoint::ApiVersion;
use crate::error::Result;
use crate::model::ContainerRef;

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

/// An answer whose body is still to come.
pub struct OpenAnswer {
    pub(crate) head: Head,
    pub(crate) body: BoxStream<'static, Result<Bytes>>,
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
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Which engine it makes.
    const KIND: EngineKind;

    /// Sends a call and reads its whole answer, whatever the status, within the deadline.
    async fn ask(&self, call: Call, envelope: Envelope) -> Result<Answer>;

    /// Sends a call whose answer is a stream. The deadline covers the head.
    async fn open(&self, call: Call, envelope: Envelope) -> Result<OpenAnswer>;

    /// Sends a command; a refusal is an error.
    async fn command(
        &self,
        container: &ContainerRef,
        command: Command,
        envelope: Envelope,
    ) -> Result<Status>;
}
