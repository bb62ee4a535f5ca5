//! A backend that keeps what it was told was done, call by call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catamaran::model::*;
use catamaran::{BackendId, CallContext, ContainerBackend, Result};

/// How often something was done to an object, by the object's kind and id, and the engine's word for it.
pub type Tally = BTreeMap<(&'static str, String, &'static str), usize>;

pub const CONTAINER: &str = "container";
pub const NETWORK: &str = "network";
pub const IMAGE: &str = "image";
pub const VOLUME: &str = "volume";

/// What was claimed.
#[derive(Default)]
pub struct Claims {
    pub done: Tally,
    /// Ids by the kinds and names that they bore.
    names: BTreeMap<(&'static str, String), String>,
}

impl Claims {
    fn note(&mut self, kind: &'static str, id: &str, action: &'static str) {
        let id = self.id(kind, id);
        *self.done.entry((kind, id, action)).or_default() += 1;
    }

    /// The id of what is called so, by name or by id.
    fn id(&self, kind: &'static str, called: &str) -> String {
        let known = self.names.get(&(kind, called.to_owned()));
        known.map_or_else(|| called.to_owned(), Clone::clone)
    }

    fn name(&mut self, kind: &'static str, name: impl ToString, id: String) {
        self.names.insert((kind, name.to_string()), id);
    }

    fn container(&mut self, container: &ContainerRef, action: &'static str) {
        self.note(CONTAINER, container.as_str(), action);
    }
}

/// Forwards every call, and notes what was done where it succeeded.
pub struct Recording {
    inner: Arc<dyn ContainerBackend>,
    claims: Arc<Mutex<Claims>>,
}

impl Recording {
    pub fn new(inner: Arc<dyn ContainerBackend>) -> Self {
        Self {
            inner,
            claims: Arc::default(),
        }
    }

    pub fn claims(&self) -> std::sync::MutexGuard<'_, Claims> {
        self.claims.lock().expect("no panic while noting")
    }

    fn over(&self, inner: Arc<dyn ContainerBackend>) -> Arc<dyn ContainerBackend> {
        Arc::new(Self {
            inner,
            claims: Arc::clone(&self.claims),
        })
    }
}

/// Each method by the inner one; after the arrow, what its success claims.
macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*) -> $answer:ty $(=> |$claims:ident, $given:ident| $note:expr)?;)*) => {
        #[async_trait]
        impl ContainerBackend for Recording {
            fn with_context(&self, context: CallContext) -> Arc<dyn ContainerBackend> {
                self.over(self.inner.with_context(context))
            }

            fn detached(&self) -> Arc<dyn ContainerBackend> {
                self.over(self.inner.detached())
            }

            fn identity(&self) -> Option<BackendId> {
                self.inner.identity()
            }

            fn context(&self) -> CallContext {
                self.inner.context()
            }

            $(async fn $method(&self, $($name: $type),*) -> Result<$answer> {
                let answer = self.inner.$method($($name),*).await?;
                $(
                    let mut claims = self.claims();
                    let ($claims, $given) = (&mut *claims, &answer);
                    $note;
                    drop(claims);
                )?
                Ok(answer)
            })*
        }
    };
}

