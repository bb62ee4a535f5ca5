//! Commands in a container, and what a container's own program reads and writes.

use serde::Deserialize;

use super::Call;
use super::decode::{bad_id, json};
use super::encode::env;
use super::nullable::nullable;
use super::query::Query;
use crate::engine::bollard::models;
use crate::error::Result;
use crate::model::{
    AttachOptions, ContainerRef, ExecDetails, ExecId, ExecOptions, ExecTag, TerminalSize,
};

/// Registers a command; with `stdin` it has an input that can be written to.
pub(crate) fn exec_create(
    container: &ContainerRef,
    options: &ExecOptions,
    tag: Option<&ExecTag>,
    stdin: bool,
) -> Result<Call> {
    options.validate()?;
    let mut env = env(&options.env);
    if let Some(tag) = tag {
        env.get_or_insert_default().push(tag.variable());
    }
    Call::post(format!("/containers/{container}/exec")).with_json(&models::ExecConfig {
        attach_stdin: stdin.then_some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: options.tty.then_some(true),
        console_size: console_size(options),
        cmd: Some(options.command.clone()),
        env,
        user: options.user.clone(),
        working_dir: options.working_dir.clone(),
        ..Default::default()
    })
}

pub(crate) fn exec_start(exec: &ExecId, options: &ExecOptions) -> Result<Call> {
    Call::post(format!("/exec/{exec}/start")).with_json(&models::ExecStartConfig {
        detach: Some(false),
        tty: Some(options.tty),
        console_size: console_size(options),
    })
}

/// From API 1.42 on; older engines overlook it.
fn console_size(options: &ExecOptions) -> Option<Vec<usize>> {
    let size = options.terminal_size?;
    Some(vec![size.rows().into(), size.columns().into()])
}

pub(crate) fn exec_inspect(exec: &ExecId) -> Call {
    Call::get(format!("/exec/{exec}/json"))
}

pub(crate) fn exec_resize(exec: &ExecId, size: TerminalSize) -> Call {
    resized(format!("/exec/{exec}/resize"), size)
}

pub(crate) fn resize(container: &ContainerRef, size: TerminalSize) -> Call {
    resized(format!("/containers/{container}/resize"), size)
}

fn resized(path: String, size: TerminalSize) -> Call {
    let path = Query::new(path)
        .with("h", size.rows())
        .with("w", size.columns());
    Call::post(path.finish())
}

pub(crate) fn attach(container: &ContainerRef, options: &AttachOptions) -> Result<Call> {
    options.validate()?;
    let path = Query::new(format!("/containers/{container}/attach"))
        .with("stream", true)
        .with("stdin", options.stdin)
        .with("stdout", options.stdout)
        .with("stderr", options.stderr)
        .with("logs", options.logs);
    Ok(Call::post(path.finish()))
}

pub(crate) fn exec_id(body: &[u8]) -> Result<ExecId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        id: String,
    }
    ExecId::new(json::<Answer>(body)?.id).map_err(bad_id)
}

/// `null` is no exit code, and never 0.
pub(crate) fn exec_details(body: &[u8]) -> Result<ExecDetails> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        running: bool,
        exit_code: Option<i64>,
        #[serde(default, deserialize_with = "nullable")]
        pid: u64,
    }
    let answer: Answer = json(body)?;
    Ok(ExecDetails {
        running: answer.running,
        exit_code: answer.exit_code.filter(|_| !answer.running),
        pid: (answer.pid > 0).then_some(answer.pid),
    })
}
