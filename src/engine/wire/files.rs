//! Files: archives in and out, and what the engine says of a path.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;

use super::nullable::nullable;
use super::query::Query;
use super::{Body, Call, Head};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    ContainerPath, ContainerRef, FileKind, PathStat, PutArchiveOptions, TarArchive, parse_rfc3339,
};

/// The header that tells of a path, as JSON in base64.
const STAT: &str = "x-docker-container-path-stat";

fn at(container: &ContainerRef, path: &ContainerPath) -> Query {
    Query::new(format!("/containers/{container}/archive")).with("path", path)
}

pub(crate) fn put_archive(
    container: &ContainerRef,
    directory: &ContainerPath,
    options: &PutArchiveOptions,
    archive: TarArchive,
) -> Call {
    let path = at(container, directory)
        .with("noOverwriteDirNonDir", options.no_overwrite_dir_non_dir)
        .with("copyUIDGID", options.copy_uid_gid);
    let mut call = Call::new(Method::PUT, path.finish());
    call.body = Body::Tar(archive);
    call
}

pub(crate) fn get_archive(container: &ContainerRef, path: &ContainerPath) -> Call {
    Call::get(at(container, path).finish())
}

pub(crate) fn stat_path(container: &ContainerRef, path: &ContainerPath) -> Call {
    Call::new(Method::HEAD, at(container, path).finish())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stat {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    size: i64,
    mode: u32,
    #[serde(default, deserialize_with = "nullable")]
    mtime: String,
    #[serde(default, deserialize_with = "nullable")]
    link_target: String,
}

/// What an answer's head says of the path.
pub(crate) fn path_stat(head: &Head) -> Result<PathStat> {
    let nothing = || Error::new(ErrorKind::Decode, "the answer doesn't tell of the path");
    let text = head.header(STAT).ok_or_else(nothing)?;
    let json = STANDARD
        .decode(text)
        .map_err(|error| nothing().with_source(error))?;
    let stat: Stat = super::json(&json)?;
    let (kind, mode) = mode(stat.mode);
    Ok(
        PathStat::new(stat.name, u64::try_from(stat.size).unwrap_or(0))
            .with_kind(kind)
            .with_mode(mode)
            .with_modified(parse_rfc3339(&stat.mtime))
            .with_link_target(Some(stat.link_target).filter(|target| !target.is_empty())),
    )
}

/// Go's file mode, whose upper bits aren't Unix's.
fn mode(go: u32) -> (FileKind, u32) {
    let bit = |shift: u32| go >> shift & 1 == 1;
    let kind = if bit(31) {
        FileKind::Directory
    } else if bit(27) {
        FileKind::Symlink
    } else if [26, 25, 24, 21, 19].into_iter().any(bit) {
        FileKind::Special
    } else {
        FileKind::File
    };
    let more = [(23, 0o4000), (22, 0o2000), (20, 0o1000)];
    let more = more.into_iter().filter(|(shift, _)| bit(*shift));
    (kind, more.fold(go & 0o777, |mode, (_, unix)| mode | unix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_go_writes_them() {
        for (go, kind, unix) in [
            (0o644, FileKind::File, 0o644),
            (1 << 31 | 0o755, FileKind::Directory, 0o755),
            (1 << 31 | 1 << 20 | 0o777, FileKind::Directory, 0o1777),
            (1 << 27 | 0o777, FileKind::Symlink, 0o777),
            (1 << 23 | 1 << 22 | 0o755, FileKind::File, 0o6755),
            (1 << 26 | 1 << 21 | 0o666, FileKind::Special, 0o666),
            (1 << 25 | 0o600, FileKind::Special, 0o600),
        ] {
            assert_eq!(mode(go), (kind, unix), "{go:o}");
        }
    }
}
