//! Files: archives as the engine packs and unpacks them, and files that go wherever they are to go.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::objects::with_volume;
use super::scratch::{assert_refused, exec, idle, unique_name, with_container, with_running};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, Error, ErrorKind};
use crate::model::{
    ArchiveLimits, ContainerPath, ContainerRef, ContainerSpec, CopyOptions, DownloadOptions,
    FileKind, ImageRef, Mount, Owner, PutArchiveOptions, TarArchive, UploadOptions,
    WriteFileOptions,
};
use crate::operation::Operation;

const MIB: usize = 1 << 20;

fn path(text: &str) -> ContainerPath {
    ContainerPath::new(text).expect("a path")
}

/// A container whose layers may be written to, with a user of its own.
fn writable(image: &ImageRef) -> ContainerSpec {
    let mut spec = idle(image);
    spec.security.read_only_root = false;
    spec
}

/// Bytes in which nothing repeats soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A directory of the host that goes with its guard.
struct HostDirectory(PathBuf);

impl HostDirectory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(unique_name().as_str());
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn write(&self, name: &str, contents: &[u8]) {
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
fn tree(root: &Path) -> Vec<(String, u32, Vec<u8>)> {
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
fn workspace() -> HostDirectory {
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
fn archive(entries: &[(&str, &str)]) -> Bytes {
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

async fn whole(archive: crate::model::ArchiveStream) -> Vec<u8> {
    let pieces: Vec<Bytes> = archive.try_collect().await.expect("an archive");
    pieces.concat()
}

fn contents(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
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
async fn write(
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

async fn said(backend: &dyn ContainerBackend, id: &ContainerRef, line: &str) -> String {
    let ran = exec(backend, id, line).await;
    assert!(ran.success(), "{line}: {ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[track_caller]
fn assert_kind(error: &Error, kind: ErrorKind, operation: Operation, id: &ContainerRef) {
    assert_eq!(
        (error.kind(), error.operation(), error.subject()),
        (kind, Some(operation), Some(id.as_str())),
        "{error}"
    );
}

/// A file's kind, size and permissions are told, and where a link leads.
///
/// # Panics
/// Where they aren't so.
pub async fn files_are_told_of(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(
        backend,
        writable(image).with_command(["sleep", "60"]),
        |id| async move {
            let look = async |text: &str| {
                let stat = backend.stat_path(&id, &path(text)).await;
                stat.unwrap_or_else(|error| panic!("{text}: {error}"))
            };
            let passwd = look("/etc/passwd").await;
            assert_eq!(
                (passwd.name.as_str(), passwd.kind, passwd.mode),
                ("passwd", FileKind::File, 0o644)
            );
            assert!(passwd.size > 0 && passwd.modified.is_some(), "{passwd:?}");
            let etc = look("/etc").await;
            assert_eq!((etc.kind, etc.mode), (FileKind::Directory, 0o755));
            let sh = look("/bin/sh").await;
            assert_eq!(sh.kind, FileKind::Symlink);
            let target = sh.link_target.expect("a target");
            assert!(target.ends_with("busybox"), "{target}");
        },
    )
    .await;
}

/// An archive is unpacked as it is, whole or as a stream, into a container that runs or not, and comes back.
///
/// # Panics
/// Where it doesn't.
pub async fn archives_go_in_and_out(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, writable(image), |id| async move {
        let (etc, options) = (path("/etc"), PutArchiveOptions::default());
        let put = async |archive: TarArchive| {
            let put = backend.put_archive(&id, &etc, &options, archive).await;
            put.expect("the archive is put");
        };
        put(archive(&[("a", "whole"), ("l", "->a")]).into()).await;
        backend.start(&id).await.expect("it starts");
        let bytes = archive(&[("b ü", "streamed")]);
        let pieces: Vec<_> = bytes.chunks(700).map(Bytes::copy_from_slice).collect();
        put(TarArchive::stream(futures::stream::iter(pieces).map(Ok))).await;
        assert_eq!(
            said(backend, &id, "cat /etc/l '/etc/b ü'").await,
            "wholestreamed"
        );

        let back = backend.get_archive(&id, &path("/etc/b ü")).await;
        let back = back.expect("an archive");
        let stat = back.stat().expect("it is told of").clone();
        assert_eq!((stat.name.as_str(), stat.size), ("b ü", 8));
        let back = contents(&whole(back).await);
        assert_eq!(back, [("b ü".to_owned(), b"streamed".to_vec())]);

        let put = backend.put_archive(&id, &etc, &options, vec![b'x'; 5000].into());
        let error = put.await.expect_err("no archive");
        let kinds = [ErrorKind::Engine, ErrorKind::Refused];
        assert_refused(&error, &kinds, "what is no archive");
    })
    .await;
}

/// What isn't there is not found, whatever is asked of it, and by whichever way it is asked.
///
/// # Panics
/// Where it is found.
pub async fn absent_paths_are_not_found(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        let host = HostDirectory::new();
        host.write("a", b"a");
        for absent in [
            "/absent",
            "/absent/at all",
            "/tmp/absent",
            "/tmp/absent/at all",
        ] {
            let absent = path(absent);
            let error = backend.stat_path(&id, &absent).await.expect_err("nothing");
            assert_kind(&error, ErrorKind::NotFound, Operation::StatPath, &id);
            let copy = CopyOptions::default();
            let read = Operation::GetArchive;
            let put = Operation::PutArchive;
            for (operation, error) in [
                (read, backend.get_archive(&id, &absent).await.err()),
                (
                    read,
                    backend
                        .download(&id, &absent, &DownloadOptions::default())
                        .await
                        .err(),
                ),
                (read, backend.read_file(&id, &absent, 10).await.err()),
                (
                    read,
                    backend
                        .copy_out(&id, &absent, &host.0.join("new"), &copy)
                        .await
                        .err(),
                ),
                (
                    put,
                    backend.copy_in(&id, &host.0, &absent, &copy).await.err(),
                ),
                (
                    put,
                    backend
                        .upload(
                            &id,
                            &absent,
                            archive(&[("a", "a")]).into(),
                            &UploadOptions::default(),
                        )
                        .await
                        .err(),
                ),
                (
                    put,
                    backend
                        .write_file(
                            &id,
                            &path(&format!("{absent}/file")),
                            Bytes::new(),
                            &WriteFileOptions::default(),
                        )
                        .await
                        .err(),
                ),
            ] {
                let error = error.unwrap_or_else(|| panic!("{operation} {absent}"));
                assert_kind(&error, ErrorKind::NotFound, operation, &id);
            }
            assert!(!host.0.join("new").exists(), "nothing was made");
        }
    })
    .await;
}

/// A large archive comes as fast as it is read, and may be given up halfway.
///
/// # Panics
/// Where it doesn't.
pub async fn large_archives_come_as_they_are_read(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    with_running(backend, writable(image), |id| async move {
        let bytes = Bytes::from(noise(20 * MIB));
        for at in ["/etc/large", "/tmp/large"] {
            let (at, options) = (path(at), WriteFileOptions::default());
            let written = backend.write_file(&id, &at, bytes.clone(), &options).await;
            written.expect("it is written");
            let options = DownloadOptions::default();
            let mut half = backend
                .download(&id, &at, &options)
                .await
                .expect("an archive");
            let mut read = 0;
            while read < 10 * MIB {
                let piece = half
                    .try_next()
                    .await
                    .expect("a piece")
                    .expect("there is more");
                read += piece.len();
            }
            drop(half);
            let most = bytes.len() as u64;
            let back = backend.read_file(&id, &at, most).await.expect("it is read");
            assert!(back == bytes, "{at}: {} bytes", back.len());
            let error = backend.read_file(&id, &at, most - 1).await;
            let error = error.expect_err("one byte too many");
            assert_kind(&error, ErrorKind::TooLarge, Operation::GetArchive, &id);
        }
    })
    .await;
}

/// A tree of the host comes back from a container as it went in, to the last bit, through layers, memory and
/// volumes.
///
/// # Panics
/// Where it doesn't.
pub async fn trees_come_back_as_they_went(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_volume(backend, unique_name().as_str(), |volume| async move {
        let spec = writable(image).with_mount(Mount::volume(volume, "/vol"));
        with_running(backend, spec, |id| async move {
            let from = workspace();
            let expected = tree(&from.0);
            for at in ["/etc/work", "/tmp/work", "/vol/work"] {
                let (at, options) = (path(at), CopyOptions::default());
                make_directory(backend, &id, &at).await;
                let copied = backend.copy_in(&id, &from.0, &at, &options).await;
                let copied = copied.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                assert_eq!(copied.entries, expected.len() as u64, "{at}");
                let to = HostDirectory::new();
                for into in [to.0.join("new"), to.0.clone()] {
                    // Into the second one, twice.
                    for _ in 0..2 {
                        if into == to.0 {
                            let _ = std::fs::remove_dir_all(to.0.join("new"));
                        } else if into.exists() {
                            break;
                        }
                        let copied = backend.copy_out(&id, &at, &into, &options).await;
                        let copied = copied.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                        assert_eq!(copied.entries, expected.len() as u64 + 1, "{at}");
                        let got = tree(&into);
                        for (got, expected) in got.iter().zip(&expected) {
                            assert_eq!(got.0, expected.0, "{at}");
                            assert!(got == expected, "{at}: {:?} differs", got.0);
                        }
                        assert_eq!(got.len(), expected.len(), "{at}");
                    }
                }
            }
        })
        .await;
    })
    .await;
}

/// Makes a directory of the container's user, wherever it is.
async fn make_directory(backend: &dyn ContainerBackend, id: &ContainerRef, at: &ContainerPath) {
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

/// One file goes and comes under its name, with its permissions; a link of its name is replaced.
///
/// # Panics
/// Where it doesn't.
pub async fn one_file_is_written_and_read(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        for directory in ["/etc", "/tmp", "/dev/shm"] {
            let at = path(&format!("{directory}/a file"));
            for (mode, text) in [(0o755_u32, "#!/bin/sh\n"), (0o600, ""), (0o644, "again")] {
                let options = WriteFileOptions::default().with_mode(mode);
                let written = backend.write_file(&id, &at, text.into(), &options).await;
                written.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                let read = backend.read_file(&id, &at, 100).await.expect("it is read");
                assert_eq!(read, text, "{at}");
                let line = format!("stat -c %a '{at}'");
                assert_eq!(said(backend, &id, &line).await, format!("{mode:o}\n"));
            }
            let to = HostDirectory::new();
            let options = CopyOptions::default();
            let copied = backend.copy_out(&id, &at, &to.0, &options).await;
            assert_eq!(copied.expect("it is copied").bytes, 5);
            assert_eq!(
                std::fs::read(to.0.join("a file")).expect("a file"),
                b"again"
            );
            to.write("another", b"file");
            let from = to.0.join("another");
            let copied = backend
                .copy_in(&id, &from, &path(directory), &options)
                .await;
            assert_eq!(copied.expect("it is copied").entries, 1);
            let line = format!("cat {directory}/another");
            assert_eq!(said(backend, &id, &line).await, "file");

            let error = backend.read_file(&id, &path(directory), 100).await;
            let error = error.expect_err("no file");
            assert_kind(&error, ErrorKind::InvalidInput, Operation::GetArchive, &id);
        }
        // The kernel's own have a size that says nothing.
        let status = backend.read_file(&id, &path("/proc/1/comm"), 100).await;
        assert_eq!(status.expect("it is read"), "sh\n");
        let link = archive(&[("link", "->passwd")]);
        let (etc, options) = (path("/etc"), UploadOptions::default());
        let put = backend.upload(&id, &etc, link.into(), &options).await;
        put.expect("a link");
        let followed = backend.read_file(&id, &path("/etc/link"), 10_000).await;
        assert!(followed.expect("it is followed").starts_with(b"root:"));
        let written = write(backend, &id, "/etc/link", "own").await;
        written.expect("it is replaced");
        let untouched = said(
            backend,
            &id,
            "cat /etc/link; head -n 1 /etc/passwd | cut -c 1-4",
        );
        assert_eq!(untouched.await, "ownroot\n");
    })
    .await;
}

/// What is in memory takes files and gives them, on a read-only root too, without the caller's noticing.
///
/// # Panics
/// Where it doesn't.
pub async fn memory_takes_files_unnoticed(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = idle(image).with_mount(Mount::tmpfs(8 << 20, "/memory"));
    with_running(backend, spec, |id| async move {
        for directory in ["/tmp", "/memory", "/dev/shm"] {
            let (at, options) = (path(directory), UploadOptions::default());
            let bytes = archive(&[("whole", "whole"), ("l", "->whole")]);
            let put = backend.upload(&id, &at, bytes.into(), &options).await;
            put.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let bytes = archive(&[("streamed", "streamed")]);
            let pieces: Vec<_> = bytes.chunks(500).map(Bytes::copy_from_slice).collect();
            let stream = TarArchive::stream(futures::stream::iter(pieces).map(Ok));
            let put = backend.upload(&id, &at, stream, &options).await;
            put.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let line = format!("cd {directory}; cat l streamed; stat -c %u:%g whole");
            assert_eq!(
                said(backend, &id, &line).await,
                "wholestreamed65534:65534\n"
            );

            let options = DownloadOptions::default();
            let down = backend
                .download(&id, &at, &options)
                .await
                .expect("an archive");
            let mut got = contents(&whole(down).await);
            got.sort();
            let name = directory.rsplit('/').next().expect("a name");
            let expected = ["", "/l", "/streamed", "/whole"].map(|rest| format!("{name}{rest}"));
            let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{at}");
            assert_eq!(got[3].1, b"whole");
            let within = DownloadOptions::default().with_max_bytes(1000u64);
            let down = backend
                .download(&id, &at, &within)
                .await
                .expect("it begins");
            let error = down.try_collect::<Vec<_>>().await.expect_err("too long");
            assert_kind(&error, ErrorKind::TooLarge, Operation::GetArchive, &id);
        }
    })
    .await;
}

/// A path that leads into memory by a link is followed there, and one that leads in a circle is refused.
///
/// # Panics
/// Where it isn't.
pub async fn links_into_memory_are_followed(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        let links = archive(&[
            ("etc/direct", "->/tmp"),
            ("etc/relative", "->../tmp/sub"),
            ("etc/twice", "->direct/sub"),
            ("etc/circle", "->circle"),
        ]);
        // Docker takes no link that leads upwards out of the directory.
        let (root, options) = (path("/"), UploadOptions::default());
        let put = backend.upload(&id, &root, links.into(), &options).await;
        put.expect("links are files too");
        make_directory(backend, &id, &path("/tmp/sub")).await;
        let options = WriteFileOptions::default();
        for (at, there) in [
            ("/etc/direct/a", "/tmp/a"),
            ("/etc/direct/sub/b", "/tmp/sub/b"),
            ("/etc/relative/c", "/tmp/sub/c"),
            ("/etc/twice/d", "/tmp/sub/d"),
            ("//etc/.//direct/e", "/tmp/e"),
        ] {
            let at = path(at);
            let written = backend.write_file(&id, &at, there.into(), &options).await;
            written.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let line = format!("cat {there}");
            assert_eq!(said(backend, &id, &line).await, there, "{at}");
            let read = backend.read_file(&id, &at, 100).await;
            assert_eq!(read.expect("it is read"), there, "{at}");
        }
        let circle = path("/etc/circle/x");
        let written = backend
            .write_file(&id, &circle, Bytes::new(), &options)
            .await;
        written.expect_err("it leads nowhere");
    })
    .await;
}

/// A volume takes files on a read-only root, the container running or not.
///
/// # Panics
/// Where it doesn't.
pub async fn volumes_take_files_on_a_read_only_root(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    with_volume(backend, unique_name().as_str(), |volume| async move {
        let spec = idle(image).with_mount(Mount::volume(volume.clone(), "/vol"));
        with_container(backend, spec, |id| async move {
            write(backend, &id, "/vol/before", "before")
                .await
                .expect("it is written");
            backend.start(&id).await.expect("it starts");
            write(backend, &id, "/vol/while", "while")
                .await
                .expect("it is written");
            let all = said(backend, &id, "cat /vol/before /vol/while").await;
            assert_eq!(all, "beforewhile");
        })
        .await;
        let shut = Mount::volume(volume, "/vol").read_only();
        with_running(backend, idle(image).with_mount(shut), |id| async move {
            let written = write(backend, &id, "/vol/never", "").await;
            let error = written.expect_err("it is read-only");
            assert_eq!(error.operation(), Some(Operation::PutArchive), "{error}");
        })
        .await;
    })
    .await;
}

/// Where a read-only root is to be written to, nothing is, and the error says so.
///
/// # Panics
/// Where it is.
pub async fn read_only_roots_stay_as_they_are(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let at = path("/etc/never");
        let written = write(backend, &id, at.as_str(), "").await;
        let error = written.expect_err("it is read-only");
        assert_kind(&error, ErrorKind::Container, Operation::PutArchive, &id);
        assert!(
            error.message().to_lowercase().contains("read-only"),
            "{error}"
        );
        let absent = backend.stat_path(&id, &at).await.expect_err("nothing");
        assert_eq!(absent.kind(), ErrorKind::NotFound);
    })
    .await;
}

