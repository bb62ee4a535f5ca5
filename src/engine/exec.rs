//! Commands in a running container: registered, started, written to, read, asked for their exit code, and
//! ended where they take too long.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::Engine;
use super::carrier::{Carrier, Envelope};
use super::takeover::{Program, Shutdown};
use super::wire::{self, Call, Streams};
use crate::backend::{CallContext, ContainerBackend, ContainerBackendExt, exit_code};
use crate::endpoint::ApiVersion;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ContainerRef, ExecId, ExecOptions, ExecOutput, ExecSession, ExecTag, Input, LogStream,
};
use crate::operation::Operation;
use crate::policy::Traffic;

/// From this version on a terminal has its size from the beginning.
const CONSOLE_SIZE: ApiVersion = ApiVersion::new(1, 42);

/// How long the start, or the end, of a command whose connection broke may take to be seen.
pub(super) const SETTLES: Duration = Duration::from_secs(2);

/// How often a look that fails is taken again.
pub(super) const LOOKS: u32 = 8;

/// How often one is started again that hasn't begun.
const STARTS: u32 = 4;

impl<C: Carrier> Engine<C> {
    pub(super) async fn run_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecOutput> {
        let deadline = self.deadline(options.patience());
        let timeout = options.timeout.map(|time| (time, ExecTag::new(options)));
        let tag = timeout.as_ref().map(|(_, tag)| tag);
        let stdin = options.stdin.is_some();
        let call = wire::exec_create(container, options, tag, stdin)?;
        let envelope = self.envelope(deadline).await?;
        let exec = self.register(call, envelope).await?;
        // Its own time begins with its turn, and what is asked about it after that is no call more.
        let (_permit, envelope) = self.turn(Traffic::Stream, envelope).await?;
        let engine = self.unlimited();
        let mut ran = pin!(engine.run_registered(&exec, options, stdin, envelope));
        let ended = async {
            let Some((time, tag)) = &timeout else {
                return ran.await;
            };
            match tokio::time::timeout(*time, &mut ran).await {
                Ok(ran) => ran,
                Err(_) => engine.end(container, tag, *time, ran, envelope).await,
            }
        };
        let ended = deadline.bound(ended).await.and_then(|ended| ended);
        ended.map_err(|error| {
            // What was refused, or whose fate is known, is so.
            if error.effect() != Effect::Unknown || error.advice().is_some() {
                return error;
            }
            error.with_advice("the command may be running still: no API ends an exec")
        })
    }

    pub(super) async fn open_exec(
        &self,
        container: &ContainerRef,
        options: &ExecOptions,
    ) -> Result<ExecSession> {
        options.validate_session()?;
        let tag = ExecTag::new(options);
        let call = wire::exec_create(container, options, Some(&tag), true)?;
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        let exec = self.register(call, envelope).await?;
        let (input, chunks) = self.begin(&exec, options, true, envelope).await?;
        let output = self.named(chunks, Operation::StartExec, container.clone());
        Ok(ExecSession::new(exec, tag, input, LogStream::new(output)))
    }

    /// A registered exec does nothing by itself: up to its start, nothing has happened, whatever became of this.
    async fn register(&self, call: Call, envelope: Envelope) -> Result<ExecId> {
        let registered = self.ask(call, envelope).await;
        let exec = registered.and_then(|answer| wire::exec_id(&answer.body));
        exec.map_err(|error| match error.effect() {
            Effect::Unknown => error.with_effect(Effect::NotSent),
            _ if error.is_gateways() => error.with_effect(Effect::NotSent),
            _ => error,
        })
    }

