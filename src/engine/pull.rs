//! Pulls: a stream of progress, whose end is believed when the image is there.

use futures::StreamExt;
use futures::stream::BoxStream;

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire;
use crate::error::{ErrorKind, Result};
use crate::model::{ImageRef, PullEvent, PullOptions, PullStream};
use crate::operation::Operation;
use crate::policy::Traffic;

/// A pull under way.
struct Pull<C: Carrier> {
    engine: Engine<C>,
    image: ImageRef,
    envelope: Envelope,
    events: BoxStream<'static, Result<PullEvent>>,
}

impl<C: Carrier> Engine<C> {
    pub(super) async fn pull(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream> {
        let call = wire::pull_image(image, options)?;
        let envelope = self.open_ended().await?;
        let opened = self.open(Traffic::Pull, call, envelope).await;
        let pull = Pull {
            engine: self.clone(),
            image: image.with_default_tag(),
            envelope,
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
        match deadline.bound(self.events.next()).await? {
            Some(event) => event.map(Some),
            None => self.confirm().await.map(|()| None),
        }
    }

    /// An end without an error may still be an end too early.
    async fn confirm(&mut self) -> Result<()> {
        let usual = self.engine.shared.config.operation_timeout();
        let envelope = Envelope {
            deadline: self.envelope.deadline.within(Some(usual)),
            ..self.envelope
        };
        let looked = self.engine.ask(wire::inspect_image(&self.image), envelope);
        match looked.await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error
                .with_kind(ErrorKind::Engine)
                .with_advice("the pull ended without an error, and yet the image isn't there")),
            Err(error) => Err(error),
        }
    }
}
