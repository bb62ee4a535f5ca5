//! Logs: their framing, and their deadline where they aren't followed.

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire::{self, Framing};
use crate::error::Result;
use crate::model::{ContainerRef, LogStream, LogsOptions};
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
        // The log has its permit already.
        let engine = self.unlimited();
        let inspected = engine.ask(wire::inspect(container), envelope).await?;
        Ok(wire::streams_of(&inspected.body)?.framing())
    }

    pub(super) async fn read_logs(
        &self,
        container: &ContainerRef,
        options: &LogsOptions,
    ) -> Result<LogStream> {
        let (opened, envelope) = self.open_stream(wire::logs(container, options)?).await?;
        let framing = self
            .framing(container, opened.head.header("content-type"), envelope)
            .await?;
        let chunks = wire::log_chunks(opened.body, framing);
        let (operation, subject) = (Operation::Logs, container.clone());
        Ok(if options.follow {
            LogStream::new(self.named(chunks, operation, subject))
        } else {
            LogStream::new(self.named(envelope.deadline.until(chunks), operation, subject))
        })
    }
}
