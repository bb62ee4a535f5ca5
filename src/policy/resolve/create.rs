//! Creations: found again by their name, and known by their labels.

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{found, until};
use crate::backend::ContainerBackend;
use crate::backend::leftover::{OPERATION_LABEL, SPEC_LABEL, mark};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerName, ContainerRef, ContainerSpec, Created, LabelKey, RemoveOptions};
use crate::policy::{Doubt, Seen};

/// One creation, with all that its attempts have in common.
pub(crate) struct Creation {
    /// What is sent, each time the same: with a name, which the engine gives to one container alone.
    pub(crate) spec: ContainerSpec,
    name: ContainerRef,
    operation: String,
    hash: String,
}

impl Creation {
    /// The creation of this spec. A label of an earlier one, copied with others, gives way.
    ///
    /// # Errors
    /// As [`ContainerSpec::validate`].
    pub(crate) fn new(spec: &ContainerSpec) -> Result<Self> {
        spec.validate()?;
        let hash = hash(spec)?;
        let mut spec = spec.clone();
        let (_, operation) = mark(&mut spec.labels)?;
        spec.labels.insert(LabelKey::new(SPEC_LABEL)?, hash.clone());
        let name = match &spec.name {
            Some(name) => name.clone(),
            None => ContainerName::new(format!("catamaran-{}", Uuid::new_v4().simple()))?,
        };
        spec.name = Some(name.clone());
        Ok(Self {
            spec,
            name: name.into(),
            operation,
            hash,
        })
    }

    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    /// The name that it has in any case.
    pub(crate) fn name(&self) -> &ContainerRef {
        &self.name
    }

    /// Of what was asked for.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// Who holds the name. Where nobody is seen to, a creation may be under way all the same: the name is reserved long
    /// before the container can be seen.
    pub(crate) async fn made(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
    ) -> Result<Seen<Created>> {
        until(|| async {
            let Some(holder) = found(by.inspect(&self.name).await)? else {
                let reserved = doubt.earlier && doubt.error.kind() == ErrorKind::Conflict;
                return Ok((!reserved).then_some(Seen::NotDone));
            };
            let is =
                |key: &str, value: &str| holder.labels.get(key).is_some_and(|label| label == value);
            if !is(OPERATION_LABEL, &self.operation) || !is(SPEC_LABEL, &self.hash) {
                return Ok(Some(Seen::Refused));
            }
            if !self.spec.strict {
                let warnings = vec![super::LOST.to_owned()];
                let id = holder.id;
                return Ok(Some(Seen::Done(Created { id, warnings })));
            }
            // Nobody has looked whether it is what was asked for: the next attempt makes one, and does.
            let removed = by.remove(&holder.id, &RemoveOptions::force()).await;
            found(removed)?;
            Ok(Some(Seen::NotDone))
        })
        .await
    }
}

/// What tells a spec from others, of whatever kind: the same for equal ones, whose parts are in one order. Containers bear it, so that a
/// field that is new, or has another place, makes strangers of those that an older version has left.
pub(crate) fn hash(spec: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(spec).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "it can't be written as JSON").with_source(error)
    })?;
    let digest = Sha256::digest(json);
    Ok(digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageRef;

    fn spec() -> ContainerSpec {
        ContainerSpec::untrusted(ImageRef::new("busybox").expect("an image"))
    }

    #[test]
    fn every_creation_has_a_name_and_an_id_of_its_own() {
        let [first, second] = [(); 2].map(|()| Creation::new(&spec()).expect("a spec"));
        assert_ne!(first.operation, second.operation);
        assert_ne!(first.name, second.name);
        assert_eq!(first.hash, second.hash);
    }

    #[test]
    fn the_hash_tells_specs_apart() {
        let other = spec().with_command(["true"]);
        assert_ne!(
            hash(&spec()).expect("a hash"),
            hash(&other).expect("a hash")
        );
    }

    #[test]
    fn another_creations_id_is_not_taken_over() {
        let labelled = spec().with_label(OPERATION_LABEL, "another");
        let creation = Creation::new(&labelled.expect("a label")).expect("a spec");
        assert_ne!(creation.operation, "another");
        assert_eq!(creation.spec.labels[OPERATION_LABEL], creation.operation);
    }
}