/// Where only a command leads, a container that doesn't run is in the way, and the error says so before anything is
/// sent.
///
/// # Panics
/// Where it isn't.
pub async fn memory_needs_a_running_container(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        for at in ["/tmp/a", "/etc/a", "/dev/shm/a"] {
            let written = write(backend, &id, at, "").await;
            let error = written.expect_err("it doesn't run");
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Conflict, Effect::NotSent),
                "{error}"
            );
            assert!(error.to_string().contains("created"), "{error}");
        }
        let passwd = backend.read_file(&id, &path("/etc/passwd"), 10_000).await;
        assert!(passwd.expect("layers can be read").starts_with(b"root:"));
    })
    .await;
}

/// Files belong to the container's user, or to whom the options say.
///
/// # Panics
/// Where they don't.
pub async fn files_belong_to_the_containers_user(backend: &dyn ContainerBackend, image: &ImageRef) {
    for (user, own) in [
        (Some("65534:65534"), "65534:65534"),
        (Some("1234:99"), "1234:99"),
        (Some("root"), "0:0"),
        (None, "0:0"),
    ] {
        let mut spec = writable(image);
        spec.security.user = user.map(str::to_owned);
        with_running(backend, spec, |id| async move {
            for directory in ["/etc", "/tmp"] {
                for (owner, owned) in [(None, own), (Some(Owner::new(4321, 77)), "4321:77")] {
                    let at = path(&format!("{directory}/{}", owned.replace(':', ".")));
                    let options = WriteFileOptions::default().with_owner(owner);
                    let written = backend.write_file(&id, &at, "x".into(), &options).await;
                    written.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                    let line = format!("stat -c %u:%g {at}");
                    assert_eq!(
                        said(backend, &id, &line).await,
                        format!("{owned}\n"),
                        "{at}"
                    );
                }
            }
        })
        .await;
    }
}

