//! Every operation as data, with its options at random, so that both engines can be asked the same.

use std::collections::BTreeMap;

use bytes::Bytes;
use catamaran::model::{
    AttachOptions, ConnectOptions, ContainerDetails, ContainerName, ContainerPath, ContainerRef,
    ContainerSpec, ContainerState, ContainerStats, ContainerSummary, Created, CreatedNetwork,
    DisconnectOptions, DiskUsage, EngineInfo, EngineVersion, Event, EventAction, EventKind,
    EventsOptions, ExecDetails, ExecId, ExecOptions, ExecOutput, FileChange, ImageDetails,
    ImagePruneReport, ImageRef, ImageRemoval, ImageSummary, ImportOptions, Input, KillOptions,
    LabelKey, ListImagesOptions, ListNetworksOptions, ListOptions, ListVolumesOptions, LogChunk,
    LogSource, LogStream, LogsOptions, NetworkDetails, NetworkRef, NetworkSpec, NetworkSummary,
    PathStat, Ping, ProcessTable, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneReport, PruneVolumesOptions, PullEvent, PullOptions, PutArchiveOptions, RegistryAuth,
    RemoveImageOptions, RemoveOptions, RemoveVolumeOptions, RestartOptions, StartOutcome,
    StopOptions, StopOutcome, TarArchive, TerminalSize, TopOptions, UpdateOptions, VolumeDetails,
    VolumeList, VolumeName, VolumeSpec, WaitCondition, WaitOptions, WaitOutcome,
};
use catamaran::{ContainerBackend, Effect, Error, ErrorKind, Operation};
use futures::{StreamExt, TryStreamExt};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use crate::common::peer::END;
use crate::{objects, spec, words};

/// A call and all that it is given.
#[derive(Debug, Clone)]
pub enum Call {
    Ping,
    Version,
    Info,
    DiskUsage,
    Events(EventsOptions),
    ImageExists(ImageRef),
    ListImages(ListImagesOptions),
    ImportImage(ImportOptions, Archive),
    PullImage(ImageRef, PullOptions),
    InspectImage(ImageRef),
    TagImage(ImageRef, ImageRef),
    RemoveImage(ImageRef, RemoveImageOptions),
    PruneImages(PruneImagesOptions),
    Create(Box<ContainerSpec>),
    Start(ContainerRef),
    Stop(ContainerRef, StopOptions),
    Restart(ContainerRef, RestartOptions),
    Kill(ContainerRef, KillOptions),
    Pause(ContainerRef),
    Unpause(ContainerRef),
    Rename(ContainerRef, ContainerName),
    Update(ContainerRef, UpdateOptions),
    Inspect(ContainerRef),
    List(ListOptions),
    Wait(ContainerRef, WaitOptions),
    Logs(ContainerRef, LogsOptions),
    Stats(ContainerRef),
    StatsStream(ContainerRef),
    Top(ContainerRef, TopOptions),
    Changes(ContainerRef),
    PutArchive(ContainerRef, ContainerPath, PutArchiveOptions, Archive),
    GetArchive(ContainerRef, ContainerPath),
    StatPath(ContainerRef, ContainerPath),
    Exec(ContainerRef, ExecOptions),
    /// With what is written to it.
    StartExec(ContainerRef, ExecOptions, Bytes),
    InspectExec(ExecId),
    ResizeExec(ExecId, TerminalSize),
    Attach(ContainerRef, AttachOptions, Bytes),
    Resize(ContainerRef, TerminalSize),
    Remove(ContainerRef, RemoveOptions),
    PruneContainers(PruneContainersOptions),
    CreateNetwork(NetworkSpec),
    InspectNetwork(NetworkRef),
    ListNetworks(ListNetworksOptions),
    ConnectNetwork(NetworkRef, ContainerRef, ConnectOptions),
    DisconnectNetwork(NetworkRef, ContainerRef, DisconnectOptions),
    RemoveNetwork(NetworkRef),
    PruneNetworks(PruneNetworksOptions),
    CreateVolume(VolumeSpec),
    InspectVolume(VolumeName),
    ListVolumes(ListVolumesOptions),
    RemoveVolume(VolumeName, RemoveVolumeOptions),
    PruneVolumes(PruneVolumesOptions),
}

/// A tar archive that can be sent twice.
#[derive(Debug, Clone)]
pub struct Archive {
    pieces: Vec<Vec<u8>>,
    streamed: bool,
}

