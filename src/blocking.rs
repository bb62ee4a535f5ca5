//! Any backend for programs without an async runtime: the same operations, each returning when it is
//! done.
//!
//! ```no_run
//! use catamaran::blocking::Backend;
//! use catamaran::model::{ContainerSpec, ImageRef};
//!
//! fn main() -> catamaran::Result<()> {
//!     let backend = Backend::from_env()?;
//!     let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["echo", "hello"]);
//!     let ran = backend.run(&spec)?;
//!     println!("exit code {}: {}", ran.exit_code, String::from_utf8_lossy(&ran.stdout));
//!     Ok(())
//! }
//! ```
//!
//! A call is driven by a small runtime that the [`Backend`] owns. Within an async runtime, where waiting
//! would stall every other task of the thread, each call fails with kind `Unsupported` before anything
//! is sent: there, await the [`ContainerBackend`] itself.

mod sessions;
mod streams;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::backend::{CallContext, ContainerBackend, ContainerBackendExt, ContainerGuard, janitor};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::HybridBackend;
use crate::model::{
    AttachOptions, ConnectOptions, ContainerDetails, ContainerName, ContainerPath, ContainerRef,
    ContainerSpec, ContainerStats, ContainerSummary, CopyOptions, CopyReport, Created,
    CreatedNetwork, DisconnectOptions, DiskUsage, DownloadOptions, EngineInfo, EngineVersion,
    EnsureOptions, EventsOptions, ExecDetails, ExecId, ExecOptions, ExecOutput, ExecTag,
    FileChange, HealthyOptions, ImageDetails, ImagePruneReport, ImageRef, ImageRemoval,
    ImageSummary, ImportOptions, KillOptions, ListImagesOptions, ListNetworksOptions, ListOptions,
    ListVolumesOptions, LogsOptions, NetworkDetails, NetworkRef, NetworkSpec, NetworkSummary,
    PathStat, Ping, ProcessTable, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneReport, PruneVolumesOptions, PullOptions, PutArchiveOptions, ReconnectOptions,
    RemoveImageOptions, RemoveOptions, RemoveVolumeOptions, RestartOptions, RunOptions, RunOutput,
    StartOutcome, StopOptions, StopOutcome, TarArchive, TerminalSize, TopOptions, UpdateOptions,
    UploadOptions, VolumeDetails, VolumeList, VolumeName, VolumeSpec, WaitOptions, WaitOutcome,
    WriteFileOptions,
};
use streams::Items;

pub use sessions::{Attached, Input, Session};
pub use streams::{Archive, Events, Logs, Meter, Pull, Stats, Watch};

/// A [`ContainerBackend`] whose calls block the calling thread. Cheap to clone; may be shared between
/// threads, whose calls run at the same time.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<dyn ContainerBackend>,
    driver: Arc<Driver>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

/// The runtime that drives the calls.
struct Driver(Option<Runtime>);

impl Drop for Driver {
    fn drop(&mut self) {
        // An ordinary drop would block, and panics where blocking isn't allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Driver {
    fn new() -> Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("catamaran-blocking")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| {
                Error::new(ErrorKind::Config, "no runtime can be made").with_source(error)
            })
    }

    fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        if Handle::try_current().is_ok() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a blocking call on a thread of an async runtime would stall its other tasks",
            )
            .with_advice(
                "await the ContainerBackend itself; within spawn_blocking, use Handle::block_on",
            ));
        }
        match &self.0 {
            // What the call leaves behind, as a failed run does, is gone before it returns.
            Some(runtime) => Ok(janitor::waiting(|| runtime.block_on(future))),
            None => Err(Error::new(ErrorKind::Cancelled, "the backend is closed")
                .with_effect(Effect::NotSent)),
        }
    }
}

