//! A container's own program: its input, its output, its terminal.

use std::time::Duration;

use super::Engine;
use super::carrier::Carrier;
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
        let framing = self.framing(container, None, envelope).await?;
        let taken = deadline.bound(self.take_over(call, envelope)).await?;
        let (mut input, output) = taken?;
        if !options.stdin {
            input = Input::closed();
        }
        let chunks = LogStream::new(wire::log_chunks(output, framing));
        let output = self.named(chunks, Operation::Attach, container);
        Ok(Attached::new(input, output))
    }
}