    /// Starts it and sees it through. Where the connection is lost on the way, so is the output, but not the exit code.
    ///
    /// Where it is seen not to have begun it is started again: the same one, which an engine starts once, whichever of the
    /// requests comes first.
    async fn run_registered(
        &self,
        exec: &ExecId,
        options: &ExecOptions,
        stdin: bool,
        envelope: Envelope,
    ) -> Result<ExecOutput> {
        let mut again = 0;
        loop {
            let begun = async {
                let (input, chunks) = self.begin(exec, options, stdin, envelope).await?;
                // Whatever a failure from here on says of its own call, the command has begun.
                let finished = self.finish(exec, options, input, chunks, envelope).await;
                finished.map_err(|error| error.with_effect(Effect::Unknown))
            };
            let error = match begun.await {
                // An earlier start was the first after all (Docker says so where the output should be).
                Ok(ran) if again > 0 && may_have_run_before(exec, &ran) => {
                    return Err(lost(Some(ran.exit_code)));
                }
                Ok(ran) => return Ok(ran),
                Err(error) => error,
            };
            let servers = error.status() >= Some(500);
            let doubted = error.effect() == Effect::Unknown && error.is_path_failure();
            if !doubted && !servers && again == 0 {
                return Err(error);
            }
            let refused = error.effect() == Effect::Rejected && !error.is_gateways();
            match self.fate(exec, &error, envelope).await {
                // Its program couldn't be started, which the engine has just said.
                Fate::Ended(126 | 127) | Fate::NotBegun if refused && again == 0 => {
                    return Err(error);
                }
                Fate::Ended(code) => return Err(lost(Some(code)).with_source(error)),
                Fate::Runs => return Err(lost(None).with_source(error)),
                Fate::NotBegun if again < STARTS && error.kind() != ErrorKind::Timeout => {
                    again += 1
                }
                Fate::NotBegun | Fate::Unseen => {
                    let error = error.and("the command hasn't been seen to run");
                    return Err(error.with_effect(Effect::Unknown));
                }
            }
        }
    }

