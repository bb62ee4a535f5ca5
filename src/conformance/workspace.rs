//! What the checks of files work with: a workspace on the host, archives, and what a container says of its files.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::TryStreamExt;

use super::scratch::{exec, idle, unique_name};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Error, ErrorKind};
use crate::model::{
    ContainerPath, ContainerRef, ContainerSpec, ImageRef, UploadOptions, WriteFileOptions,
};
use crate::operation::Operation;

pub(super) const MIB: usize = 1 << 20;

pub(super) fn path(text: &str) -> ContainerPath {
    ContainerPath::new(text).expect("a path")
}

/// A container whose layers may be written to, with a user of its own.
pub(super) fn writable(image: &ImageRef) -> ContainerSpec {
    let mut spec = idle(image);
    spec.security.read_only_root = false;
    spec
}

/// Bytes in which nothing repeats soon.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A directory of the host that goes with its guard.
pub(super) struct HostDirectory(pub(super) PathBuf);

impl HostDirectory {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(unique_name().as_str());
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    pub(super) fn write(&self, name: &str, contents: &[u8]) {
        let file = self.0.join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, contents).expect("a file");
    }
}

impl Drop for HostDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is beneath a directory: path, kind and permissions, contents or target.
pub(super) fn tree(root: &Path) -> Vec<(String, u32, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    let mut found = Vec::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("an entry");
            let name = path.strip_prefix(root).expect("beneath").to_string_lossy();
            let mode = metadata.permissions().mode();
            let contents = if metadata.is_dir() {
                ahead.push(path.clone());
                Vec::new()
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&path).expect("a link");
                target.as_os_str().as_bytes().to_vec()
            } else {
                std::fs::read(&path).expect("a file")
            };
            found.push((name.into_owned(), mode, contents));
        }
    }
    found.sort();
    found
}

/// A workspace with all that names and files may be.
pub(super) fn workspace() -> HostDirectory {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let from = HostDirectory::new();
    for (name, contents) in [
        ("plain", &b"plain\n"[..]),
        (" spaces \t and\nlines ", b"odd"),
        ("ünïcödé/容器/🦀", b"unicode"),
        ("-rf", b"a dash"),
        ("a'b\"c$(d)`e`*?[f]\\g", b"a shell's delight"),
        ("empty", b""),
        (".hidden/.file", b"hidden"),
        ("script.sh", b"#!/bin/sh\nexit 0\n"),
        ("secret", b"secret"),
        ("read-only/file", b"read-only"),
    ] {
        from.write(name, contents);
    }
    from.write(&format!("{}end", "deep/".repeat(50)), b"deep");
    from.write(&format!("{}/{}", "d".repeat(200), "f".repeat(200)), b"long");
    from.write("large", &noise(5 * MIB));
    std::fs::create_dir_all(from.0.join("empty directories/within")).expect("a directory");
    for (name, mode) in [
        ("script.sh", 0o755),
        ("secret", 0o600),
        ("read-only/file", 0o444),
        ("read-only", 0o755),
        (".hidden", 0o700),
    ] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(from.0.join(name), mode).expect("permissions");
    }
    for (target, name) in [
        ("plain", "link"),
        ("../plain", "read-only/up"),
        ("nowhere", "dangling"),
        (".hidden", "to a directory"),
    ] {
        symlink(target, from.0.join(name)).expect("a link");
    }
    from
}

/// A tar archive of these entries: a name, and contents or, after `->`, where a link leads.
pub(super) fn archive(entries: &[(&str, &str)]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        // The library would refuse what is to be refused here.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        let contents = match contents.strip_prefix("->") {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name(target).expect("a short target");
                ""
            }
            None => contents,
        };
        header.set_size(contents.len() as u64);
        header.set_cksum();
        archive
            .append(&header, contents.as_bytes())
            .expect("a vector takes any bytes");
    }
    archive
        .into_inner()
        .expect("a vector takes any bytes")
        .into()
}

pub(super) async fn whole(archive: crate::model::ArchiveStream) -> Vec<u8> {
    let pieces: Vec<Bytes> = archive.try_collect().await.expect("an archive");
    pieces.concat()
}

pub(super) fn contents(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("an archive");
    let read = entries.map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut contents = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut contents).expect("contents");
        let name = entry.path().expect("a path").to_string_lossy().into_owned();
        (name.trim_end_matches('/').to_owned(), contents)
    });
    read.collect()
}

/// Writes a file as it is written without options.
pub(super) async fn write(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
    at: &str,
    contents: &'static str,
) -> crate::error::Result<()> {
    let options = WriteFileOptions::default();
    backend
        .write_file(id, &path(at), contents.into(), &options)
        .await
}

pub(super) async fn said(backend: &dyn ContainerBackend, id: &ContainerRef, line: &str) -> String {
    let ran = exec(backend, id, line).await;
    assert!(ran.success(), "{line}: {ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[track_caller]
pub(super) fn assert_kind(error: &Error, kind: ErrorKind, operation: Operation, id: &ContainerRef) {
    assert_eq!(
        (error.kind(), error.operation(), error.subject()),
        (kind, Some(operation), Some(id.as_str())),
        "{error}"
    );
}

/// Makes a directory of the container's user, wherever it is.
pub(super) async fn make_directory(
    backend: &dyn ContainerBackend,
    id: &ContainerRef,
    at: &ContainerPath,
) {
    let Some((parent, name)) = at.split() else {
        return;
    };
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    let appended = builder.append_data(&mut header, name, std::io::empty());
    appended.expect("a vector takes any bytes");
    let archive = builder.into_inner().expect("a vector takes any bytes");
    let options = UploadOptions::default();
    let made = backend.upload(id, &parent, archive.into(), &options).await;
    made.unwrap_or_else(|error| panic!("{at}: {error:#}"));
}
