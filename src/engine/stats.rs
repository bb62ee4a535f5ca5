//! Samples as a stream.

use std::time::Duration;

use futures::StreamExt;

use super::Engine;
use super::carrier::Carrier;
use super::wire;
use crate::error::Result;
use crate::model::{ContainerRef, StatsStream};
use crate::operation::Operation;

impl<C: Carrier> Engine<C> {
    pub(super) async fn open_stats(&self, container: &ContainerRef) -> Result<StatsStream> {
        let deadline = self.deadline(Duration::ZERO);
        let envelope = self.envelope(deadline).await?;
        // Only the beginning is an attempt: who gives it a part of the time can ask another engine then.
        let attempt = deadline.within(self.context.attempt_timeout);
        let opening = self.open(wire::stats_stream(container), envelope);
        let opened = attempt.bound(opening).await??;
        let (engine, container) = (self.clone(), container.clone());
        let samples = wire::samples(opened.body)
            .map(move |sample| engine.name(sample, Operation::StatsStream, &container));
        Ok(StatsStream::new(samples))
    }
}
