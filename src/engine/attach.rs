//! A container's own program: its input, its output, its terminal.

use std::time::Duration;

use super::Engine;
use super::carrier::Carrier;
use super::takeover::{Program, Shutdown};
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
        let call = wire::attach(container, options)?;
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        // Asked first: an attachment that is given up again may end the program's input.
        let inspected = self.ask(wire::inspect(container), envelope).await?;
        let streams = wire::streams_of(&inspected.body)?;
        let program = Program::OfContainer(container.clone());
        let taken = self.take_over(call, program, Shutdown::of(&streams), envelope);
        let (mut input, output) = taken.await?;
        if !options.stdin {
            input = Input::closed();
        }
        let chunks = wire::log_chunks(output, streams.framing());
        let output = self.named(chunks, Operation::Attach, container.clone());
        Ok(Attached::new(input, LogStream::new(output)))
    }
}
