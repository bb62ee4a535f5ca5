//! The conformance suite on the engine that the environment names (`DOCKER_HOST` and its kin), with every backend of the
//! crate: how each check went, as lines for people, or with `--lines` in columns between tabs for programs.
//!
//! `cargo run --example conformance [--lines] [--check=NAME] [--backend=NAME] [IMAGE]`
//!
//! The image must have busybox's `sh` and tools in `/bin`. Where none is named it is `catamaran/busybox:test`, made of the
//! root file system that `CATAMARAN_TEST_ROOTFS` names, if it isn't there.

use std::sync::Arc;
use std::time::Duration;

use catamaran::conformance::{CHECKS, Outcome};
use catamaran::model::{ImageRef, ImportOptions};
use catamaran::{AsyncEngine, BlockingEngine, Config, ContainerBackend, HybridBackend, Mode};
use futures::{StreamExt, stream};

/// How many checks run at once: most of their time is the engine's, or a wait.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    let lines = options.iter().any(|option| option == "--lines");
    let only = |what: &str| {
        let value = |option: &String| option.strip_prefix(what).map(str::to_owned);
        options.iter().find_map(value)
    };
    let (check, backend_asked) = (only("--check="), only("--backend="));
    let config = Config::from_env()?;
    let image = ImageRef::new(names.first().map_or("catamaran/busybox:test", |name| name))?;
    let backends = backends(&config)?;
    let (_, first) = backends.first().ok_or("no backend")?;
    ensure(&**first, &image).await?;
    let engine = first.version().await?;
    let api = engine
        .api_version
        .map_or_else(String::new, |api| api.to_string());
    if lines {
        println!("engine\t{}\t{}\t{api}", engine.product, engine.version);
    } else {
        println!("{} {}, API {api}", engine.product, engine.version);
    }
    // A check that fails panics, and its words are told below.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = 0;
    let is =
        |asked: &Option<String>, name: &str| asked.as_deref().is_none_or(|asked| asked == name);
    for (name, backend) in backends.iter().filter(|(name, _)| is(&backend_asked, name)) {
        let checks = CHECKS.iter().filter(|one| is(&check, one.name()));
        let checks = checks.map(|check| check.outcome(&**backend, &image));
        let mut outcomes = stream::iter(checks).buffered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            failed += usize::from(outcome.failure.is_some());
            tell(name, &outcome, lines);
        }
    }
    match failed {
        0 => Ok(()),
        some => Err(format!("{some} checks failed").into()),
    }
}

type Named = (&'static str, Arc<dyn ContainerBackend>);

fn backends(config: &Config) -> catamaran::Result<Vec<Named>> {
    let hybrid = |mode| -> catamaran::Result<_> {
        let backend = HybridBackend::new(config)?;
        backend.set_mode(mode);
        Ok(Arc::new(backend))
    };
    Ok(vec![
        ("async", Arc::new(AsyncEngine::new(config)?)),
        ("blocking", Arc::new(BlockingEngine::new(config)?)),
        ("hybrid async", hybrid(Mode::Async)?),
        ("hybrid blocking", hybrid(Mode::Blocking)?),
        ("hybrid auto", hybrid(Mode::Auto)?),
    ])
}

async fn ensure(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) -> Result<(), Box<dyn std::error::Error>> {
    if backend.image_exists(image).await? {
        return Ok(());
    }
    let path = std::env::var("CATAMARAN_TEST_ROOTFS")
        .map_err(|_| format!("the image {image} isn't there: scripts/engines matrix makes one"))?;
    let rootfs = tokio::fs::read(path).await?;
    let options = ImportOptions::new(image.clone());
    backend.import_image(&options, rootfs.into()).await?;
    Ok(())
}

fn tell(backend: &str, outcome: &Outcome, lines: bool) {
    let (verdict, words) = match (&outcome.failure, outcome.difference) {
        (Some(failure), _) => ("FAILED", failure.as_str()),
        (None, Some(difference)) => ("differs", difference.reason),
        (None, None) => ("ok", ""),
    };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let check = outcome.check.name();
    if lines {
        let operations: Vec<_> = outcome
            .check
            .operations()
            .iter()
            .map(ToString::to_string)
            .collect();
        let took = outcome.took.as_millis();
        println!(
            "{verdict}\t{backend}\t{check}\t{}\t{took}\t{words}",
            operations.join(",")
        );
    } else {
        let took = Duration::from_millis(outcome.took.as_millis().try_into().unwrap_or(u64::MAX));
        println!("{verdict:7} {backend:15} {check} ({took:?}) {words}");
    }
}
