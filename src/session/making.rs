//! How a session's container comes to be, phase by phase. What fails on the way leaves nothing behind.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::belongings::Belongings;
use super::failure::{OpenFailure, Phase, container_failed};
use super::managed::Managed;
use super::manager::Shared;
use super::opening::Timings;
use super::ready::{self, NotReady};
use super::spec::{SessionSpec, Setup};
use super::written::Written;
use crate::backend::{ContainerBackend, ContainerBackendExt, ContainerGuard};
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::host::{Fate, INSTANCE_LABEL};
use crate::model::{ContainerRef, LogsOptions, WriteFileOptions};

/// How much of a failed container's log is kept.
const LOG_LINES: u64 = 20;
const LOG_BYTES: usize = 4 << 10;
/// How much of it is read, to have its end.
const LOG_READ: usize = 256 << 10;

/// A container that is ready, and still nobody's: dropped, it goes, and so does what it has for itself.
pub(super) struct Made {
    pub(super) managed: Arc<Managed>,
    guard: ContainerGuard,
    belongings: Belongings,
}

impl Made {
    /// Makes one, and waits until it is ready; for a warm pool, where it may be for so long.
    ///
    /// # Cancel safety
    /// Safe: dropped, what there is so far goes.
    pub(super) async fn new(
        shared: &Arc<Shared>,
        backend: &Arc<dyn ContainerBackend>,
        spec: &SessionSpec,
        pool: Option<Duration>,
        timings: &mut Timings,
    ) -> std::result::Result<Self, OpenFailure> {
        let failed = |phase| move |error| OpenFailure::new(phase, error);
        let began = Instant::now();
        let ensured = backend.ensure_image(&spec.container.image, &spec.image);
        ensured.await.map_err(failed(Phase::Image))?;
        timings.image = began.elapsed();

        others_first().await;
        let began = Instant::now();
        let created = Self::create(shared, backend, spec, pool.unwrap_or_default());
        let made = created.await.map_err(failed(Phase::Create))?;
        timings.create = began.elapsed();

        others_first().await;
        let began = Instant::now();
        if let Err(error) = backend.start(made.container()).await {
            return Err(made.fail(shared, backend, Phase::Start, error).await);
        }
        timings.start = began.elapsed();

        others_first().await;
        let began = Instant::now();
        let (checked, ready) = tokio::join!(
            shared.verified.limits_hold(&**backend, &made.managed, spec),
            wait_ready(shared, backend, &made.managed),
        );
        if let Err(not_ready) = ready {
            return Err(made.fail_ready(shared, backend, not_ready).await);
        }
        if let Err(error) = checked {
            return Err(made.fail(shared, backend, Phase::Start, error).await);
        }
        others_first().await;
        if !made.managed.is_ready() {
            let gone = container_failed("it was removed while it started".to_owned());
            return Err(made.fail(shared, backend, Phase::Ready, gone).await);
        }
        timings.ready = began.elapsed();
        Ok(made)
    }

    async fn create(
        shared: &Arc<Shared>,
        backend: &Arc<dyn ContainerBackend>,
        spec: &SessionSpec,
        pooled: Duration,
    ) -> Result<Self> {
        let written = Written::new(spec, pooled)?;
        let mut container = spec.container.clone();
        written.put(&mut container.labels)?;
        container.name = Some(written.pending_name()?);
        let losses = shared.host.lost_so_far();
        // Whoever may have been replaced makes nothing more.
        let mut container = shared.host.label(&container, Fate::Adopt)?;
        let mut belongings = Belongings::of(backend, &written)?;
        belongings
            .make(shared, &written, spec, &mut container)
            .await?;
        belongings.doubt(true);
        let created = backend.scoped(&container).await;
        let unknown = |error: &Error| error.effect() == Effect::Unknown;
        belongings.doubt(created.as_ref().is_err_and(unknown));
        let guard = created?;
        belongings.hand_over(shared, spec).await?;
        let instance = container.labels.get(INSTANCE_LABEL).cloned();
        let whose = (instance.unwrap_or_default(), losses);
        let managed = Managed::new(guard.id().clone(), written, whose, SystemTime::now());
        let managed = Arc::new(managed);
        // From here on its events are its own.
        shared.roster.follow(&managed);
        Ok(Self {
            managed,
            guard,
            belongings,
        })
    }