impl Archive {
    fn open(&self) -> TarArchive {
        if self.streamed {
            let pieces: Vec<_> = self.pieces.iter().cloned().map(Bytes::from).collect();
            TarArchive::stream(futures::stream::iter(pieces.into_iter().map(Ok)))
        } else {
            self.pieces.concat().into()
        }
    }
}

/// What a call gave.
#[derive(Debug, PartialEq)]
pub enum Reply {
    Done,
    Ping(Ping),
    Version(EngineVersion),
    Info(Box<EngineInfo>),
    Exists(bool),
    Images(Vec<ImageSummary>),
    Imported(ImageRef),
    Pulled(Vec<PullEvent>),
    Image(Box<ImageDetails>),
    Removals(Vec<ImageRemoval>),
    PrunedImages(ImagePruneReport),
    Created(Created),
    Started(StartOutcome),
    Stopped(StopOutcome),
    Warnings(Vec<String>),
    Details(Box<ContainerDetails>),
    Summaries(Vec<ContainerSummary>),
    Waited(WaitOutcome),
    Log(Vec<LogChunk>, Option<Failure>),
    Stats(ContainerStats),
    Samples(Vec<ContainerStats>),
    Space(DiskUsage),
    Events(Vec<Event>),
    Processes(ProcessTable),
    Changed(Vec<FileChange>),
    Archive(Option<PathStat>, Vec<u8>, Option<Failure>),
    Stat(PathStat),
    Ran(ExecOutput),
    Exec(ExecDetails),
    Network(CreatedNetwork),
    NetworkDetails(Box<NetworkDetails>),
    Networks(Vec<NetworkSummary>),
    Volume(VolumeDetails),
    Volumes(VolumeList),
    Pruned(PruneReport),
}

/// All that an error says, but the engine's name.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub kind: ErrorKind,
    pub effect: Effect,
    pub operation: Option<Operation>,
    pub field: Option<&'static str>,
    pub status: Option<u16>,
    pub message: String,
    retry_after: Option<std::time::Duration>,
    subject: Option<String>,
    advice: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind(),
            effect: error.effect(),
            operation: error.operation(),
            field: error.field(),
            status: error.status(),
            retry_after: error.retry_after(),
            subject: error.subject().map(str::to_owned),
            message: error.message().to_owned(),
            advice: error.advice().map(str::to_owned),
        }
    }
}

