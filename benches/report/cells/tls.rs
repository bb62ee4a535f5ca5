//! Pings over TLS with certificates on both sides.

use std::cell::LazyCell;
use std::sync::Arc;

use crate::cell::Run;
use crate::cells::calls::Who;
use crate::common::clients::Operation;
use crate::common::over_tls::Setup;
use crate::ground::Ground;

/// Fewer where each takes long.
fn calls(name: &str, callers: u64) -> u64 {
    let each = match (name, callers) {
        ("bollard", 1) => 4,
        ("bollard", _) => 2,
        ("bollard-nodelay", 1) => 20,
        ("bollard-nodelay", _) => 4,
        (_, 1) => 60,
        _ => 10,
    };
    each * callers
}

pub fn measure(run: &mut Run, ground: &Ground<'_>) {
    let most = run.options.either(16, 256);
    let setup =
        LazyCell::new(|| Setup::new(ground.runtime, &ground.endpoint, &ground.target, most));
    for callers in [1, 16, 256] {
        let name = format!("tls/ping/{callers}");
        let title = match callers {
            1 => "ping over TLS, one caller".to_owned(),
            _ => format!("ping over TLS, {callers} callers at once"),
        };
        if callers > most || !run.wants(&name) {
            continue;
        }
        let title = format!("{title}, {}", setup.on);
        let mut subjects: Vec<_> = setup
            .clients
            .iter()
            .map(|(name, client)| ((*name).to_owned(), Who::Here(Arc::clone(client))))
            .collect();
        for (_, client) in &mut subjects {
            drop(client.sample(ground, Operation::Ping, callers, callers));
        }
        let rounds = run.options.either(11, 41);
        run.measure(&name, &title, rounds, &mut subjects, |name, client| {
            client.sample(ground, Operation::Ping, callers, calls(name, callers))
        });
    }
}
