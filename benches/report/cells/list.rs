//! A list of a thousand containers, as an engine has answered it, from a peer that does nothing else: no engine here has so many.

use crate::cell::Run;
use crate::cells::calls::clients;
use crate::cells::memory::{allocations, long_list};
use crate::common::canned::{Canned, Manner};
use crate::common::clients::Operation;
use crate::ground::Ground;
use crate::programs::Programs;

pub fn measure(run: &mut Run, ground: &Ground<'_>, programs: &Programs) {
    let name = "canned/list/1";
    let title = "list of 1,000 containers from a canned engine, one caller";
    if !run.wants(name) && !run.wants("allocations/canned/list") {
        return;
    }
    let target = long_list(&ground.target.id);
    let listed = target.listed;
    let peer = match Canned::start(Manner::Prompt { listed }) {
        Ok(peer) => peer,
        Err(why) => return run.missing(name, title, why),
    };
    let canned = Ground {
        endpoint: peer.endpoint(),
        socket: peer.socket(),
        target,
        ..*ground
    };
    let mut clients = match clients(&canned, 1) {
        Ok(clients) => clients,
        Err(why) => return run.missing(name, title, why),
    };
    for (_, client) in &mut clients {
        drop(client.sample(&canned, Operation::List, 1, 2));
    }
    let rounds = run.options.either(11, 41);
    run.measure(name, title, rounds, &mut clients, |_, client| {
        client.sample(&canned, Operation::List, 1, 5)
    });
    drop(clients);
    allocations(
        run,
        programs,
        Operation::List,
        &canned.socket,
        &canned.target,
    );
}
