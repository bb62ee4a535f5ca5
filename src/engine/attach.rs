//! A container's own program: its input, its output, its terminal.

use std::time::Duration;

use super::Engine;
use super::carrier::Carrier;
use super::takeover::Shutdown;
use super::wire;
use crate::error::Result;
use crate::model::{AttachOptions, Attached, ContainerRef, Input, LogStream};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    pub(super) async fn attach_to(
        &self,
        container: &ContainerRef,
        options: &AttachOptions,
    ) -> Result<Attached> {
        let deadline = self.deadline(Duration::ZERO);
        let call = wire::attach(container, options)?;
        let envelope = self.envelope(deadline).await?;
        // Asked first: an attachment that is given up again may end the program's input.
        let inspected = self.ask(wire::inspect(container), envelope).await?;
        let streams = wire::streams_of(&inspected.body)?;
        let shutdown = if streams.stdin_once && !streams.tty {
            Shutdown::EndsInput
        } else {
            Shutdown::IsKept
        };
        let taken = deadline.bound(self.take_over(call, shutdown, envelope));
        let (mut input, output) = taken.await??;
        if !options.stdin {
            input = Input::closed();
        }
        let chunks = LogStream::new(wire::log_chunks(output, streams.framing()));
        let output = self.named(chunks, Operation::Attach, container);
        Ok(Attached::new(input, output))
    }
}
