//! Events: one connection, its beginning within the deadline.

use std::time::Duration;

use futures::StreamExt;

use super::Engine;
use super::carrier::Carrier;
use super::wire;
use crate::error::Result;
use crate::model::{EventStream, EventsOptions};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    pub(super) async fn read_events(&self, options: &EventsOptions) -> Result<EventStream> {
        let call = wire::events(options)?;
        let deadline = self.deadline(Duration::ZERO);
        let envelope = self.envelope(deadline).await?;
        let opened = deadline.bound(self.open(call, envelope)).await??;
        let engine = self.clone();
        let events = wire::told_events(opened.body)
            .map(move |event| engine.name(event, Operation::Events, ""));
        Ok(EventStream::new(events))
    }
}
