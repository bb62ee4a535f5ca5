//! Which container another one reaches.

use std::sync::{Arc, Weak};

use crate::testing::fake::containers::Status;
use crate::testing::fake::{Shared, machine};

/// Who reaches whom: by names, aliases and addresses on networks that both are on.
#[derive(Debug)]
struct Reach {
    engine: Weak<Shared>,
    own: String,
}

pub(in super::super) fn reach(engine: &Arc<Shared>, id: &str) -> Arc<dyn machine::Network> {
    Arc::new(Reach {
        engine: Arc::downgrade(engine),
        own: id.to_owned(),
    })
}

impl machine::Network for Reach {
    fn find(&self, name: &str) -> Option<Arc<machine::Machine>> {
        let engine = self.engine.upgrade()?;
        let own = engine.container(&self.own).ok()?;
        let mine: Vec<String> = own.inner().networks.keys().cloned().collect();
        let found = engine.containers().into_iter().find(|other| {
            let inner = other.inner();
            inner.status == Status::Running
                && inner
                    .networks
                    .iter()
                    .filter(|(network, _)| mine.contains(network))
                    .any(|(_, endpoint)| {
                        inner.name == name
                            || other.id.starts_with(name)
                            || endpoint.aliases.iter().any(|alias| alias == name)
                            || endpoint
                                .address
                                .is_some_and(|address| address.to_string() == name)
                    })
        })?;
        Some(Arc::clone(found.machine()))
    }
}
