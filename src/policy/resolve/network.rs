//! Networks: made, removed, joined and left.

use tokio::sync::OnceCell;

use super::{SETTLES, before, found, until};
use crate::backend::ContainerBackend;
use crate::backend::leftover::mark;
use crate::error::Result;
use crate::model::{ContainerRef, CreatedNetwork, ListNetworksOptions, NetworkRef, NetworkSpec};
use crate::operation::Operation;
use crate::policy::{Doubt, Seen};

/// One creation of a network, known by its label.
pub(crate) struct NetworkCreation {
    pub(crate) spec: NetworkSpec,
    operation: String,
    bearing: ListNetworksOptions,
}

impl NetworkCreation {
    pub(crate) fn new(spec: &NetworkSpec) -> Result<Self> {
        let mut spec = spec.clone();
        let (key, operation) = mark(&mut spec.labels)?;
        Ok(Self {
            spec,
            bearing: ListNetworksOptions::default().with_label(key, operation.clone()),
            operation,
        })
    }

    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) async fn made(
        &self,
        by: &dyn ContainerBackend,
        doubt: Doubt,
    ) -> Result<Seen<CreatedNetwork>> {
        until(|| async {
            let listed = by.list_networks(&self.bearing).await?;
            let made = listed.into_iter().next().map(|network| {
                let warnings = vec![super::LOST.to_owned()];
                Seen::Done(CreatedNetwork {
                    id: network.id,
                    warnings,
                })
            });
            Ok(made.or_else(|| doubt.not_done(SETTLES)))
        })
        .await
    }
}

/// A network that is removed, called by its id: its name may be another's by the next attempt.
pub(crate) struct Network<'a> {
    asked: &'a NetworkRef,
    id: OnceCell<Option<NetworkRef>>,
}

impl<'a> Network<'a> {
    pub(crate) fn new(asked: &'a NetworkRef) -> Self {
        Self {
            asked,
            id: OnceCell::new(),
        }
    }

    pub(crate) async fn pinned(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<NetworkRef> {
        let look = || async {
            let details = before(engine.inspect_network(self.asked).await, operation)?;
            Ok(details.map(|details| details.network.id))
        };
        let id = self.id.get_or_try_init(look).await?;
        Ok(id.as_ref().unwrap_or(self.asked).clone())
    }

    pub(crate) async fn removed(
        &self,
        by: &dyn ContainerBackend,
        _doubt: Doubt,
    ) -> Result<Seen<()>> {
        let id = self.id.get().and_then(Option::as_ref).unwrap_or(self.asked);
        Ok(match found(by.inspect_network(id).await)? {
            None => Seen::Done(()),
            Some(_) => Seen::NotDone,
        })
    }
}

/// Whether a container is on a network, before and after.
pub(crate) struct Joined<'a> {
    network: &'a NetworkRef,
    container: &'a ContainerRef,
    before: OnceCell<Option<bool>>,
}

impl<'a> Joined<'a> {
    pub(crate) fn new(network: &'a NetworkRef, container: &'a ContainerRef) -> Self {
        Self {
            network,
            container,
            before: OnceCell::new(),
        }
    }

    async fn look(&self, by: &dyn ContainerBackend) -> Result<bool> {
        let details = by.inspect(self.container).await?;
        let network = by.inspect_network(self.network).await?.network;
        let is = |name: &String, id: &Option<String>| {
            *name == network.name || id.as_deref() == Some(network.id.as_str())
        };
        Ok(details
            .networks
            .iter()
            .any(|(name, on)| is(name, &on.network_id)))
    }

    pub(crate) async fn seen(
        &self,
        engine: &dyn ContainerBackend,
        operation: Operation,
    ) -> Result<()> {
        let look = || async { before(self.look(engine).await, operation) };
        self.before.get_or_try_init(look).await.map(drop)
    }

    /// Whether it is on the network, or not, as was asked.
    pub(crate) async fn is(
        &self,
        by: &dyn ContainerBackend,
        _doubt: Doubt,
        wanted: bool,
    ) -> Result<Seen<()>> {
        let now = match found(self.look(by).await)? {
            Some(now) => now,
            None => return Ok(Seen::Unclear("the container or the network is gone")),
        };
        Ok(match self.before.get().copied().flatten() {
            None => Seen::Unclear("nobody has seen whether it was on the network before"),
            // The engine refuses that, now as before.
            Some(before) if before == wanted => Seen::Refused,
            Some(_) if now == wanted => Seen::Done(()),
            // A second one is refused where the first still comes.
            Some(_) => Seen::NotDone,
        })
    }
}
