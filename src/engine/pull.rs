//! Pulls: a stream of progress, whose end is believed when the image is there.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ImageRef, PullEvent, PullOptions, PullStream};
use crate::operation::Operation;
use crate::policy::Traffic;

/// A pull under way.
struct Pull<C: Carrier> {
    engine: Engine<C>,
    image: ImageRef,
    envelope: Envelope,
    /// For how long nothing may be heard of it.
    stall: Option<Duration>,
    events: BoxStream<'static, Result<PullEvent>>,
}

impl<C: Carrier> Engine<C> {
    pub(super) async fn pull(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream> {
        let call = wire::pull_image(image, options)?;
        let envelope = self.open_ended().await?;
        let stall = options.stall_timeout;
        // The head has that time from when it is its turn.
        let attempt = [self.context.attempt_timeout, stall].into_iter().flatten();
        let patient = Self {
            context: self.context.clone().with_attempt_timeout(attempt.min()),
            ..self.clone()
        };
        let opened = patient.open(Traffic::Pull, call, envelope).await;
        let pull = Pull {
            engine: self.clone(),
            image: image.with_default_tag(),
            envelope,
            stall,
            events: wire::pull_events(opened.map_err(wire::pull_refusal)?.body).boxed(),
        };
        let events = futures::stream::unfold(Some(pull), |pull| async move {
            let mut pull = pull?;
            let next = pull.next().await;
            let next = pull.engine.name(next, Operation::PullImage, &pull.image);
            match next {
                Ok(None) => None,
                Ok(Some(event)) => Some((Ok(event), Some(pull))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(PullStream::new(events))
    }
}

impl<C: Carrier> Pull<C> {
    async fn next(&mut self) -> Result<Option<PullEvent>> {
        let deadline = self.envelope.deadline;
        let next = deadline.within(self.stall).bound(self.events.next()).await;
        match next.map_err(|error| self.stalled(error))? {
            Some(event) => event.map(Some),
            None => self.confirm().await.map(|()| None),
        }
    }

    fn stalled(&self, error: Error) -> Error {
        match self.stall {
            Some(stall) if !self.envelope.deadline.has_passed() => error
                .with_message(format!("nothing has been heard of it for {stall:?}"))
                .with_advice("see how the engine reaches the registry; PullOptions::stall_timeout sets the time"),
            _ => error,
        }
    }

    /// An end without an error may still be an end too early.
    async fn confirm(&mut self) -> Result<()> {
        let usual = self.engine.shared.config.operation_timeout();
        let envelope = Envelope {
            deadline: self.envelope.deadline.within(Some(usual)),
            ..self.envelope
        };
        // It has its permit still.
        let engine = self.engine.unlimited();
        match engine.ask(wire::inspect_image(&self.image), envelope).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error
                .with_kind(ErrorKind::Engine)
                .with_advice("the pull ended without an error, and yet the image isn't there")),
            Err(error) => Err(error),
        }
    }
}