impl Call {
    pub async fn run(&self, on: &dyn ContainerBackend) -> Result<Reply, Failure> {
        Ok(match self {
            Self::Ping => Reply::Ping(on.ping().await?),
            Self::Version => Reply::Version(on.version().await?),
            Self::Info => Reply::Info(Box::new(on.info().await?)),
            Self::DiskUsage => Reply::Space(on.disk_usage().await?),
            Self::Events(options) => Reply::Events(on.events(options).await?.try_collect().await?),
            Self::ImageExists(image) => Reply::Exists(on.image_exists(image).await?),
            Self::ListImages(options) => Reply::Images(on.list_images(options).await?),
            Self::ImportImage(options, archive) => {
                Reply::Imported(on.import_image(options, archive.open()).await?)
            }
            Self::PullImage(image, options) => {
                let progress = on.pull_image(image, options).await?;
                Reply::Pulled(progress.try_collect().await?)
            }
            Self::InspectImage(image) => Reply::Image(Box::new(on.inspect_image(image).await?)),
            Self::TagImage(image, name) => done(on.tag_image(image, name).await?),
            Self::RemoveImage(image, options) => {
                Reply::Removals(on.remove_image(image, options).await?)
            }
            Self::PruneImages(options) => Reply::PrunedImages(on.prune_images(options).await?),
            Self::Create(spec) => Reply::Created(on.create(spec).await?),
            Self::Start(id) => Reply::Started(on.start(id).await?),
            Self::Stop(id, options) => Reply::Stopped(on.stop(id, options).await?),
            Self::Restart(id, options) => done(on.restart(id, options).await?),
            Self::Kill(id, options) => done(on.kill(id, options).await?),
            Self::Pause(id) => done(on.pause(id).await?),
            Self::Unpause(id) => done(on.unpause(id).await?),
            Self::Rename(id, name) => done(on.rename(id, name).await?),
            Self::Update(id, options) => Reply::Warnings(on.update(id, options).await?),
            Self::Inspect(id) => Reply::Details(Box::new(on.inspect(id).await?)),
            Self::List(options) => Reply::Summaries(on.list(options).await?),
            Self::Wait(id, options) => Reply::Waited(on.wait(id, options).await?),
            Self::Logs(id, options) => read(on, id, options).await?,
            Self::Stats(id) => Reply::Stats(on.stats(id).await?),
            Self::StatsStream(id) => {
                let samples = on.stats_stream(id).await?;
                Reply::Samples(samples.try_collect().await?)
            }
            Self::Top(id, options) => Reply::Processes(on.top(id, options).await?),
            Self::Changes(id) => Reply::Changed(on.changes(id).await?),
            Self::PutArchive(id, path, options, archive) => {
                done(on.put_archive(id, path, options, archive.open()).await?)
            }
            Self::GetArchive(id, path) => {
                let mut stream = on.get_archive(id, path).await?;
                let stat = stream.stat().cloned();
                let (mut archive, mut failure) = (Vec::new(), None);
                while let Some(piece) = stream.next().await {
                    match piece {
                        Ok(piece) => archive.extend(piece),
                        Err(error) => failure = Some(error.into()),
                    }
                }
                Reply::Archive(stat, archive, failure)
            }
            Self::StatPath(id, path) => Reply::Stat(on.stat_path(id, path).await?),
            Self::Exec(id, options) => Reply::Ran(on.exec(id, options).await?),
            Self::StartExec(id, options, input) => {
                let session = on.start_exec(id, options).await?;
                write(session.input, input).await;
                collect(session.output).await
            }
            Self::InspectExec(id) => Reply::Exec(on.inspect_exec(id).await?),
            Self::ResizeExec(id, size) => done(on.resize_exec(id, *size).await?),
            Self::Attach(id, options, input) => {
                let attached = on.attach(id, options).await?;
                write(attached.input, input).await;
                collect(attached.output).await
            }
            Self::Resize(id, size) => done(on.resize(id, *size).await?),
            Self::Remove(id, options) => done(on.remove(id, options).await?),
            Self::PruneContainers(options) => Reply::Pruned(on.prune_containers(options).await?),
            Self::CreateNetwork(spec) => Reply::Network(on.create_network(spec).await?),
            Self::InspectNetwork(id) => {
                Reply::NetworkDetails(Box::new(on.inspect_network(id).await?))
            }
            Self::ListNetworks(options) => Reply::Networks(on.list_networks(options).await?),
            Self::ConnectNetwork(network, id, options) => {
                done(on.connect_network(network, id, options).await?)
            }
            Self::DisconnectNetwork(network, id, options) => {
                done(on.disconnect_network(network, id, options).await?)
            }
            Self::RemoveNetwork(id) => done(on.remove_network(id).await?),
            Self::PruneNetworks(options) => Reply::Pruned(on.prune_networks(options).await?),
            Self::CreateVolume(spec) => Reply::Volume(on.create_volume(spec).await?),
            Self::InspectVolume(name) => Reply::Volume(on.inspect_volume(name).await?),
            Self::ListVolumes(options) => Reply::Volumes(on.list_volumes(options).await?),
            Self::RemoveVolume(name, options) => done(on.remove_volume(name, options).await?),
            Self::PruneVolumes(options) => Reply::Pruned(on.prune_volumes(options).await?),
        })
    }
}

fn done((): ()) -> Reply {
    Reply::Done
}

async fn read(
    on: &dyn ContainerBackend,
    container: &ContainerRef,
    options: &LogsOptions,
) -> Result<Reply, Failure> {
    Ok(collect(on.logs(container, options).await?).await)
}

/// A program that has ended takes no more, which is no failure.
async fn write(mut input: Input, bytes: &[u8]) {
    let _ = input.write_all(&[bytes, END].concat()).await;
    let _ = input.shutdown().await;
}

async fn collect(mut stream: LogStream) -> Reply {
    let mut chunks = Vec::<LogChunk>::new();
    let mut failure = None;
    while let Some(item) = stream.next().await {
        match (item, chunks.last_mut()) {
            // A terminal's output has no borders: it comes as the socket gives it.
            (Ok(chunk), Some(last))
                if chunk.source == LogSource::Console && last.source == chunk.source =>
            {
                last.bytes = [&last.bytes[..], &chunk.bytes].concat().into();
            }
            (Ok(chunk), _) => chunks.push(chunk),
            (Err(error), _) => failure = Some(error.into()),
        }
    }
    Reply::Log(chunks, failure)
}

