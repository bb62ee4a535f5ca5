//! What the clients without a manager ask for: a container as hardened as a session's.

use serde_json::{Value, json};

use crate::IMAGE;

/// What runs in each container: nothing.
pub const COMMAND: [&str; 2] = ["sleep", "3600"];
/// By which label the containers of a run are known.
pub const LABEL: &str = "load.run";
/// How long a container may take to end by itself, in seconds.
pub const STOP_SECONDS: i32 = 2;

/// The body of a creation: as `SessionSpec::new` has it.
pub fn create(run: &str) -> Value {
    json!({
        "Image": IMAGE,
        "Cmd": COMMAND,
        "User": "65534:65534",
        "Labels": {LABEL: run},
        "HostConfig": {
            "Memory": 256 << 20,
            "MemorySwap": 256 << 20,
            "NanoCpus": 1_000_000_000,
            "PidsLimit": 128,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": true,
            "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=67108864,mode=1777"},
            "NetworkMode": "none",
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10485760", "max-file": "3"}},
            "Init": true,
        },
    })
}

#[cfg(test)]
mod tests {
    use catamaran::model::{ContainerSpec, ImageRef};
    use catamaran::testing::FakeEngine;
    use catamaran::{AsyncEngine, ContainerBackend};

    use super::*;
    use crate::wire::Wire;

    /// Or the yardstick would be made of another material.
    #[test]
    fn it_is_what_the_crate_asks_for() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = runtime
            .block_on(FakeEngine::builder().image(IMAGE).start())
            .unwrap();
        let wire = Wire::new(engine.endpoint().clone());
        let made = wire.ask(
            "POST",
            "/containers/create?name=by-hand",
            Some(&create("one")),
        );
        made.unwrap().done().unwrap();
        let spec = ContainerSpec::untrusted(ImageRef::new(IMAGE).unwrap())
            .with_command(COMMAND)
            .with_label(LABEL, "one")
            .unwrap();
        let made = runtime.block_on(async {
            let backend = AsyncEngine::new(&engine.config().unwrap()).unwrap();
            backend.create(&spec).await.unwrap()
        });
        let shown = |name: &str| wire.get(&format!("/containers/{name}/json")).unwrap();
        let (by_hand, by_crate) = (shown("by-hand"), shown(made.id.as_str()));
        assert_eq!(by_hand["HostConfig"], by_crate["HostConfig"]);
        for field in ["Image", "Cmd", "User"] {
            assert_eq!(
                by_hand["Config"][field], by_crate["Config"][field],
                "{field}"
            );
        }
        assert!(
            by_hand["HostConfig"]["CapDrop"].is_array(),
            "it shows what it was asked"
        );
    }
}
