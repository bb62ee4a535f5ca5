//! What the checks stand on: containers under names of their own, which go however a check ends.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{FutureExt, TryStreamExt};

use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind};
use crate::model::{
    ContainerDetails, ContainerName, ContainerRef, ContainerSpec, ExecOptions, ExecOutput,
    ImageRef, LabelKey, LogChunk, LogSource, LogStream, LogsOptions, RemoveOptions,
};

/// The label that every container, network and volume of the suite bears. Its value is the run's, see [`in_run`].
pub const LABEL: &str = "catamaran.conformance";

/// How long a check may take within its container; the slowest take a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// What engines answer where a container's state is in the way: 409, and 500 on Podman.
pub(super) const CONFLICT: &[ErrorKind] = &[ErrorKind::Conflict, ErrorKind::Engine];

tokio::task_local! {
    static RUN: String;
}

static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.unwrap_or_default().as_nanos();
    format!("{:x}-{nanoseconds:x}", std::process::id())
});

/// Runs checks whose containers, networks and volumes all bear the label [`LABEL`] with this value, so that a test can look
/// afterwards whether one was left. Without it the value is one for the whole process.
///
/// ```no_run
/// use catamaran::ContainerBackend;
/// use catamaran::conformance::{self, LABEL};
/// use catamaran::model::{ImageRef, LabelKey, ListOptions};
///
/// # async fn example(backend: &dyn ContainerBackend, image: &ImageRef) -> catamaran::Result<()> {
/// conformance::in_run("nightly", conformance::run_all(backend, image)).await;
/// let of_this_run = ListOptions::all().with_label(LabelKey::new(LABEL)?, "nightly".to_owned());
/// assert!(backend.list(&of_this_run).await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub async fn in_run<F: Future>(run: impl Into<String>, checks: F) -> F::Output {
    RUN.scope(run.into(), checks).await
}

/// The value of [`LABEL`].
pub(super) fn run() -> String {
    RUN.try_with(Clone::clone)
        .unwrap_or_else(|_| PROCESS.clone())
}

/// A name that nobody else bears.
///
/// # Panics
/// Never: what it is made of is a name.
#[must_use]
pub fn unique_name() -> ContainerName {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    ContainerName::new(format!("catamaran-conformance-{}-{count}", *PROCESS)).expect("a name")
}

/// Creates a container under a unique name and with the suite's label, runs the check with its id, and
/// removes the container however the check ends: well, by a panic, or not within 90 seconds.
///
/// A future that is dropped halfway leaves its container; the label [`LABEL`] finds it.
///
/// # Panics
/// Where the container can't be created or removed, and with the check's own panic.
///
/// ```no_run
/// use catamaran::ContainerBackend;
/// use catamaran::conformance::with_container;
/// use catamaran::model::{ContainerSpec, ImageRef};
///
/// # async fn example(backend: &dyn ContainerBackend, image: ImageRef) {
/// with_container(backend, ContainerSpec::untrusted(image), |id| async move {
///     backend.start(&id).await.expect("it starts");
/// })
/// .await;
/// # }
/// ```
pub async fn with_container<T, F: Future<Output = T>>(
    backend: &dyn ContainerBackend,
    spec: ContainerSpec,
    check: impl FnOnce(ContainerRef) -> F,
) -> T {
    let name = unique_name();
    let mut spec = spec.with_name(name.clone());
    spec.labels.insert(key(LABEL), run());
    // By name as long as there is no id: a create whose answer was lost may have made it.
    let mut container = ContainerRef::from(name);
    let checked = async {
        let created = backend.create(&spec).await.expect("create makes one");
        container = created.id.clone();
        check(created.id).await
    };
    let outcome = bounded(checked).await;
    let removed = remove(backend, &container).await;
    concluded(outcome, removed)
}

/// How a check ended: with its own panic, not in time, or with what it gave.
pub(super) type Ended<T> = std::result::Result<T, Box<dyn Any + Send>>;

/// Runs a check within its time, to its end or its panic.
pub(super) async fn bounded<T>(check: impl Future<Output = T>) -> Ended<Option<T>> {
    AssertUnwindSafe(tokio::time::timeout(PATIENCE, check))
        .catch_unwind()
        .await
        .map(Result::ok)
}

/// Ends as the check did, once what it used is away.
pub(super) fn concluded<T>(outcome: Ended<Option<T>>, removed: crate::error::Result<()>) -> T {
    match outcome {
        Err(panic) => resume_unwind(panic),
        Ok(None) => panic!("the check ends within {PATIENCE:?}"),
        Ok(Some(value)) => {
            removed.expect("remove takes it away, or it is gone");
            value
        }
    }
}