pub fn filters() -> impl Strategy<Value = BTreeMap<LabelKey, Option<String>>> {
    btree_map(words::label(), option::of(words::text()), 0..3)
}

fn list_images() -> impl Strategy<Value = ListImagesOptions> {
    (any::<bool>(), option::of(words::image()), filters()).prop_map(|(all, reference, labels)| {
        let mut options = ListImagesOptions::default()
            .with_all(all)
            .with_reference(reference);
        options.labels = labels;
        options
    })
}

fn archive() -> impl Strategy<Value = Archive> {
    (vec(vec(any::<u8>(), 0..600), 0..5), any::<bool>())
        .prop_map(|(pieces, streamed)| Archive { pieces, streamed })
}

fn container_path() -> impl Strategy<Value = ContainerPath> {
    let part = prop_oneof![4 => "[^\\x00/]{1,6}", 1 => Just(String::new())];
    let path = vec(part, 0..4).prop_map(|parts| format!("/{}", parts.join("/")));
    path.prop_filter_map("it leads upwards", |path| ContainerPath::new(path).ok())
}

fn put_archive() -> impl Strategy<Value = PutArchiveOptions> {
    any::<(bool, bool)>().prop_map(|(keep, copy)| {
        PutArchiveOptions::default()
            .with_no_overwrite_dir_non_dir(keep)
            .with_copy_uid_gid(copy)
    })
}

fn import() -> impl Strategy<Value = (ImportOptions, Archive)> {
    let options = (
        words::image(),
        option::of(words::text()),
        words::texts(),
        option::of(words::text()),
    );
    (options, archive()).prop_map(|((reference, message, changes, platform), archive)| {
        let mut options = ImportOptions::new(reference);
        options.message = message;
        options.changes = changes;
        options.platform = platform;
        (options, archive)
    })
}

fn auth() -> impl Strategy<Value = RegistryAuth> {
    let secret = || prop_oneof![8 => "[^\\x00]{1,12}", 1 => words::text()];
    let auth = prop_oneof![
        (secret(), secret()).prop_map(|(name, word)| RegistryAuth::password(name, word)),
        secret().prop_map(RegistryAuth::identity_token),
        secret().prop_map(RegistryAuth::registry_token),
    ];
    (auth, option::of(words::text())).prop_map(|(auth, address)| match address {
        Some(address) => auth.with_server_address(address),
        None => auth,
    })
}

fn pull() -> impl Strategy<Value = PullOptions> {
    let platform = prop_oneof![4 => words::platform(), 1 => words::text()];
    (option::of(auth()), option::of(platform)).prop_map(|(auth, platform)| {
        let mut options = PullOptions::default().with_auth(auth);
        options.platform = platform;
        options
    })
}

fn prune_images() -> impl Strategy<Value = PruneImagesOptions> {
    (any::<bool>(), filters(), option::of(words::moment())).prop_map(|(all, labels, until)| {
        let mut options = PruneImagesOptions::default()
            .with_all(all)
            .with_until(until);
        options.labels = labels;
        options
    })
}

fn update() -> impl Strategy<Value = UpdateOptions> {
    let resources = (spec::resources(), any::<bool>()).prop_map(|(mut resources, fixed)| {
        // Otherwise most would be refused for what is fixed at creation.
        if !fixed {
            resources.ulimits.clear();
            (resources.shm_size, resources.disk) = (None, None);
        }
        resources
    });
    (resources, option::of(spec::restart_policy())).prop_map(|(resources, policy)| {
        UpdateOptions::default()
            .with_resources(resources)
            .with_restart_policy(policy)
    })
}

fn list() -> impl Strategy<Value = ListOptions> {
    let state = prop_oneof![
        Just(ContainerState::Running),
        Just(ContainerState::Exited),
        words::text().prop_map(ContainerState::from),
    ];
    (
        any::<bool>(),
        filters(),
        vec(state, 0..3),
        vec(words::container(), 0..3),
        option::of(any::<u32>()),
    )
        .prop_map(|(all, labels, states, names, limit)| {
            let mut options = ListOptions::default().with_limit(limit);
            (options.all, options.labels) = (all, labels);
            (options.states, options.names) = (states, names);
            options
        })
}

