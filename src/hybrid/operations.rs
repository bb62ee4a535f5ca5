//! Every operation, a line each: its name, its own time, and how an engine is asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Call, HybridBackend};
use crate::backend::{BackendId, CallContext, ContainerBackend};
use crate::error::Result;
use crate::model::{
    ArchiveStream, AttachOptions, Attached, ConnectOptions, ContainerDetails, ContainerName,
    ContainerPath, ContainerRef, ContainerSpec, ContainerStats, ContainerSummary, Created,
    CreatedNetwork, DisconnectOptions, DiskUsage, EngineInfo, EngineVersion, EventStream,
    EventsOptions, ExecDetails, ExecId, ExecOptions, ExecOutput, ExecSession, FileChange,
    ImageDetails, ImagePruneReport, ImageRef, ImageRemoval, ImageSummary, ImportOptions,
    KillOptions, ListImagesOptions, ListNetworksOptions, ListOptions, ListVolumesOptions,
    LogStream, LogsOptions, NetworkDetails, NetworkRef, NetworkSpec, NetworkSummary, PathStat,
    Ping, ProcessTable, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneReport, PruneVolumesOptions, PullOptions, PullStream, PutArchiveOptions,
    RemoveImageOptions, RemoveOptions, RemoveVolumeOptions, RestartOptions, StartOutcome,
    StatsStream, StopOptions, StopOutcome, TarArchive, TerminalSize, TopOptions, UpdateOptions,
    VolumeDetails, VolumeList, VolumeName, VolumeSpec, WaitCondition, WaitOptions, WaitOutcome,
};
use crate::operation::Operation as Op;

/// How an engine is asked, once for each attempt.
macro_rules! ask {
    ($method:ident($($argument:expr),*)) => {
        |engine: Arc<dyn ContainerBackend>| async move { engine.$method($($argument),*).await }
    };
}

/// A call that takes so much time by its own nature.
fn taking(operation: Op, patience: Duration) -> Call {
    Call {
        patience,
        ..operation.into()
    }
}

#[async_trait]
impl ContainerBackend for HybridBackend {
    fn with_context(&self, context: CallContext) -> Arc<dyn ContainerBackend> {
        Arc::new(Self {
            async_engine: self.async_engine.with_context(context.clone()),
            blocking_engine: self.blocking_engine.with_context(context.clone()),
            context: context.over(&self.context),
            ..self.clone()
        })
    }

    fn detached(&self) -> Arc<dyn ContainerBackend> {
        Arc::new(Self {
            async_engine: self.async_engine.detached(),
            blocking_engine: self.blocking_engine.detached(),
            context: CallContext::new(),
            // They were promised to be called on the caller's task.
            observers: Vec::new(),
            ..self.clone()
        })
    }

    fn identity(&self) -> Option<BackendId> {
        Some(self.id)
    }

    fn context(&self) -> CallContext {
        self.context.clone()
    }

    async fn ping(&self) -> Result<Ping> {
        self.run(Op::Ping, ask!(ping())).await
    }

    async fn version(&self) -> Result<EngineVersion> {
        self.run(Op::Version, ask!(version())).await
    }

    async fn info(&self) -> Result<EngineInfo> {
        self.run(Op::Info, ask!(info())).await
    }

    async fn disk_usage(&self) -> Result<DiskUsage> {
        self.run(Op::DiskUsage, ask!(disk_usage())).await
    }

    async fn events(&self, options: &EventsOptions) -> Result<EventStream> {
        self.run(Op::Events, ask!(events(options))).await
    }

    async fn image_exists(&self, image: &ImageRef) -> Result<bool> {
        self.run(Op::ImageExists, ask!(image_exists(image))).await
    }

    async fn list_images(&self, options: &ListImagesOptions) -> Result<Vec<ImageSummary>> {
        self.run(Op::ListImages, ask!(list_images(options))).await
    }

    async fn import_image(&self, options: &ImportOptions, archive: TarArchive) -> Result<ImageRef> {
        match archive {
            TarArchive::Bytes(bytes) => {
                let ask = |engine: Arc<dyn ContainerBackend>| {
                    let archive = TarArchive::Bytes(bytes.clone());
                    async move { engine.import_image(options, archive).await }
                };
                self.run(Op::ImportImage, ask).await
            }
            // Nobody can read a stream twice.
            archive @ TarArchive::Stream(_) => {
                self.run_once(Op::ImportImage.into(), ask!(import_image(options, archive)))
                    .await
            }
        }
    }

