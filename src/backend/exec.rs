//! Commands in a container, seen from outside: their end, by themselves or by force.

use std::future::Future;
use std::time::Duration;

use super::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{ContainerRef, ExecDetails, ExecOptions, ExecTag};
use crate::operation::Operation;
use crate::quote::quote;

/// How the processes of an exec are ended from within the container.
const SCRIPT: &str = include_str!("end_exec.sh");

/// A shell script with an argument. The shell is called by its path: what a program has put into the search path
/// isn't run.
pub(super) fn script(text: &str, argument: &str, user: Option<String>) -> ExecOptions {
    let mut options = ExecOptions::new(["/bin/sh", "-c", text, "sh", argument]);
    options.user = user;
    options.with_working_dir("/")
}

/// Asks for the exit code until there is one.
pub(crate) async fn exit_code<F>(look: impl Fn() -> F) -> Result<i64>
where
    F: Future<Output = Result<ExecDetails>>,
{
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(code) = look().await?.exit_code {
            return Ok(code);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Ends the processes of an exec, and says whether there were any.
pub(super) async fn end<B: ContainerBackend + ?Sized>(
    backend: &B,
    container: &ContainerRef,
    tag: &ExecTag,
) -> Result<bool> {
    let script = script(SCRIPT, &tag.variable(), tag.user.clone()).with_max_output(1024usize);
    let ran = backend.exec(container, &script).await?;
    let said = String::from_utf8_lossy(&ran.stdout);
    match said.trim() {
        "ended" if ran.success() => Ok(true),
        "none" if ran.success() => Ok(false),
        said => Err(Error::new(
            ErrorKind::Container,
            format!(
                "the command couldn't be ended: /bin/sh says {} with exit code {}",
                quote(said),
                ran.exit_code
            ),
        )
        .with_operation(Operation::Exec)
        .with_subject(container.to_string())
        .with_effect(Effect::Unknown)
        .with_advice("the image needs /bin/sh, and the container /proc")),
    }
}