fn events() -> impl Strategy<Value = EventsOptions> {
    let kind = prop_oneof![
        Just(EventKind::Container),
        words::text().prop_map(EventKind::from),
    ];
    let action = prop_oneof![
        Just(EventAction::Die),
        words::text().prop_map(EventAction::from),
    ];
    (
        (option::of(words::moment()), option::of(words::moment())),
        vec(kind, 0..2),
        vec(action, 0..2),
        filters(),
        vec(words::container(), 0..3),
        vec(words::image(), 0..3),
    )
        .prop_map(
            |((since, until), kinds, actions, labels, containers, images)| {
                let mut options = EventsOptions::default().with_since(since).with_until(until);
                (options.kinds, options.actions, options.labels) = (kinds, actions, labels);
                (options.containers, options.images) = (containers, images);
                options
            },
        )
}

fn logs() -> impl Strategy<Value = LogsOptions> {
    let flag = any::<bool>;
    (
        (flag(), flag(), flag(), flag()),
        option::of(any::<u64>()),
        option::of(words::moment()),
        option::of(words::moment()),
    )
        .prop_map(
            |((stdout, stderr, follow, timestamps), tail, since, until)| {
                LogsOptions::default()
                    .with_stdout(stdout)
                    .with_stderr(stderr)
                    .with_follow(follow)
                    .with_timestamps(timestamps)
                    .with_tail(tail)
                    .with_since(since)
                    .with_until(until)
            },
        )
}

fn exec() -> impl Strategy<Value = ExecOptions> {
    (
        words::texts(),
        spec::env(),
        option::of(words::text()),
        option::of(prop_oneof![4 => words::path(), 1 => words::text()]),
        0..64usize,
        (
            any::<bool>(),
            option::weighted(0.2, terminal()),
            option::of(input()),
            // Never over within the test.
            option::of(3600..1_000_000_u64),
        ),
    )
        .prop_map(|(command, env, user, working_dir, bound, more)| {
            let mut options = ExecOptions::new(command).with_max_output(bound);
            (options.env, options.user) = (env, user);
            options.working_dir = working_dir;
            (options.tty, options.terminal_size, options.stdin) = (more.0, more.1, more.2);
            options.timeout = more.3.map(std::time::Duration::from_secs);
            options
        })
}

/// Mostly without what is refused.
fn session() -> impl Strategy<Value = ExecOptions> {
    (exec(), prop::bool::weighted(0.9)).prop_map(|(mut options, sound)| {
        if sound {
            (options.stdin, options.timeout) = (None, None);
            options.tty |= options.terminal_size.is_some();
        }
        options
    })
}

fn input() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..600).prop_map(Bytes::from)
}

fn terminal() -> impl Strategy<Value = TerminalSize> {
    (1..=u16::MAX, 1..=u16::MAX)
        .prop_map(|(columns, rows)| TerminalSize::new(columns, rows).expect("a size"))
}

fn exec_id() -> impl Strategy<Value = ExecId> {
    "[0-9a-f]{12,64}".prop_map(|id| ExecId::new(id).expect("an id"))
}

fn attach() -> impl Strategy<Value = AttachOptions> {
    let flag = any::<bool>;
    (flag(), flag(), flag(), flag()).prop_map(|(stdin, stdout, stderr, logs)| {
        AttachOptions::default()
            .with_stdin(stdin)
            .with_stdout(stdout)
            .with_stderr(stderr)
            .with_logs(logs)
    })
}

fn wait() -> impl Strategy<Value = WaitOptions> {
    let conditions = [
        WaitCondition::NotRunning,
        WaitCondition::NextExit,
        WaitCondition::Removed,
    ];
    prop::sample::select(conditions.to_vec())
        .prop_map(|condition| WaitOptions::default().with_condition(condition))
}