/// As [`with_container`], and starts it.
pub(super) async fn with_running<T, F: Future<Output = T>>(
    backend: &dyn ContainerBackend,
    spec: ContainerSpec,
    check: impl FnOnce(ContainerRef) -> F,
) -> T {
    with_container(backend, spec, |id| async move {
        backend.start(&id).await.expect("it starts");
        check(id).await
    })
    .await
}

async fn remove(
    backend: &dyn ContainerBackend,
    container: &ContainerRef,
) -> crate::error::Result<()> {
    // A removal that is under way already is a conflict at first.
    persistently(|| async { backend.remove(container, &RemoveOptions::force()).await }).await
}

/// Removes what may be in the way of itself for a moment.
pub(super) async fn persistently<F: Future<Output = crate::error::Result<()>>>(
    mut remove: impl FnMut() -> F,
) -> crate::error::Result<()> {
    let mut last = Ok(());
    for _ in 0..20 {
        last = remove().await;
        match &last {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            Ok(()) => break,
        }
    }
    last
}

/// A hardened container that runs this line of shell.
pub(super) fn shell(image: &ImageRef, line: &str) -> ContainerSpec {
    let mut spec = ContainerSpec::untrusted(image.clone()).with_command(["sh", "-c", line]);
    // Not every engine has an init program to give.
    spec.init = None;
    spec
}

/// A hardened container that says `ready`, runs until it is told to end, and ends then at once.
pub(super) fn idle(image: &ImageRef) -> ContainerSpec {
    shell(
        image,
        "trap 'exit 0' TERM; echo ready; while :; do sleep 60 & wait; done",
    )
}

pub(super) fn key(text: &str) -> LabelKey {
    LabelKey::new(text).expect("a label's key")
}

pub(super) async fn inspect(
    backend: &dyn ContainerBackend,
    container: &ContainerRef,
) -> ContainerDetails {
    backend.inspect(container).await.expect("inspect shows it")
}

pub(super) async fn exec(
    backend: &dyn ContainerBackend,
    container: &ContainerRef,
    line: &str,
) -> ExecOutput {
    let options = ExecOptions::new(["sh", "-c", line]);
    backend
        .exec(container, &options)
        .await
        .expect("exec runs it")
}

/// Looks again and again, for ten seconds at most.
pub(super) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    for _ in 0..200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}, within 200 looks")
}

/// Fails unless the engine refused, for one of these reasons.
#[track_caller]
pub(super) fn assert_refused(error: &Error, kinds: &[ErrorKind], what: &str) {
    assert!(
        kinds.contains(&error.kind()) && error.effect() == Effect::Rejected,
        "{what} is refused by the engine as one of {kinds:?}; got {:?}, {:?}: {error}",
        error.kind(),
        error.effect(),
    );
}

/// What a log held, by source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) console: String,
}

impl Output {
    pub(super) fn add(&mut self, chunk: &LogChunk) {
        let text = String::from_utf8_lossy(&chunk.bytes);
        match chunk.source {
            LogSource::Stdout => self.stdout.push_str(&text),
            LogSource::Stderr => self.stderr.push_str(&text),
            LogSource::Console => self.console.push_str(&text),
        }
    }
}

pub(super) async fn read_log(
    backend: &dyn ContainerBackend,
    container: &ContainerRef,
    options: &LogsOptions,
) -> Output {
    let mut log = backend
        .logs(container, options)
        .await
        .expect("logs answers");
    read_to_end(&mut log).await
}

pub(super) async fn read_to_end(log: &mut LogStream) -> Output {
    let mut output = Output::default();
    while let Some(chunk) = log.try_next().await.expect("the log can be read") {
        output.add(&chunk);
    }
    output
}

pub(super) async fn follow(backend: &dyn ContainerBackend, container: &ContainerRef) -> LogStream {
    let options = LogsOptions::default().with_follow(true);
    backend
        .logs(container, &options)
        .await
        .expect("logs answers")
}

/// Reads on until standard output has said this; nothing else tells when a program is so far.
pub(super) async fn until_said(log: &mut LogStream, text: &str) {
    let mut output = Output::default();
    while !output.stdout.contains(text) {
        let chunk = log.try_next().await.expect("the log can be read");
        let chunk = chunk.unwrap_or_else(|| panic!("{text:?} is said before the log ends"));
        output.add(&chunk);
    }
}
