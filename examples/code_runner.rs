//! A service that runs snippets of code in containers, and its tests, which need no Docker:
//! `cargo test --example code_runner`. Run it on a real engine with `cargo run --example code_runner`.

use std::sync::Arc;

use catamaran::model::{ContainerSpec, EnsureOptions, ImageRef};
use catamaran::{ContainerBackend, ContainerBackendExt, HybridBackend, Result};

/// What became of a snippet.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    exit_code: i64,
    output: String,
}

/// The service: it knows nothing of engines but the trait.
struct CodeRunner {
    backend: Arc<dyn ContainerBackend>,
    image: ImageRef,
}

impl CodeRunner {
    async fn run(&self, snippet: &str) -> Result<Outcome> {
        self.backend
            .ensure_image(&self.image, &EnsureOptions::default())
            .await?;
        let spec =
            ContainerSpec::untrusted(self.image.clone()).with_command(["python3", "-c", snippet]);
        let ran = self.backend.run(&spec).await?;
        Ok(Outcome {
            exit_code: ran.exit_code,
            output: String::from_utf8_lossy(&ran.stdout).into_owned(),
        })
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let runner = CodeRunner {
        backend: Arc::new(HybridBackend::from_env()?),
        image: ImageRef::new("python:3")?,
    };
    let outcome = runner.run("print(6 * 7)").await?;
    println!("{outcome:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use catamaran::ErrorKind;
    use catamaran::testing::{FakeEngine, PullFault, RegistryImage};

    /// An engine whose registry has Python, or something that answers by that name.
    async fn engine(image: RegistryImage) -> FakeEngine {
        let python = |process: catamaran::testing::Process| async move {
            match process.args().last().map(String::as_str) {
                Some("print(6 * 7)") => i64::from(process.write_stdout("42\n").await.is_err()),
                _ => {
                    let told = process.write_stderr("SyntaxError: invalid syntax\n");
                    i64::from(told.await.is_ok())
                }
            }
        };
        let builder = FakeEngine::builder()
            .registry_image(image)
            .program("python3", python);
        builder.start().await.expect("a fake engine")
    }

    fn runner(engine: &FakeEngine) -> CodeRunner {
        let config = engine.config().expect("a configuration");
        CodeRunner {
            backend: Arc::new(HybridBackend::new(&config).expect("both engines")),
            image: ImageRef::new("python:3").expect("a reference"),
        }
    }

    #[tokio::test]
    async fn a_snippet_runs_and_nothing_stays() {
        let engine = engine(RegistryImage::new("python:3")).await;
        let outcome = runner(&engine)
            .run("print(6 * 7)")
            .await
            .expect("an outcome");
        assert_eq!((outcome.exit_code, outcome.output.as_str()), (0, "42\n"));
        assert!(engine.containers().is_empty(), "{:?}", engine.containers());
    }

    #[tokio::test]
    async fn a_bad_snippet_is_no_failure_of_the_service() {
        let engine = engine(RegistryImage::new("python:3")).await;
        let outcome = runner(&engine).run("print(").await.expect("an outcome");
        assert_eq!(outcome.exit_code, 1);
    }

    #[tokio::test]
    async fn ten_first_callers_pull_the_image_once() {
        let engine = engine(RegistryImage::new("python:3")).await;
        let runner = runner(&engine);
        let runs = (0..10).map(|_| runner.run("print(6 * 7)"));
        for outcome in futures::future::join_all(runs).await {
            assert_eq!(outcome.expect("an outcome").output, "42\n");
        }
        assert_eq!(engine.journal().count("POST", "/images/create"), 1);
    }

    #[tokio::test]
    async fn a_pull_that_breaks_off_starts_nothing() {
        let broken = RegistryImage::new("python:3")
            .with_fault(PullFault::Error(0, "unexpected EOF".to_owned()));
        let engine = engine(broken).await;
        let error = runner(&engine)
            .run("print(6 * 7)")
            .await
            .expect_err("no image");
        assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
        assert_eq!(engine.journal().count("POST", "/containers/create"), 0);
    }
}
