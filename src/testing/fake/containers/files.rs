//! Archives in and out.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Container, Status};
use crate::testing::fake::Shared;
use crate::testing::fake::machine::{FileError, FileStat, Machine};
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};

fn path(request: &Request) -> Result<&str, Refusal> {
    let path = request.query.get("path").filter(|path| !path.is_empty());
    path.ok_or_else(|| Refusal::new(400, "bad parameter: 'path' cannot be empty"))
}

fn machine(container: &Container) -> Result<&Arc<Machine>, Refusal> {
    match container.status() {
        Status::Removing => Err(Refusal::no_container(&container.id)),
        _ => Ok(container.machine()),
    }
}

fn refused(container: &Container, path: &str, error: &FileError) -> Refusal {
    match error {
        FileError::Absent => Refusal::new(
            404,
            format!(
                "Could not find the file {path} in container {}",
                container.id
            ),
        ),
        FileError::NoDirectory => Refusal::new(400, "extraction point is not a directory"),
        FileError::ReadOnly => Refusal::new(403, "container rootfs is marked read-only"),
        FileError::Full => Refusal::new(500, "no space left on device"),
        FileError::Invalid(message) => Refusal::new(400, message.clone()),
    }
}

/// A file's mode in Go's bits.
fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,
        0o120_000 => 1 << 27,
        0o020_000 => 1 << 26 | 1 << 21,
        _ => 0,
    };
    let more = [(0o4000, 23), (0o2000, 22), (0o1000, 20)];
    let more = more
        .iter()
        .filter(|(bit, _)| mode & bit != 0)
        .fold(0, |all, (_, shift)| all | 1 << shift);
    kind | more | mode & 0o777
}

fn header(stat: &FileStat) -> String {
    let value = json!({
        "name": stat.name, "size": stat.size, "mode": go_mode(stat.mode),
        "mtime": humantime::format_rfc3339_seconds(stat.modified).to_string(),
        "linkTarget": stat.link.clone().unwrap_or_default(),
    });
    STANDARD.encode(value.to_string())
}

pub(in super::super) fn stat_path(container: &Arc<Container>, request: &Request) -> Answered {
    let path = path(request)?;
    let stat = machine(container)?
        .stat(path)
        .map_err(|error| refused(container, path, &error))?;
    Ok(Answer::empty(200).with_header("x-docker-container-path-stat", &header(&stat)))
}

pub(in super::super) fn get_archive(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let path = path(request)?;
    let machine = machine(container)?;
    let fails = |error: FileError| refused(container, path, &error);
    let stat = machine.stat(path).map_err(fails)?;
    let archive = machine.get_archive(path).map_err(fails)?;
    container.tell(engine, "archive-path", &[]);
    let pieces: Vec<_> = archive
        .chunks(32 << 10)
        .map(|piece| Ok(archive.slice_ref(piece)))
        .collect();
    let answer = Answer::stream(200, futures::stream::iter(pieces));
    let answer = answer.with_header("content-type", "application/x-tar");
    Ok(answer.with_header("x-docker-container-path-stat", &header(&stat)))
}

pub(in super::super) fn put_archive(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let path = path(request)?;
    let keeps_kinds = request.query.is("noOverwriteDirNonDir");
    let put = machine(container)?.put_archive(path, &request.body, keeps_kinds);
    put.map_err(|error| refused(container, path, &error))?;
    container.tell(engine, "extract-to-dir", &[]);
    Ok(Answer::empty(200))
}

pub(in super::super) fn changes(container: &Arc<Container>) -> Answered {
    let changes = machine(container)?.changes().into_iter();
    let changes: Vec<Value> = changes
        .map(|(kind, path)| json!({"Path": path, "Kind": kind as u8}))
        .collect();
    let changes = if changes.is_empty() {
        Value::Null
    } else {
        json!(changes)
    };
    Ok(Answer::json(200, &changes))
}
