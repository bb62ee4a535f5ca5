//! The operations, each with what it needs, how it is asked, and the event by which its effect is told.

use std::sync::Arc;

use catamaran::model::{
    ConnectOptions, ContainerRef, ContainerSpec, DisconnectOptions, ExecOptions, ImageRef,
    KillOptions, NetworkRef, NetworkSpec, RemoveOptions, RemoveVolumeOptions, RestartOptions,
    Signal, StopOptions, VolumeName, VolumeSpec,
};
use catamaran::{ContainerBackend, Result};
use futures::FutureExt;
use futures::future::BoxFuture;

type Backend = Arc<dyn ContainerBackend>;

/// An operation and its effect.
pub struct Operation {
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    /// The kind and the action of the event that tells of it.
    pub effect: (&'static str, &'static str),
    /// Whether it can be neither repeated nor observed.
    pub once: bool,
    /// Whether a second one does no harm where the first may still come.
    pub resent: bool,
    /// How its container is before.
    needs: Needs,
    pub act: fn(Backend, Things) -> BoxFuture<'static, Result<()>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Created,
    Running,
    Paused,
}

/// What there is before the call.
#[derive(Clone)]
pub struct Things {
    container: ContainerRef,
    network: NetworkRef,
    volume: VolumeName,
}

fn image() -> ImageRef {
    ImageRef::new("busybox").expect("an image")
}

fn spec() -> ContainerSpec {
    ContainerSpec::untrusted(image()).with_command(["sleep", "600"])
}

impl Things {
    pub async fn make(witness: &dyn ContainerBackend, operation: &Operation) -> Self {
        let mut things = Self {
            container: ContainerRef::new("nobody").expect("a name"),
            network: NetworkRef::new("outcomes").expect("a name"),
            volume: VolumeName::new("outcomes").expect("a name"),
        };
        if operation.needs != Needs::Nothing {
            let mut spec = spec();
            spec.security.network = catamaran::model::NetworkMode::Default.into();
            things.container = witness.create(&spec).await.expect("a container").id;
        }
        if matches!(operation.needs, Needs::Running | Needs::Paused) {
            witness.start(&things.container).await.expect("a start");
        }
        if operation.needs == Needs::Paused {
            witness.pause(&things.container).await.expect("a pause");
        }
        if operation.effect.0 == "network" && operation.effect.1 != "create" {
            let spec = NetworkSpec::new(things.network.clone());
            witness.create_network(&spec).await.expect("a network");
        }
        if operation.effect.1 == "disconnect" {
            let options = ConnectOptions::default();
            let joined = witness.connect_network(&things.network, &things.container, &options);
            joined.await.expect("a network more");
        }
        if operation.effect == ("volume", "destroy") {
            let spec = VolumeSpec::named(things.volume.clone());
            witness.create_volume(&spec).await.expect("a volume");
        }
        things
    }
}

/// An operation whose effect is told by an event; a look or a second attempt resolves it unless told otherwise.
const fn operation(
    name: &'static str,
    endpoint: (&'static str, &'static str),
    effect: (&'static str, &'static str),
    needs: Needs,
    act: fn(Backend, Things) -> BoxFuture<'static, Result<()>>,
) -> Operation {
    Operation {
        name,
        method: endpoint.0,
        path: endpoint.1,
        effect,
        once: false,
        resent: true,
        needs,
        act,
    }
}

impl Operation {
    const fn once(mut self) -> Self {
        self.once = true;
        self.resent = false;
        self
    }

    const fn not_resent(mut self) -> Self {
        self.resent = false;
        self
    }
}

const CREATE: (&str, &str) = ("POST", "/containers/create");

