//! Creation: and in strict mode, a look at what was made, which goes again where it isn't what was asked for.

mod attached;
mod compare;
mod granted;
mod security;

use std::time::Duration;

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire::{self, Command};
use crate::endpoint::ApiVersion;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{ContainerRef, ContainerSpec, Created, RemoveOptions};

use compare::{Difference, differences};

impl<C: Carrier> Engine<C> {
    pub(super) async fn make(&self, spec: &ContainerSpec) -> Result<Created> {
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        let version = envelope.version.unwrap_or(ApiVersion::OLDEST);
        let call = wire::create(spec, version)?;
        let created = wire::created(&self.ask(call, envelope).await?.body)?;
        if spec.strict {
            self.hold(spec, &created, envelope).await?;
        }
        Ok(created)
    }

    /// Fails, and takes the container away, where it isn't seen to be as it was asked for.
    async fn hold(
        &self,
        spec: &ContainerSpec,
        created: &Created,
        envelope: Envelope,
    ) -> Result<()> {
        let left = envelope.deadline.left();
        let look = Envelope {
            // The rest is for the removal.
            deadline: envelope.deadline.within(left.map(|left| left * 2 / 3)),
            ..envelope
        };
        let looked = self.ask(wire::inspect(&created.id), look).await;
        let error = match looked.and_then(|answer| wire::details(&answer.body)) {
            Ok(details) => {
                let found = differences(spec, &details);
                let Some(first) = found.first() else {
                    return Ok(());
                };
                weakened(first.field, &found, &created.warnings)
            }
            Err(error) => unseen(error),
        };
        Err(self.take_back(&created.id, envelope, error).await)
    }

    /// Removes the container, and says in the error whether that worked.
    async fn take_back(&self, id: &ContainerRef, envelope: Envelope, error: Error) -> Error {
        let RemoveOptions { force, volumes } = RemoveOptions::force();
        let remove = Command::Remove { force, volumes };
        match self.command(id, remove, envelope).await {
            Err(failed) if failed.kind() != ErrorKind::NotFound => error
                .with_effect(Effect::Unknown)
                .and(&format!("container {id} could not be removed: {failed}"))
                .with_advice(format!(
                    "remove container {id}: it may be there, and isn't known to be what was asked for"
                )),
            _ => error
                .with_effect(Effect::Rejected)
                .and(&format!("container {id} was removed again")),
        }
    }
}

fn weakened(field: &'static str, found: &[Difference], warnings: &[String]) -> Error {
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let error = Error::new(ErrorKind::Weakened, wire::brief(told.join("; "))).with_field(field);
    let error = if warnings.is_empty() {
        error
    } else {
        let warnings = wire::brief(warnings.join("; "));
        error.and(&format!("the engine warned: {warnings}"))
    };
    error.with_advice("ask for what this engine gives, or take one that gives it")
}

/// The container was made, but nobody can say as what.
fn unseen(error: Error) -> Error {
    let kind = match error.kind() {
        // Of the image it would say something else.
        ErrorKind::NotFound => ErrorKind::Engine,
        kind => kind,
    };
    let message = format!("it was made, but the look at what is in force failed: {error}");
    Error::new(kind, wire::brief(message)).with_source(error)
}

/// The differences, as they are told.
#[cfg(fuzzing)]
pub(crate) fn fuzz_differences(
    spec: &ContainerSpec,
    found: &crate::model::ContainerDetails,
) -> Vec<String> {
    let found = differences(spec, found);
    found.iter().map(ToString::to_string).collect()
}
