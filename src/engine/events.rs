//! Events: one connection, its beginning within the deadline.

use super::Engine;
use super::carrier::Carrier;
use super::wire;
use crate::error::Result;
use crate::model::{EventStream, EventsOptions};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    pub(super) async fn read_events(&self, options: &EventsOptions) -> Result<EventStream> {
        let (opened, _) = self.open_stream(wire::events(options)?).await?;
        let events = wire::told_events(opened.body);
        Ok(EventStream::new(self.named(events, Operation::Events, "")))
    }
}