/// All that change something.
pub const ALL: &[Operation] = &[
    operation(
        "create by name",
        CREATE,
        ("container", "create"),
        Needs::Nothing,
        |backend, _| {
            async move {
                let name = catamaran::model::ContainerName::new("outcomes")?;
                backend.create(&spec().with_name(name)).await.map(drop)
            }
            .boxed()
        },
    ),
    operation(
        "create",
        CREATE,
        ("container", "create"),
        Needs::Nothing,
        |backend, _| async move { backend.create(&spec()).await.map(drop) }.boxed(),
    ),
    operation(
        "start",
        ("POST", "/containers/*/start"),
        ("container", "start"),
        Needs::Created,
        |backend, things| async move { backend.start(&things.container).await.map(drop) }.boxed(),
    )
    .not_resent(),
    operation(
        "stop",
        ("POST", "/containers/*/stop"),
        ("container", "stop"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = StopOptions::default().with_timeout(std::time::Duration::ZERO);
                backend.stop(&things.container, &options).await.map(drop)
            }
            .boxed()
        },
    ),
    operation(
        "restart",
        ("POST", "/containers/*/restart"),
        ("container", "restart"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = RestartOptions::default().with_timeout(std::time::Duration::ZERO);
                backend.restart(&things.container, &options).await
            }
            .boxed()
        },
    )
    .not_resent(),
    operation(
        "kill",
        ("POST", "/containers/*/kill"),
        ("container", "kill"),
        Needs::Running,
        |backend, things| {
            async move {
                backend
                    .kill(&things.container, &KillOptions::default())
                    .await
            }
            .boxed()
        },
    )
    .not_resent(),
    operation(
        "signal",
        ("POST", "/containers/*/kill"),
        ("container", "kill"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = KillOptions::default().with_signal(Signal::new("USR1")?);
                backend.kill(&things.container, &options).await
            }
            .boxed()
        },
    )
    .once(),
    operation(
        "pause",
        ("POST", "/containers/*/pause"),
        ("container", "pause"),
        Needs::Running,
        |backend, things| async move { backend.pause(&things.container).await }.boxed(),
    ),
    operation(
        "unpause",
        ("POST", "/containers/*/unpause"),
        ("container", "unpause"),
        Needs::Paused,
        |backend, things| async move { backend.unpause(&things.container).await }.boxed(),
    ),
    operation(
        "rename",
        ("POST", "/containers/*/rename"),
        ("container", "rename"),
        Needs::Created,
        |backend, things| {
            async move {
                let name = catamaran::model::ContainerName::new("renamed")?;
                backend.rename(&things.container, &name).await
            }
            .boxed()
        },
    ),
    operation(
        "remove",
        ("DELETE", "/containers/*"),
        ("container", "destroy"),
        Needs::Running,
        |backend, things| {
            async move {
                backend
                    .remove(&things.container, &RemoveOptions::force())
                    .await
            }
            .boxed()
        },
    ),
    operation(
        "exec",
        ("POST", "/exec/*/start"),
        ("container", "exec_start"),
        Needs::Running,
        |backend, things| {
            async move {
                let ran = backend
                    .exec(&things.container, &ExecOptions::new(["true"]))
                    .await?;
                assert_eq!(ran.exit_code, 0, "no code is made up");
                Ok(())
            }
            .boxed()
        },
    )
    .once(),
    operation(
        "register exec",
        ("POST", "/containers/*/exec"),
        ("container", "exec_start"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = ExecOptions::new(["true"]);
                backend.exec(&things.container, &options).await.map(drop)
            }
            .boxed()
        },
    )
    .once(),
    operation(
        "create network",
        ("POST", "/networks/create"),
        ("network", "create"),
        Needs::Nothing,
        |backend, things| {
            async move {
                let spec = NetworkSpec::new(things.network);
                backend.create_network(&spec).await.map(drop)
            }
            .boxed()
        },
    )
    .not_resent(),
    operation(
        "remove network",
        ("DELETE", "/networks/*"),
        ("network", "destroy"),
        Needs::Nothing,
        |backend, things| async move { backend.remove_network(&things.network).await }.boxed(),
    ),
    operation(
        "connect network",
        ("POST", "/networks/*/connect"),
        ("network", "connect"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = ConnectOptions::default();
                backend
                    .connect_network(&things.network, &things.container, &options)
                    .await
            }
            .boxed()
        },
    ),
    operation(
        "disconnect network",
        ("POST", "/networks/*/disconnect"),
        ("network", "disconnect"),
        Needs::Running,
        |backend, things| {
            async move {
                let options = DisconnectOptions::default();
                backend
                    .disconnect_network(&things.network, &things.container, &options)
                    .await
            }
            .boxed()
        },
    ),
    operation(
        "create volume by name",
        ("POST", "/volumes/create"),
        ("volume", "create"),
        Needs::Nothing,
        |backend, things| {
            async move {
                let spec = VolumeSpec::named(things.volume);
                backend.create_volume(&spec).await.map(drop)
            }
            .boxed()
        },
    ),
    operation(
        "create volume",
        ("POST", "/volumes/create"),
        ("volume", "create"),
        Needs::Nothing,
        |backend, _| {
            async move { backend.create_volume(&VolumeSpec::new()).await.map(drop) }.boxed()
        },
    )
    .not_resent(),
    operation(
        "remove volume",
        ("DELETE", "/volumes/*"),
        ("volume", "destroy"),
        Needs::Nothing,
        |backend, things| {
            async move {
                let options = RemoveVolumeOptions::default();
                backend.remove_volume(&things.volume, &options).await
            }
            .boxed()
        },
    ),
];
