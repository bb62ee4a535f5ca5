//! Commands in a running container: registered, started, read, and asked for their exit code.

use std::time::Duration;

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::wire::{self, Framing};
use crate::error::{Effect, Result};
use crate::model::{ContainerRef, ExecId, ExecOptions, ExecOutput, LogStream};

impl<C: Carrier> Engine<C> {
    pub(super) async fn run_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecOutput> {
        let deadline = self.deadline(Duration::ZERO);
        let call = wire::exec_create(container, options)?;
        let envelope = self.envelope(deadline).await?;
        // A registered exec does nothing by itself: up to its start, nothing has happened.
        let exec = wire::exec_id(&self.ask(call, envelope).await?.body)?;
        let opened = deadline
            .bound(self.open(wire::exec_start(&exec)?, envelope))
            .await??;
        let chunks = LogStream::new(wire::log_chunks(opened.body, Framing::Multiplexed));
        let ran = deadline
            .bound(self.collect(&exec, chunks, options.max_output, envelope))
            .await;
        ran.and_then(|ran| ran).map_err(|error| {
            error
                .with_effect(Effect::Unknown)
                .with_advice("the command may be running still: no API ends an exec")
        })
    }

    async fn collect(
        &self,
        exec: &ExecId,
        chunks: LogStream,
        bound: usize,
        envelope: Envelope,
    ) -> Result<ExecOutput> {
        let output = chunks.output(bound).await?;
        let exit_code = self.exit_code(exec, envelope).await?;
        Ok(ExecOutput {
            exit_code,
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
        })
    }

    /// The output may end a moment before the engine knows the exit code; the caller's deadline bounds
    /// the waiting.
    async fn exit_code(&self, exec: &ExecId, envelope: Envelope) -> Result<i64> {
        let mut pause = Duration::from_millis(1);
        loop {
            let answer = self.ask(wire::exec_inspect(exec), envelope).await?;
            if let Some(code) = wire::exec_exit_code(&answer.body)? {
                return Ok(code);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}
