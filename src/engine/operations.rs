//! Every operation, written once for both engines.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt};

use super::carrier::{Carrier, Envelope, Status};
use super::wire::{self, Command, Head, Misread};
use super::{Engine, not_sent};
use crate::backend::{BackendId, CallContext, ContainerBackend};
use crate::endpoint::ApiVersion;
use crate::error::{ErrorKind, Result};
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
    VolumeDetails, VolumeList, VolumeName, VolumeSpec, WaitOptions, WaitOutcome,
};
use crate::operation::Operation;
use crate::policy::Traffic;

impl<C: Carrier> Engine<C> {
    /// Puts into an error what the call was about.
    pub(super) fn name<T>(
        &self,
        result: Result<T>,
        operation: Operation,
        subject: impl Display,
    ) -> Result<T> {
        result.map_err(|error| {
            self.doubt_version(&error);
            let subject = subject.to_string();
            let error = if subject.is_empty() {
                error
            } else {
                error.with_subject(subject)
            };
            error
                .with_operation(operation)
                .with_engine(C::KIND)
                .with_endpoint(&self.shared.endpoint)
        })
    }

    /// Puts into the errors of a stream what it is about.
    pub(super) fn named<T: 'static>(
        &self,
        stream: impl Stream<Item = Result<T>> + Send + 'static,
        operation: Operation,
        subject: impl Display + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        let engine = self.clone();
        stream.map(move |item| engine.name(item, operation, &subject))
    }

    /// Asks a question whose answer is one body.
    async fn question<T>(
        &self,
        operation: Operation,
        subject: impl Display,
        call: impl FnOnce(ApiVersion) -> Result<wire::Call>,
        decode: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        self.question_as(Traffic::Call, operation, subject, call, decode)
            .await
    }

    async fn question_as<T>(
        &self,
        traffic: Traffic,
        operation: Operation,
        subject: impl Display,
        call: impl FnOnce(ApiVersion) -> Result<wire::Call>,
        decode: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let answer = async {
            let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
            let call = call(envelope.version.unwrap_or(ApiVersion::OLDEST))?;
            decode(&self.ask_as(traffic, call, envelope).await?.body)
        }
        .await;
        self.name(answer, operation, subject)
    }

    /// Asks the engine to remove what nothing uses, unless it is one that would misread the conditions.
    async fn prune<T>(
        &self,
        operation: Operation,
        misread: Result<Option<Misread>>,
        call: impl FnOnce(ApiVersion) -> Result<wire::Call>,
        decode: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        if let Some(misread) = self.name(misread, operation, "")? {
            let pinged = self.pinged().await.map_err(not_sent);
            let accepted = pinged.and_then(|head| misread.refused_for(&head));
            self.name(accepted, operation, "")?;
        }
        self.question(operation, "", call, decode).await
    }

    async fn pinged(&self) -> Result<Head> {
        let envelope = Envelope {
            version: None,
            deadline: self.deadline(Duration::ZERO),
        };
        Ok(self.ask(wire::ping(), envelope).await?.head)
    }

    async fn told(
        &self,
        container: &ContainerRef,
        command: Command,
        extra: Duration,
    ) -> Result<Status> {
        let operation = command.operation();
        let status = async {
            let envelope = self.envelope(self.deadline(extra)).await?;
            self.command(container, command, envelope).await
        }
        .await;
        self.name(status, operation, container)
    }
}

