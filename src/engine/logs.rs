//! Logs: their framing, and their deadline where they aren't followed.

use std::time::Duration;

use futures::{Stream, StreamExt};

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire::{self, Framing};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::model::{ContainerRef, LogChunk, LogStream, LogsOptions};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    async fn framing(
        &self,
        container: &ContainerRef,
        content_type: Option<&str>,
        envelope: Envelope,
    ) -> Result<Framing> {
        // From API 1.42 on Docker's answer says it; before, the container's terminal decides.
        if content_type == Some("application/vnd.docker.multiplexed-stream") {
            return Ok(Framing::Multiplexed);
        }
        let inspected = self.ask(wire::inspect(container), envelope).await?;
        Ok(wire::streams_of(&inspected.body)?.framing())
    }

    pub(super) async fn read_logs(
        &self,
        container: &ContainerRef,
        options: &LogsOptions,
    ) -> Result<LogStream> {
        let deadline = self.deadline(Duration::ZERO);
        let call = wire::logs(container, options)?;
        let envelope = self.envelope(deadline).await?;
        let opened = deadline.bound(self.open(call, envelope)).await??;
        let framing = self
            .framing(container, opened.head.header("content-type"), envelope)
            .await?;
        let chunks = wire::log_chunks(opened.body, framing);
        Ok(if options.follow {
            LogStream::new(chunks)
        } else {
            LogStream::new(until(deadline, chunks))
        })
    }
}

/// The stream until the deadline.
fn until(
    deadline: Deadline,
    chunks: impl Stream<Item = Result<LogChunk>> + Send + 'static,
) -> impl Stream<Item = Result<LogChunk>> + Send + 'static {
    let chunks = chunks.boxed();
    futures::stream::unfold(Some(chunks), move |chunks| async move {
        let mut chunks = chunks?;
        match deadline.bound(chunks.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk, Some(chunks))),
            Err(timeout) => Some((Err(timeout.with_operation(Operation::Logs)), None)),
        }
    })
}