forward! {
    ping() -> Ping;
    version() -> EngineVersion;
    info() -> EngineInfo;
    disk_usage() -> DiskUsage;
    events(options: &EventsOptions) -> EventStream;
    image_exists(image: &ImageRef) -> bool;
    list_images(options: &ListImagesOptions) -> Vec<ImageSummary>;
    import_image(options: &ImportOptions, archive: TarArchive) -> ImageRef => |claims, image| {
        claims.note(IMAGE, image.as_str(), "import");
    };
    pull_image(image: &ImageRef, options: &PullOptions) -> PullStream;
    inspect_image(image: &ImageRef) -> ImageDetails;
    tag_image(image: &ImageRef, name: &ImageRef) -> ();
    remove_image(image: &ImageRef, options: &RemoveImageOptions) -> Vec<ImageRemoval>;
    prune_images(options: &PruneImagesOptions) -> ImagePruneReport;
    create(spec: &ContainerSpec) -> Created => |claims, created| {
        if let Some(name) = &spec.name {
            claims.name(CONTAINER, name, created.id.to_string());
        }
        claims.container(&created.id, "create");
    };
    start(container: &ContainerRef) -> StartOutcome => |claims, outcome| {
        if *outcome == StartOutcome::Started {
            claims.container(container, "start");
        }
    };
    stop(container: &ContainerRef, options: &StopOptions) -> StopOutcome => |claims, outcome| {
        if *outcome == StopOutcome::Stopped {
            claims.container(container, "stop");
        }
    };
    restart(container: &ContainerRef, options: &RestartOptions) -> () => |claims, _done| {
        claims.container(container, "restart");
    };
    kill(container: &ContainerRef, options: &KillOptions) -> () => |claims, _done| {
        claims.container(container, "kill");
    };
    pause(container: &ContainerRef) -> () => |claims, _done| claims.container(container, "pause");
    unpause(container: &ContainerRef) -> () => |claims, _done| claims.container(container, "unpause");
    rename(container: &ContainerRef, name: &ContainerName) -> () => |claims, _done| {
        claims.container(container, "rename");
        let id = claims.id(CONTAINER, container.as_str());
        claims.name(CONTAINER, name, id);
    };
    update(container: &ContainerRef, options: &UpdateOptions) -> Vec<String> => |claims, _done| {
        claims.container(container, "update");
    };
    inspect(container: &ContainerRef) -> ContainerDetails;
    list(options: &ListOptions) -> Vec<ContainerSummary>;
    wait(container: &ContainerRef, options: &WaitOptions) -> WaitOutcome;
    logs(container: &ContainerRef, options: &LogsOptions) -> LogStream;
    stats(container: &ContainerRef) -> ContainerStats;
    stats_stream(container: &ContainerRef) -> StatsStream;
    top(container: &ContainerRef, options: &TopOptions) -> ProcessTable => |claims, _done| {
        claims.container(container, "top");
    };
    changes(container: &ContainerRef) -> Vec<FileChange>;
    put_archive(container: &ContainerRef, directory: &ContainerPath, options: &PutArchiveOptions, archive: TarArchive)
        -> () => |claims, _done| claims.container(container, "extract-to-dir");
    get_archive(container: &ContainerRef, path: &ContainerPath) -> ArchiveStream => |claims, _stream| {
        claims.container(container, "archive-path");
    };
    stat_path(container: &ContainerRef, path: &ContainerPath) -> PathStat;
    exec(container: &ContainerRef, options: &ExecOptions) -> ExecOutput => |claims, _done| {
        claims.container(container, "exec_start");
    };
    start_exec(container: &ContainerRef, options: &ExecOptions) -> ExecSession => |claims, _session| {
        claims.container(container, "exec_start");
    };
    inspect_exec(exec: &ExecId) -> ExecDetails;
    resize_exec(exec: &ExecId, size: TerminalSize) -> ();
    attach(container: &ContainerRef, options: &AttachOptions) -> Attached => |claims, _attached| {
        claims.container(container, "attach");
    };
    resize(container: &ContainerRef, size: TerminalSize) -> () => |claims, _done| {
        claims.container(container, "resize");
    };
    remove(container: &ContainerRef, options: &RemoveOptions) -> () => |claims, _done| {
        claims.container(container, "destroy");
    };
    prune_containers(options: &PruneContainersOptions) -> PruneReport => |claims, report| {
        for container in &report.removed {
            claims.note(CONTAINER, container, "destroy");
        }
    };
    create_network(spec: &NetworkSpec) -> CreatedNetwork => |claims, created| {
        claims.name(NETWORK, &spec.name, created.id.to_string());
        claims.note(NETWORK, created.id.as_str(), "create");
    };
    inspect_network(network: &NetworkRef) -> NetworkDetails;
    list_networks(options: &ListNetworksOptions) -> Vec<NetworkSummary>;
    connect_network(network: &NetworkRef, container: &ContainerRef, options: &ConnectOptions) -> ();
    disconnect_network(network: &NetworkRef, container: &ContainerRef, options: &DisconnectOptions) -> ();
    remove_network(network: &NetworkRef) -> () => |claims, _done| {
        claims.note(NETWORK, network.as_str(), "destroy");
    };
    prune_networks(options: &PruneNetworksOptions) -> PruneReport => |claims, report| {
        for network in &report.removed {
            claims.note(NETWORK, network, "destroy");
        }
    };
    create_volume(spec: &VolumeSpec) -> VolumeDetails => |claims, volume| {
        claims.note(VOLUME, volume.name.as_str(), "create");
    };
    inspect_volume(volume: &VolumeName) -> VolumeDetails;
    list_volumes(options: &ListVolumesOptions) -> VolumeList;
    remove_volume(volume: &VolumeName, options: &RemoveVolumeOptions) -> () => |claims, _done| {
        // One that isn't there is forced away as well.
        if !options.force {
            claims.note(VOLUME, volume.as_str(), "destroy");
        }
    };
    prune_volumes(options: &PruneVolumesOptions) -> PruneReport => |claims, _report| {
        // Docker tells of the prune, not of each volume.
        claims.note(VOLUME, "", "prune");
    };
}