// What a default does of an operation, an engine does better: none is left to it.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Carrier> ContainerBackend for Engine<C> {
    fn with_context(&self, context: CallContext) -> Arc<dyn ContainerBackend> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            context: context.over(&self.context),
            limits: self.limits.clone(),
        })
    }

    fn detached(&self) -> Arc<dyn ContainerBackend> {
        match self.apart() {
            Ok(engine) => Arc::new(engine),
            // It could be made before; the old connections are better than none.
            Err(_) => Arc::new(Self {
                context: CallContext::new(),
                ..self.unlimited()
            }),
        }
    }

    fn identity(&self) -> Option<BackendId> {
        Some(self.shared.id)
    }

    fn context(&self) -> CallContext {
        self.context.clone()
    }

    async fn ping(&self) -> Result<Ping> {
        let pinged = self.pinged().await;
        let pinged = pinged.map(|head| wire::ping_answer(&head));
        self.name(pinged, Operation::Ping, "")
    }

    async fn version(&self) -> Result<EngineVersion> {
        self.question(
            Operation::Version,
            "",
            |_| Ok(wire::version()),
            wire::engine_version,
        )
        .await
    }

    async fn info(&self) -> Result<EngineInfo> {
        self.question(Operation::Info, "", |_| Ok(wire::info()), wire::engine_info)
            .await
    }

    async fn disk_usage(&self) -> Result<DiskUsage> {
        self.question(
            Operation::DiskUsage,
            "",
            |_| Ok(wire::disk_usage()),
            wire::space,
        )
        .await
    }

    async fn events(&self, options: &EventsOptions) -> Result<EventStream> {
        self.name(self.read_events(options).await, Operation::Events, "")
    }

    async fn image_exists(&self, image: &ImageRef) -> Result<bool> {
        let found = self.question(
            Operation::ImageExists,
            image,
            |_| Ok(wire::inspect_image(image)),
            |_| Ok(()),
        );
        match found.await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn list_images(&self, options: &ListImagesOptions) -> Result<Vec<ImageSummary>> {
        self.name(options.validate(), Operation::ListImages, "")?;
        self.question(
            Operation::ListImages,
            "",
            |_| Ok(wire::list_images(options)),
            wire::images,
        )
        .await
    }

    async fn import_image(&self, options: &ImportOptions, archive: TarArchive) -> Result<ImageRef> {
        self.name(
            options.validate(),
            Operation::ImportImage,
            &options.reference,
        )?;
        let call = |_| wire::import_image(options, archive);
        self.question_as(
            Traffic::Stream,
            Operation::ImportImage,
            &options.reference,
            call,
            wire::imported,
        )
        .await
    }

    async fn pull_image(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream> {
        let pulled = self.pull(image, options).await;
        self.name(pulled, Operation::PullImage, image)
    }

    async fn inspect_image(&self, image: &ImageRef) -> Result<ImageDetails> {
        self.question(
            Operation::InspectImage,
            image,
            |_| Ok(wire::inspect_image(image)),
            wire::image_details,
        )
        .await
    }

    async fn tag_image(&self, image: &ImageRef, name: &ImageRef) -> Result<()> {
        let call = self.name(wire::tag_image(image, name), Operation::TagImage, image)?;
        self.question(Operation::TagImage, image, |_| Ok(call), |_| Ok(()))
            .await
    }

    async fn remove_image(
        &self,
        image: &ImageRef,
        options: &RemoveImageOptions,
    ) -> Result<Vec<ImageRemoval>> {
        let call = |_| Ok(wire::remove_image(image, options));
        self.question(Operation::RemoveImage, image, call, wire::removals)
            .await
    }

    async fn prune_images(&self, options: &PruneImagesOptions) -> Result<ImagePruneReport> {
        let misread = options.validate().map(|()| Misread::of_images(options));
        let call = |_| Ok(wire::prune_images(options));
        self.prune(Operation::PruneImages, misread, call, wire::pruned_images)
            .await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created> {
        let subject = spec
            .name
            .as_ref()
            .map_or_else(|| spec.image.to_string(), ToString::to_string);
        // Checked before the first byte, the version's own question included.
        self.name(spec.validate(), Operation::Create, &subject)?;
        self.name(self.make(spec).await, Operation::Create, subject)
    }

    async fn start(&self, container: &ContainerRef) -> Result<StartOutcome> {
        Ok(
            match self.told(container, Command::Start, Duration::ZERO).await? {
                Status::Done => StartOutcome::Started,
                Status::Unchanged => StartOutcome::AlreadyRunning,
            },
        )
    }

    async fn stop(&self, container: &ContainerRef, options: &StopOptions) -> Result<StopOutcome> {
        let seconds = options.timeout.map(wire::whole_seconds);
        Ok(
            match self
                .told(container, Command::Stop { seconds }, options.patience())
                .await?
            {
                Status::Done => StopOutcome::Stopped,
                Status::Unchanged => StopOutcome::AlreadyStopped,
            },
        )
    }

    async fn restart(&self, container: &ContainerRef, options: &RestartOptions) -> Result<()> {
        let seconds = options.timeout.map(wire::whole_seconds);
        self.told(container, Command::Restart { seconds }, options.patience())
            .await
            .map(drop)
    }

    async fn kill(&self, container: &ContainerRef, options: &KillOptions) -> Result<()> {
        let signal = options.signal.clone();
        self.told(container, Command::Kill { signal }, Duration::ZERO)
            .await
            .map(drop)
    }

    async fn pause(&self, container: &ContainerRef) -> Result<()> {
        self.told(container, Command::Pause, Duration::ZERO)
            .await
            .map(drop)
    }

    async fn unpause(&self, container: &ContainerRef) -> Result<()> {
        self.told(container, Command::Unpause, Duration::ZERO)
            .await
            .map(drop)
    }

    async fn rename(&self, container: &ContainerRef, name: &ContainerName) -> Result<()> {
        let name = name.clone();
        self.told(container, Command::Rename { name }, Duration::ZERO)
            .await
            .map(drop)
    }

    async fn update(
        &self,
        container: &ContainerRef,
        options: &UpdateOptions,
    ) -> Result<Vec<String>> {
        self.name(options.validate(), Operation::Update, container)?;
        let call = |_| wire::update(container, options);
        self.question(Operation::Update, container, call, wire::warnings)
            .await
    }

    async fn inspect(&self, container: &ContainerRef) -> Result<ContainerDetails> {
        self.question(
            Operation::Inspect,
            container,
            |_| Ok(wire::inspect(container)),
            wire::details,
        )
        .await
    }

    async fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        self.name(options.validate(), Operation::List, "")?;
        self.question(
            Operation::List,
            "",
            |_| Ok(wire::list(options)),
            wire::summaries,
        )
        .await
    }

    async fn wait(&self, container: &ContainerRef, options: &WaitOptions) -> Result<WaitOutcome> {
        let waited = async {
            let envelope = self.open_ended().await?;
            let call = wire::wait(container, options);
            let opened = self.open(Traffic::Stream, call, envelope).await?;
            let body = wire::whole(opened.body, wire::MAX_SMALL_BODY);
            wire::wait_outcome(&envelope.deadline.bound(body).await??)
        };
        self.name(waited.await, Operation::Wait, container)
    }

    async fn logs(&self, container: &ContainerRef, options: &LogsOptions) -> Result<LogStream> {
        self.name(
            self.read_logs(container, options).await,
            Operation::Logs,
            container,
        )
    }

    async fn stats(&self, container: &ContainerRef) -> Result<ContainerStats> {
        self.question(
            Operation::Stats,
            container,
            |_| Ok(wire::stats(container)),
            wire::container_stats,
        )
        .await
    }

    async fn stats_stream(&self, container: &ContainerRef) -> Result<StatsStream> {
        self.name(
            self.open_stats(container).await,
            Operation::StatsStream,
            container,
        )
    }

    async fn top(&self, container: &ContainerRef, options: &TopOptions) -> Result<ProcessTable> {
        self.name(options.validate(), Operation::Top, container)?;
        let call = |_| Ok(wire::top(container, options));
        self.question(Operation::Top, container, call, wire::processes)
            .await
    }

    async fn changes(&self, container: &ContainerRef) -> Result<Vec<FileChange>> {
        let call = |_| Ok(wire::changes(container));
        let changes = self.question(Operation::Changes, container, call, wire::file_changes);
        let error = match changes.await {
            Err(error) if error.status() == Some(500) => error,
            answered => return answered,
        };
        // Podman's word for a container that isn't there: an inspect tells.
        let call = |_| Ok(wire::inspect(container));
        let there = self.question(Operation::Changes, container, call, |_| Ok(()));
        match there.await {
            Err(absent) if absent.kind() == ErrorKind::NotFound => Err(absent),
            _ => Err(error),
        }
    }

    async fn put_archive(
        &self,
        container: &ContainerRef,
        directory: &ContainerPath,
        options: &PutArchiveOptions,
        archive: TarArchive,
    ) -> Result<()> {
        let put = self.write_archive(container, directory, options, archive);
        self.name(put.await, Operation::PutArchive, container)
    }

    async fn get_archive(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<ArchiveStream> {
        let got = self.read_archive(container, path).await;
        self.name(got, Operation::GetArchive, container)
    }

    async fn stat_path(&self, container: &ContainerRef, path: &ContainerPath) -> Result<PathStat> {
        let told = self.look_at(container, path).await;
        self.name(told, Operation::StatPath, container)
    }

    async fn exec(&self, container: &ContainerRef, options: &ExecOptions) -> Result<ExecOutput> {
        self.name(
            self.run_exec(container, options).await,
            Operation::Exec,
            container,
        )
    }

    async fn start_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecSession> {
        let started = self.open_exec(container, options).await;
        self.name(started, Operation::StartExec, container)
    }

    async fn inspect_exec(&self, exec: &ExecId) -> Result<ExecDetails> {
        let call = |_| Ok(wire::exec_inspect(exec));
        self.question(Operation::InspectExec, exec, call, wire::exec_details)
            .await
    }

    async fn resize_exec(&self, exec: &ExecId, size: TerminalSize) -> Result<()> {
        let call = |_| Ok(wire::exec_resize(exec, size));
        self.question(Operation::ResizeExec, exec, call, |_| Ok(()))
            .await
    }

    async fn attach(&self, container: &ContainerRef, options: &AttachOptions) -> Result<Attached> {
        let attached = self.attach_to(container, options).await;
        self.name(attached, Operation::Attach, container)
    }

    async fn resize(&self, container: &ContainerRef, size: TerminalSize) -> Result<()> {
        let call = |_| Ok(wire::resize(container, size));
        self.question(Operation::Resize, container, call, |_| Ok(()))
            .await
    }

    async fn remove(&self, container: &ContainerRef, options: &RemoveOptions) -> Result<()> {
        let command = Command::Remove {
            force: options.force,
            volumes: options.volumes,
        };
        self.told(container, command, Duration::ZERO)
            .await
            .map(drop)
    }

    async fn prune_containers(&self, options: &PruneContainersOptions) -> Result<PruneReport> {
        let operation = Operation::PruneContainers;
        let misread = options.validate().map(|()| Misread::of_containers(options));
        let call = |_| Ok(wire::prune_containers(options));
        self.prune(operation, misread, call, wire::pruned_containers)
            .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<CreatedNetwork> {
        let (operation, subject) = (Operation::CreateNetwork, &spec.name);
        self.name(spec.validate(), operation, subject)?;
        let call = |version| wire::create_network(spec, version);
        self.question(operation, subject, call, wire::created_network)
            .await
    }

    async fn inspect_network(&self, network: &NetworkRef) -> Result<NetworkDetails> {
        let call = |_| Ok(wire::inspect_network(network));
        self.question(Operation::InspectNetwork, network, call, wire::network)
            .await
    }

    async fn list_networks(&self, options: &ListNetworksOptions) -> Result<Vec<NetworkSummary>> {
        self.name(options.validate(), Operation::ListNetworks, "")?;
        let call = |_| Ok(wire::list_networks(options));
        self.question(Operation::ListNetworks, "", call, wire::networks)
            .await
    }

    async fn connect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &ConnectOptions,
    ) -> Result<()> {
        let operation = Operation::ConnectNetwork;
        let subject = format!("{network} (container {container})");
        self.name(options.validate(), operation, &subject)?;
        let call = |_| wire::connect_network(network, container, options);
        self.question(operation, subject, call, |_| Ok(())).await
    }

    async fn disconnect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &DisconnectOptions,
    ) -> Result<()> {
        let subject = format!("{network} (container {container})");
        let call = |_| wire::disconnect_network(network, container, options);
        self.question(Operation::DisconnectNetwork, subject, call, |_| Ok(()))
            .await
    }

    async fn remove_network(&self, network: &NetworkRef) -> Result<()> {
        let call = |_| Ok(wire::remove_network(network));
        self.question(Operation::RemoveNetwork, network, call, |_| Ok(()))
            .await
    }

    async fn prune_networks(&self, options: &PruneNetworksOptions) -> Result<PruneReport> {
        let misread = options.validate().map(|()| Misread::of_networks(options));
        let call = |_| Ok(wire::prune_networks(options));
        self.prune(
            Operation::PruneNetworks,
            misread,
            call,
            wire::pruned_networks,
        )
        .await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeDetails> {
        let subject = spec.name.as_ref().map_or("", VolumeName::as_str);
        self.name(spec.validate(), Operation::CreateVolume, subject)?;
        let call = |_| wire::create_volume(spec);
        self.question(Operation::CreateVolume, subject, call, wire::volume)
            .await
    }

    async fn inspect_volume(&self, volume: &VolumeName) -> Result<VolumeDetails> {
        let call = |_| Ok(wire::inspect_volume(volume));
        self.question(Operation::InspectVolume, volume, call, wire::volume)
            .await
    }

    async fn list_volumes(&self, options: &ListVolumesOptions) -> Result<VolumeList> {
        self.name(options.validate(), Operation::ListVolumes, "")?;
        let call = |_| Ok(wire::list_volumes(options));
        let decode = |body: &[u8]| wire::volumes(body, options);
        self.question(Operation::ListVolumes, "", call, decode)
            .await
    }

    async fn remove_volume(
        &self,
        volume: &VolumeName,
        options: &RemoveVolumeOptions,
    ) -> Result<()> {
        let call = |_| Ok(wire::remove_volume(volume, options));
        self.question(Operation::RemoveVolume, volume, call, |_| Ok(()))
            .await
    }

    async fn prune_volumes(&self, options: &PruneVolumesOptions) -> Result<PruneReport> {
        let misread = options.validate().map(|()| Misread::of_volumes(options));
        let call = |version| wire::prune_volumes(options, version);
        self.prune(Operation::PruneVolumes, misread, call, wire::pruned_volumes)
            .await
    }
}