    pub(super) fn container(&self) -> &ContainerRef {
        &self.managed.container
    }

    /// Makes it its owner's.
    pub(super) async fn set_up(
        &self,
        backend: &Arc<dyn ContainerBackend>,
        setup: &[Setup],
    ) -> Result<()> {
        for one in setup {
            match one {
                Setup::File { path, content } => {
                    let options = WriteFileOptions::default();
                    backend
                        .write_file(self.container(), path, content.clone(), &options)
                        .await?;
                }
                Setup::Exec(options) => {
                    let ran = backend.exec(self.container(), options).await?;
                    if !ran.success() {
                        let how = match ran.timed_out {
                            true => "took too long".to_owned(),
                            false => format!("ended with {}", ran.exit_code),
                        };
                        let error = container_failed(format!("a command of its setup {how}"));
                        return Err(error.with_exit_code(Some(ran.exit_code)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets it live on.
    pub(super) fn keep(self) -> Arc<Managed> {
        self.guard.keep();
        self.belongings.keep();
        self.managed
    }

    /// It failed: what there is to know of it is asked for, and it goes.
    pub(super) async fn fail(
        self,
        shared: &Shared,
        backend: &Arc<dyn ContainerBackend>,
        phase: Phase,
        cause: Error,
    ) -> OpenFailure {
        let (mut exit_code, mut oom_killed) = (cause.exit_code(), false);
        if let Ok(details) = backend.inspect(self.container()).await {
            exit_code = exit_code.or(details.state.exit_code);
            oom_killed = details.state.oom_killed;
        }
        let log = last_log(&**backend, self.container()).await;
        self.discard(shared).await;
        OpenFailure::with_end(phase, cause, exit_code, oom_killed, log)
    }

    async fn fail_ready(
        self,
        shared: &Shared,
        backend: &Arc<dyn ContainerBackend>,
        not_ready: NotReady,
    ) -> OpenFailure {
        let (exit_code, oom_killed) = (not_ready.exit_code, not_ready.oom_killed);
        let (phase, cause) = (Phase::Ready, self::not_ready(not_ready));
        let log = last_log(&**backend, self.container()).await;
        self.discard(shared).await;
        OpenFailure::with_end(phase, cause, exit_code, oom_killed, log)
    }

    /// Removes it; what fails of that is tried again in the background.
    pub(super) async fn discard(self, shared: &Shared) {
        shared.roster.forget(&self.managed.container);
        if let Err(error) = self.guard.remove().await {
            tracing::warn!(%error, "a container that nobody has couldn't be removed at once");
        }
        self.belongings.remove().await;
    }
}

/// Between two phases: of a hundred opens at once each does a little, and what else is due on the event loop waits for no more.
async fn others_first() {
    tokio::task::yield_now().await;
}

/// Waits until it is ready.
pub(super) async fn wait_ready(
    shared: &Shared,
    backend: &Arc<dyn ContainerBackend>,
    managed: &Managed,
) -> std::result::Result<(), NotReady> {
    let lifecycle = &managed.written.what.lifecycle;
    let deadline = Deadline::new(Some(lifecycle.ready_timeout), None);
    ready::wait(
        backend,
        &managed.container,
        &lifecycle.ready,
        &shared.reach,
        deadline,
    )
    .await
}

pub(super) fn not_ready(not_ready: NotReady) -> Error {
    match not_ready.error {
        Some(error) => error,
        None if not_ready.died => {
            container_failed(not_ready.reason).with_exit_code(not_ready.exit_code)
        }
        None => Error::new(ErrorKind::Timeout, not_ready.reason),
    }
}

pub(super) async fn last_log(backend: &dyn ContainerBackend, container: &ContainerRef) -> String {
    let options = LogsOptions::default().with_tail(LOG_LINES);
    let output = async {
        let log = backend.logs(container, &options).await?;
        log.output(LOG_READ).await
    };
    let Ok(output) = output.await else {
        return String::new();
    };
    let text = |bytes: &[u8]| {
        let end = &bytes[bytes.len().saturating_sub(LOG_BYTES)..];
        String::from_utf8_lossy(end).into_owned()
    };
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    match (stdout.is_empty(), stderr.is_empty()) {
        (false, false) => format!("{}\n{stderr}", stdout.trim_end_matches('\n')),
        _ => stdout + &stderr,
    }
}
