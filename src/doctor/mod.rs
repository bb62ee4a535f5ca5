//! What an engine gives, and why it isn't reached: for whoever is on call.
//!
//! [`doctor`](fn@doctor) looks at the way to the engine, at what the engine says of itself, and, given an image,
//! at what a hardened container finds to hold.

mod engine;
mod host;
mod judge;
mod probe;
mod report;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::backend::{CallContext, ContainerBackend};
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::engine::{AsyncEngine, BlockingEngine};
use crate::engine_kind::EngineKind;
use crate::error::{ErrorKind, Result};
use crate::model::{EngineInfo, ImageRef};

pub use report::{Finding, Report, Severity};

/// The label of the containers that probe.
const PROBE_LABEL: &str = "catamaran.doctor";

/// How [`doctor`](fn@doctor) looks.
///
/// ```
/// use catamaran::doctor::DoctorOptions;
/// use catamaran::model::ImageRef;
///
/// let options = DoctorOptions::default()
///     .with_image(ImageRef::new("busybox")?)
///     .with_timeout(std::time::Duration::from_secs(20));
/// # let _ = options;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorOptions {
    /// An image with `/bin/sh`, which is there already: containers of it probe which limits hold. `None`, the
    /// default, makes no container.
    pub image: Option<ImageRef>,
    /// How long all of it may take; 30 s by default.
    pub timeout: Duration,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        Self {
            image: None,
            timeout: Duration::from_secs(30),
        }
    }
}

impl DoctorOptions {
    /// Sets the image whose containers probe which limits hold.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<Option<ImageRef>>) -> Self {
        self.image = image.into();
        self
    }

    /// Sets how long all of it may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What this engine gives, and where it isn't reached, why: the way to it (socket, rights, TLS, API version), what
/// it says of itself (cgroups, storage, runtimes, security), and given an image, which limits really hold.
///
/// It never fails as a whole, so it takes the configuration as it came: a wrong `DOCKER_HOST` or a context that
/// is gone is a finding too. It needs a tokio runtime. A pinned API version is judged, and not used.
///
/// Given an image, three hardened containers run for a moment, labelled `catamaran.doctor`. They are removed
/// before the report, or where the time is up or the engine fails, in the background.
///
/// # Cancel safety
/// Safe: dropped at any point, a probe's container is removed in the background, as by
/// [`ContainerGuard`](crate::ContainerGuard).
///
/// ```no_run
/// use catamaran::Config;
/// use catamaran::doctor::{DoctorOptions, Severity};
///
/// # async fn example() {
/// let report = catamaran::doctor(Config::from_env(), &DoctorOptions::default()).await;
/// println!("{report}");
/// if report.worst() == Severity::Problem {
///     std::process::exit(1);
/// }
/// # }
/// ```
pub async fn doctor(config: Result<Config>, options: &DoctorOptions) -> Report {
    let now = Instant::now();
    // A day is as good as for ever, and no clock overflows by it.
    let deadline = now + options.timeout.min(Duration::from_secs(86_400));
    let mut findings = Vec::new();
    match config {
        Ok(config) => examine(&config, options, deadline, &mut findings).await,
        Err(error) => findings.push(Finding::failed("configuration", Severity::Problem, &error)),
    }
    Report::new(findings)
}

async fn examine(
    config: &Config,
    options: &DoctorOptions,
    deadline: Instant,
    findings: &mut Vec<Finding>,
) {
    findings.push(Finding::ok(
        "configuration",
        format!(
            "mode {}, {:?} a call; at once {} calls, {} streams, {} pulls",
            config.mode(),
            config.operation_timeout(),
            config.limits().calls,
            config.limits().streams,
            config.limits().pulls
        ),
    ));
    findings.push(engine::endpoint("endpoint", config));
    // The blocking engine's, where it takes a road of its own.
    let own = config.by_fallback();
    findings.extend(
        own.as_ref()
            .map(|own| engine::endpoint("fallback_endpoint", own)),
    );
    if let Endpoint::Unix { path } = config.endpoint() {
        findings.push(socket::judge(path, &socket::look(path)));
    }
    // An engine that doesn't answer leaves time to say so.
    let left = deadline.saturating_duration_since(Instant::now());
    let context = CallContext::new().with_deadline(deadline - left / 2);
    let unpinned = config.negotiated();
    let other = own.as_ref().unwrap_or(config).negotiated();
    let (first, second) = tokio::join!(
        reach(AsyncEngine::new(&unpinned), EngineKind::Async, &context),
        reach(BlockingEngine::new(&other), EngineKind::Blocking, &context),
    );
    findings.extend([first.finding, second.finding]);
    let agree = engine::agreement(
        first.info.as_ref(),
        second.info.as_ref(),
        first.backend.as_deref(),
    );
    findings.push(agree.await);
    let reached = first.backend.zip(Some(first.info));
    let Some((backend, info)) = reached.or_else(|| second.backend.zip(Some(second.info))) else {
        return;
    };
    findings.push(engine::latency(&*backend).await);
    match backend.ping().await {
        Ok(ping) => {
            let version = backend.version().await;
            findings.extend(engine::versions(config.api_version(), &ping, version));
        }
        Err(error) => {
            findings.push(Finding::failed("api_version", Severity::Unknown, &error));
        }
    }
    let Some(info) = info else {
        let seen = "the engine answers a ping, and doesn't describe itself";
        findings.push(Finding::unknown("engine_info", seen));
        return;
    };
    findings.extend(host::all(&info));
    let Some(image) = &options.image else {
        findings.push(
            Finding::info("probe", "no image was given to see which limits hold")
                .advise("give one that is there and has /bin/sh (DoctorOptions::with_image)"),
        );
        return;
    };
    let backend = backend.with_context(CallContext::new().with_deadline(deadline));
    match timeout_at(deadline, probe::all(backend, image, deadline)).await {
        Ok(found) => findings.extend(found),
        Err(_) => findings.push(Finding::unknown(
            "probe",
            "the time was up before the probes' end",
        )),
    }
}

/// What one engine came to.
struct Reached {
    finding: Finding,
    /// Where it answers a ping.
    backend: Option<Arc<dyn ContainerBackend>>,
    info: Option<EngineInfo>,
}

async fn reach<B: ContainerBackend>(
    engine: Result<B>,
    kind: EngineKind,
    context: &CallContext,
) -> Reached {
    let name = match kind {
        EngineKind::Async => "async_engine",
        _ => "blocking_engine",
    };
    let pinged = async {
        let backend = engine?.with_context(context.clone());
        backend.ping().await.map(|_| backend)
    };
    let backend = match pinged.await {
        Ok(backend) => backend,
        Err(error) => {
            let mut finding = Finding::failed(name, Severity::Problem, &error);
            if let Some(advice) = engine::why_unreached(&error) {
                finding = finding.advise(advice);
            }
            return Reached {
                finding,
                backend: None,
                info: None,
            };
        }
    };
    let (finding, info) = match backend.info().await {
        Ok(info) => (Finding::ok(name, "reaches the engine"), Some(info)),
        // The version is told by a finding of its own.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            (Finding::failed(name, Severity::Problem, &error), None)
        }
        Err(error) => (Finding::failed(name, Severity::Warning, &error), None),
    };
    Reached {
        finding,
        backend: Some(backend),
        info,
    }
}
