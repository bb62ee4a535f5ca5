//! The deck: one trait that both engines, their hybrid and any test double implement.

mod context;
mod ensure;
mod exec;
mod ext;
mod files;
mod follow;
mod guard;
mod healthy;
mod identity;
pub(crate) mod janitor;
pub(crate) mod leftover;
mod meter;
mod reconnect;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;

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
    VolumeDetails, VolumeList, VolumeName, VolumeSpec, WaitOptions, WaitOutcome,
};

pub use context::CallContext;
pub(crate) use exec::exit_code;
pub use ext::ContainerBackendExt;
#[cfg(fuzzing)]
pub(crate) use files::{fuzz_extract, fuzz_read_file, fuzz_repack};
#[cfg(fuzzing)]
pub(crate) use follow::fuzz::fuzz_follow;
pub(crate) use guard::Cleanup;
pub use guard::ContainerGuard;
pub use identity::BackendId;
pub use meter::UsageMeter;

/// A container engine.
///
/// Implemented by [`AsyncEngine`](crate::AsyncEngine) and [`BlockingEngine`](crate::BlockingEngine), and
/// by hosts for their tests.
///
/// # Contract
///
/// An implementation keeps these promises:
///
/// 1. **The engine's answer is the caller's.** A status of 4xx or 5xx becomes the matching
///    [`ErrorKind`](crate::ErrorKind) with the engine's own message and status; it is never retried
///    elsewhere.
/// 2. **Every error says what is known of the effect** ([`Effect`](crate::Effect)): `NotSent` only where
///    nothing can have reached the engine.
/// 3. **Bad input never reaches the wire.** Specs and options are validated first; what can't be
///    expressed is refused by field name as `Unsupported`.
/// 4. **An exit code is never invented**: it is the engine's, or the call fails. One that isn't 0 is no
///    error.
/// 5. **An unknown state, field or enum value in an answer is no error.**
/// 6. **One deadline covers a call**, bodies included, as [`CallContext`] says; after it the future
///    resolves with kind `Timeout`.
/// 7. **The caller's event loop is never blocked**, and each future may be dropped at any await point,
///    with the consequence that the method's *Cancel safety* states.
/// 8. **Memory is bounded**: an answer larger than the implementation's bound fails as `TooLarge`.
///
/// # Errors
///
/// Each method fails with [`Error`](crate::Error) of kind `Connect`, `Transport`, `Timeout`, `Decode`,
/// `TooLarge` (the path or the answer failed), `Saturated` (its turn didn't come in time), `Denied`, `Engine`
/// (the engine refused or failed), and with the kinds that its own section names.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::{AsyncEngine, ContainerBackend, Endpoint};
/// use catamaran::model::{ContainerSpec, ImageRef, RemoveOptions};
///
/// # async fn example() -> catamaran::Result<()> {
/// let backend: Arc<dyn ContainerBackend> = Arc::new(AsyncEngine::connect(Endpoint::unix("/var/run/docker.sock"))?);
/// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["sleep", "60"]);
/// let created = backend.create(&spec).await?;
/// backend.start(&created.id).await?;
/// println!("{:?}", backend.inspect(&created.id).await?.state);
/// backend.remove(&created.id, &RemoveOptions::force()).await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait ContainerBackend: Send + Sync + 'static {
    /// A handle to the same backend whose calls carry this context, laid
    /// [over](CallContext::over) that of this handle. Cheap: no connection is made.
    fn with_context(&self, context: CallContext) -> Arc<dyn ContainerBackend>;

    /// A handle to the same engine for work that outlives the caller's runtime, such as the removal
    /// after a dropped guard: with the context of nobody, and with connections of its own where those of
    /// this handle are driven by a runtime. By default the same as an empty
    /// [`with_context`](Self::with_context).
    fn detached(&self) -> Arc<dyn ContainerBackend> {
        self.with_context(CallContext::new())
    }

    /// Which backend this is a handle to: the same for all that came of one another by a clone or
    /// [`with_context`](Self::with_context), `None` where nobody says. Handles of one backend share pulls, see
    /// [`ensure_image`](ContainerBackendExt::ensure_image).
    fn identity(&self) -> Option<BackendId> {
        None
    }

    /// What goes along with the calls of this handle, for what makes several calls in one. By default
    /// nothing.
    fn context(&self) -> CallContext {
        CallContext::new()
    }

    /// Asks whether the engine is there.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn ping(&self) -> Result<Ping>;

    /// Asks whose engine it is, and which version.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn version(&self) -> Result<EngineVersion>;

    /// Asks what the engine says of itself and its host.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn info(&self) -> Result<EngineInfo>;

    /// Sums up what the engine keeps on disk. Slow where there is much: it looks at every volume.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn disk_usage(&self) -> Result<DiskUsage>;

    /// Tells what happens at the engine, as it happens, over one connection: a stream that goes on until
    /// [`until`](EventsOptions::until), where there is one. What happened since
    /// [`since`](EventsOptions::since) comes first, as far as the engine remembers it: Docker its last 256
    /// events. The call's deadline covers the beginning of the stream.
    ///
    /// Docker drops the events of a reader that is slow for a tenth of a second, and says nothing.
    /// [`watch_events`](ContainerBackendExt::watch_events) reads promptly, connects anew where the connection ends,
    /// and tells where something may be missing.
    ///
    /// # Errors
    /// `InvalidInput` by field name, before anything is sent; the stream yields an error of kind `Transport`,
    /// `Decode` or `TooLarge` where the connection or the answer is broken, and ends after any error.
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the stream ends the reading.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{EventKind, EventsOptions};
    /// use futures::TryStreamExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let options = EventsOptions::default().with_kind(EventKind::Container);
    /// let mut events = backend.events(&options).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     println!("{} {}", event.action, event.actor);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn events(&self, options: &EventsOptions) -> Result<EventStream>;

    /// Asks whether the engine has an image.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn image_exists(&self, image: &ImageRef) -> Result<bool>;

    /// Lists images.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn list_images(&self, options: &ListImagesOptions) -> Result<Vec<ImageSummary>>;

    /// Makes an image of a root file system's tar archive, and gives back its id.
    ///
    /// # Errors
    /// `InvalidInput` where the reference is an id or has a digest; `Refused` or `Engine` where the
    /// archive is none.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the image may or may not exist; importing again is harmless but
    /// leaves a nameless image behind if both succeed.
    async fn import_image(&self, options: &ImportOptions, archive: TarArchive) -> Result<ImageRef>;

    /// Pulls an image from its registry: gives its progress as a stream, whose end without an error says
    /// that the image is there. Without a tag it is `latest`.
    ///
    /// The pull has no deadline but the caller's own, which covers it to its end, and fails where nothing is heard of it for
    /// long ([`PullOptions::stall_timeout`]).
    ///
    /// # Errors
    /// `InvalidInput` where the reference is an id; `Denied` where the registry refuses; `NotFound` where it
    /// has no such image, or says so to those without rights; `Engine` for what else the engine says, and
    /// where the stream ends well but the image isn't there. Engines find out before the stream begins, or in
    /// it: it yields the same errors, and those of a broken body (`Transport`, `Decode`, `TooLarge`), and
    /// ends after any.
    ///
    /// # Cancel safety
    /// Dropped, future or stream, the engine may give the pull up or go on with it; what it has of the layers
    /// stays. Pulling again is safe.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{ImageRef, PullOptions};
    /// use futures::TryStreamExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let image = ImageRef::new("busybox:1.36")?;
    /// let mut progress = backend.pull_image(&image, &PullOptions::default()).await?;
    /// while let Some(event) = progress.try_next().await? {
    ///     println!("{} {}", event.id.unwrap_or_default(), event.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn pull_image(&self, image: &ImageRef, options: &PullOptions) -> Result<PullStream>;

    /// Shows an image: what it is, and what its containers get.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn inspect_image(&self, image: &ImageRef) -> Result<ImageDetails>;

    /// Gives an image another name, beside those that it has; an image that bore it loses it. Without a tag
    /// it is `latest`.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` where the name is an id or has a digest.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not bear the name. Calling it again is safe.
    async fn tag_image(&self, image: &ImageRef, name: &ImageRef) -> Result<()>;

    /// Removes an image, or one of its names.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where a container uses it and `force` isn't set.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not have happened.
    async fn remove_image(
        &self,
        image: &ImageRef,
        options: &RemoveImageOptions,
    ) -> Result<Vec<ImageRemoval>>;

    /// Removes the images that no container uses: the nameless ones, or all.
    ///
    /// # Errors
    /// `Conflict` where another prune is under way; `Unsupported` as for [`prune_containers`](Self::prune_containers).
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on removing them.
    async fn prune_images(&self, options: &PruneImagesOptions) -> Result<ImagePruneReport>;

    /// Makes a container; it doesn't run yet.
    ///
    /// What the engine warns of is in [`Created`]. A [strict](ContainerSpec::strict) spec makes a look and, where
    /// what was made isn't what was asked for, a removal part of the call, within its deadline.
    ///
    /// # Errors
    /// `InvalidInput` or `Unsupported` by field name, before anything is sent; `NotFound` where the
    /// image isn't there; `Conflict` where the name is taken.
    /// Where the spec is strict: `Weakened` where it was made otherwise, and as [`inspect`](Self::inspect) where that
    /// can't be seen (`Engine` for `NotFound`). Either way the container is gone again, with effect `Rejected`; named
    /// volumes that the engine made for it stay. Where it couldn't be removed, the effect is `Unknown`, and message and
    /// advice name its id.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the container may exist, a strict one without having been looked at. Give it a name
    /// or a label to find it by.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerSpec, ImageRef};
    /// use catamaran::{ContainerBackend, ErrorKind};
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_strict(true);
    /// match backend.create(&spec).await {
    ///     Err(error) if error.kind() == ErrorKind::Weakened => eprintln!("no sandbox here: {error}"),
    ///     created => println!("{:?}", created?.warnings),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn create(&self, spec: &ContainerSpec) -> Result<Created>;

    /// Starts a container. One that runs is no error.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it is paused or being removed (Podman: 500); `Refused` or `Engine` where its
    /// program can't be started.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not run, or have run and ended: calling it again may run
    /// it a second time. An inspect tells.
    async fn start(&self, container: &ContainerRef) -> Result<StartOutcome>;

    /// Stops a container: its stop signal, and after the timeout `SIGKILL`. One that doesn't run is no
    /// error. The call may take as long as that timeout beyond the usual one.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on stopping it. Calling it again sends its signal again.
    async fn stop(&self, container: &ContainerRef, options: &StopOptions) -> Result<StopOutcome>;

    /// Stops a container, if it runs, and starts it.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start`](Self::start).
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on restarting it.
    async fn restart(&self, container: &ContainerRef, options: &RestartOptions) -> Result<()>;

    /// Sends a signal to a container's process.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it doesn't run (Podman: 409 or 500).
    ///
    /// # Cancel safety
    /// Dropped before the answer, the signal may or may not have been sent, and no look can tell.
    async fn kill(&self, container: &ContainerRef, options: &KillOptions) -> Result<()>;

    /// Freezes a container's processes.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it doesn't run or is paused (Podman: 500).
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not be paused; an inspect tells.
    async fn pause(&self, container: &ContainerRef) -> Result<()>;

    /// Lets a container's processes go on.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` or `Engine` where it isn't paused.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not be paused; an inspect tells.
    async fn unpause(&self, container: &ContainerRef) -> Result<()>;

    /// Gives a container another name. Not a compare-and-set: two renames that race may both succeed.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where the name is taken.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may bear either name; an inspect by id tells.
    async fn rename(&self, container: &ContainerRef, name: &ContainerName) -> Result<()>;

    /// Changes the limits of a container, running or not, and gives back the engine's warnings.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` by field name for what is fixed at creation; `Refused` or `Engine`
    /// where the kernel can't hold the new limits (Docker 20.10 answers 500).
    ///
    /// # Cancel safety
    /// Dropped before the answer, some limits may have changed. Calling it again is safe.
    async fn update(
        &self,
        container: &ContainerRef,
        options: &UpdateOptions,
    ) -> Result<Vec<String>>;

    /// Shows a container: its state, and the limits and privileges in force.
    ///
    /// # Errors
    /// `NotFound`, also while a create of that name is under way.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn inspect(&self, container: &ContainerRef) -> Result<ContainerDetails>;

    /// Lists containers.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>>;

    /// Waits for a container to end, without a deadline but the caller's own.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    async fn wait(&self, container: &ContainerRef, options: &WaitOptions) -> Result<WaitOutcome>;

    /// Reads a container's output, once or as it comes, over one connection;
    /// [`follow_logs`](ContainerBackendExt::follow_logs) outlives it. The call's deadline covers a log read once,
    /// to its last byte, and the beginning of one that is followed.
    ///
    /// # Errors
    /// `NotFound`; the stream yields `Decode` or `TooLarge` where its framing is broken, `Transport` where the
    /// connection is, `Engine` where the engine says that it can't read on, and `Timeout` where a log that is read
    /// once isn't read in time. It ends after any error.
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the stream ends the reading.
    async fn logs(&self, container: &ContainerRef, options: &LogsOptions) -> Result<LogStream>;

    /// Takes one sample of what a container uses, at once (API 1.41 and later). Of one that doesn't run Docker's sample is
    /// empty.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it doesn't run, on Podman.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn stats(&self, container: &ContainerRef) -> Result<ContainerStats>;

    /// Takes samples of what a container uses, one about each second, for as long as the engine goes on.
    /// The call's deadline covers the beginning; the stream itself has none.
    ///
    /// Docker goes on until the container is removed, which ends the stream without an error: while it
    /// doesn't run the samples are empty, and once it was started again they are those of the new run.
    /// Podman ends the stream with the container's process. A reader that is slow has old samples to read
    /// first, as many as the connection holds.
    ///
    /// # Errors
    /// `NotFound`; the stream yields `Conflict` where the container doesn't run as it begins, on Podman, and an error of
    /// kind `Transport`, `Decode` or `TooLarge` where it breaks off or holds what is no sample, and ends after any error.
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the stream ends the taking.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::ContainerRef;
    /// use futures::TryStreamExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let mut samples = backend.stats_stream(id).await?;
    /// let mut last = samples.try_next().await?;
    /// while let (Some(before), Some(now)) = (last, samples.try_next().await?) {
    ///     println!("{:?} % of one CPU", now.cpu_percent_since(&before));
    ///     last = Some(now);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn stats_stream(&self, container: &ContainerRef) -> Result<StatsStream>;

    /// Shows the processes of a running container. Docker asks the `ps` of its own host.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` or `Engine` where it doesn't run; `Engine` where `ps` refuses its
    /// arguments or isn't there.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn top(&self, container: &ContainerRef, options: &TopOptions) -> Result<ProcessTable>;

    /// Lists the files of a container that aren't as in its image; what is mounted isn't among them.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn changes(&self, container: &ContainerRef) -> Result<Vec<FileChange>>;

    /// Unpacks a tar archive, plain or compressed, into a directory of a container, running or not. This is
    /// the engine's own way: it writes as root, and **where something in memory (`tmpfs`) covers the
    /// directory in a running container, Docker writes beneath it and says nothing**.
    /// [`upload`](ContainerBackendExt::upload) and its kin know a way there, and check what they send.
    ///
    /// It has no deadline but the caller's own: an archive takes as long as it takes.
    ///
    /// # Errors
    /// `NotFound` where the container or the directory isn't there; `Engine` where it is no directory, or is
    /// read-only, or the archive is none or has a link that leads upwards out of the directory (Docker 20.10;
    /// `Refused` or `Denied` elsewhere). An archive that breaks off is `Transport`.
    ///
    /// # Cancel safety
    /// Dropped before the answer, a part of the archive may have been unpacked. Putting it again is safe.
    async fn put_archive(
        &self,
        container: &ContainerRef,
        directory: &ContainerPath,
        options: &PutArchiveOptions,
        archive: TarArchive,
    ) -> Result<()>;

    /// Packs a file or directory of a container, running or not, into a tar archive, whose names begin with
    /// that of the file. A link is packed as a link. This is the engine's own way: Docker doesn't see what is
    /// in memory; [`download`](ContainerBackendExt::download) does.
    ///
    /// The deadline covers the beginning of the archive; for all of it there is only the caller's own.
    ///
    /// # Errors
    /// `NotFound` where the container or the path isn't there. The stream yields `Transport` where the
    /// connection breaks, `Timeout` where the caller's own time is over, and ends after either.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn get_archive(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<ArchiveStream>;

    /// Tells of a file in a container, running or not; a link isn't followed. As
    /// [`get_archive`](Self::get_archive), it doesn't see what is in memory.
    ///
    /// # Errors
    /// `NotFound` where the container or the path isn't there: the answer doesn't tell which.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{ContainerPath, ContainerRef};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let stat = backend.stat_path(id, &ContainerPath::new("/etc/passwd")?).await?;
    /// println!("{} has {} bytes", stat.name, stat.size);
    /// # Ok(())
    /// # }
    /// ```
    async fn stat_path(&self, container: &ContainerRef, path: &ContainerPath) -> Result<PathStat>;

    /// Runs a command in a running container, gives it what it is to read, and gives back its output and
    /// exit code.
    ///
    /// # Timeout
    /// No API of an engine ends an exec. Where [`timeout`](ExecOptions::timeout) is set, the command's
    /// environment carries a variable that nobody else's does, [`CATAMARAN_EXEC`](crate::model::ExecTag). When
    /// its time is over, a second command, a small shell script run as the same user, stops and then kills
    /// (`SIGSTOP`, `SIGKILL`) every process whose environment in `/proc` holds it, children included, until it
    /// finds none. The answer then is what was written so far, the engine's own exit code (137), and
    /// [`timed_out`](ExecOutput::timed_out). The timeout comes on top of the call's usual time. Its limits:
    ///
    /// * The image needs a `/bin/sh`, and the container `/proc`, room for one more process, and not to be
    ///   paused.
    /// * A process escapes that runs as another user, or with another environment than it was given; a chain of
    ///   processes may, each of which ends after making the next. Against code that means to stay,
    ///   [`kill`](Self::kill) the container.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where the container doesn't run or is paused (Podman: 500). A program that
    /// can't be started is an exit code of 126 or 127 on most engines. `Timeout` where it ran longer than its
    /// timeout and couldn't be ended. After the command has begun, a failure's effect is `Unknown`.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the command may have been started, and goes on running, beyond its
    /// timeout too.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{ContainerRef, ExecOptions};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let options = ExecOptions::new(["sh", "-s"])
    ///     .with_stdin("echo begun; sleep 600")
    ///     .with_timeout(Duration::from_secs(2));
    /// let ran = backend.exec(id, &options).await?;
    /// assert!(ran.timed_out && &ran.stdout[..] == b"begun\n");
    /// # Ok(())
    /// # }
    /// ```
    async fn exec(&self, container: &ContainerRef, options: &ExecOptions) -> Result<ExecOutput>;

    /// Starts a command in a running container, to be written to and read while it runs. The call's time
    /// covers the start; the session lasts as long as it is held.
    ///
    /// Its exit code is told by [`inspect_exec`](Self::inspect_exec), or
    /// [`wait_exec`](ContainerBackendExt::wait_exec). [`Input`](crate::model::Input) says what is to be known
    /// of its end; [`end_exec`](ContainerBackendExt::end_exec) ends the command.
    ///
    /// # Errors
    /// `InvalidInput` for field `exec.stdin` or `exec.timeout`, which are [`exec`](Self::exec)'s alone; as
    /// [`exec`](Self::exec). The output yields errors as those of [`logs`](Self::logs): a connection that is reset
    /// while the command runs on is one, and no end.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the command may have been started. Its input is ended then: one that reads
    /// to its end ends too.
    async fn start_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecSession>;

    /// Asks whether a command runs, and how it ended. Engines forget it a few minutes after its end, and with
    /// its container.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where its container doesn't run any more (Docker 20.10).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn inspect_exec(&self, exec: &ExecId) -> Result<ExecDetails>;

    /// Gives a command's terminal another size; its program is told by `SIGWINCH`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`, `Refused` or `Engine` where it doesn't run.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may have either size. Calling it again is safe.
    async fn resize_exec(&self, exec: &ExecId, size: TerminalSize) -> Result<()>;

    /// Attaches to a container's own program, running or to be started, to write to and read it. The
    /// call's time covers the beginning; the attachment lasts as long as it is held.
    ///
    /// Attached before its [`start`](Self::start), nothing of its output is missed. For its input the
    /// container must be made [`with_stdin`](ContainerSpec::with_stdin), and for the program to see an end of
    /// it [`with_stdin_once`](ContainerSpec::with_stdin_once). On a terminal, `^P` followed by `^Q` detaches.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it is paused. The output yields errors as those of [`logs`](Self::logs): a
    /// connection that is reset while the program runs on is one, and no end.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may have attached, and its end may end the input of a container
    /// made [`with_stdin_once`](ContainerSpec::with_stdin_once).
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{AttachOptions, ContainerSpec, ImageRef};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> Result<(), Box<dyn std::error::Error>> {
    /// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?)
    ///     .with_command(["wc", "-c"])
    ///     .with_stdin(true)
    ///     .with_stdin_once(true);
    /// let id = backend.create(&spec).await?.id;
    /// let mut attached = backend.attach(&id, &AttachOptions::default()).await?;
    /// backend.start(&id).await?;
    /// attached.input.write_all(b"four").await?;
    /// attached.input.shutdown().await?;
    /// assert_eq!(&attached.output.output(100).await?.stdout[..], b"4\n");
    /// # Ok(())
    /// # }
    /// ```
    async fn attach(&self, container: &ContainerRef, options: &AttachOptions) -> Result<Attached>;

    /// Gives a container's terminal another size; its program is told by `SIGWINCH`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` or `Engine` where it doesn't run.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may have either size. Calling it again is safe.
    async fn resize(&self, container: &ContainerRef, size: TerminalSize) -> Result<()>;

    /// Removes a container.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where it runs and `force` isn't set, or is being removed already.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on removing it.
    async fn remove(&self, container: &ContainerRef, options: &RemoveOptions) -> Result<()>;

    /// Removes the containers that don't run, whoever made them, with what they have written; their
    /// volumes stay. Give it a label of your own.
    ///
    /// # Errors
    /// `Conflict` while another prune is under way; `Unsupported` by field name, before it is sent, for labels that
    /// Podman would misread and so remove more: several that are to be spared, an empty value.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on removing, and nothing tells what it removed.
    async fn prune_containers(&self, options: &PruneContainersOptions) -> Result<PruneReport>;

    /// Makes a network.
    ///
    /// # Errors
    /// `InvalidInput` by field name, before anything is sent; `Conflict` where the name is taken (old
    /// Podman: 500); `Denied` where it is one of the engine's own, or addresses overlap those of another
    /// network; `NotFound` where there is no such driver.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the network may exist. Its name finds it.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<CreatedNetwork>;

    /// Shows a network, and the containers on it that run.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn inspect_network(&self, network: &NetworkRef) -> Result<NetworkDetails>;

    /// Lists networks.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn list_networks(&self, options: &ListNetworksOptions) -> Result<Vec<NetworkSummary>>;

    /// Puts a container on a network, running or not. For one that doesn't run, Docker notes any name of
    /// a network, and looks for it at the start.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` by field name, before anything is sent; `Denied` or `Conflict` where it is
    /// on it already; `Refused` where it was made without a network or with the host's; `Denied` or
    /// `Engine` where the address isn't free or isn't the network's.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not be on it; an inspect tells.
    async fn connect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &ConnectOptions,
    ) -> Result<()>;

    /// Takes a container off a network.
    ///
    /// # Errors
    /// `NotFound`; `Denied`, `Conflict` or `Engine` (Docker 20.10) where it isn't on it.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not be on it; an inspect tells.
    async fn disconnect_network(
        &self,
        network: &NetworkRef,
        container: &ContainerRef,
        options: &DisconnectOptions,
    ) -> Result<()>;

    /// Removes a network.
    ///
    /// # Errors
    /// `NotFound`; `Denied` (Docker) or `Conflict` where containers that run are on it, or where it is the
    /// engine's own.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not have happened.
    async fn remove_network(&self, network: &NetworkRef) -> Result<()>;

    /// Removes the networks that no container is on.
    ///
    /// # Errors
    /// `Conflict` while another prune is under way; `Unsupported` as for [`prune_containers`](Self::prune_containers).
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on removing, and nothing tells what it removed.
    async fn prune_networks(&self, options: &PruneNetworksOptions) -> Result<PruneReport>;

    /// Makes a volume, and shows it. **One of that name that exists is no error**: it stays as it is, with its
    /// own labels and options, and is what is shown.
    ///
    /// # Errors
    /// `InvalidInput` by field name, before anything is sent; `Conflict` where the name is taken by a
    /// volume of another driver; `NotFound` where there is no such driver; `Refused` or `Engine` where the
    /// driver doesn't take the options.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the volume may exist. With a name, calling it again is safe; one without
    /// needs a label to be found by.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeDetails>;

    /// Shows a volume.
    ///
    /// # Errors
    /// `NotFound`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn inspect_volume(&self, volume: &VolumeName) -> Result<VolumeDetails>;

    /// Lists volumes.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn list_volumes(&self, options: &ListVolumesOptions) -> Result<VolumeList>;

    /// Removes a volume with all that is in it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where a container has it, running or not.
    ///
    /// # Cancel safety
    /// Dropped before the answer, it may or may not have happened.
    async fn remove_volume(&self, volume: &VolumeName, options: &RemoveVolumeOptions)
    -> Result<()>;

    /// Removes the volumes that no container has, with all that is in them.
    ///
    /// # Errors
    /// `Unsupported` for field `all`, before it is sent, where the engine can't spare volumes with a name
    /// and [`all`](PruneVolumesOptions::all) isn't set, and for labels that Podman would misread, as in
    /// [`prune_containers`](Self::prune_containers) or where some are required and some spared; `Conflict` while another
    /// prune is under way.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the engine may go on removing, and nothing tells what it removed.
    async fn prune_volumes(&self, options: &PruneVolumesOptions) -> Result<PruneReport>;
}
