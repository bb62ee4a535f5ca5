//! Every operation, a line each: its name, its own time, and how an engine is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::HybridBackend;
use crate::backend::leftover::Kind;
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
    RemoveImageOptions, RemoveOptions, RemoveVolumeOptions, RestartOptions, Signal, StartOutcome,
    StatsStream, StopOptions, StopOutcome, TarArchive, TerminalSize, TopOptions, UpdateOptions,
    VolumeDetails, VolumeList, VolumeName, VolumeSpec, WaitCondition, WaitOptions, WaitOutcome,
};
use crate::operation::Operation as Op;
use crate::policy::{Call, Doubt, Made, Nature, resolve};

/// How an engine is asked, once for each attempt.
macro_rules! ask {
    ($method:ident($($argument:expr),*)) => {
        |engine: Arc<dyn ContainerBackend>| async move { engine.$method($($argument),*).await }
    };
}

/// Runs a call that only looks; some are asked of the other engine, too, to compare the answers.
macro_rules! compared {
    ($hybrid:ident, $call:expr, $method:ident($($argument:ident),*)) => {{
        let call: Call<'_> = $call;
        let (operation, route) = (call.operation, $hybrid.route());
        let ask = ask!($method($($argument),*));
        let (answer, by) = $hybrid.pipeline.run_by(route, call, ask).await;
        if let (Ok(answer), true) = (&answer, $hybrid.compares()) {
            $(let $argument = $argument.clone();)*
            let ask = move |engine: Arc<dyn ContainerBackend>| {
                $(let $argument = $argument.clone();)*
                async move { engine.$method($(&$argument),*).await }
            };
            $hybrid.shadow.compare(operation, answer, $hybrid.roads(by), ask);
        }
        answer
    }};
}

/// How a look asks what has become of an attempt.
macro_rules! look {
    ($hybrid:ident, $target:ident.$method:ident($($argument:expr),*)) => {
        |doubt: Doubt| async move {
            let by = $hybrid.looking(&doubt);
            $target.$method(&by, doubt $(, $argument)*).await
        }
    };
}

