//! What every backend can do by its own operations.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::guard::{Cleanup, ContainerGuard};
use super::leftover::Leftover;
use super::meter::UsageMeter;
use super::{CallContext, ContainerBackend, exit_code};
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ContainerDetails, ContainerRef, ContainerSpec, ContainerState, EnsureOptions, ExecId, ExecTag,
    HealthStatus, HealthyOptions, ImageDetails, ImageRef, LogsOptions, RunOptions, RunOutput,
    WaitOptions,
};
use crate::operation::Operation;

/// From one look at a container's health to the next.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
        let context = self.context();
        let deadline = Deadline::new(context.timeout, context.deadline);
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
        let deadline = Deadline::new(Some(options.timeout), None);
        let hurried = self.with_context(CallContext::new().with_deadline(deadline.moment()));
        loop {
            let details = hurried.inspect(container).await?;
            match verdict(&details) {
                Verdict::Healthy => return Ok(details),
                Verdict::Failed(why) => {
                    return Err(Error::new(ErrorKind::Container, why)
                        .with_operation(Operation::Inspect)
                        .with_effect(Effect::Rejected)
                        .with_subject(container.to_string()));
                }
                Verdict::Open => {}
            }
            let pause = options.interval.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            let next = Instant::now() + pause;
            if deadline.moment().is_some_and(|moment| moment <= next) {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("not healthy within {:?}", options.timeout),
                )
                .with_operation(Operation::Inspect)
                .with_subject(container.to_string())
                .with_advice(last_output(&details)));
            }
            tokio::time::sleep_until(next).await;
        }
    }
}

impl<B: ContainerBackend + ?Sized> ContainerBackendExt for B {}

enum Verdict {
    Healthy,
    Failed(String),
    Open,
}

fn verdict(details: &ContainerDetails) -> Verdict {
    let state = &details.state;
    match (&state.status, &state.health) {
        (ContainerState::Exited | ContainerState::Dead | ContainerState::Removing, _) => {
            let code = state
                .exit_code
                .map_or_else(String::new, |code| format!(" with exit code {code}"));
            let oom = if state.oom_killed {
                ", out of memory"
            } else {
                ""
            };
            Verdict::Failed(format!("it is {}{code}{oom}, not healthy", state.status))
        }
        (ContainerState::Created, _) => Verdict::Failed("it hasn't been started".to_owned()),
        (_, None) => Verdict::Failed("it has no health check to say that it is healthy".to_owned()),
        (_, Some(health)) => match health.status {
            HealthStatus::Healthy => Verdict::Healthy,
            HealthStatus::Unhealthy => {
                Verdict::Failed(format!("it is unhealthy; {}", last_output(details)))
            }
            _ => Verdict::Open,
        },
    }
}

/// What the last check printed, shortened: a check may print anything.
fn last_output(details: &ContainerDetails) -> String {
    let health = details.state.health.as_ref();
    match health.and_then(|health| health.last_output.as_deref()) {
        Some(output) if !output.trim().is_empty() => {
            format!("its last check printed {}", crate::quote::quote(output))
        }
        _ => "no check has printed anything yet".to_owned(),
    }
}
