//! What a run needs at the engine, and what it leaves there: looked at past everything that is under test.

use std::collections::BTreeSet;

use crate::body::LABEL;
use crate::wire::{Kind, Wire};
use crate::{IMAGE, Outcome};

/// The image, imported where it isn't there yet.
pub fn ensure_image(wire: &Wire) -> Outcome<()> {
    if wire
        .ask("GET", &format!("/images/{IMAGE}/json"), None)?
        .status
        == 200
    {
        return Ok(());
    }
    let path = std::env::var("CATAMARAN_TEST_ROOTFS").map_err(|_| {
        format!("the image {IMAGE} isn't there: run scripts/quickstart once, which makes it")
    })?;
    let rootfs = std::fs::read(path)?;
    let import = format!("/images/create?fromSrc=-&repo={IMAGE}");
    wire.send("POST", &import, "application/x-tar", &rootfs)?
        .done()?;
    Ok(())
}

/// Everything at the engine that is of this run: containers, volumes, networks, a host's lease.
pub fn left_over(wire: &Wire, run: &str) -> Outcome<BTreeSet<(Kind, String)>> {
    let mut left = BTreeSet::new();
    for (kind, label) in [
        (Kind::Containers, LABEL),
        (Kind::Containers, "catamaran.host"),
        (Kind::Volumes, "catamaran.host"),
        (Kind::Volumes, "catamaran.lease.host"),
        (Kind::Networks, "catamaran.host"),
    ] {
        let found = wire.labelled(kind, &format!("{label}={run}"))?;
        left.extend(found.into_iter().map(|name| (kind, name)));
    }
    Ok(left)
}

/// Removes all that is left; what somebody else removes meanwhile is gone as well.
pub fn sweep(wire: &Wire, run: &str) -> Outcome<()> {
    for (kind, name) in left_over(wire, run)? {
        let path = match kind {
            Kind::Containers => format!("/containers/{name}?force=1&v=1"),
            Kind::Volumes => format!("/volumes/{name}?force=1"),
            Kind::Networks => format!("/networks/{name}"),
        };
        let reply = wire.ask("DELETE", &path, None)?;
        if !matches!(reply.status, 404 | 409) {
            reply.done()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use catamaran::testing::FakeEngine;
    use serde_json::json;

    use super::*;
    use crate::body;

    #[test]
    fn what_is_left_is_found_and_swept_and_nothing_else() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = runtime
            .block_on(FakeEngine::builder().image(IMAGE).start())
            .unwrap();
        let wire = Wire::new(engine.endpoint().clone());
        ensure_image(&wire).unwrap();
        let make = |path: &str, body| wire.ask("POST", path, Some(&body)).unwrap().done().unwrap();
        for run in ["load-1", "load-2"] {
            make(&format!("/containers/create?name={run}"), body::create(run));
            make(&format!("/containers/{run}/start"), json!({}));
            let labels = json!({"catamaran.lease.host": run});
            make("/volumes/create", json!({"Name": run, "Labels": labels}));
            let labels = json!({"catamaran.host": run});
            make("/networks/create", json!({"Name": run, "Labels": labels}));
        }
        let kinds = |run| -> Vec<_> {
            let left = left_over(&wire, run).unwrap().into_iter();
            left.map(|(kind, _)| kind).collect()
        };
        let all = [Kind::Containers, Kind::Volumes, Kind::Networks];
        assert_eq!(kinds("load-1"), all);
        sweep(&wire, "load-1").unwrap();
        assert_eq!(kinds("load-1"), []);
        assert_eq!(kinds("load-2"), all);
    }
}