    async fn pull_image(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream> {
        self.run(Op::PullImage, ask!(pull_image(image, options)))
            .await
    }

    async fn inspect_image(&self, image: &ImageRef) -> Result<ImageDetails> {
        self.run(Op::InspectImage, ask!(inspect_image(image))).await
    }

    async fn tag_image(&self, image: &ImageRef, name: &ImageRef) -> Result<()> {
        self.run(Op::TagImage, ask!(tag_image(image, name))).await
    }

    async fn remove_image(
        &self,
        image: &ImageRef,
        options: &RemoveImageOptions,
    ) -> Result<Vec<ImageRemoval>> {
        self.run(Op::RemoveImage, ask!(remove_image(image, options)))
            .await
    }

    async fn prune_images(&self, options: &PruneImagesOptions) -> Result<ImagePruneReport> {
        self.run(Op::PruneImages, ask!(prune_images(options))).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created> {
        self.run(Op::Create, ask!(create(spec))).await
    }

    async fn start(&self, container: &ContainerRef) -> Result<StartOutcome> {
        self.run(Op::Start, ask!(start(container))).await
    }

    async fn stop(&self, container: &ContainerRef, options: &StopOptions) -> Result<StopOutcome> {
        let call = taking(Op::Stop, options.patience());
        self.run(call, ask!(stop(container, options))).await
    }

    async fn restart(&self, container: &ContainerRef, options: &RestartOptions) -> Result<()> {
        let call = taking(Op::Restart, options.patience());
        self.run(call, ask!(restart(container, options))).await
    }

    async fn kill(&self, container: &ContainerRef, options: &KillOptions) -> Result<()> {
        self.run(Op::Kill, ask!(kill(container, options))).await
    }

    async fn pause(&self, container: &ContainerRef) -> Result<()> {
        self.run(Op::Pause, ask!(pause(container))).await
    }

    async fn unpause(&self, container: &ContainerRef) -> Result<()> {
        self.run(Op::Unpause, ask!(unpause(container))).await
    }

    async fn rename(&self, container: &ContainerRef, name: &ContainerName) -> Result<()> {
        self.run(Op::Rename, ask!(rename(container, name))).await
    }

    async fn update(
        &self,
        container: &ContainerRef,
        options: &UpdateOptions,
    ) -> Result<Vec<String>> {
        self.run(Op::Update, ask!(update(container, options))).await
    }

    async fn inspect(&self, container: &ContainerRef) -> Result<ContainerDetails> {
        self.run(Op::Inspect, ask!(inspect(container))).await
    }

    async fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        self.run(Op::List, ask!(list(options))).await
    }

    async fn wait(&self, container: &ContainerRef, options: &WaitOptions) -> Result<WaitOutcome> {
        let call = Call {
            // Asked again, it would wait for another exit, or find the container gone.
            repeatable: options.condition == WaitCondition::NotRunning,
            ..Op::Wait.into()
        };
        self.run(call, ask!(wait(container, options))).await
    }

    async fn logs(&self, container: &ContainerRef, options: &LogsOptions) -> Result<LogStream> {
        self.run(Op::Logs, ask!(logs(container, options))).await
    }

    async fn stats(&self, container: &ContainerRef) -> Result<ContainerStats> {
        self.run(Op::Stats, ask!(stats(container))).await
    }

    async fn stats_stream(&self, container: &ContainerRef) -> Result<StatsStream> {
        self.run(Op::StatsStream, ask!(stats_stream(container)))
            .await
    }

    async fn top(&self, container: &ContainerRef, options: &TopOptions) -> Result<ProcessTable> {
        self.run(Op::Top, ask!(top(container, options))).await
    }

    async fn changes(&self, container: &ContainerRef) -> Result<Vec<FileChange>> {
        self.run(Op::Changes, ask!(changes(container))).await
    }

    async fn put_archive(
        &self,
        container: &ContainerRef,
        directory: &ContainerPath,
        options: &PutArchiveOptions,
        archive: TarArchive,
    ) -> Result<()> {
        match archive {
            TarArchive::Bytes(bytes) => {
                let ask = |engine: Arc<dyn ContainerBackend>| {
                    let archive = TarArchive::Bytes(bytes.clone());
                    async move {
                        engine
                            .put_archive(container, directory, options, archive)
                            .await
                    }
                };
                self.run(Op::PutArchive, ask).await
            }
            // Nobody can read a stream twice.
            archive @ TarArchive::Stream(_) => {
                let ask = ask!(put_archive(container, directory, options, archive));
                self.run_once(Op::PutArchive.into(), ask).await
            }
        }
    }

    async fn get_archive(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<ArchiveStream> {
        self.run(Op::GetArchive, ask!(get_archive(container, path)))
            .await
    }

    async fn stat_path(&self, container: &ContainerRef, path: &ContainerPath) -> Result<PathStat> {
        self.run(Op::StatPath, ask!(stat_path(container, path)))
            .await
    }

    async fn exec(&self, container: &ContainerRef, options: &ExecOptions) -> Result<ExecOutput> {
        let call = taking(Op::Exec, options.patience());
        self.run(call, ask!(exec(container, options))).await
    }

    async fn start_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecSession> {
        self.run(Op::StartExec, ask!(start_exec(container, options)))
            .await
    }

    async fn inspect_exec(&self, exec: &ExecId) -> Result<ExecDetails> {
        self.run(Op::InspectExec, ask!(inspect_exec(exec))).await
    }

    async fn resize_exec(&self, exec: &ExecId, size: TerminalSize) -> Result<()> {
        self.run(Op::ResizeExec, ask!(resize_exec(exec, size)))
            .await
    }

    async fn attach(&self, container: &ContainerRef, options: &AttachOptions) -> Result<Attached> {
        self.run(Op::Attach, ask!(attach(container, options))).await
    }

    async fn resize(&self, container: &ContainerRef, size: TerminalSize) -> Result<()> {
        self.run(Op::Resize, ask!(resize(container, size))).await
    }

    async fn remove(&self, container: &ContainerRef, options: &RemoveOptions) -> Result<()> {
        self.run(Op::Remove, ask!(remove(container, options))).await
    }

    async fn prune_containers(&self, options: &PruneContainersOptions) -> Result<PruneReport> {
        self.run(Op::PruneContainers, ask!(prune_containers(options)))
            .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<CreatedNetwork> {
        self.run(Op::CreateNetwork, ask!(create_network(spec)))
            .await
    }

    async fn inspect_network(&self, network: &NetworkRef) -> Result<NetworkDetails> {
        self.run(Op::InspectNetwork, ask!(inspect_network(network)))
            .await
    }

    async fn list_networks(&self, options: &ListNetworksOptions) -> Result<Vec<NetworkSummary>> {
        self.run(Op::ListNetworks, ask!(list_networks(options)))
            .await
    }

    async fn connect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &ConnectOptions,
    ) -> Result<()> {
        let ask = ask!(connect_network(network, container, options));
        self.run(Op::ConnectNetwork, ask).await
    }

    async fn disconnect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &DisconnectOptions,
    ) -> Result<()> {
        let ask = ask!(disconnect_network(network, container, options));
        self.run(Op::DisconnectNetwork, ask).await
    }

    async fn remove_network(&self, network: &NetworkRef) -> Result<()> {
        self.run(Op::RemoveNetwork, ask!(remove_network(network)))
            .await
    }

    async fn prune_networks(&self, options: &PruneNetworksOptions) -> Result<PruneReport> {
        self.run(Op::PruneNetworks, ask!(prune_networks(options)))
            .await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeDetails> {
        let call = Call {
            // The second answer shows the volume that the first one made. Without a name, there would be two.
            repeatable: spec.name.is_some(),
            ..Op::CreateVolume.into()
        };
        self.run(call, ask!(create_volume(spec))).await
    }

    async fn inspect_volume(&self, volume: &VolumeName) -> Result<VolumeDetails> {
        self.run(Op::InspectVolume, ask!(inspect_volume(volume)))
            .await
    }

    async fn list_volumes(&self, options: &ListVolumesOptions) -> Result<VolumeList> {
        self.run(Op::ListVolumes, ask!(list_volumes(options))).await
    }

    async fn remove_volume(
        &self,
        volume: &VolumeName,
        options: &RemoveVolumeOptions,
    ) -> Result<()> {
        self.run(Op::RemoveVolume, ask!(remove_volume(volume, options)))
            .await
    }

    async fn prune_volumes(&self, options: &PruneVolumesOptions) -> Result<PruneReport> {
        self.run(Op::PruneVolumes, ask!(prune_volumes(options)))
            .await
    }
}
