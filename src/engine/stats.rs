//! Samples as a stream.

use super::Engine;
use super::carrier::Carrier;
use super::wire;
use crate::error::Result;
use crate::model::{ContainerRef, StatsStream};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    pub(super) async fn open_stats(&self, container: &ContainerRef) -> Result<StatsStream> {
        let (opened, _) = self.open_stream(wire::stats_stream(container)).await?;
        let samples = wire::samples(opened.body);
        let samples = self.named(samples, Operation::StatsStream, container.clone());
        Ok(StatsStream::new(samples))
    }
}
