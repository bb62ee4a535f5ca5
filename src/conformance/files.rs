//! Files: archives as the engine packs and unpacks them, and files that go wherever they are to go.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::objects::with_volume;
use super::scratch::{assert_refused, unique_name, with_container, with_running};
use super::workspace::{
    HostDirectory, MIB, archive, assert_kind, contents, make_directory, noise, path, said, tree,
    whole, workspace, writable, write,
};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, ErrorKind};
use crate::model::{
    ArchiveLimits, CopyOptions, DownloadOptions, FileKind, ImageRef, Mount, OutwardLinks,
    PutArchiveOptions, SpecialFiles, TarArchive, UploadOptions, WriteFileOptions,
};
use crate::operation::Operation;

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
                        assert_eq!(copied.entries, expected.len() as u64, "{at}");
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

/// The root comes out as any directory does.
///
/// # Panics
/// Where it doesn't.
pub async fn the_root_comes_out(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        // What an engine mounts for itself may be devices, and links that lead out.
        let options = CopyOptions::default()
            .with_special(SpecialFiles::Skip)
            .with_outward_links(OutwardLinks::Skip);
        let written = write(backend, &id, "/etc/of-the-root", "found\n").await;
        written.expect("the root is writable");
        let to = HostDirectory::new();
        let copied = backend.copy_out(&id, &path("/"), &to.0, &options).await;
        copied.unwrap_or_else(|error| panic!("the root: {error:#}"));
        let found = std::fs::read_to_string(to.0.join("etc/of-the-root"));
        assert_eq!(found.expect("a file of the root"), "found\n");
    })
    .await;
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
