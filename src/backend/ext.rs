//! What every backend can do by its own operations.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;

use super::files::Files;
use super::guard::{Cleanup, ContainerGuard};
use super::healthy;
use super::leftover::Leftover;
use super::meter::UsageMeter;
use super::{CallContext, ContainerBackend, exit_code};
use crate::error::{Effect, Result};
use crate::model::{
    ArchiveStream, ContainerDetails, ContainerPath, ContainerRef, ContainerSpec, CopyOptions,
    CopyReport, DownloadOptions, EnsureOptions, EventWatch, EventsOptions, ExecId, ExecTag,
    HealthyOptions, ImageDetails, ImageRef, LogStream, LogsOptions, ReconnectOptions, RunOptions,
    RunOutput, TarArchive, UploadOptions, WaitOptions, WriteFileOptions,
};
use crate::operation::Operation;

/// Conveniences over any [`ContainerBackend`], `dyn` ones included.
#[async_trait]
pub trait ContainerBackendExt: ContainerBackend {
    /// Runs a container once, as `docker run --rm` does: creates it, starts it, waits for its end,
    /// collects its output and removes it, with its anonymous volumes.
    ///
    /// The waiting has no deadline but that of the [`CallContext`]; each other step has its own time.
    /// The output is what the engine's log has kept: of one that rotates, the newest part.
    ///
    /// # Errors
    /// As the steps; `InvalidInput` where the spec has a restart policy or the log driver `none`. A
    /// failed step's container is removed too. An exit code that isn't 0 is no error, nor is a removal
    /// that fails: it is among the [`warnings`](RunOutput::warnings), and is tried again in the background.
    ///
    /// # Cancel safety
    /// Safe: dropped at any point, the container is removed in the background, as by
    /// [`ContainerGuard`].
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerSpec, ImageRef};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["echo", "hello"]);
    /// let ran = backend.run(&spec).await?;
    /// assert_eq!((ran.exit_code, &ran.stdout[..]), (0, &b"hello\n"[..]));
    /// # Ok(())
    /// # }
    /// ```
    async fn run(&self, spec: &ContainerSpec) -> Result<RunOutput> {
        self.run_with(spec, &RunOptions::default()).await
    }

    /// As [`run`](Self::run), with options.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    async fn run_with(&self, spec: &ContainerSpec, options: &RunOptions) -> Result<RunOutput> {
        RunOptions::validate(spec).map_err(|error| error.with_operation(Operation::Create))?;
        let container = self.scoped(spec).await?;
        self.start(&container).await?;
        let ended = self.wait(&container, &WaitOptions::default()).await?;
        let log = self.logs(&container, &LogsOptions::default()).await?;
        let output = log.output(options.max_output).await?;
        let oom_killed = self.inspect(&container).await?.state.oom_killed;
        let mut warnings = container.warnings().to_vec();
        // What it did is known and not to be lost; the removal goes on in the background.
        if let Err(error) = container.remove().await {
            warnings.push(error.to_string());
        }
        Ok(RunOutput {
            exit_code: ended.exit_code,
            oom_killed,
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
            warnings,
        })
    }

    /// Creates a container that is removed when its [`ContainerGuard`] goes out of scope, however the
    /// scope ends. Beside the spec's labels it bears one with the id of this creation.
    ///
    /// # Errors
    /// As [`create`](ContainerBackend::create). Where the creation's effect is `Unknown`, the container
    /// is looked for by that label and removed in the background.
    ///
    /// # Cancel safety
    /// Safe: dropped before the answer, the container is looked for in the same way.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerSpec, ExecOptions, ImageRef};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["sleep", "60"]);
    /// let container = backend.scoped(&spec).await?;
    /// backend.start(&container).await?;
    /// backend.exec(&container, &ExecOptions::new(["true"])).await?; // whether or not it succeeds …
    /// container.remove().await // … the container goes, here or by the drop
    /// # }
    /// ```
    async fn scoped(&self, spec: &ContainerSpec) -> Result<ContainerGuard> {
        let (leftover, labelled) = Leftover::by_label(spec)?;
        let cleanup = Cleanup::new(self.with_context(CallContext::new()), leftover);
        match self.create(&labelled).await {
            Ok(created) => Ok(ContainerGuard::new(cleanup, created)),
            Err(error) => {
                if error.effect() != Effect::Unknown {
                    cleanup.disarm();
                }
                Err(error)
            }
        }
    }

    /// Makes sure of an image by its policy, pulling it where need be, and shows it. Those who ask handles
    /// of one backend for the same at the same time share one pull, and its failure.
    ///
    /// All of it keeps to the caller's own deadline, where there is one. Without a tag the image is `latest`.
    /// Who wants to see the progress takes [`pull_image`](ContainerBackend::pull_image).
    ///
    /// # Errors
    /// `NotFound` where it isn't there and wasn't to be pulled; as
    /// [`inspect_image`](ContainerBackend::inspect_image) and [`pull_image`](ContainerBackend::pull_image).
    ///
    /// # Cancel safety
    /// Dropped, the engine may give its pull up; of those who share it the next takes over.
    ///
    /// ```no_run
    /// use catamaran::model::{EnsureOptions, ImageRef, RegistryAuth};
    /// use catamaran::{ContainerBackend, ContainerBackendExt, Environment};
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let image = ImageRef::new("registry.example/team/app:1.2")?;
    /// let auth = RegistryAuth::for_image(&image, &Environment::from_process())?;
    /// let details = backend.ensure_image(&image, &EnsureOptions::default().with_auth(auth)).await?;
    /// println!("{} for {}/{}", details.id, details.os, details.architecture);
    /// # Ok(())
    /// # }
    /// ```
    async fn ensure_image(
        &self,
        image: &ImageRef,
        options: &EnsureOptions,
    ) -> Result<ImageDetails> {
        super::ensure::ensure(self, image, options).await
    }

    /// Waits for a command's end, and gives back its exit code. For a [session](ContainerBackend::start_exec)
    /// whose output has ended, that is at most a moment.
    ///
    /// The waiting has no deadline but that of the [`CallContext`]; each look has its own time.
    ///
    /// # Errors
    /// As [`inspect_exec`](ContainerBackend::inspect_exec); `Timeout` at the caller's own deadline.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerRef, ExecOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let session = backend.start_exec(id, &ExecOptions::new(["make"])).await?;
    /// let output = session.output.output(1 << 20).await?;
    /// println!("{}: {} bytes", backend.wait_exec(&session.id).await?, output.stdout.len());
    /// # Ok(())
    /// # }
    /// ```
    async fn wait_exec(&self, exec: &ExecId) -> Result<i64> {
        let deadline = self.context().own_deadline();
        let hurried = self.with_context(CallContext::new().with_deadline(deadline.moment()));
        let waited = deadline.bound(exit_code(|| hurried.inspect_exec(exec)));
        waited.await.and_then(|waited| waited).map_err(|error| {
            error
                .with_operation(Operation::InspectExec)
                .with_subject(exec.to_string())
        })
    }

    /// Ends a command that was started by [`start_exec`](ContainerBackend::start_exec), with the processes
    /// that it has made, and says whether there were any: in the way, and with the limits, of
    /// [`exec`](ContainerBackend::exec)'s timeout. Its output ends then, and its exit code is told as ever.
    ///
    /// Where it has just been started its program may not have begun, and isn't found yet.
    ///
    /// # Errors
    /// As [`exec`](ContainerBackend::exec); `Container` where it couldn't be ended.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the command may or may not have been ended. Calling it again is safe.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerRef, ExecOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let session = backend.start_exec(id, &ExecOptions::new(["cat"])).await?;
    /// backend.end_exec(id, &session.tag).await?;
    /// assert_eq!(backend.wait_exec(&session.id).await?, 137);
    /// # Ok(())
    /// # }
    /// ```
    async fn end_exec(&self, container: &ContainerRef, tag: &ExecTag) -> Result<bool> {
        super::exec::end(self, container, tag).await
    }

    /// Measures what a container uses between one sample and the next, by [`stats`](ContainerBackend::stats):
    /// no call waits for a second sample, as the engine's own percentage would. Nothing is sent yet.
    ///
    /// ```no_run
    /// use catamaran::model::ContainerRef;
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let mut meter = backend.usage_meter(id);
    /// let mut tick = tokio::time::interval(std::time::Duration::from_secs(5));
    /// loop {
    ///     tick.tick().await;
    ///     let usage = meter.sample().await?;
    ///     println!("{:?} % of one CPU, {:?}", usage.cpu_percent, usage.stats.memory);
    /// }
    /// # }
    /// ```
    fn usage_meter(&self, container: &ContainerRef) -> UsageMeter {
        UsageMeter::new(self.with_context(CallContext::new()), container.clone())
    }

    /// Follows a container's output to its end, over as many connections as it takes, without loss and without
    /// doubling: each goes on where the last one broke, by the engine's timestamps.
    ///
    /// It begins as [`logs`](ContainerBackend::logs) does: with what the log holds, from
    /// [`since`](LogsOptions::since) on, or with its [`tail`](LogsOptions::tail). It ends in order when the container
    /// isn't running, nor about to be run again by its restart policy, and its log has been given whole; when the
    /// container was removed after its log had ended; and at [`until`](LogsOptions::until). It keeps to the
    /// container that is there at the beginning: another one of the same name is another one.
    ///
    /// A caller that doesn't read holds the engine up: memory is bounded by a frame (16 MiB at most; engines send
    /// 32 KiB) and what the connection buffers. Each outage is logged as a warning.
    ///
    /// What can't be told apart: within the log of a terminal, which has no frames, what a program wrote
    /// last without a line end is followed by the next run's first timestamp, where both are read at once; and
    /// where Podman has split a long line, it stamps each part. Those timestamps are given as text. Where a tail
    /// begins within the parts of one line, and the connection breaks there, parts of that line may come twice;
    /// where a tail ends with a line of one stream, lines of the other may come that were written before it and
    /// stamped later. And what an engine writes whose clock is set back, before that has caught up with where a
    /// connection or a tail began, is lost.
    ///
    /// # Errors
    /// At first as [`inspect`](ContainerBackend::inspect) and [`logs`](ContainerBackend::logs): an engine that can't be
    /// reached at the beginning is an error at once. Later the stream yields, and ends after: what the engine
    /// refuses (`NotFound` where the container was removed during an outage, when nobody knows what it had still
    /// written); `Decode` or `TooLarge` where the log can't be read; `Engine` where the log no longer holds what was
    /// given last, so that something may be lost (it was rotated away during an outage).
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the stream ends the reading.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerRef, LogsOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    /// use futures::TryStreamExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let mut log = backend.follow_logs(id, &LogsOptions::default()).await?;
    /// while let Some(chunk) = log.try_next().await? {
    ///     print!("{}", String::from_utf8_lossy(&chunk.bytes));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn follow_logs(
        &self,
        container: &ContainerRef,
        options: &LogsOptions,
    ) -> Result<LogStream> {
        self.follow_logs_with(container, options, &ReconnectOptions::default())
            .await
    }

    /// As [`follow_logs`](Self::follow_logs), with a say in how an engine that is out of reach is waited for.
    ///
    /// # Errors
    /// As [`follow_logs`](Self::follow_logs), and the last failure where the engine is given up.
    ///
    /// # Cancel safety
    /// As [`follow_logs`](Self::follow_logs).
    async fn follow_logs_with(
        &self,
        container: &ContainerRef,
        options: &LogsOptions,
        reconnect: &ReconnectOptions,
    ) -> Result<LogStream> {
        let backend = self.with_context(CallContext::new());
        super::follow::follow(backend, container, options, reconnect).await
    }

    /// Watches what happens at the engine, over as many connections as it takes: no event is told twice, and
    /// where one may be missing, a [`Gap`](crate::model::Gap) says so.
    ///
    /// A task of the caller's runtime reads the connection, since engines don't wait for readers: Docker drops the
    /// events of one that is slow for a tenth of a second, and nobody can tell. Up to 1,024 events and 16 MiB wait for
    /// the caller; what is more is dropped, as a gap. After a reconnect the engine is asked whether it remembers
    /// the last events (Docker keeps 256 in memory). Where it doesn't, there is a gap: also where none had been told
    /// yet, and where those of the filter are so rare that others have pushed them out, though then perhaps nothing
    /// is missing.
    ///
    /// Docker begins to watch a moment after it has answered: who must not miss anything from a time on sets
    /// [`since`](EventsOptions::since).
    ///
    /// # Errors
    /// As [`events`](ContainerBackend::events): an engine that can't be reached at the beginning is an error at once.
    /// Later the stream yields, and ends after, what the engine refuses, and `Decode` or `TooLarge` where its
    /// events can't be read.
    ///
    /// # Cancel safety
    /// Safe: dropping the future or the watch ends the watching.
    ///
    /// ```no_run
    /// use catamaran::model::{EventKind, EventsOptions, Watched};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    /// use futures::TryStreamExt;
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let options = EventsOptions::default().with_kind(EventKind::Container);
    /// let mut watch = backend.watch_events(&options).await?;
    /// while let Some(watched) = watch.try_next().await? {
    ///     match watched {
    ///         Watched::Event(event) => println!("{} {}", event.action, event.actor),
    ///         Watched::Gap(gap) => println!("list anew: {}", gap.reason),
    ///         Watched::Disconnected(error) => println!("blind: {error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    async fn watch_events(&self, options: &EventsOptions) -> Result<EventWatch> {
        self.watch_events_with(options, &ReconnectOptions::default())
            .await
    }

    /// As [`watch_events`](Self::watch_events), with a say in how an engine that is out of reach is waited for.
    ///
    /// # Errors
    /// As [`watch_events`](Self::watch_events), and the last failure where the engine is given up.
    ///
    /// # Cancel safety
    /// As [`watch_events`](Self::watch_events).
    async fn watch_events_with(
        &self,
        options: &EventsOptions,
        reconnect: &ReconnectOptions,
    ) -> Result<EventWatch> {
        super::watch::watch(self.with_context(CallContext::new()), options, reconnect).await
    }

    /// Waits until a container's health check says that it is healthy, and shows it as it is then.
    ///
    /// # Errors
    /// `Container` where it is found unhealthy, or not running (with its exit code), or has no health
    /// check, which would never say so; `Timeout` where it isn't healthy in time; as
    /// [`inspect`](ContainerBackend::inspect).
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerRef, HealthyOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let details = backend.wait_healthy(id, &HealthyOptions::default()).await?;
    /// println!("{} is healthy", details.name);
    /// # Ok(())
    /// # }
    /// ```
    async fn wait_healthy(
        &self,
        container: &ContainerRef,
        options: &HealthyOptions,
    ) -> Result<ContainerDetails> {
        healthy::wait(self, container, options).await
    }

    /// Unpacks a tar archive into a directory of a container, whatever that is on: an engine's archive in its
    /// layers and volumes, and through `sh` and `tar` in the container where the engine has no way: in memory
    /// (`tmpfs`, `/dev/shm`, what links lead into it). There the container must run. What lies on a read-only root
    /// itself stays as it is: nobody can write there.
    ///
    /// The archive is read and written anew on the way. Its limits hold, and whatever could grow past them is
    /// refused: compression, sparse files. Absolute paths, those that lead upwards or through a link of the same
    /// archive are refused, and so are devices and pipes. Permissions are kept up to `0o777`. The files
    /// [belong](UploadOptions::owner) to the container's user where it has one by number, and to root elsewhere;
    /// through a command, to the user that runs it, which is the owner that is asked for, or the container's.
    ///
    /// An archive in memory is checked before anything is sent, and takes its size in memory again; of a
    /// stream a dozen pieces at most are in memory. There is no deadline but the caller's own.
    ///
    /// # Errors
    /// `InvalidInput` (or `Unsupported`: compressed) for the field `archive`, naming the entry; `TooLarge`;
    /// `NotFound` where the container or the directory isn't there; `Conflict` where a command must lead there
    /// and the container doesn't run; `Container` where that command fails, for want of `sh` or `tar` among
    /// others; as [`put_archive`](ContainerBackend::put_archive). Of a stream, what came before a failure may
    /// have been unpacked: its effect is `Unknown`.
    ///
    /// # Cancel safety
    /// Dropped before the end, a part of the archive may have been unpacked. Uploading again is safe.
    async fn upload(
        &self,
        container: &ContainerRef,
        directory: &ContainerPath,
        archive: TarArchive,
        options: &UploadOptions,
    ) -> Result<()> {
        let files = Files::new(self, container);
        files.upload(directory, archive, options).await
    }

    /// Packs a file or directory of a container into a tar archive, whatever that is on, as
    /// [`upload`](Self::upload) finds its way. Links on the way to it are followed, and the names in the archive
    /// begin with that of what they lead to (of a link to a file in memory: its own); links in it are packed as
    /// they are.
    ///
    /// It comes as fast as it is read. **Who unpacks it must mistrust it**: a container made it.
    /// [`copy_out`](Self::copy_out) does.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where a command must lead there and the container doesn't run; as
    /// [`get_archive`](ContainerBackend::get_archive). The stream yields `TooLarge` where it grows past
    /// [`max_bytes`](DownloadOptions::max_bytes), `Container` where the command fails, and ends after an error.
    ///
    /// # Cancel safety
    /// Safe: nothing changes. A command that packs ends when it finds that nobody reads.
    async fn download(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
        options: &DownloadOptions,
    ) -> Result<ArchiveStream> {
        Files::new(self, container).download(path, options).await
    }

    /// Writes a file in a container, in place of any file or link of that name, as [`upload`](Self::upload)
    /// finds its way. Its directory must be there.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    ///
    /// # Cancel safety
    /// Dropped before the answer, the file may have been written, in part too. Writing it again is safe.
    ///
    /// ```no_run
    /// use catamaran::model::{ContainerPath, ContainerRef, WriteFileOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let script = ContainerPath::new("/tmp/run.sh")?;
    /// let options = WriteFileOptions::default().with_mode(0o755u32);
    /// backend.write_file(id, &script, "#!/bin/sh\necho hello\n".into(), &options).await?;
    /// assert!(backend.read_file(id, &script, 1024).await?.ends_with(b"hello\n"));
    /// # Ok(())
    /// # }
    /// ```
    async fn write_file(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
        contents: Bytes,
        options: &WriteFileOptions,
    ) -> Result<()> {
        let files = Files::new(self, container);
        files.write_file(path, contents, options).await
    }

    /// Reads a file of a container, of so many bytes at most, as [`download`](Self::download) finds its way.
    /// Links to it are followed.
    ///
    /// # Errors
    /// `TooLarge` where it has more bytes, and none are given; `InvalidInput` for the field `path` where it is
    /// no plain file; as [`download`](Self::download).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    async fn read_file(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
        max_bytes: u64,
    ) -> Result<Bytes> {
        Files::new(self, container).read_file(path, max_bytes).await
    }

    /// Copies what is in a directory of the host into a directory of a container, or one file under its name,
    /// as [`upload`](Self::upload) finds its way. Links are copied as links, never followed.
    ///
    /// # Errors
    /// `Host` where a file of the host can't be read, or is a device, pipe or socket; `TooLarge`; as
    /// [`upload`](Self::upload).
    ///
    /// # Cancel safety
    /// Dropped before the end, a part may have been copied. Copying again is safe.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use catamaran::model::{ContainerPath, ContainerRef, CopyOptions};
    /// use catamaran::{ContainerBackend, ContainerBackendExt};
    ///
    /// # async fn example(backend: &dyn ContainerBackend, id: &ContainerRef) -> catamaran::Result<()> {
    /// let (work, options) = (ContainerPath::new("/work")?, CopyOptions::default());
    /// backend.copy_in(id, Path::new("project"), &work, &options).await?;
    /// let copied = backend.copy_out(id, &work, Path::new("result"), &options).await?;
    /// println!("{} files, {} bytes", copied.entries, copied.bytes);
    /// # Ok(())
    /// # }
    /// ```
    async fn copy_in(
        &self,
        container: &ContainerRef,
        from: &Path,
        directory: &ContainerPath,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let files = Files::new(self, container);
        files.copy_in(from, directory, options).await
    }

    /// Copies what is in a directory of a container into a directory of the host, or one file under its name,
    /// as [`download`](Self::download) finds its way. A container may say anything in its archive; nothing of
    /// it is written outside of the directory:
    ///
    /// - absolute paths and those that lead upwards are refused, and nothing is written through a link, be it of
    ///   the archive or one that was there;
    /// - hard links lead to plain files of the copy alone, and symbolic links that may lead out of it
    ///   [are refused](CopyOptions::outward_links) unless told otherwise;
    /// - devices and pipes are never made, and [refused](CopyOptions::special) or left out;
    /// - files belong to this process, without set-uid, set-gid and sticky bits, and directories stay open to
    ///   their owner. A file in the way is replaced, not written to;
    /// - the limits hold, and what could grow past them is refused.
    ///
    /// A directory that isn't there appears whole or not at all; its parent must be there. Into one that is
    /// there, what came before a failure stays.
    ///
    /// # Errors
    /// `Unsafe` or `TooLarge`, naming the entry; `Decode` where the archive is malformed; `Host` where the host's
    /// files can't be written; as [`download`](Self::download).
    ///
    /// # Cancel safety
    /// Safe: the copying ends within a moment, as after a failure.
    async fn copy_out(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
        into: &Path,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        Files::new(self, container)
            .copy_out(path, into, options)
            .await
    }
}

impl<B: ContainerBackend + ?Sized> ContainerBackendExt for B {}