/// An archive that would leave its directory is refused by the entry's name, and nothing of it is sent.
///
/// # Panics
/// Where it isn't.
pub async fn escapes_are_refused_before_they_are_sent(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    with_running(backend, writable(image), |id| async move {
        for (name, entries) in [
            ("../up", &[("first", "x"), ("../up", "x")][..]),
            ("a/../../up", &[("first", "x"), ("a/../../up", "x")]),
            ("/absolute", &[("first", "x"), ("/absolute", "x")]),
            (
                "link/through",
                &[("first", "x"), ("link", "->/etc"), ("link/through", "x")],
            ),
        ] {
            for directory in ["/etc", "/tmp"] {
                let (at, options) = (path(directory), UploadOptions::default());
                let put = backend
                    .upload(&id, &at, archive(entries).into(), &options)
                    .await;
                let error = put.expect_err(name);
                assert_kind(&error, ErrorKind::InvalidInput, Operation::PutArchive, &id);
                assert_eq!(
                    (error.effect(), error.field()),
                    (Effect::NotSent, Some("archive"))
                );
                assert!(error.message().contains(name), "{error}");
                let line = format!("ls {directory}/first 2>/dev/null || echo none");
                assert_eq!(said(backend, &id, &line).await, "none\n");
            }
        }
        let gzip = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        let options = UploadOptions::default();
        let put = backend
            .upload(&id, &path("/tmp"), gzip.into(), &options)
            .await;
        let error = put.expect_err("compressed");
        assert_kind(&error, ErrorKind::Unsupported, Operation::PutArchive, &id);
        assert!(error.message().contains("gzip"), "{error}");
    })
    .await;
}

