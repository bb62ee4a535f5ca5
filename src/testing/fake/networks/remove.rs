//! How networks go.

use std::sync::Arc;

use serde_json::json;

use super::{Network, absent, members};
use crate::testing::fake::Shared;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};

pub(in super::super) fn remove(engine: &Arc<Shared>, name: &str) -> Answered {
    let mut state = engine.state();
    let network = state.networks.find(name).ok_or_else(|| absent(name))?;
    let (name, id) = (network.name.clone(), network.id.clone());
    if network.is_own() {
        return Err(Refusal::new(
            403,
            format!("{name} is a pre-defined network and cannot be removed"),
        ));
    }
    if let Some((_, member)) = members(&state, network).iter().next() {
        let message = format!(
            "error while removing network: network {name} id {id} has active endpoints ({member})"
        );
        return Err(Refusal::new(403, message));
    }
    state.networks.0.retain(|network| network.id != id);
    drop(state);
    tell(engine, &name, &id);
    Ok(Answer::empty(204))
}

fn tell(engine: &Shared, name: &str, id: &str) {
    let attributes = json!({"name": name, "type": "bridge"});
    engine.events.tell("network", "destroy", id, attributes);
}

pub(in super::super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let until = filters.until();
    let mut state = engine.state();
    let fits = |network: &&Network| {
        !network.is_own()
            && until.is_none_or(|until| network.created < until)
            && filters.labels(&network.labels)
            && members(&state, network).is_empty()
    };
    let gone = state.networks.0.iter().filter(fits);
    let gone: Vec<(String, String)> = gone
        .map(|network| (network.id.clone(), network.name.clone()))
        .collect();
    let stays = |network: &Network| gone.iter().all(|(id, _)| *id != network.id);
    state.networks.0.retain(stays);
    drop(state);
    for (id, name) in &gone {
        tell(engine, name, id);
    }
    let deleted: Vec<&String> = gone.iter().map(|(_, name)| name).collect();
    Ok(engine.pruned("network", "NetworksDeleted", &json!(deleted), None))
}