/// Each operation by its async method, blocked on.
macro_rules! operations {
    ($( $(#[$doc:meta])* $trait:ident::$method:ident($($name:ident: $type:ty),*) -> $answer:ty; )*) => {
        impl Backend { $(
            $(#[$doc])*
            #[doc = ""]
            #[doc = "# Errors"]
            #[doc = concat!("As [`", stringify!($trait), "::", stringify!($method), "`], and within an async runtime.")]
            pub fn $method(&self, $($name: $type),*) -> Result<$answer> {
                self.driver.block_on(self.inner.$method($($name),*))?
            }
        )* }
    };
}

operations! {
    /// Asks whether the engine is there.
    ContainerBackend::ping() -> Ping;
    /// Asks whose engine it is, and which version.
    ContainerBackend::version() -> EngineVersion;
    /// Asks what the engine says of itself and its host.
    ContainerBackend::info() -> EngineInfo;
    /// Sums up what the engine keeps on disk.
    ContainerBackend::disk_usage() -> DiskUsage;
    /// Asks whether the engine has an image.
    ContainerBackend::image_exists(image: &ImageRef) -> bool;
    /// Lists images.
    ContainerBackend::list_images(options: &ListImagesOptions) -> Vec<ImageSummary>;
    /// Makes an image of a root file system's tar archive.
    ContainerBackend::import_image(options: &ImportOptions, archive: TarArchive) -> ImageRef;
    /// Shows an image: what it is, and what its containers get.
    ContainerBackend::inspect_image(image: &ImageRef) -> ImageDetails;
    /// Gives an image another name, beside those that it has.
    ContainerBackend::tag_image(image: &ImageRef, name: &ImageRef) -> ();
    /// Removes the images that no container uses: the nameless ones, or all.
    ContainerBackend::prune_images(options: &PruneImagesOptions) -> ImagePruneReport;
    /// Makes sure of an image by its policy, pulling it where need be, and shows it.
    ContainerBackendExt::ensure_image(image: &ImageRef, options: &EnsureOptions) -> ImageDetails;
    /// Removes an image, or one of its names.
    ContainerBackend::remove_image(image: &ImageRef, options: &RemoveImageOptions) -> Vec<ImageRemoval>;
    /// Makes a container; it doesn't run yet.
    ContainerBackend::create(spec: &ContainerSpec) -> Created;
    /// Starts a container. One that runs is no error.
    ContainerBackend::start(container: &ContainerRef) -> StartOutcome;
    /// Stops a container. One that doesn't run is no error.
    ContainerBackend::stop(container: &ContainerRef, options: &StopOptions) -> StopOutcome;
    /// Stops a container, if it runs, and starts it.
    ContainerBackend::restart(container: &ContainerRef, options: &RestartOptions) -> ();
    /// Sends a signal to a container's process.
    ContainerBackend::kill(container: &ContainerRef, options: &KillOptions) -> ();
    /// Freezes a container's processes.
    ContainerBackend::pause(container: &ContainerRef) -> ();
    /// Lets a container's processes go on.
    ContainerBackend::unpause(container: &ContainerRef) -> ();
    /// Gives a container another name.
    ContainerBackend::rename(container: &ContainerRef, name: &ContainerName) -> ();
    /// Changes the limits of a container, and gives back the engine's warnings.
    ContainerBackend::update(container: &ContainerRef, options: &UpdateOptions) -> Vec<String>;
    /// Shows a container: its state, and the limits and privileges in force.
    ContainerBackend::inspect(container: &ContainerRef) -> ContainerDetails;
    /// Lists containers.
    ContainerBackend::list(options: &ListOptions) -> Vec<ContainerSummary>;
    /// Waits for a container to end.
    ContainerBackend::wait(container: &ContainerRef, options: &WaitOptions) -> WaitOutcome;
    /// Reads what a container uses, once.
    ContainerBackend::stats(container: &ContainerRef) -> ContainerStats;
    /// Shows the processes of a running container.
    ContainerBackend::top(container: &ContainerRef, options: &TopOptions) -> ProcessTable;
    /// Lists the files of a container that aren't as in its image.
    ContainerBackend::changes(container: &ContainerRef) -> Vec<FileChange>;
    /// Unpacks a tar archive into a directory of a container, the engine's own way.
    ContainerBackend::put_archive(container: &ContainerRef, directory: &ContainerPath, options: &PutArchiveOptions, archive: TarArchive) -> ();
    /// Tells of a file in a container.
    ContainerBackend::stat_path(container: &ContainerRef, path: &ContainerPath) -> PathStat;
    /// Runs a command in a running container.
    ContainerBackend::exec(container: &ContainerRef, options: &ExecOptions) -> ExecOutput;
    /// Asks whether a command runs, and how it ended.
    ContainerBackend::inspect_exec(exec: &ExecId) -> ExecDetails;
    /// Gives a command's terminal another size.
    ContainerBackend::resize_exec(exec: &ExecId, size: TerminalSize) -> ();
    /// Gives a container's terminal another size.
    ContainerBackend::resize(container: &ContainerRef, size: TerminalSize) -> ();
    /// Waits for a command's end, and gives back its exit code.
    ContainerBackendExt::wait_exec(exec: &ExecId) -> i64;
    /// Ends a command with the processes that it has made, and says whether there were any.
    ContainerBackendExt::end_exec(container: &ContainerRef, tag: &ExecTag) -> bool;
    /// Removes a container.
    ContainerBackend::remove(container: &ContainerRef, options: &RemoveOptions) -> ();
    /// Removes the containers that don't run.
    ContainerBackend::prune_containers(options: &PruneContainersOptions) -> PruneReport;
    /// Makes a network.
    ContainerBackend::create_network(spec: &NetworkSpec) -> CreatedNetwork;
    /// Shows a network, and the containers on it that run.
    ContainerBackend::inspect_network(network: &NetworkRef) -> NetworkDetails;
    /// Lists networks.
    ContainerBackend::list_networks(options: &ListNetworksOptions) -> Vec<NetworkSummary>;
    /// Puts a container on a network.
    ContainerBackend::connect_network(network: &NetworkRef, container: &ContainerRef, options: &ConnectOptions) -> ();
    /// Takes a container off a network.
    ContainerBackend::disconnect_network(network: &NetworkRef, container: &ContainerRef, options: &DisconnectOptions) -> ();
    /// Removes a network.
    ContainerBackend::remove_network(network: &NetworkRef) -> ();
    /// Removes the networks that no container is on.
    ContainerBackend::prune_networks(options: &PruneNetworksOptions) -> PruneReport;
    /// Makes a volume, and shows it. One of that name that exists is no error, and stays as it is.
    ContainerBackend::create_volume(spec: &VolumeSpec) -> VolumeDetails;
    /// Shows a volume.
    ContainerBackend::inspect_volume(volume: &VolumeName) -> VolumeDetails;
    /// Lists volumes.
    ContainerBackend::list_volumes(options: &ListVolumesOptions) -> VolumeList;
    /// Removes a volume with all that is in it.
    ContainerBackend::remove_volume(volume: &VolumeName, options: &RemoveVolumeOptions) -> ();
    /// Removes the volumes that no container has, with all that is in them.
    ContainerBackend::prune_volumes(options: &PruneVolumesOptions) -> PruneReport;
    /// Runs a container once, as `docker run --rm` does.
    ContainerBackendExt::run(spec: &ContainerSpec) -> RunOutput;
    /// As [`run`](Self::run), with options.
    ContainerBackendExt::run_with(spec: &ContainerSpec, options: &RunOptions) -> RunOutput;
    /// Creates a container that is removed when its guard goes out of scope; the drop waits for it.
    ContainerBackendExt::scoped(spec: &ContainerSpec) -> ContainerGuard;
    /// Waits until a container's health check says that it is healthy.
    ContainerBackendExt::wait_healthy(container: &ContainerRef, options: &HealthyOptions) -> ContainerDetails;
    /// Unpacks a tar archive into a directory of a container, whatever that is on.
    ContainerBackendExt::upload(container: &ContainerRef, directory: &ContainerPath, archive: TarArchive, options: &UploadOptions) -> ();
    /// Writes a file in a container.
    ContainerBackendExt::write_file(container: &ContainerRef, path: &ContainerPath, contents: Bytes, options: &WriteFileOptions) -> ();
    /// Reads a file of a container.
    ContainerBackendExt::read_file(container: &ContainerRef, path: &ContainerPath, max_bytes: u64) -> Bytes;
    /// Copies from a directory of the host into one of a container, or one file.
    ContainerBackendExt::copy_in(container: &ContainerRef, from: &Path, directory: &ContainerPath, options: &CopyOptions) -> CopyReport;
    /// Copies from a directory of a container into one of the host, or one file; nothing is written outside of it.
    ContainerBackendExt::copy_out(container: &ContainerRef, path: &ContainerPath, into: &Path, options: &CopyOptions) -> CopyReport;
}

impl Backend {
    /// Blocks on the calls of any backend.
    ///
    /// # Errors
    /// `Config` where the system has no thread for it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use catamaran::blocking::Backend;
    /// use catamaran::{AsyncEngine, Endpoint};
    ///
    /// let engine = AsyncEngine::connect(Endpoint::unix("/var/run/docker.sock"))?;
    /// let backend = Backend::over(Arc::new(engine))?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn over(backend: Arc<dyn ContainerBackend>) -> Result<Self> {
        Ok(Self {
            inner: backend,
            driver: Arc::new(Driver::new()?),
        })
    }

    /// Removes a guarded container, as [`ContainerGuard::remove`] does, and says whether it worked.
    ///
    /// # Errors
    /// As [`ContainerGuard::remove`], and within an async runtime; the removal then goes on in the
    /// background.
    pub fn close(&self, container: ContainerGuard) -> Result<()> {
        self.driver.block_on(container.remove())?
    }

    /// A [`HybridBackend`] as the process's environment says. To switch its mode, keep a clone of one
    /// that you make yourself, and take [`over`](Self::over).
    ///
    /// # Errors
    /// As [`HybridBackend::from_env`] and [`over`](Self::over).
    pub fn from_env() -> Result<Self> {
        Self::over(Arc::new(HybridBackend::from_env()?))
    }

    /// A handle to the same backend whose calls carry this context.
    #[must_use]
    pub fn with_context(&self, context: CallContext) -> Self {
        Self {
            inner: self.inner.with_context(context),
            driver: Arc::clone(&self.driver),
        }
    }

    fn items<S>(&self, opening: impl Future<Output = Result<S>>) -> Result<Items<S>> {
        let stream = self.driver.block_on(opening)??;
        Ok(Items::new(stream, &self.driver))
    }

    /// Reads a container's output, once or as it comes: an iterator whose `next` blocks.
    ///
    /// # Errors
    /// As [`ContainerBackend::logs`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{ContainerRef, LogsOptions};
    /// # fn example(backend: &Backend, id: &ContainerRef) -> catamaran::Result<()> {
    /// for chunk in backend.logs(id, &LogsOptions::default().with_follow(true))? {
    ///     print!("{}", String::from_utf8_lossy(&chunk?.bytes));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self, container: &ContainerRef, options: &LogsOptions) -> Result<Logs> {
        self.items(self.inner.logs(container, options)).map(Logs)
    }

    /// Starts a command in a running container, to be written to and read while it runs. Input and output
    /// may go to threads of their own.
    ///
    /// # Errors
    /// As [`ContainerBackend::start_exec`], and within an async runtime.
    ///
    /// ```no_run
    /// use std::io::Write;
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{ContainerRef, ExecOptions};
    /// # fn example(backend: &Backend, id: &ContainerRef) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut session = backend.start_exec(id, &ExecOptions::new(["sort"]))?;
    /// session.input.write_all(b"b\na\n")?;
    /// drop(session.input); // the end of what it reads
    /// for chunk in session.output {
    ///     print!("{}", String::from_utf8_lossy(&chunk?.bytes));
    /// }
    /// assert_eq!(backend.wait_exec(&session.id)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_exec(&self, container: &ContainerRef, options: &ExecOptions) -> Result<Session> {
        let started = self.inner.start_exec(container, options);
        let session = self.driver.block_on(started)??;
        Ok(Session {
            id: session.id,
            tag: session.tag,
            input: Input::new(session.input, &self.driver),
            output: Logs(Items::new(session.output, &self.driver)),
        })
    }

    /// Attaches to a container's own program, to write to and read it.
    ///
    /// # Errors
    /// As [`ContainerBackend::attach`], and within an async runtime.
    pub fn attach(&self, container: &ContainerRef, options: &AttachOptions) -> Result<Attached> {
        let attached = self.inner.attach(container, options);
        let attached = self.driver.block_on(attached)??;
        Ok(Attached {
            input: Input::new(attached.input, &self.driver),
            output: Logs(Items::new(attached.output, &self.driver)),
        })
    }

    /// Takes samples of what a container uses, one about each second: an iterator whose `next` blocks.
    ///
    /// # Errors
    /// As [`ContainerBackend::stats_stream`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::ContainerRef;
    /// # fn example(backend: &Backend, id: &ContainerRef) -> catamaran::Result<()> {
    /// for sample in backend.stats_stream(id)?.take(10) {
    ///     println!("{:?}", sample?.memory);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats_stream(&self, container: &ContainerRef) -> Result<Stats> {
        self.items(self.inner.stats_stream(container)).map(Stats)
    }

    /// Measures what a container uses between one sample and the next. Nothing is sent yet.
    #[must_use]
    pub fn usage_meter(&self, container: &ContainerRef) -> Meter {
        Meter {
            meter: self.inner.usage_meter(container),
            driver: Arc::clone(&self.driver),
        }
    }

    /// Follows a container's output to its end, over as many connections as it takes: an iterator whose `next`
    /// blocks.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::follow_logs_with`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{ContainerRef, LogsOptions, ReconnectOptions};
    /// # fn example(backend: &Backend, id: &ContainerRef) -> catamaran::Result<()> {
    /// for chunk in backend.follow_logs(id, &LogsOptions::default(), &ReconnectOptions::default())? {
    ///     print!("{}", String::from_utf8_lossy(&chunk?.bytes));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow_logs(
        &self,
        container: &ContainerRef,
        options: &LogsOptions,
        reconnect: &ReconnectOptions,
    ) -> Result<Logs> {
        self.items(self.inner.follow_logs_with(container, options, reconnect))
            .map(Logs)
    }

    /// Tells what happens at the engine, over one connection: an iterator whose `next` blocks.
    ///
    /// # Errors
    /// As [`ContainerBackend::events`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::EventsOptions;
    /// # fn example(backend: &Backend) -> catamaran::Result<()> {
    /// for event in backend.events(&EventsOptions::default())? {
    ///     println!("{:?}", event?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, options: &EventsOptions) -> Result<Events> {
        self.items(self.inner.events(options)).map(Events)
    }

    /// Watches what happens at the engine, over as many connections as it takes: an iterator whose `next`
    /// blocks. It is read meanwhile, by the [`Backend`]'s own thread.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::watch_events_with`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{EventsOptions, ReconnectOptions, Watched};
    /// # fn example(backend: &Backend) -> catamaran::Result<()> {
    /// for watched in backend.watch_events(&EventsOptions::default(), &ReconnectOptions::default())? {
    ///     if let Watched::Gap(gap) = watched? {
    ///         println!("list anew: {}", gap.reason);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_events(
        &self,
        options: &EventsOptions,
        reconnect: &ReconnectOptions,
    ) -> Result<Watch> {
        self.items(self.inner.watch_events_with(options, reconnect))
            .map(Watch)
    }

    /// Pulls an image: an iterator over its progress whose `next` blocks.
    ///
    /// # Errors
    /// As [`ContainerBackend::pull_image`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{ImageRef, PullOptions};
    /// # fn example(backend: &Backend, image: &ImageRef) -> catamaran::Result<()> {
    /// for event in backend.pull_image(image, &PullOptions::default())? {
    ///     println!("{}", event?.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pull_image(&self, image: &ImageRef, options: &PullOptions) -> Result<Pull> {
        self.items(self.inner.pull_image(image, options)).map(Pull)
    }

    /// Packs a file or directory of a container into a tar archive, the engine's own way: an iterator over its
    /// pieces whose `next` blocks, and a reader.
    ///
    /// # Errors
    /// As [`ContainerBackend::get_archive`], and within an async runtime.
    pub fn get_archive(&self, container: &ContainerRef, path: &ContainerPath) -> Result<Archive> {
        let stream = self
            .driver
            .block_on(self.inner.get_archive(container, path))??;
        Ok(Archive::new(stream, &self.driver))
    }

    /// As [`get_archive`](Self::get_archive), whatever the file is on.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::download`], and within an async runtime.
    ///
    /// ```no_run
    /// # use catamaran::blocking::Backend;
    /// # use catamaran::model::{ContainerPath, ContainerRef, DownloadOptions};
    /// # fn example(backend: &Backend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let path = ContainerPath::new("/var/log")?;
    /// let mut archive = backend.download(id, &path, &DownloadOptions::default())?;
    /// let mut file = std::fs::File::create("log.tar").expect("a file");
    /// std::io::copy(&mut archive, &mut file).expect("the archive"); // its error holds ours
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
        options: &DownloadOptions,
    ) -> Result<Archive> {
        let stream = self
            .driver
            .block_on(self.inner.download(container, path, options))??;
        Ok(Archive::new(stream, &self.driver))
    }
}
