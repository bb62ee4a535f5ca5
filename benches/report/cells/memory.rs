//! What calls allocate, and what those take that are under way.

use crate::cell::Run;
use crate::common::canned::{Canned, Manner};
use crate::common::clients::Operation;
use crate::common::fixture::{LABEL, Target};
use crate::ground::Ground;
use crate::programs::{Programs, figures};

const CLIENTS: [&str; 8] = [
    "floor",
    "hyper",
    "bollard",
    "bollard-pooled",
    "async",
    "blocking",
    "hybrid",
    "full",
];
/// They are nearly the same in each.
const ROUNDS: usize = 11;
/// So many calls are under way.
const IN_FLIGHT: &str = "2000";

/// Beside the times of the cell of that name, what a call of it allocates.
pub fn allocations(
    run: &mut Run,
    programs: &Programs,
    of: Operation,
    socket: &std::path::Path,
    target: &Target,
) {
    let kind = if target.listed > 1 { "canned" } else { "unix" };
    let name = format!("allocations/{kind}/{}", of.name());
    let title = format!("allocations of {}", what(of, target));
    let mut subjects: Vec<_> = CLIENTS
        .into_iter()
        .chain(["shiplift"])
        .map(|client| (client.to_owned(), ()))
        .collect();
    let listed = target.listed.to_string();
    run.measure(&name, &title, ROUNDS, &mut subjects, |client, ()| {
        let words = [
            "calls",
            client,
            of.name(),
            socket.to_str().unwrap_or_default(),
        ];
        let words = words
            .into_iter()
            .chain([target.id.as_str(), &target.label.1, &listed]);
        let told = programs.ask("memory", words)?;
        figures(
            &told,
            &[
                ("allocations", "/allocations"),
                ("allocated_bytes", "/allocated_bytes"),
            ],
        )
    });
}

fn what(of: Operation, target: &Target) -> String {
    match (of, target.listed) {
        (Operation::Ping, _) => "a ping".to_owned(),
        (Operation::Inspect, _) => "an inspect".to_owned(),
        (Operation::List, 1) => "a list of one container".to_owned(),
        (Operation::List, many) => format!("a list of {many} containers"),
    }
}

pub fn measure(run: &mut Run, ground: &Ground<'_>, programs: &Programs) {
    let operations = (run.options).either(&[Operation::Ping][..], &Operation::ALL);
    for of in operations {
        allocations(run, programs, *of, &ground.socket, &ground.target);
    }
    in_flight(run, programs);
}

fn in_flight(run: &mut Run, programs: &Programs) {
    let name = "memory/in-flight";
    let title = format!("memory of {IN_FLIGHT} calls under way on a peer that doesn't answer");
    if !run.wants(name) {
        return;
    }
    let peer = match Canned::start(Manner::Silent) {
        Ok(peer) => peer,
        Err(why) => return run.missing(name, &title, why),
    };
    let socket = peer.socket();
    let socket = socket.to_str().unwrap_or_default();
    let mut subjects =
        ["hyper", "bollard", "bollard-pooled", "async"].map(|who| (who.to_owned(), ()));
    run.measure(name, &title, ROUNDS, &mut subjects, |client, ()| {
        let told = programs.ask("memory", ["in-flight", client, IN_FLIGHT, socket])?;
        figures(
            &told,
            &[
                ("rss_bytes", "/rss_bytes"),
                ("heap_bytes", "/heap_bytes"),
                ("threads", "/threads"),
            ],
        )
    });
}

/// Where a thousand containers are listed.
pub fn long_list(id: &catamaran::model::ContainerRef) -> Target {
    Target {
        id: id.clone(),
        label: (LABEL, "any".to_owned()),
        listed: 1000,
    }
}