/// More than the limits allow goes neither in nor out.
///
/// # Panics
/// Where it does.
pub async fn limits_of_archives_hold(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        let from = HostDirectory::new();
        from.write("a/b/c", &noise(2000));
        from.write("d", &noise(2000));
        for at in ["/etc/limits", "/tmp/limits"] {
            let at = path(at);
            make_directory(backend, &id, &at).await;
            let whole = CopyOptions::default();
            let copied = backend.copy_in(&id, &from.0, &at, &whole).await;
            copied.expect("it is copied");
            let limits = ArchiveLimits::default;
            for limits in [
                limits().with_max_bytes(3999u64),
                limits().with_max_file_bytes(1999u64),
                limits().with_max_entries(3u64),
                limits().with_max_depth(2usize),
            ] {
                let options = CopyOptions::default().with_limits(limits);
                let to = from.0.with_extension("out");
                let copied = backend.copy_out(&id, &at, &to, &options).await;
                let error = copied.expect_err("too much");
                assert_kind(&error, ErrorKind::TooLarge, Operation::GetArchive, &id);
                assert!(!to.exists(), "nothing is left");
                let copied = backend.copy_in(&id, &from.0, &at, &options).await;
                let error = copied.expect_err("too much");
                assert_kind(&error, ErrorKind::TooLarge, Operation::PutArchive, &id);
            }
        }
    })
    .await;
}
