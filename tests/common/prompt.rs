//! A backend that answers at once, from nothing: what is left is what stands in front of it.

use std::sync::Arc;

use async_trait::async_trait;
use catamaran::model::*;
use catamaran::{CallContext, ContainerBackend, Error, ErrorKind, Result};

#[derive(Clone, Copy)]
pub struct Prompt;

/// These are answered, the others refused.
macro_rules! prompt {
    ($($answered:ident($($given:ident: $type:ty),*) -> $answer:ty = $value:expr;)* ==
        $($refused:ident($($unused:ident: $other:ty),*) -> $never:ty;)*) => {
        #[async_trait]
        impl ContainerBackend for Prompt {
            fn with_context(&self, _: CallContext) -> Arc<dyn ContainerBackend> {
                Arc::new(*self)
            }

            $(async fn $answered(&self, $($given: $type),*) -> Result<$answer> {
                $(let _ = $given;)*
                Ok($value)
            })*

            $(async fn $refused(&self, $($unused: $other),*) -> Result<$never> {
                $(let _ = $unused;)*
                Err(Error::new(ErrorKind::Unsupported, "nobody asks for that here"))
            })*
        }
    };
}

prompt! {
    image_exists(image: &ImageRef) -> bool = true;
    list(options: &ListOptions) -> Vec<ContainerSummary> = Vec::new();
    exec(container: &ContainerRef, options: &ExecOptions) -> ExecOutput = ExecOutput::new(0, Default::default(), Default::default());
    remove(container: &ContainerRef, options: &RemoveOptions) -> () = ();
    ==
    ping() -> Ping;
    version() -> EngineVersion;
    info() -> EngineInfo;
    disk_usage() -> DiskUsage;
    events(options: &EventsOptions) -> EventStream;
    list_images(options: &ListImagesOptions) -> Vec<ImageSummary>;
    import_image(options: &ImportOptions, archive: TarArchive) -> ImageRef;
    pull_image(image: &ImageRef, options: &PullOptions) -> PullStream;
    inspect_image(image: &ImageRef) -> ImageDetails;
    tag_image(image: &ImageRef, name: &ImageRef) -> ();
    remove_image(image: &ImageRef, options: &RemoveImageOptions) -> Vec<ImageRemoval>;
    prune_images(options: &PruneImagesOptions) -> ImagePruneReport;
    create(spec: &ContainerSpec) -> Created;
    start(container: &ContainerRef) -> StartOutcome;
    stop(container: &ContainerRef, options: &StopOptions) -> StopOutcome;
    restart(container: &ContainerRef, options: &RestartOptions) -> ();
    kill(container: &ContainerRef, options: &KillOptions) -> ();
    pause(container: &ContainerRef) -> ();
    unpause(container: &ContainerRef) -> ();
    rename(container: &ContainerRef, name: &ContainerName) -> ();
    update(container: &ContainerRef, options: &UpdateOptions) -> Vec<String>;
    inspect(container: &ContainerRef) -> ContainerDetails;
    wait(container: &ContainerRef, options: &WaitOptions) -> WaitOutcome;
    logs(container: &ContainerRef, options: &LogsOptions) -> LogStream;
    stats(container: &ContainerRef) -> ContainerStats;
    stats_stream(container: &ContainerRef) -> StatsStream;
    top(container: &ContainerRef, options: &TopOptions) -> ProcessTable;
    changes(container: &ContainerRef) -> Vec<FileChange>;
    put_archive(container: &ContainerRef, directory: &ContainerPath, options: &PutArchiveOptions, archive: TarArchive) -> ();
    get_archive(container: &ContainerRef, path: &ContainerPath) -> ArchiveStream;
    stat_path(container: &ContainerRef, path: &ContainerPath) -> PathStat;
    start_exec(container: &ContainerRef, options: &ExecOptions) -> ExecSession;
    inspect_exec(exec: &ExecId) -> ExecDetails;
    resize_exec(exec: &ExecId, size: TerminalSize) -> ();
    attach(container: &ContainerRef, options: &AttachOptions) -> Attached;
    resize(container: &ContainerRef, size: TerminalSize) -> ();
    prune_containers(options: &PruneContainersOptions) -> PruneReport;
    create_network(spec: &NetworkSpec) -> CreatedNetwork;
    inspect_network(network: &NetworkRef) -> NetworkDetails;
    list_networks(options: &ListNetworksOptions) -> Vec<NetworkSummary>;
    connect_network(network: &NetworkRef, container: &ContainerRef, options: &ConnectOptions) -> ();
    disconnect_network(network: &NetworkRef, container: &ContainerRef, options: &DisconnectOptions) -> ();
    remove_network(network: &NetworkRef) -> ();
    prune_networks(options: &PruneNetworksOptions) -> PruneReport;
    create_volume(spec: &VolumeSpec) -> VolumeDetails;
    inspect_volume(volume: &VolumeName) -> VolumeDetails;
    list_volumes(options: &ListVolumesOptions) -> VolumeList;
    remove_volume(volume: &VolumeName, options: &RemoveVolumeOptions) -> ();
    prune_volumes(options: &PruneVolumesOptions) -> PruneReport;
}

/// What is asked of it: one call of each nature.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// Changes nothing.
    List,
    /// Can be looked at.
    Remove,
    /// Is sent once.
    Exec,
}

impl Ask {
    pub const ALL: [Self; 3] = [Self::List, Self::Remove, Self::Exec];

    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Remove => "remove",
            Self::Exec => "exec",
        }
    }
}

/// Everything that is asked for, made once.
pub struct Asked {
    id: ContainerRef,
    list: ListOptions,
    remove: RemoveOptions,
    exec: ExecOptions,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            id: ContainerRef::new("c0ffee00".repeat(8)).expect("an id"),
            list: ListOptions::all(),
            remove: RemoveOptions::force(),
            exec: ExecOptions::new(["true"]),
        }
    }
}

impl Asked {
    pub async fn of(&self, backend: &dyn ContainerBackend, ask: Ask) {
        let answered = match ask {
            Ask::List => backend.list(&self.list).await.map(drop),
            Ask::Remove => backend.remove(&self.id, &self.remove).await,
            Ask::Exec => backend.exec(&self.id, &self.exec).await.map(drop),
        };
        answered.expect("it is answered at once");
    }
}