    /// What became of a command whose start or output was lost: looks until it has ended.
    async fn fate(&self, exec: &ExecId, error: &Error, envelope: Envelope) -> Fate {
        let answered = error.effect() == Effect::Rejected;
        let since = Instant::now();
        let runs = AtomicBool::new(false);
        let looks = async {
            let (mut pause, mut refused) = (Duration::from_millis(10), 0);
            loop {
                let looked = self.ask(wire::exec_inspect(exec), envelope).await;
                match looked.and_then(|answer| wire::exec_details(&answer.body)) {
                    Ok(details) => {
                        runs.fetch_or(details.running, Ordering::Relaxed);
                        if let Some(code) = details.exit_code {
                            return Fate::Ended(code);
                        }
                        let settled = answered || since.elapsed() > SETTLES;
                        if !runs.load(Ordering::Relaxed) && settled {
                            return Fate::NotBegun;
                        }
                    }
                    Err(error) if error.is_path_failure() && error.status().is_none() => {}
                    // Whoever refuses everything has said what there is to say.
                    Err(_) if refused < LOOKS => refused += 1,
                    Err(_) => return Fate::Unseen,
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
        };
        match envelope.deadline.bound(looks).await {
            Ok(fate) => fate,
            Err(_) if runs.load(Ordering::Relaxed) => Fate::Runs,
            Err(_) => Fate::Unseen,
        }
    }

    /// Starts what was registered.
    async fn begin(
        &self,
        exec: &ExecId,
        options: &ExecOptions,
        stdin: bool,
        envelope: Envelope,
    ) -> Result<(Input, LogStream)> {
        let call = wire::exec_start(exec, options)?;
        let streams = Streams {
            tty: options.tty,
            stdin_once: true,
        };
        let (input, output) = if stdin {
            let shutdown = Shutdown::of(&streams);
            let program = Program::OfExec(exec.clone());
            self.take_over(call, program, shutdown, envelope).await?
        } else {
            let opened = self.open(Traffic::Stream, call, envelope).await?;
            (Input::closed(), opened.body)
        };
        // The command has begun: whatever a failure from here on says of its own call, asking anew would run it twice.
        let sized = self.unlimited().size(exec, options, envelope).await;
        sized.map_err(|error| error.with_effect(Effect::Unknown))?;
        let chunks = wire::log_chunks(output, streams.framing());
        Ok((input, LogStream::new(chunks)))
    }

    /// Gives a terminal its size where the engine doesn't do so itself: at the soonest, since an engine
    /// resizes nothing that doesn't run yet.
    async fn size(&self, exec: &ExecId, options: &ExecOptions, envelope: Envelope) -> Result<()> {
        let Some(size) = options.terminal_size else {
            return Ok(());
        };
        if envelope.version.is_none_or(|spoken| spoken >= CONSOLE_SIZE) {
            return Ok(());
        }
        let Err(error) = self.ask(wire::exec_resize(exec, size), envelope).await else {
            return Ok(());
        };
        // One that has ended already has no use for it.
        match wire::exec_details(&self.ask(wire::exec_inspect(exec), envelope).await?.body) {
            Ok(details) if !details.running => Ok(()),
            _ => Err(error),
        }
    }

    /// Writes the input, reads the output, and asks for the exit code. The output may end a moment before
    /// the engine knows that.
    async fn finish(
        &self,
        exec: &ExecId,
        options: &ExecOptions,
        input: Input,
        chunks: LogStream,
        envelope: Envelope,
    ) -> Result<ExecOutput> {
        let mut output = pin!(chunks.output(options.max_output));
        let output = tokio::select! {
            biased;
            output = &mut output => output?,
            () = feed(input, options) => output.await?,
        };
        let exit_code = exit_code(|| async {
            let answer = self.ask(wire::exec_inspect(exec), envelope).await?;
            wire::exec_details(&answer.body)
        });
        Ok(ExecOutput {
            truncated: output.truncated,
            ..ExecOutput::new(exit_code.await?, output.stdout, output.stderr)
        })
    }

    /// Ends what has run for its time, and waits for what that leaves to be read.
    async fn end(
        &self,
        container: &ContainerRef,
        tag: &ExecTag,
        time: Duration,
        mut ran: Pin<&mut impl Future<Output = Result<ExecOutput>>>,
        envelope: Envelope,
    ) -> Result<ExecOutput> {
        let deadline = envelope.deadline.moment();
        let hurried = self.with_context(CallContext::new().with_deadline(deadline));
        let mut cause = None;
        // Where nothing is found it has just ended, or its program hasn't quite begun.
        for patience in [50, 200, 1000] {
            match hurried.end_exec(container, tag).await {
                Ok(true) => {
                    let output = ran.await?;
                    return Ok(ExecOutput {
                        timed_out: true,
                        ..output
                    });
                }
                Ok(false) => cause = None,
                Err(error) => cause = Some(error),
            }
            let patience = Duration::from_millis(patience);
            if let Ok(ran) = tokio::time::timeout(patience, &mut ran).await {
                return ran;
            }
            if cause.is_some() {
                break;
            }
        }
        let message = format!("the command ran longer than {time:?} and couldn't be ended");
        let error = Error::new(ErrorKind::Timeout, message).with_advice(
            "it may be running still; to end commands, the image needs /bin/sh, and the container /proc, a free \
             process and not to be paused: else stop or kill the container",
        );
        Err(match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }
}

/// What became of a command.
enum Fate {
    Ended(i64),
    Runs,
    NotBegun,
    Unseen,
}

fn lost(code: Option<i64>) -> Error {
    let message = match code {
        Some(code) => format!("the command ended with exit code {code}, its output was lost"),
        None => "the command runs still, its output was lost".to_owned(),
    };
    Error::new(ErrorKind::OutputLost, message).with_exit_code(code)
}

/// Docker answers a second start of an attached exec with 101, and with such words for an output: `Error: Exec command … has
/// already run` or `… is already running`. Where the output was cut, they can't be told.
fn may_have_run_before(exec: &ExecId, ran: &ExecOutput) -> bool {
    let words = format!("Exec command {exec} ");
    let told = [&ran.stdout, &ran.stderr].iter().any(|output| {
        let output = String::from_utf8_lossy(output);
        output.contains(&words) && output.contains("already r")
    });
    told || (ran.truncated && ran.stdout.len() + ran.stderr.len() < 256)
}

/// Writes all that a command is to read. One that takes no more has ended, or cares for no more: what
/// becomes of it, its output tells.
async fn feed(mut input: Input, options: &ExecOptions) {
    if let Some(stdin) = &options.stdin {
        let _ = input.write_all(stdin).await;
        let _ = input.shutdown().await;
    }
}