// What a default does of an operation, an engine does better: none is left to it.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ContainerBackend for HybridBackend {
    fn with_context(&self, context: CallContext) -> Arc<dyn ContainerBackend> {
        Arc::new(self.under(context))
    }

    fn detached(&self) -> Arc<dyn ContainerBackend> {
        Arc::new(self.cleaning())
    }

    fn identity(&self) -> Option<BackendId> {
        Some(self.id)
    }

    fn context(&self) -> CallContext {
        self.pipeline.context.clone()
    }

    async fn ping(&self) -> Result<Ping> {
        self.run(Op::Ping.into(), ask!(ping())).await
    }

    async fn version(&self) -> Result<EngineVersion> {
        compared!(self, Op::Version.into(), version())
    }

    async fn info(&self) -> Result<EngineInfo> {
        compared!(self, Op::Info.into(), info())
    }

    async fn disk_usage(&self) -> Result<DiskUsage> {
        self.run(Op::DiskUsage.into(), ask!(disk_usage())).await
    }

    async fn events(&self, options: &EventsOptions) -> Result<EventStream> {
        self.run(Op::Events.into(), ask!(events(options))).await
    }

    async fn image_exists(&self, image: &ImageRef) -> Result<bool> {
        self.run(Call::on(Op::ImageExists, image), ask!(image_exists(image)))
            .await
    }

    async fn list_images(&self, options: &ListImagesOptions) -> Result<Vec<ImageSummary>> {
        compared!(self, Op::ListImages.into(), list_images(options))
    }

    async fn import_image(&self, options: &ImportOptions, archive: TarArchive) -> Result<ImageRef> {
        let call = Call::on(Op::ImportImage, &options.reference);
        match archive {
            TarArchive::Bytes(bytes) => {
                let ask = |engine: Arc<dyn ContainerBackend>| {
                    let archive = TarArchive::Bytes(bytes.clone());
                    async move { engine.import_image(options, archive).await }
                };
                self.run(call, ask).await
            }
            // Nobody can read a stream twice.
            archive @ TarArchive::Stream(_) => {
                self.run_once(call, ask!(import_image(options, archive)))
                    .await
            }
        }
    }

    async fn pull_image(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream> {
        self.run(
            Call::on(Op::PullImage, image),
            ask!(pull_image(image, options)),
        )
        .await
    }

    async fn inspect_image(&self, image: &ImageRef) -> Result<ImageDetails> {
        compared!(
            self,
            Call::on(Op::InspectImage, image),
            inspect_image(image)
        )
    }

    async fn tag_image(&self, image: &ImageRef, name: &ImageRef) -> Result<()> {
        let call = Call::on(Op::TagImage, image).with(name);
        self.run(call, ask!(tag_image(image, name))).await
    }

    async fn remove_image(
        &self,
        image: &ImageRef,
        options: &RemoveImageOptions,
    ) -> Result<Vec<ImageRemoval>> {
        self.run(
            Call::on(Op::RemoveImage, image),
            ask!(remove_image(image, options)),
        )
        .await
    }

    async fn prune_images(&self, options: &PruneImagesOptions) -> Result<ImagePruneReport> {
        self.run(Op::PruneImages.into(), ask!(prune_images(options)))
            .await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created> {
        // What can't be right, the engine refuses by name before anything is sent.
        let Ok(mut creation) = resolve::Creation::new(spec) else {
            return self.run(Op::Create.into(), ask!(create(spec))).await;
        };
        if let Some((host, fate)) = &self.host {
            creation.spec = host.label(&creation.spec, *fate)?;
        }
        let creation = &creation;
        let making = self.making(Kind::Container, creation.operation())?;
        let made = &Made::of(creation.hash());
        let audited = self.pipeline.audit_of(Op::Create).is_some();
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let created = engine.create(&creation.spec).await?;
            if audited {
                made.see(&*engine, &created.id).await;
            }
            Ok(created)
        };
        let look = |doubt: Doubt| {
            making.doubt();
            async move { creation.made(&self.looking(&doubt), doubt).await }
        };
        let call = Call::on(Op::Create, creation.name()).making(made);
        let made = self.run_observed(call, ask, look).await;
        making.made(made, |created| Some(&created.id))
    }

    async fn start(&self, container: &ContainerRef) -> Result<StartOutcome> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Start).await?;
            engine.start(&id).await
        };
        let doubted = &AtomicBool::new(false);
        let look = |doubt: Doubt| async move {
            doubted.store(true, Ordering::Relaxed);
            let by = self.looking(&doubt);
            target.started(&by, doubt).await
        };
        let started = self
            .run_observed(Call::on(Op::Start, container), ask, look)
            .await?;
        Ok(match doubted.load(Ordering::Relaxed) {
            true => target.start_in_doubt(started),
            false => started,
        })
    }

    async fn stop(&self, container: &ContainerRef, options: &StopOptions) -> Result<StopOutcome> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.pinned(&*engine, Op::Stop).await?;
            engine.stop(&id, options).await
        };
        let look = look!(self, target.stopped(options.patience()));
        self.run_observed(
            Call::on(Op::Stop, container).taking(options.patience()),
            ask,
            look,
        )
        .await
    }

    async fn restart(&self, container: &ContainerRef, options: &RestartOptions) -> Result<()> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Restart).await?;
            engine.restart(&id, options).await
        };
        let look = look!(self, target.restarted(options.patience()));
        self.run_observed(
            Call::on(Op::Restart, container).taking(options.patience()),
            ask,
            look,
        )
        .await
    }

    async fn kill(&self, container: &ContainerRef, options: &KillOptions) -> Result<()> {
        if options.signal != Signal::KILL {
            // What a program makes of it, nobody can see.
            let call = Call::on(Op::Kill, container).of_nature(Nature::Once);
            return self.run(call, ask!(kill(container, options))).await;
        }
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Kill).await?;
            engine.kill(&id, options).await
        };
        let look = look!(self, target.killed());
        self.run_observed(Call::on(Op::Kill, container), ask, look)
            .await
    }

    async fn pause(&self, container: &ContainerRef) -> Result<()> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Pause).await?;
            engine.pause(&id).await
        };
        let look = look!(self, target.paused(true));
        self.run_observed(Call::on(Op::Pause, container), ask, look)
            .await
    }

    async fn unpause(&self, container: &ContainerRef) -> Result<()> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Unpause).await?;
            engine.unpause(&id).await
        };
        let look = look!(self, target.paused(false));
        self.run_observed(Call::on(Op::Unpause, container), ask, look)
            .await
    }

    async fn rename(&self, container: &ContainerRef, name: &ContainerName) -> Result<()> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.seen(&*engine, Op::Rename).await?;
            engine.rename(&id, name).await
        };
        let look = look!(self, target.renamed(name));
        let call = Call::on(Op::Rename, container).with(name);
        self.run_observed(call, ask, look).await
    }

    async fn update(
        &self,
        container: &ContainerRef,
        options: &UpdateOptions,
    ) -> Result<Vec<String>> {
        if options.validate().is_err() {
            // The engine refuses it by name, before it is looked for the container.
            let refused = self.run(
                Call::on(Op::Update, container),
                ask!(update(container, options)),
            );
            return refused.await;
        }
        let (target, made) = (&resolve::Container::new(container), &Made::default());
        let audited = self.pipeline.audit_of(Op::Update).is_some();
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.pinned(&*engine, Op::Update).await?;
            let warnings = engine.update(&id, options).await?;
            if audited {
                made.see(&*engine, &id).await;
            }
            Ok(warnings)
        };
        let call = Call::on(Op::Update, container).making(made);
        self.run(call, ask).await
    }

    async fn inspect(&self, container: &ContainerRef) -> Result<ContainerDetails> {
        compared!(self, Call::on(Op::Inspect, container), inspect(container))
    }

    async fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        compared!(self, Op::List.into(), list(options))
    }

    async fn wait(&self, container: &ContainerRef, options: &WaitOptions) -> Result<WaitOutcome> {
        if options.condition != WaitCondition::NotRunning {
            // Asked again, it would wait for another exit, or find the container gone.
            let call = Call::on(Op::Wait, container).of_nature(Nature::Once);
            return self.run(call, ask!(wait(container, options))).await;
        }
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            // Asked again, it would wait for another run's end, or for another container of that name.
            let id = target.same_run(&*engine, Op::Wait).await?;
            engine.wait(&id, options).await
        };
        self.run(Call::on(Op::Wait, container), ask).await
    }

    async fn logs(&self, container: &ContainerRef, options: &LogsOptions) -> Result<LogStream> {
        self.run(
            Call::on(Op::Logs, container),
            ask!(logs(container, options)),
        )
        .await
    }

    async fn stats(&self, container: &ContainerRef) -> Result<ContainerStats> {
        self.run(Call::on(Op::Stats, container), ask!(stats(container)))
            .await
    }

    async fn stats_stream(&self, container: &ContainerRef) -> Result<StatsStream> {
        self.run(
            Call::on(Op::StatsStream, container),
            ask!(stats_stream(container)),
        )
        .await
    }

    async fn top(&self, container: &ContainerRef, options: &TopOptions) -> Result<ProcessTable> {
        self.run(Call::on(Op::Top, container), ask!(top(container, options)))
            .await
    }

    async fn changes(&self, container: &ContainerRef) -> Result<Vec<FileChange>> {
        self.run(Call::on(Op::Changes, container), ask!(changes(container)))
            .await
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
                let target = &resolve::Container::new(container);
                let ask = |engine: Arc<dyn ContainerBackend>| {
                    let archive = TarArchive::Bytes(bytes.clone());
                    async move {
                        let id = target.pinned(&*engine, Op::PutArchive).await?;
                        engine.put_archive(&id, directory, options, archive).await
                    }
                };
                self.run(Call::on(Op::PutArchive, container), ask).await
            }
            // Nobody can read a stream twice.
            archive @ TarArchive::Stream(_) => {
                let ask = ask!(put_archive(container, directory, options, archive));
                self.run_once(Call::on(Op::PutArchive, container), ask)
                    .await
            }
        }
    }

    async fn get_archive(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<ArchiveStream> {
        self.run(
            Call::on(Op::GetArchive, container),
            ask!(get_archive(container, path)),
        )
        .await
    }

    async fn stat_path(&self, container: &ContainerRef, path: &ContainerPath) -> Result<PathStat> {
        self.run(
            Call::on(Op::StatPath, container),
            ask!(stat_path(container, path)),
        )
        .await
    }

    async fn exec(&self, container: &ContainerRef, options: &ExecOptions) -> Result<ExecOutput> {
        let call = Call::on(Op::Exec, container).taking(options.patience());
        self.run(call, ask!(exec(container, options))).await
    }

    async fn start_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecSession> {
        self.run(
            Call::on(Op::StartExec, container),
            ask!(start_exec(container, options)),
        )
        .await
    }

    async fn inspect_exec(&self, exec: &ExecId) -> Result<ExecDetails> {
        self.run(Call::on(Op::InspectExec, exec), ask!(inspect_exec(exec)))
            .await
    }

    async fn resize_exec(&self, exec: &ExecId, size: TerminalSize) -> Result<()> {
        self.run(
            Call::on(Op::ResizeExec, exec),
            ask!(resize_exec(exec, size)),
        )
        .await
    }

    async fn attach(&self, container: &ContainerRef, options: &AttachOptions) -> Result<Attached> {
        self.run(
            Call::on(Op::Attach, container),
            ask!(attach(container, options)),
        )
        .await
    }

    async fn resize(&self, container: &ContainerRef, size: TerminalSize) -> Result<()> {
        self.run(
            Call::on(Op::Resize, container),
            ask!(resize(container, size)),
        )
        .await
    }

    async fn remove(&self, container: &ContainerRef, options: &RemoveOptions) -> Result<()> {
        let target = &resolve::Container::new(container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.pinned(&*engine, Op::Remove).await?;
            engine.remove(&id, options).await
        };
        let look = look!(self, target.removed());
        self.run_observed(Call::on(Op::Remove, container), ask, look)
            .await
    }

    async fn prune_containers(&self, options: &PruneContainersOptions) -> Result<PruneReport> {
        self.run(Op::PruneContainers.into(), ask!(prune_containers(options)))
            .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<CreatedNetwork> {
        let creation = &resolve::NetworkCreation::new(spec)?;
        let making = self.making(Kind::Network, creation.operation())?;
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            engine.create_network(&creation.spec).await
        };
        let look = |doubt: Doubt| {
            making.doubt();
            async move { creation.made(&self.looking(&doubt), doubt).await }
        };
        let call = Call::on(Op::CreateNetwork, &spec.name);
        let made = self.run_observed(call, ask, look).await;
        making.made(made, |_| None)
    }

    async fn inspect_network(&self, network: &NetworkRef) -> Result<NetworkDetails> {
        compared!(
            self,
            Call::on(Op::InspectNetwork, network),
            inspect_network(network)
        )
    }

    async fn list_networks(&self, options: &ListNetworksOptions) -> Result<Vec<NetworkSummary>> {
        compared!(self, Op::ListNetworks.into(), list_networks(options))
    }

    async fn connect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &ConnectOptions,
    ) -> Result<()> {
        let call = Call::on(Op::ConnectNetwork, container).with(network);
        if options.validate().is_err() {
            // The engine refuses it by name, before anything is sent: a look would be.
            let ask = ask!(connect_network(network, container, options));
            return self.run(call, ask).await;
        }
        let target = &resolve::Joined::new(network, container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            target.seen(&*engine, Op::ConnectNetwork).await?;
            engine.connect_network(network, container, options).await
        };
        let look = look!(self, target.is(true));
        self.run_observed(call, ask, look).await
    }

    async fn disconnect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &DisconnectOptions,
    ) -> Result<()> {
        let target = &resolve::Joined::new(network, container);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            target.seen(&*engine, Op::DisconnectNetwork).await?;
            engine.disconnect_network(network, container, options).await
        };
        let look = look!(self, target.is(false));
        let call = Call::on(Op::DisconnectNetwork, container).with(network);
        self.run_observed(call, ask, look).await
    }

    async fn remove_network(&self, network: &NetworkRef) -> Result<()> {
        let target = &resolve::Network::new(network);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let id = target.pinned(&*engine, Op::RemoveNetwork).await?;
            engine.remove_network(&id).await
        };
        let look = look!(self, target.removed());
        self.run_observed(Call::on(Op::RemoveNetwork, network), ask, look)
            .await
    }

    async fn prune_networks(&self, options: &PruneNetworksOptions) -> Result<PruneReport> {
        self.run(Op::PruneNetworks.into(), ask!(prune_networks(options)))
            .await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeDetails> {
        if let Some(name) = &spec.name {
            // The second answer shows the volume that the first one made, or that was there before. Whose it is then,
            // nobody can say: it isn't taken back.
            let call = Call::on(Op::CreateVolume, name).of_nature(Nature::Repeatable);
            return self.run(call, ask!(create_volume(spec))).await;
        }
        let creation = &resolve::VolumeCreation::new(spec)?;
        let making = self.making(Kind::Volume, creation.operation())?;
        let named = &Made::default();
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            let made = engine.create_volume(&creation.spec).await?;
            let _ = named.name.set(made.name.to_string());
            Ok(made)
        };
        let look = |doubt: Doubt| {
            making.doubt();
            async move { creation.made(&self.looking(&doubt), doubt).await }
        };
        let call = Call::from(Op::CreateVolume).making(named);
        let made = self.run_observed(call, ask, look).await;
        making.made(made, |_| None)
    }

    async fn inspect_volume(&self, volume: &VolumeName) -> Result<VolumeDetails> {
        compared!(
            self,
            Call::on(Op::InspectVolume, volume),
            inspect_volume(volume)
        )
    }

    async fn list_volumes(&self, options: &ListVolumesOptions) -> Result<VolumeList> {
        compared!(self, Op::ListVolumes.into(), list_volumes(options))
    }

    async fn remove_volume(
        &self,
        volume: &VolumeName,
        options: &RemoveVolumeOptions,
    ) -> Result<()> {
        let target = &resolve::Volume::new(volume);
        let ask = |engine: Arc<dyn ContainerBackend>| async move {
            target.seen(&*engine, Op::RemoveVolume).await?;
            engine.remove_volume(volume, options).await
        };
        let look = look!(self, target.removed());
        self.run_observed(Call::on(Op::RemoveVolume, volume), ask, look)
            .await
    }

    async fn prune_volumes(&self, options: &PruneVolumesOptions) -> Result<PruneReport> {
        self.run(Op::PruneVolumes.into(), ask!(prune_volumes(options)))
            .await
    }
}
