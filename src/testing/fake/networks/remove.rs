//! How networks go.

use std::sync::Arc;

use serde_json::json;

use super::{OWN, known, members};
use crate::testing::fake::Shared;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};

pub(in super::super) fn remove(engine: &Arc<Shared>, name: &str) -> Answered {
    let (own, id) = known(engine, name)?;
    if OWN.contains(&own.as_str()) {
        return Err(Refusal::new(
            403,
            format!("{own} is a pre-defined network and cannot be removed"),
        ));
    }
    let members = members(engine, &own);
    if let Some((_, member)) = members.iter().next() {
        let message = format!(
            "error while removing network: network {own} id {id} has active endpoints ({member})"
        );
        return Err(Refusal::new(403, message));
    }
    delete(engine, &own, &id);
    Ok(Answer::empty(204))
}

fn delete(engine: &Shared, name: &str, id: &str) {
    engine.state().networks.0.retain(|network| network.id != id);
    engine.events.tell(
        "network",
        "destroy",
        id,
        json!({"name": name, "type": "bridge"}),
    );
}

pub(in super::super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let until = filters.until();
    let all: Vec<(String, String)> = {
        let state = engine.state();
        let fits = state.networks.0.iter().filter(|network| {
            !OWN.contains(&network.name.as_str())
                && until.is_none_or(|until| network.created < until)
                && filters.labels(&network.labels)
        });
        fits.map(|network| (network.name.clone(), network.id.clone()))
            .collect()
    };
    let mut deleted = Vec::new();
    for (name, id) in all {
        if members(engine, &name).is_empty() {
            delete(engine, &name, &id);
            deleted.push(name);
        }
    }
    Ok(engine.pruned("network", "NetworksDeleted", &json!(deleted), None))
}