/// Any call of that operation.
pub fn call(operation: Operation) -> BoxedStrategy<Call> {
    use Operation as O;
    let (id, image, flag) = (words::container, words::image, any::<bool>);
    let timeout = || option::of(words::any_duration());
    match operation {
        O::Ping => Just(Call::Ping).boxed(),
        O::Version => Just(Call::Version).boxed(),
        O::Info => Just(Call::Info).boxed(),
        O::DiskUsage => Just(Call::DiskUsage).boxed(),
        O::Events => events().prop_map(Call::Events).boxed(),
        O::ImageExists => image().prop_map(Call::ImageExists).boxed(),
        O::ListImages => list_images().prop_map(Call::ListImages).boxed(),
        O::ImportImage => import().prop_map(|(o, a)| Call::ImportImage(o, a)).boxed(),
        O::PullImage => (image(), pull())
            .prop_map(|(image, o)| Call::PullImage(image, o))
            .boxed(),
        O::InspectImage => image().prop_map(Call::InspectImage).boxed(),
        O::TagImage => (image(), image())
            .prop_map(|(image, name)| Call::TagImage(image, name))
            .boxed(),
        O::PruneImages => prune_images().prop_map(Call::PruneImages).boxed(),
        O::RemoveImage => (image(), flag(), flag())
            .prop_map(|(image, force, keep)| {
                let options = RemoveImageOptions::default().with_force(force);
                Call::RemoveImage(image, options.with_keep_parents(keep))
            })
            .boxed(),
        // A strict one has tests of its own: its answers depend on one another.
        O::Create => spec::spec()
            .prop_map(|spec| Call::Create(Box::new(spec.with_strict(false))))
            .boxed(),
        O::Start => id().prop_map(Call::Start).boxed(),
        O::Stop => (id(), timeout())
            .prop_map(|(id, time)| Call::Stop(id, StopOptions::default().with_timeout(time)))
            .boxed(),
        O::Restart => (id(), timeout())
            .prop_map(|(id, time)| Call::Restart(id, RestartOptions::default().with_timeout(time)))
            .boxed(),
        O::Kill => (id(), words::signal())
            .prop_map(|(id, signal)| Call::Kill(id, KillOptions::default().with_signal(signal)))
            .boxed(),
        O::Pause => id().prop_map(Call::Pause).boxed(),
        O::Unpause => id().prop_map(Call::Unpause).boxed(),
        O::Rename => (id(), words::name())
            .prop_map(|(id, name)| Call::Rename(id, name))
            .boxed(),
        O::Update => (id(), update())
            .prop_map(|(id, o)| Call::Update(id, o))
            .boxed(),
        O::Inspect => id().prop_map(Call::Inspect).boxed(),
        O::List => list().prop_map(Call::List).boxed(),
        O::Wait => (id(), wait()).prop_map(|(id, o)| Call::Wait(id, o)).boxed(),
        O::Logs => (id(), logs()).prop_map(|(id, o)| Call::Logs(id, o)).boxed(),
        O::Stats => id().prop_map(Call::Stats).boxed(),
        O::StatsStream => id().prop_map(Call::StatsStream).boxed(),
        O::Top => (id(), option::of("[ -~]{0,20}"))
            .prop_map(|(id, args)| Call::Top(id, TopOptions::default().with_ps_args(args)))
            .boxed(),
        O::Changes => id().prop_map(Call::Changes).boxed(),
        O::PutArchive => (id(), container_path(), put_archive(), archive())
            .prop_map(|(id, path, o, archive)| Call::PutArchive(id, path, o, archive))
            .boxed(),
        O::GetArchive => (id(), container_path())
            .prop_map(|(id, path)| Call::GetArchive(id, path))
            .boxed(),
        O::StatPath => (id(), container_path())
            .prop_map(|(id, path)| Call::StatPath(id, path))
            .boxed(),
        O::Exec => (id(), exec()).prop_map(|(id, o)| Call::Exec(id, o)).boxed(),
        O::StartExec => (id(), session(), input())
            .prop_map(|(id, o, input)| Call::StartExec(id, o, input))
            .boxed(),
        O::InspectExec => exec_id().prop_map(Call::InspectExec).boxed(),
        O::ResizeExec => (exec_id(), terminal())
            .prop_map(|(id, size)| Call::ResizeExec(id, size))
            .boxed(),
        O::Attach => (id(), attach(), input())
            .prop_map(|(id, o, input)| Call::Attach(id, o, input))
            .boxed(),
        O::Resize => (id(), terminal())
            .prop_map(|(id, size)| Call::Resize(id, size))
            .boxed(),
        O::Remove => (id(), flag(), flag())
            .prop_map(|(id, force, volumes)| {
                let options = RemoveOptions::default().with_force(force);
                Call::Remove(id, options.with_volumes(volumes))
            })
            .boxed(),
        O::PruneContainers => (filters(), filters(), option::of(words::moment()))
            .prop_map(|(labels, without, until)| {
                let mut options = PruneContainersOptions::default().with_until(until);
                (options.labels, options.without_labels) = (labels, without);
                Call::PruneContainers(options)
            })
            .boxed(),
        other => objects::call(other),
    }
}
