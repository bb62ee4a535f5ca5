//! The main job on a real engine, from the first look to the clean-up: `scripts/quickstart [--keep]`; or on a fake one,
//! without Docker: `scripts/quickstart --fake`.

mod session;
mod show;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerDetails, ContainerName, ContainerSpec, ExecOptions, HealthCheck, HealthyOptions,
    ImageRef, ImportOptions, LogsOptions, MemorySwap,
};
use catamaran::testing::FakeEngine;
use catamaran::{
    AsyncEngine, BlockingEngine, Config, ContainerBackend, ContainerBackendExt, ContainerGuard,
    Endpoint, HybridBackend, LastCall, Mode, Reason,
};
use show::{Timings, bytes, line, section};

type Outcome<T> = Result<T, Box<dyn Error>>;

const IMAGE: &str = "catamaran/busybox:test";
const ENGINES: [&str; 2] = ["async", "blocking"];

#[tokio::main]
async fn main() -> ExitCode {
    // Returned from here, an error would be shown as a programmer's dump.
    match quickstart().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn quickstart() -> Outcome<()> {
    let asked = |option: &str| std::env::args().any(|argument| argument == option);
    let keep = asked("--keep");
    // It lives to the end of this function.
    let fake = match asked("--fake") {
        true => {
            println!(
                "On a fake engine in this process: no Docker, nothing isolated, no engine's times"
            );
            Some(FakeEngine::builder().image(IMAGE).start().await?)
        }
        false => None,
    };
    let config = match &fake {
        Some(engine) => engine.config()?,
        None => Config::from_env()?,
    };
    let backend = HybridBackend::new(&config)?;
    // Each call tells this one who served it, and why.
    let last = Arc::new(LastCall::default());
    let backend = backend.with_observer(last.clone());
    let mut timings = Timings::default();

    section("The engine");
    let version = backend.version().await?;
    let api = version.api_version.map(|api| format!(" (API {api})"));
    line(
        "found",
        format_args!(
            "{} {}{} on {}/{}",
            version.product,
            version.version,
            api.unwrap_or_default(),
            version.os,
            version.arch
        ),
    );
    line("at", config.endpoint());
    line("named by", config.endpoint_origin());
    line("mode", backend.mode());
    let image = image(&backend).await?;

    section("A hardened container, by the async engine");
    timings.by(ENGINES[0]);
    let (container, details) = begin(&backend, &image, "async", &mut timings).await?;
    line(
        "created",
        format_args!("{} {:.12}", details.name, container.as_str()),
    );
    line("in force", limits(&details));
    line("", privileges(&details));
    let seen = look(&backend, &container, &mut timings).await?;
    seen.iter().for_each(|(name, text)| line(name, text));

    section("A live switch, and the same call");
    for mode in [Mode::Blocking, Mode::Async] {
        backend.set_mode(mode);
        backend.inspect(&container).await?;
        line("inspect", served(&last));
    }

    section("The same life by the blocking engine");
    backend.set_mode(Mode::Blocking);
    timings.by(ENGINES[1]);
    let (second, details) = begin(&backend, &image, "blocking", &mut timings).await?;
    line(
        "created",
        format_args!("{} {:.12}", details.name, second.as_str()),
    );
    let seen = look(&backend, &second, &mut timings).await?;
    seen.iter().for_each(|(name, text)| line(name, text));
    timings.step("remove", second.remove()).await?;
    line("removed", timings.last());

    section("When the async path fails");
    let nowhere = Endpoint::unix("/nonexistent/docker.sock");
    let broken = HybridBackend::over(
        Arc::new(AsyncEngine::connect(nowhere)?),
        Arc::new(BlockingEngine::new(&config)?),
    )
    .with_observer(last.clone());
    let details = broken.inspect(&container).await?;
    line(
        "inspect",
        format_args!("{} is {}", details.name, details.state.status),
    );
    line("", served(&last));
    if let Some(Reason::Fallback { message, .. }) = last.get().map(|report| report.reason) {
        line("because", message);
    }

    section("In one call, as docker run --rm");
    backend.set_mode(Mode::Auto);
    timings.by(ENGINES[0]);
    let spec =
        ContainerSpec::untrusted(image.clone()).with_command(["sh", "-c", "echo hello; exit 3"]);
    let ran = timings.step("run", backend.run(&spec)).await?;
    line(
        "run",
        format_args!(
            "exit code {}, output {:?}, {}",
            ran.exit_code,
            String::from_utf8_lossy(&ran.stdout),
            timings.last()
        ),
    );

    backend.set_mode(Mode::Auto);
    session::sessions(&backend, &image).await?;

    section("Clean-up");
    if keep {
        line("kept", container.keep());
    } else {
        timings.step("remove", container.remove()).await?;
        line("removed", timings.last());
    }

    section("Timings");
    timings.print(&ENGINES);
    Ok(())
}

/// The test image, imported where it isn't there yet.
async fn image(backend: &dyn ContainerBackend) -> Outcome<ImageRef> {
    let image = ImageRef::new(IMAGE)?;
    if backend.image_exists(&image).await? {
        line("image", format_args!("{image} is there"));
        return Ok(image);
    }
    let path = std::env::var("CATAMARAN_TEST_ROOTFS")
        .map_err(|_| format!("the image {image} isn't there: run scripts/quickstart"))?;
    let rootfs = tokio::fs::read(path).await?;
    let options = ImportOptions::new(image.clone());
    let id = backend.import_image(&options, rootfs.into()).await?;
    line("image", format_args!("{image} imported as {id}"));
    Ok(image)
}

/// Creates and starts a container, and waits until it is healthy.
async fn begin(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
    name: &str,
    timings: &mut Timings,
) -> Outcome<(ContainerGuard, ContainerDetails)> {
    let name = format!("catamaran-quickstart-{name}-{}", std::process::id());
    let check = HealthCheck::command(["test", "-e", "/tmp/ready"])
        .with_interval(Duration::from_millis(250));
    let spec = ContainerSpec::untrusted(image.clone())
        .with_name(ContainerName::new(name)?)
        .with_command(["sh", "-c", "echo ready; touch /tmp/ready; exec sleep 600"])
        .with_health_check(check);
    // However this scope ends, by an error too, the container goes.
    let container = timings.step("create", backend.scoped(&spec)).await?;
    for warning in container.warnings() {
        line("warning", warning);
    }
    timings.step("start", backend.start(&container)).await?;
    let options = HealthyOptions::default();
    let healthy = backend.wait_healthy(&container, &options);
    let details = timings.step("healthy", healthy).await?;
    Ok((container, details))
}

/// Runs a command in it, and reads its log and what it uses.
async fn look(
    backend: &dyn ContainerBackend,
    container: &ContainerGuard,
    timings: &mut Timings,
) -> Outcome<Vec<(&'static str, String)>> {
    timings.step("inspect", backend.inspect(container)).await?;
    let exec = ExecOptions::new(["id"]);
    let ran = timings.step("exec", backend.exec(container, &exec)).await?;
    let read = async {
        let log = backend.logs(container, &LogsOptions::default()).await?;
        log.output(1 << 16).await
    };
    let log = timings.step("logs", read).await?;
    let stats = timings.step("stats", backend.stats(container)).await?;
    let memory = stats.memory.map(|memory| {
        let limit = memory.limit.map_or_else(|| "no limit".to_owned(), bytes);
        format!("memory {} of {limit}", bytes(memory.usage))
    });
    let processes = stats.pids.map(|count| format!("{count} processes"));
    let cpu = stats.cpu.map(|cpu| format!("CPU time {:.1?}", cpu.total));
    let uses: Vec<_> = [memory, processes, cpu].into_iter().flatten().collect();
    Ok(vec![
        (
            "exec id",
            format!(
                "exit code {}: {}",
                ran.exit_code,
                String::from_utf8_lossy(&ran.stdout).trim()
            ),
        ),
        ("log", format!("{:?}", String::from_utf8_lossy(&log.stdout))),
        ("uses", uses.join(", ")),
    ])
}

/// The limits that the engine says are in force.
fn limits(details: &ContainerDetails) -> String {
    let resources = &details.resources;
    let mut limits = Vec::new();
    if let Some(memory) = resources.memory {
        limits.push(format!("memory {}", bytes(memory)));
        if resources.memory_swap == Some(MemorySwap::Total(memory)) {
            limits.push("no swap".to_owned());
        }
    }
    limits.extend(resources.cpus.map(|cpus| format!("{cpus} CPU")));
    limits.extend(resources.pids.map(|pids| format!("{pids} processes")));
    limits.join(", ")
}

/// The privileges that the engine says are in force.
fn privileges(details: &ContainerDetails) -> String {
    let security = &details.security;
    let mut privileges = vec![format!(
        "capabilities dropped: {}",
        security.cap_drop.join(" ")
    )];
    if security.no_new_privileges {
        privileges.push("no new privileges".to_owned());
    }
    if security.read_only_root {
        privileges.push("read-only root".to_owned());
    }
    privileges.extend(security.user.iter().map(|user| format!("user {user}")));
    privileges.extend(security.network.iter().map(|net| format!("network {net}")));
    privileges.join(", ")
}

fn served(last: &LastCall) -> String {
    last.get().map_or_else(
        || "nobody".to_owned(),
        |report| {
            format!(
                "served by the {} engine, {}, in {:.1?}",
                report.engine, report.reason, report.elapsed
            )
        },
    )
}
